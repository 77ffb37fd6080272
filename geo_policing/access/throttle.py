"""Failed sign-ins are counted by who tries and what, so that guessing is slow."""

import threading
from collections import OrderedDict
from collections.abc import Hashable


class Throttle:
    """After so many failures a key waits; the keys remembered are bounded, the oldest failure goes first.

    An attempt counts as failed from the moment it is let through until it is taken back, in one step under
    a lock: of attempts made at the same time no more get through than of attempts one after another.

    Parameters
    ----------
    failures : int
        Failures allowed before a key waits.
    wait_us : int
        How long it waits after the last failure, microseconds.
    keys : int
        Keys remembered at most.
    """

    def __init__(self, failures: int = 5, wait_us: int = 60_000_000, keys: int = 10_000) -> None:
        self._failures = failures
        self._wait_us = wait_us
        self._keys = keys
        self._failed: OrderedDict[Hashable, tuple[int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def attempt(self, key: Hashable, now_us: int) -> int:
        """Let a key try, counted as a failure, and return 0; or how long it must wait, microseconds."""
        with self._lock:
            count, last_us = self._failed.get(key, (0, now_us))
            # A clock set back must not make the wait longer than it is.
            passed_us = max(0, now_us - last_us)
            if passed_us >= self._wait_us:
                count = 0
            if count >= self._failures:
                if now_us < last_us:
                    self._failed[key] = (count, now_us)
                return self._wait_us - passed_us
            self._failed[key] = (count + 1, now_us)
            self._failed.move_to_end(key)
            while len(self._failed) > self._keys:
                self._failed.popitem(last=False)
            return 0

    def refund(self, key: Hashable) -> None:
        """Take back one attempt, which was no failure."""
        with self._lock:
            count, last_us = self._failed.get(key, (0, 0))
            if count > 1:
                self._failed[key] = (count - 1, last_us)
            else:
                self._failed.pop(key, None)

    def succeeded(self, key: Hashable) -> None:
        """Forget the failures of a key."""
        with self._lock:
            self._failed.pop(key, None)
