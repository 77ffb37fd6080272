"""How long a thread has waited for machine code: seconds that no question has to answer for.

A kernel is compiled, or brought from the cache, when it is first called. On a machine on which nobody has run
``geo-policing warm-up`` that takes longer than most questions, and whoever asks first would be told to ask
for less.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from numba.core import event


@dataclass(slots=True)
class _Shown:
    """What the clock of a thread shows: what it waits for now, since when, and how long it did before."""

    at_work: int = 0
    began_s: float = 0.0
    total_s: float = 0.0


class _Clocks(event.Listener):  # type: ignore[misc]
    """One for each thread; it goes while the thread has the lock of numba's compiler, or waits for it."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._of: dict[int, _Shown] = {}

    def on_start(self, event: event.Event) -> None:  # noqa: ARG002 - as numba calls it
        """Go."""
        with self._changing:
            shown = self._of.setdefault(threading.get_ident(), _Shown())
            if not shown.at_work:
                shown.began_s = time.monotonic()
            shown.at_work += 1

    def on_end(self, event: event.Event) -> None:  # noqa: ARG002 - as numba calls it
        """Stand, at the last of what was begun."""
        with self._changing:
            shown = self._of.get(threading.get_ident())
            if shown is not None and shown.at_work:
                shown.at_work -= 1
                if not shown.at_work:
                    shown.total_s += time.monotonic() - shown.began_s

    def seconds(self, thread: int) -> float:
        """Return what that of a thread shows."""
        with self._changing:
            shown = self._of.get(thread, _Shown())
            return shown.total_s + (time.monotonic() - shown.began_s if shown.at_work else 0.0)


_CLOCKS = _Clocks()
event.register("numba:compiler_lock", _CLOCKS)


def compiling_here() -> Callable[[], float]:
    """Return what tells, any thread, for how many seconds the thread that calls this has waited so far."""
    thread = threading.get_ident()
    return lambda: _CLOCKS.seconds(thread)
