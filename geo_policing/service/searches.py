"""A detective's search: asked, answered and recorded at once, so that no answer is without its record."""

import asyncio
import math
import re
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from geo_policing.errors import GeoPolicingError, Unavailable
from geo_policing.model import format_instant
from geo_policing.service.tracks import EXCLUDED, Tracks
from geo_policing.store import FixStore, Look, Records
from geo_policing.store.history.evidence import evidence
from geo_policing.store.history.questions import Questions
from geo_policing.store.searches import KeptSearch
from geo_policing.tracks.inquiry import SEARCHES, Asked, Permitted, Question, document

#: So many searches run at once, and so many more may wait for them; who asks then is told to come back.
MOST_RUNNING, MOST_WAITING = 2, 16
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
_LONGEST = 2000  # characters of an address or a refusal that are kept


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and why somebody may know.

    Parameters
    ----------
    case, reason : str
        The number of the case, and what the search is for.
    account, role : str
        The key of the account, and what it is.
    client : str
        The address it asks from.
    path : str
        What it asks for, as it stands in the record of looks.
    """

    case: str
    reason: str
    account: str
    role: str
    client: str
    path: str


def ask(
    store: FixStore,
    records: Records,
    tracks: Tracks,
    zone: ZoneInfo,
    name: str,
    question: Question,
    asker: Asker,
) -> dict[str, Any]:
    """Search the history, and keep the question, who asked and the answer in one transaction.

    Returns
    -------
    dict
        What `inquiry.document` tells, with the id under which it is kept, and who asked what and why.

    Raises
    ------
    InvalidInput
        If something of the question cannot be. That it was asked and refused is recorded.
    Unavailable
        If the history cannot be read, or the record not be written: then nothing is told.
    """
    kept = {
        "id": secrets.token_urlsafe(12),
        "case_number": asker.case,
        "reason": asker.reason,
        "account": asker.account,
        "role": asker.role,
        "client": asker.client,
        "asked_us": time.time_ns() // 1_000,
        "search": name,
        "question": plain(question.model_dump()),
    }
    try:
        told = _told(store, records, tracks, zone, name, question)
    except GeoPolicingError as error:
        _keep(records, KeptSearch(**kept, problem=plain(str(error))[:_LONGEST]), None, asker)
        raise
    answer = {
        "id": kept["id"],
        "search": name,
        "title": SEARCHES[name].title,
        "case": asker.case,
        "reason": asker.reason,
        "account": asker.account,
        "asked": format_instant(kept["asked_us"]),
        "question": kept["question"],
        **told,
    }
    _keep(records, KeptSearch(**kept, found=told["found"], told=told["told"]), answer, asker)
    return answer


def plain(value: Any) -> Any:
    """Return what any JSON can say: no halves of surrogate pairs or null characters, no infinite number."""
    if isinstance(value, str):
        return _UNWRITABLE.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value


def _told(
    store: FixStore, records: Records, tracks: Tracks, zone: ZoneInfo, name: str, question: Question
) -> dict[str, Any]:
    devices = {device.id: device for device in records.devices.list()}
    without = {device.id for device in devices.values() if device.kind in EXCLUDED}
    history = Permitted(Questions(store), without)
    found = SEARCHES[name].ask(Asked(history, zone, tracks), question)
    return document(found, question, lambda stretches, most: evidence(store, stretches, most), devices)


def _keep(records: Records, kept: KeptSearch, answer: dict[str, Any] | None, asker: Asker) -> None:
    records.searches.add(
        kept,
        answer,
        Look(
            at_us=kept.asked_us,
            account=asker.account,
            role=asker.role,
            client=asker.client,
            question=asker.path[:_LONGEST],
            rows=kept.found,
            device=kept.question.get("device"),
        ),
    )


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
    """

    def __init__(self, store: FixStore, records: Records, tracks: Tracks, zone: ZoneInfo) -> None:
        self._on = (store, records, tracks, zone)
        self._pool = ThreadPoolExecutor(MOST_RUNNING, thread_name_prefix="search")
        self._here = 0
        self._changing = threading.Lock()

    async def ask(self, name: str, question: Question, asker: Asker) -> dict[str, Any]:
        """As `ask`, beside everything else; one that has begun ends also when nobody waits for it any more.

        Raises
        ------
        InvalidInput, Unavailable
            As `ask` does; Unavailable as well if too many wait.
        """
        with self._changing:
            if self._here >= MOST_RUNNING + MOST_WAITING:
                raise Unavailable(
                    f"{MOST_RUNNING} searches run and {MOST_WAITING} wait; try again when one has ended"
                )
            self._here += 1
        try:
            work = self._pool.submit(self._work, name, question, asker)
        except RuntimeError:
            self._leave()
            raise Unavailable("the service is stopping; ask again when it is back") from None
        work.add_done_callback(lambda _: self._leave())
        return await asyncio.shield(asyncio.wrap_future(work))

    def _work(self, name: str, question: Question, asker: Asker) -> dict[str, Any]:
        return ask(*self._on, name, question, asker)

    def _leave(self) -> None:
        with self._changing:
            self._here -= 1

    def close(self) -> None:
        """Let those that run end; those that wait are not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)
