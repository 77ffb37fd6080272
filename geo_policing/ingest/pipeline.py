"""From decoded fixes to disk, and only then to those who watch.

The order, for each fix: is it plausible and new (`plausibility`), into the batch, batch on disk,
acknowledged, published. What waits is bounded: `room` is where a session waits while the store is slow,
and by that stops reading its socket.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from geo_policing.errors import Unavailable
from geo_policing.geodesy.cells import cells
from geo_policing.ingest.plausibility import Plausibility
from geo_policing.ingest.stored_before import History, stored_before
from geo_policing.model import Fix, FixColumns

log = logging.getLogger(__name__)

_INT64 = 1 << 63
RETRY_FIRST_S, RETRY_LONGEST_S = 0.1, 5.0


class Sink(History, Protocol):
    """Where fixes are kept, and which it has."""

    def append(self, fixes: FixColumns) -> None:
        """Keep fixes, all or none; on disk when it returns. Blocks; called in a thread of its own."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Fixes that are on disk.

    Parameters
    ----------
    fixes : tuple of Fix
        All, in the order they were accepted.
    live : tuple of Fix
        Those of them that were newer than any other of their device; the others are history that came late.
    """

    fixes: tuple[Fix, ...]
    live: tuple[Fix, ...]


class Subscription:
    """What one watcher has not taken yet; when it is too slow, the oldest is lost and counted in `lost`."""

    def __init__(self, size: int) -> None:
        self.lost = 0
        self._waiting: deque[Stored] = deque()
        self._size = size
        self._news = asyncio.Event()
        self._closed = False

    def offer(self, stored: Stored) -> None:
        """Hand over what was stored; never waits."""
        if len(self._waiting) >= self._size:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(stored)
        self._news.set()

    def close(self) -> None:
        """End the iteration after what waits has been taken."""
        self._closed = True
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[Stored]:
        """Yield what was stored until the pipeline stops."""
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._closed:
                return
            self._news.clear()
            await self._news.wait()


class Pipeline:
    """Judge, batch, store, acknowledge, publish. For one event loop; use with ``async with``.

    Parameters
    ----------
    sink : Sink
        Where fixes are kept.
    plausibility : Plausibility
        What is believed; one with the usual limits when not given.
    batch_rows : int
        A batch is written when it has so many fixes,
    batch_seconds : float
        or when its first fix has waited so long.
    max_waiting : int
        Fixes not yet on disk beyond which `room` waits.
    drain_seconds : float
        How long stopping tries to write the rest when the sink fails.
    clock : callable
        Microseconds of UTC now.

    Attributes
    ----------
    accepted, stored, late : int
        Fixes that were believed, that are on disk, and that came after a newer one of their device.
    sink_failures : int
        How often the sink did not take a batch.
    is_failing : bool
        Whether it did not the last time; the batch is in hand and tried again.
    """

    def __init__(
        self,
        sink: Sink,
        plausibility: Plausibility | None = None,
        *,
        batch_rows: int = 5_000,
        batch_seconds: float = 0.2,
        max_waiting: int = 50_000,
        drain_seconds: float = 30.0,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        self.accepted = 0
        self.stored = 0
        self.late = 0
        self.sink_failures = 0
        self.is_failing = False
        self._sink = sink
        self._checks = plausibility or Plausibility()
        self._batch_rows, self._batch_seconds = batch_rows, batch_seconds
        self._max_waiting, self._drain_seconds = max_waiting, drain_seconds
        self._clock = clock
        self._latest: dict[str, Fix] = {}
        self._latest_on_disk: dict[str, Fix] = {}
        self._batch: list[Fix] = []
        self._batch_live: list[Fix] = []
        self._batch_doubtful: set[int] = set()
        self._due = 0.0
        self._on_disk: asyncio.Future[None] | None = None
        self._writing: asyncio.Future[None] | None = None
        self._full = asyncio.Event()
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ending = asyncio.Event()
        self._waiting = 0
        self._watchers: set[Subscription] = set()
        self._thread = ThreadPoolExecutor(1, "fixes-to-disk")
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start to write."""
        self._writer = asyncio.create_task(self._write())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what was accepted, then stop.

        Raises
        ------
        Unavailable
            If the sink failed for longer than `drain_seconds`; says how many fixes are not on disk.
        """
        assert self._writer is not None
        self._ending.set()
        self._some.set()
        self._full.set()
        await asyncio.wait({self._writer})
        self._thread.shutdown(wait=False)
        for watcher in self._watchers:
            watcher.close()
        if not self._writer.cancelled():
            self._writer.result()

    @property
    def refusals(self) -> dict[tuple[str, str], int]:
        """How many fixes were refused, by (reason, device); may be asked from any thread."""
        # A copy is made in one step; in a walk over the counts themselves the loop would add to them.
        counts = dict(self._checks.counts)
        return {key: n for key, n in counts.items() if key[0] != "late"}

    @property
    def waiting(self) -> int:
        """Fixes accepted and not yet on disk."""
        return self._waiting

    @property
    def latest(self) -> dict[str, Fix]:
        """The newest fix of each device that is on disk."""
        return dict(self._latest_on_disk)

    @property
    def has_stopped(self) -> bool:
        """Whether nothing is stored any more: it was stopped, or the writer has died, as the log says."""
        return self._writer is not None and self._writer.done()

    def prime(self, stored: Iterable[Fix]) -> None:
        """Learn what the store has, the newest fix of each device at least, before the first is taken.

        They are neither stored nor published; after them, older fixes are late and the same are duplicates.
        One from the future, stored while the clock was wrong, is left out: it would freeze its device.
        """
        now_us = self._clock()
        for fix in stored:
            if self._checks.learn(fix, now_us):
                newest = self._latest.get(fix.device)
                if newest is None or fix.time > newest.time:
                    self._latest[fix.device] = self._latest_on_disk[fix.device] = fix

    def take(self, fixes: Iterable[Fix]) -> asyncio.Future[None]:
        """Judge fixes and put them into the batch at once; shield the result before awaiting it.

        Returns
        -------
        Future
            Done when these, and all taken before them, are on disk.
        """
        if self.has_stopped:
            raise Unavailable("the pipeline has stopped; nothing more is stored")
        now_us = self._clock()
        for fix in fixes:
            newest = self._latest.get(fix.device)
            if not _is_storable(fix):
                self._checks.counts["malformed", fix.device] += 1
                continue
            if self._checks.check(fix, now_us) is not None:
                continue
            if self._checks.may_have_forgotten(fix):
                self._batch_doubtful.add(len(self._batch))
            self._batch.append(fix)
            if newest is None or fix.time > newest.time:
                self._latest[fix.device] = fix
                self._batch_live.append(fix)
            else:
                self.late += 1
            self.accepted += 1
            self._waiting += 1
        if self._batch:
            if self._on_disk is None:
                loop = asyncio.get_running_loop()
                self._on_disk, self._due = loop.create_future(), loop.time() + self._batch_seconds
            self._some.set()
            if len(self._batch) >= self._batch_rows:
                self._full.set()
            if self._waiting >= self._max_waiting:
                self._room.clear()
            return self._on_disk
        if self._writing is not None:
            return self._writing
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def room(self) -> None:
        """Wait while more than `max_waiting` fixes are not on disk."""
        await self._room.wait()

    async def submit(self, fixes: Iterable[Fix]) -> None:
        """Take fixes when there is room; return when they are on disk.

        Raises
        ------
        Unavailable
            If the pipeline stops before they are.
        """
        await self.room()
        await asyncio.shield(self.take(fixes))

    @contextmanager
    def subscribe(self, size: int = 1_000) -> Iterator[Subscription]:
        """Watch what is stored from now on; `size` batches may wait."""
        watcher = Subscription(size)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def _write(self) -> None:
        try:
            await self._write_batches()
        except Exception as error:
            log.exception("%d fixes are not on disk", self._waiting)
            for future in (self._writing, self._on_disk):
                if future is not None:
                    future.set_exception(error)
                    # Whoever still waits gets it; that nobody does is no error of its own.
                    future.exception()
            self._room.set()
            raise

    async def _write_batches(self) -> None:
        while True:
            await self._some.wait()
            if not self._batch and self._ending.is_set():
                return
            if not self._ending.is_set():
                try:
                    async with asyncio.timeout_at(self._due):
                        await self._full.wait()
                except TimeoutError:
                    pass
            batch, live, doubtful, on_disk = (
                self._batch,
                self._batch_live,
                self._batch_doubtful,
                self._on_disk,
            )
            assert on_disk is not None
            self._batch, self._batch_live, self._batch_doubtful = [], [], set()
            self._on_disk, self._writing = None, on_disk
            if not self._ending.is_set():
                self._some.clear()
                self._full.clear()
            before = set(await self._keep(batch, doubtful))
            for index in before:
                self._checks.take_back(batch[index])
            self.accepted -= len(before)
            self.late -= len(before)
            self.stored += len(batch) - len(before)
            self._waiting -= len(batch)
            if self._waiting < self._max_waiting:
                self._room.set()
            self._writing = None
            on_disk.set_result(None)
            kept = tuple(fix for index, fix in enumerate(batch) if index not in before)
            self._latest_on_disk.update((fix.device, fix) for fix in live)
            stored = Stored(kept, tuple(live))
            for watcher in self._watchers:
                watcher.offer(stored)

    async def _keep(self, fixes: list[Fix], doubtful: set[int]) -> list[int]:
        """Append until the sink takes it; give up only when it failed for too long while stopping.

        Returns
        -------
        list of int
            Which were stored before, and were left out.
        """
        loop = asyncio.get_running_loop()
        # In the thread, so that the loop is free meanwhile, also while the kernel is compiled.
        columns = await loop.run_in_executor(self._thread, _columns, fixes)
        wait_s, give_up = RETRY_FIRST_S, None
        while True:
            try:
                before = await loop.run_in_executor(self._thread, self._append, fixes, columns, doubtful)
            except Exception as error:  # noqa: BLE001 - whatever the sink raises, the fixes stay in hand
                self.sink_failures += 1
                self.is_failing = True
                log.warning("the store did not take %d fixes, trying again: %s", len(fixes), error)
            else:
                self.is_failing = False
                return before
            if self._ending.is_set():
                give_up = give_up or loop.time() + self._drain_seconds
                if loop.time() >= give_up:
                    raise Unavailable(
                        f"{self._waiting} fixes are not on disk: the store kept failing; see the log, "
                        "free disk space"
                    )
                await asyncio.sleep(min(wait_s, max(give_up - loop.time(), 0)))
            else:
                try:
                    async with asyncio.timeout(wait_s):
                        await self._ending.wait()
                except TimeoutError:
                    pass
            wait_s = min(2 * wait_s, RETRY_LONGEST_S)

    def _append(self, fixes: list[Fix], columns: FixColumns, doubtful: set[int]) -> list[int]:
        """Append what was not stored before; in the thread of the store."""
        before = stored_before(self._sink, fixes, doubtful) if doubtful else []
        self._sink.append(columns.take(np.delete(np.arange(len(columns)), before)) if before else columns)
        return before


def _columns(fixes: list[Fix]) -> FixColumns:
    """Make rows of the history of fixes."""
    columns = FixColumns.from_fixes(fixes)
    return replace(columns, cell=cells(columns.lon, columns.lat))


def _is_storable(fix: Fix) -> bool:
    """Whether the columns can hold it: one row that they cannot would stop all others."""
    return (
        abs(fix.lon) <= 180
        and abs(fix.lat) <= 90
        and abs(fix.time) < _INT64
        and abs(fix.received) < _INT64
        and all(0 <= n < 256 for n in (fix.quality, fix.satellites, fix.beidou_satellites))
    )
