"""Searches through the history, kept under the case they were made for. Added to, never changed.

Their answers are deleted in time (`store.answers`).
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import sqlalchemy as sa

from geo_policing.errors import Conflict, NotFound
from geo_policing.model import format_instant
from geo_policing.store import tables
from geo_policing.store.engine import get, writing
from geo_policing.store.looks import Look


@dataclass(frozen=True, slots=True)
class KeptSearch:
    """What was asked, by whom and why, and how much was told.

    Parameters
    ----------
    id : str
        Not to be guessed.
    case_number, reason : str
        Why somebody may know.
    account, role : str
        The key of the account that asked, and what it was then.
    client : str
        The address it asked from.
    asked_us : int
        When, microseconds of UTC.
    search : str
        Which search.
    question : dict
        All that was asked, so that it can be repeated.
    found, told : int
        How many results there are, and how many of them were told; 0 where it was refused.
    problem : str, optional
        Why it was refused, or how it ended without an answer.
    deleted_us : int, optional
        When the answer was deleted, for no rule kept it any longer.
    """

    id: str
    case_number: str
    reason: str
    account: str
    role: str
    client: str
    asked_us: int
    search: str
    question: dict[str, Any]
    found: int = 0
    told: int = 0
    problem: str | None = None
    deleted_us: int | None = None


_COLUMNS = tuple(field.name for field in fields(KeptSearch))


class Searches:
    """Searches by their ids and by their cases. There is no way to change or to delete one here."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, kept: KeptSearch, answer: dict[str, Any] | None, look: Look) -> None:
        """Keep a search, its answer, and that somebody looked: all of it or nothing.

        It is on disk when this returns; what is not may not be told.

        Raises
        ------
        Unavailable
            If it could not be kept.
        """
        packed = None
        if answer is not None:
            packed = zlib.compress(json.dumps(answer, ensure_ascii=False, sort_keys=True).encode())
        looked = asdict(look)
        del looked["id"]
        with writing(self._engine) as db:
            db.execute(tables.looks.insert(), looked)
            db.execute(tables.searches.insert(), asdict(kept) | {"answer": packed})

    def get(self, key: str) -> KeptSearch:
        """Return one without its answer.

        Raises
        ------
        NotFound
            If there is none with this id.
        """
        return _kept(get(self._engine, tables.searches, "search", key))

    def answer(self, key: str, case_number: str | None = None) -> dict[str, Any]:
        """Return what was told then, of a search of a case when one is given.

        Raises
        ------
        NotFound
            If there is none with this id in the case.
        Conflict
            If it has none: why it was refused or ended, or when the answer was deleted.
        """
        row = get(self._engine, tables.searches, "search", key)
        if case_number is not None and row["case_number"] != case_number:
            raise NotFound("search", key)
        if row["deleted_us"] is not None:
            raise Conflict(deleted("search", row["deleted_us"]))
        if row["answer"] is None:
            why = row["problem"] or "what it found is in the files that it wrote"
            raise Conflict(f"the search has no answer, ask again: {why}")
        found: dict[str, Any] = json.loads(zlib.decompress(row["answer"]))
        return found

    def of_case(
        self, case_number: str, *, limit: int = 100, before: str | None = None
    ) -> Sequence[KeptSearch]:
        """Return those of a case, the newest first, without their answers; from the one after `before` on.

        Raises
        ------
        NotFound
            If `before` is none of the case.
        """
        c = tables.searches.c
        query = (
            sa.select(*(c[name] for name in _COLUMNS))
            .where(c.case_number == case_number)
            .order_by(c.asked_us.desc(), c.id)
            .limit(limit)
        )
        if before is not None:
            last = self.get(before)
            if last.case_number != case_number:
                raise NotFound("search", before)
            earlier = c.asked_us < last.asked_us
            query = query.where(earlier | ((c.asked_us == last.asked_us) & (c.id > last.id)))
        with self._engine.connect() as db:
            return [_kept(row) for row in db.execute(query).mappings()]


def deleted(kind: str, at_us: int) -> str:
    """Say that an answer was deleted, and what to do."""
    return (
        f"the answer of the {kind} was deleted at {format_instant(at_us)}, when no rule kept it any longer; "
        "what was asked is kept: ask again"
    )


def _kept(row: sa.RowMapping) -> KeptSearch:
    return KeptSearch(**{name: row[name] for name in _COLUMNS})
