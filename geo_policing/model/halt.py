"""When work that takes long must end: after so many seconds, or because somebody says so."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import Cancelled, TookTooLong

#: How often what does not look by itself is interrupted again, seconds: one that begins just then heeds none.
AGAIN_S = 0.05


class Halt:
    """Ends a piece of work that looks here now and then, and interrupts what cannot. Safe from any thread.

    The seconds are counted from entering it, and what is interrupted is interrupted as long as it is entered.

    Parameters
    ----------
    limit_s : float, optional
        How long the work may take; without it, as long as it likes.
    standing : callable, optional
        Called by the thread that enters it; what it returns tells any thread how many seconds of that one so
        far do not count, as while machine code was made.
    """

    def __init__(
        self, limit_s: float | None = None, standing: Callable[[], Callable[[], float]] | None = None
    ) -> None:
        self._limit_s = limit_s
        self._standing = standing
        self._stood_s: Callable[[], float] = lambda: 0.0
        self._began_s: float | None = None
        self._done = ""
        self._why = ""
        self._is_finished = False
        self._changing = threading.Lock()
        self._wake = threading.Event()
        self._left = threading.Event()
        self._interrupts: list[Callable[[], None]] = []
        self._flag = np.zeros(1, np.uint8)

    def __enter__(self) -> Self:
        """Begin to count."""
        if self._standing is not None:
            self._stood_s = self._standing()
        self._began_s = self._now_s()
        threading.Thread(target=self._interrupt, name="halt", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: nothing is interrupted any more."""
        self._left.set()
        self._wake.set()

    @property
    def done(self) -> str:
        """What the work has told last of how far it is."""
        return self._done

    @property
    def took_s(self) -> float | None:
        """Seconds since it was entered, of those that count; None before."""
        return None if self._began_s is None else self._now_s() - self._began_s

    @property
    def cancelled(self) -> bool:
        """Whether somebody has said that it must end."""
        return bool(self._why)

    @property
    def flag(self) -> NDArray[np.uint8]:
        """What a kernel looks at, (1,): other than 0 when the work must end."""
        return self._flag

    def end(self, why: str) -> bool:
        """Say that the work must end, and why; the first reason counts.

        Returns
        -------
        bool
            Whether it was in time: not after `finish`.
        """
        with self._changing:
            if self._is_finished:
                return False
            self._why = self._why or why
        self._flag[0] = 1
        self._wake.set()
        return True

    def finish(self) -> None:
        """Say that the work is whole: nobody ends it any more. It may have taken too long.

        Raises
        ------
        Cancelled
            If somebody has said before that it must end.
        """
        with self._changing:
            if self._why:
                raise Cancelled(self._why)
            self._is_finished = True

    def tell(self, done: str) -> None:
        """Say how far the work is, as in ``7 of 31 days``, and look whether it must end; as `check`."""
        self._done = done
        self.check()

    def check(self) -> None:
        """Look whether the work must end.

        Raises
        ------
        Cancelled
            If somebody has said so.
        TookTooLong
            If it took longer than it may.
        """
        # Before the reason, which is there when `end` sets it. Who was told to end does not go on because the
        # clock, read while it stands, shows a little less again: what a kernel has found is not whole.
        is_told = bool(self._flag[0])
        if self._why:
            raise Cancelled(self._why)
        took_s = self.took_s
        if self._limit_s is not None and took_s is not None and (is_told or took_s >= self._limit_s):
            raise TookTooLong(self._limit_s, self._done)

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Call something again and again from when the work must end until this block is left."""
        self.check()
        with self._changing:
            self._interrupts.append(interrupt)
        try:
            yield
        finally:
            with self._changing:
                self._interrupts.remove(interrupt)

    def _now_s(self) -> float:
        return time.monotonic() - self._stood_s()

    def _interrupt(self) -> None:
        if self._limit_s is None:
            self._wake.wait()
        else:
            while (left_s := self._limit_s - (self.took_s or 0.0)) > 0.0:
                # Its clock may stand meanwhile.
                if self._wake.wait(max(left_s, AGAIN_S)):
                    break
        while not self._left.wait(AGAIN_S):
            self._flag[0] = 1
            with self._changing:
                for interrupt in self._interrupts:
                    interrupt()
