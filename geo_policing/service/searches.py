"""A detective's search: asked, answered and recorded at once, so that no answer is without its record."""

import logging
import math
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from geo_policing.errors import GeoPolicingError, TookTooLong
from geo_policing.model import Halt, format_instant
from geo_policing.service.sight import EXCLUDED, note_of
from geo_policing.service.tracks import Tracks
from geo_policing.store import FixStore, Look, Records
from geo_policing.store.history.evidence import evidence
from geo_policing.store.history.questions import Questions
from geo_policing.store.searches import KeptSearch
from geo_policing.tracks.inquiry import SEARCHES, Asked, Permitted, Question, document

log = logging.getLogger(__name__)

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
    *,
    key: str | None = None,
    halt: Halt | None = None,
) -> dict[str, Any]:
    """Search the history, and keep the question, who asked and the answer in one transaction.

    Parameters
    ----------
    store, records, tracks : FixStore, Records, Tracks
        The history, where it is recorded, and the roads.
    zone : ZoneInfo
        Whose clock tells night from day.
    name : str
        Which search.
    question, asker : Question, Asker
        What is asked, and by whom.
    key : str, optional
        Under which it is kept; made here without it.
    halt : Halt, optional
        Says when it must end.

    Returns
    -------
    dict
        What `inquiry.document` tells, with the id under which it is kept, and who asked what and why.

    Raises
    ------
    InvalidInput
        If something of the question cannot be.
    Cancelled, TookTooLong
        If it had to end before. However it ends, that it was asked is recorded.
    Unavailable
        If the history cannot be read, or the record not be written: then nothing is told.
    """
    halt = halt or Halt()
    kept = {
        "id": key or new_key(),
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
        with halt:
            halt.check()
            told = _told(store, records, tracks, zone, name, question, halt)
    except TookTooLong as error:
        narrowed = TookTooLong(error.limit_s, error.done, remedy_of(question))
        _refuse(records, KeptSearch(**kept, problem=plain(str(narrowed))[:_LONGEST]), asker)
        raise narrowed from None
    except GeoPolicingError as error:
        _refuse(records, KeptSearch(**kept, problem=plain(str(error))[:_LONGEST]), asker)
        raise
    except BaseException as error:
        # Also Ctrl-C: whoever asked may have seen how far it was.
        ended = isinstance(error, KeyboardInterrupt)
        said = "it was ended by who asked" if ended else "the search failed; the log says why"
        _refuse(records, KeptSearch(**kept, problem=said), asker)
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


def new_key() -> str:
    """Return an id that is not to be guessed."""
    return secrets.token_urlsafe(12)


#: What may be narrowed of a question that takes too long, by its fields.
_NARROWER = {
    "devices": "fewer devices",
    "window": "a shorter window",
    "days": "fewer days",
    "places": "shorter windows or fewer areas",
    "area": "a smaller area",
    "candidates": "fewer candidates",
    "along_roads": "without along_roads",
    "match": "without match",
}


def remedy_of(question: Question) -> str:
    """Say what to ask for instead of a question that takes too long."""
    given = question.model_dump()
    return "ask for " + ", ".join(says for name, says in _NARROWER.items() if given.get(name))


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
    store: FixStore,
    records: Records,
    tracks: Tracks,
    zone: ZoneInfo,
    name: str,
    question: Question,
    halt: Halt,
) -> dict[str, Any]:
    devices = {device.id: device for device in records.devices.list()}
    without = {device.id for device in devices.values() if device.kind in EXCLUDED}
    history = Permitted(Questions(store, halt), without)
    found = SEARCHES[name].ask(Asked(history, zone, tracks, halt), question)
    halt.tell("all but the fixes that prove it")
    told = document(found, question, lambda stretches, most: evidence(store, stretches, most, halt), devices)
    # What is whole by now is told, a little late, but not where somebody has cancelled it; nobody does later.
    halt.finish()
    asked_for = {name: devices[name].kind for name in _named(question) if name in devices}
    told["notes"] += note_of(asked_for, others=bool(without))
    return told


def _named(question: Question) -> list[str]:
    """Return the devices that a question names."""
    one, several = getattr(question, "device", None), getattr(question, "devices", None)
    return [*([] if one is None else [one]), *(several or ())]


def _refuse(records: Records, kept: KeptSearch, asker: Asker) -> None:
    log.info("search %s of case %s: %s", kept.id, kept.case_number, kept.problem)
    _keep(records, kept, None, asker)


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
