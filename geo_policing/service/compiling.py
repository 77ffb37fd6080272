"""How long machine code was made in this process: seconds that no question has to answer for.

A kernel is compiled, or brought from the cache, when it is first called. On a machine on which nobody has run
``geo-policing warm-up`` that takes longer than most questions, and whoever asks first would be told to ask
for less.
"""

import threading
import time

from numba.core import event


class _Clock(event.Listener):  # type: ignore[misc]
    """Goes while any thread of the process has the lock of numba's compiler, or waits for it."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._at_work = 0
        self._began_s = 0.0
        self._total_s = 0.0

    def on_start(self, event: event.Event) -> None:  # noqa: ARG002 - as numba calls it
        """Go."""
        with self._changing:
            if not self._at_work:
                self._began_s = time.monotonic()
            self._at_work += 1

    def on_end(self, event: event.Event) -> None:  # noqa: ARG002 - as numba calls it
        """Stand, when nobody else is at it."""
        with self._changing:
            self._at_work -= 1
            if not self._at_work:
                self._total_s += time.monotonic() - self._began_s

    def seconds(self) -> float:
        """Return what it shows."""
        with self._changing:
            return self._total_s + (time.monotonic() - self._began_s if self._at_work else 0.0)


_CLOCK = _Clock()
event.register("numba:compiler_lock", _CLOCK)


def compiling_s() -> float:
    """Return for how many seconds something was compiled since this was imported."""
    return _CLOCK.seconds()
