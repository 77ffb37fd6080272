"""The hub: what changes, in order, to everybody who watches.

Each event has a number; a watcher that was cut off names the last it has and gets what it missed. Every
watcher has a queue of its own with a bound: who is too slow loses the events in it and gets a fresh
snapshot instead, so a slow console loses old dots, never the stream, and never slows the others.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

#: A number that a 64-bit counter reaches has no more digits.
_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Event:
    """One change.

    Parameters
    ----------
    id : str
        ``RUN-NUMBER``; a new run of the service has a new RUN, so that numbers of the old one mean nothing.
    kind : str
        ``snapshot``, ``units``, ``matched`` or ``incident``.
    data : bytes
        JSON, made once for all who watch.
    """

    id: str
    kind: str
    data: bytes


class Hub:
    """Numbers events, keeps the last ones, and hands them to watchers. For one event loop.

    Parameters
    ----------
    snapshot : callable
        Returns the whole picture as it is now, the data of a ``snapshot`` event.
    keep : int
        Events kept for watchers that come back.
    queue : int
        Events that may wait for one watcher.
    """

    def __init__(
        self, snapshot: Callable[[], dict[str, Any]], *, keep: int = 2_000, queue: int = 200
    ) -> None:
        self._snapshot = snapshot
        self._run = secrets.token_hex(4)
        self._number = 0
        self._kept: deque[Event] = deque(maxlen=keep)
        self._queue = queue
        self._watchers: set[Watcher] = set()
        self._closed = False
        self._whole: Event | None = None

    def publish(self, kind: str, data: dict[str, Any]) -> Event:
        """Give an event its number and hand it to every watcher; never waits."""
        self._whole = None
        encoded = orjson.dumps(data)
        self._number += 1
        event = Event(f"{self._run}-{self._number}", kind, encoded)
        self._kept.append(event)
        for watcher in self._watchers:
            watcher.offer(event)
        return event

    def close(self) -> None:
        """Tell every watcher that nothing more comes: the service stops."""
        self._closed = True
        for watcher in self._watchers:
            watcher.wake()

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._closed

    @contextmanager
    def watch(self, last_id: str | None = None) -> Iterator["Watcher"]:
        """Register a watcher, who first gets what it missed since ``last_id``, or else a snapshot."""
        watcher = Watcher(self, self._queue)
        missed = self._since(last_id)
        for event in missed if missed is not None else [self.snapshot()]:
            watcher.offer(event)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def snapshot(self) -> Event:
        """Return the whole picture as an event with the present number; the same until the next event."""
        if self._whole is None:
            data = orjson.dumps(self._snapshot())
            self._whole = Event(f"{self._run}-{self._number}", "snapshot", data)
        return self._whole

    def _since(self, last_id: str | None) -> list[Event] | None:
        """Return the events after ``last_id``, or None if they are not all kept or too many to queue."""
        run, _, number = (last_id or "").partition("-")
        if run != self._run or len(number) > _DIGITS or not number.isascii() or not number.isdigit():
            return None
        missing = self._number - int(number)
        if not 0 <= missing <= min(len(self._kept), self._queue):
            return None
        return list(self._kept)[len(self._kept) - missing :]


class Watcher:
    """One who watches."""

    def __init__(self, hub: Hub, bound: int) -> None:
        self._hub = hub
        self._bound = bound
        self._waiting: deque[Event] = deque()
        self._overflown = False
        self._wake = asyncio.Event()

    def offer(self, event: Event) -> None:
        """Queue an event; when the queue is full, drop it all and mark that a snapshot is due."""
        if len(self._waiting) >= self._bound:
            self._waiting.clear()
            self._overflown = True
        if not self._overflown:
            self._waiting.append(event)
        self._wake.set()

    def wake(self) -> None:
        """Look again whether the hub is closed."""
        self._wake.set()

    async def next(self) -> Event | None:
        """Wait for the next event; None when the hub is closed."""
        while not (self._waiting or self._overflown):
            if self._hub.closed:
                return None
            self._wake.clear()
            await self._wake.wait()
        if self._overflown:
            self._overflown = False
            return self._hub.snapshot()
        return self._waiting.popleft()
