"""Failed sign-ins are counted for each account name, so that guessing is slow."""

import threading
from collections import OrderedDict


class Throttle:
    """After so many failures a name waits; the names remembered are bounded, the oldest failure goes first.

    Parameters
    ----------
    failures : int
        Failures allowed before a name waits.
    wait_us : int
        How long it waits after the last failure, microseconds.
    names : int
        Names remembered at most.
    """

    def __init__(self, failures: int = 5, wait_us: int = 60_000_000, names: int = 10_000) -> None:
        self._failures = failures
        self._wait_us = wait_us
        self._names = names
        self._failed: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_us(self, name: str, now_us: int) -> int:
        """Return how long the name must still wait, microseconds; 0 if it may try."""
        with self._lock:
            count, last = self._failed.get(name, (0, 0))
        return max(0, last + self._wait_us - now_us) if count >= self._failures else 0

    def failed(self, name: str, now_us: int) -> None:
        """Count a failure; those before a whole wait of peace are forgotten."""
        with self._lock:
            count, last = self._failed.pop(name, (0, now_us))
            self._failed[name] = (1 if now_us - last >= self._wait_us else count + 1, now_us)
            while len(self._failed) > self._names:
                self._failed.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name."""
        with self._lock:
            self._failed.pop(name, None)
