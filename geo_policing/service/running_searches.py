"""Searches beside the requests: some at once, each for so long at most, ended when nobody waits for it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from geo_policing.errors import Conflict, NotAllowed, NotFound, Unavailable
from geo_policing.model import Account, Halt, Role
from geo_policing.service.compiling import compiling_here
from geo_policing.service.searches import Asker, ask, new_key
from geo_policing.service.tracks import Tracks
from geo_policing.store import FixStore, Records
from geo_policing.tracks.inquiry import Question

#: So many searches run at once, and so many more may wait for them; who asks then is told to come back.
MOST_RUNNING, MOST_WAITING = 2, 16
_ENDED = "the search has ended already; GET it for its answer"


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """A search that waits or runs.

    Parameters
    ----------
    key : str
        Under which it will be kept.
    name : str
        Which search.
    question, asker : Question, Asker
        What is asked, and by whom.
    halt : Halt
        Ends it, and knows how far it is.
    """

    key: str
    name: str
    question: Question
    asker: Asker
    halt: Halt


class Searches:
    """Runs searches in threads of its own, a few at once; safe to use from several threads.

    Parameters
    ----------
    store : FixStore
        The history.
    records : Records
        Knows the devices, and keeps what was asked.
    tracks : Tracks
        Has the roads.
    zone : ZoneInfo
        Whose clock tells night from day.
    limit_s : float
        How long one may take, without the time that it takes to compile what it needs.
    """

    def __init__(
        self, store: FixStore, records: Records, tracks: Tracks, zone: ZoneInfo, limit_s: float = 60.0
    ) -> None:
        self._on = (store, records, tracks, zone)
        self._records, self._limit_s = records, limit_s
        self._pool = ThreadPoolExecutor(MOST_RUNNING, thread_name_prefix="search")
        self._here: dict[str, Running] = {}
        self._changing = threading.Lock()

    async def ask(
        self, name: str, question: Question, asker: Asker, gone: Callable[[], Awaitable[None]] | None = None
    ) -> dict[str, Any]:
        """As `searches.ask`, beside everything else.

        Parameters
        ----------
        name, question, asker
            As there.
        gone : callable, optional
            What it returns is done when nobody waits for the answer any more; then the search is ended.

        Raises
        ------
        InvalidInput, Cancelled, TookTooLong, Unavailable
            As there; Unavailable as well if too many wait.
        """
        running = Running(new_key(), name, question, asker, Halt(self._limit_s, compiling_here))
        with self._changing:
            # Those that were ended leave at their turn; they too are bounded.
            there = sum(not one.halt.cancelled for one in self._here.values())
            if there >= MOST_RUNNING + MOST_WAITING or len(self._here) >= 8 * MOST_WAITING:
                raise Unavailable(
                    f"{MOST_RUNNING} searches run and {MOST_WAITING} wait; try again when one has ended"
                )
            self._here[running.key] = running
        try:
            work = self._pool.submit(self._work, running)
        except RuntimeError:
            self._leave(running)
            raise Unavailable("the service is stopping; ask again when it is back") from None
        work.add_done_callback(lambda _: self._leave(running))
        answer = asyncio.wrap_future(work)
        # Also what nobody waits for any more is looked at; asyncio complains of it otherwise.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            if gone is not None:
                await _first(answer, gone())
                if not answer.done():
                    running.halt.end("whoever asked has gone; ask again")
            # It ends by itself, and is not to be taken from its queue: that it was asked is recorded.
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            running.halt.end("the service was stopped; ask again")
            raise

    def of_case(self, case: str) -> list[Running]:
        """Return those of a case that wait or run, the oldest first."""
        with self._changing:
            return [one for one in self._here.values() if one.asker.case == case]

    def cancel(self, key: str, case: str, who: Account) -> Running:
        """End a search of a case that waits or runs; that it was asked, and who has ended it, is recorded.

        Raises
        ------
        NotFound
            If there is none with this id in the case.
        Conflict
            If it has ended.
        NotAllowed
            If somebody else asked for it, and this is no administrator.
        """
        with self._changing:
            running = self._here.get(key)
        if running is None or running.asker.case != case:
            if self._records.searches.get(key).case_number != case:
                raise NotFound("search", key)
            raise Conflict(_ENDED)
        if who.key != running.asker.account and who.role is not Role.ADMIN:
            raise NotAllowed(
                f"{running.asker.account} asked for this search; that account or an administrator ends it"
            )
        if not running.halt.end(f"{who.key} has cancelled it; ask again if it is still needed"):
            raise Conflict(_ENDED)
        return running

    def _work(self, running: Running) -> dict[str, Any]:
        return ask(
            *self._on, running.name, running.question, running.asker, key=running.key, halt=running.halt
        )

    def _leave(self, running: Running) -> None:
        with self._changing:
            self._here.pop(running.key, None)

    def close(self) -> None:
        """End all that run or wait; each is recorded as such."""
        with self._changing:
            here = list(self._here.values())
        for one in here:
            one.halt.end("the service was stopped; ask again")
        self._pool.shutdown(wait=True)


async def _first(answer: asyncio.Future[Any], gone: Awaitable[None]) -> None:
    """Wait until there is an answer, or nobody waits for it."""
    leaving = asyncio.ensure_future(gone)
    try:
        await asyncio.wait({answer, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
