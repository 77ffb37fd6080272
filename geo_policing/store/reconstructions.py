"""Reconstructions of suspects' tracks, kept under the case they were made for."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from geo_policing.errors import Conflict, NotFound
from geo_policing.store import tables
from geo_policing.store.engine import get, insert, writing
from geo_policing.store.searches import deleted


class WorkState(StrEnum):
    """How far a reconstruction is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: From these nothing follows.
ENDED = (WorkState.DONE, WorkState.FAILED, WorkState.CANCELLED)


@dataclass(frozen=True, slots=True)
class KeptReconstruction:
    """What was asked, by whom and why, and how far it is.

    Parameters
    ----------
    id : str
        Not to be guessed.
    case_number, reason : str
        Why somebody may know.
    account : str
        Key of the account that asked.
    created_us : int
        When, microseconds of UTC.
    state : WorkState
        How far it is.
    question : dict
        All that was asked, so that it can be repeated.
    problem : str, optional
        What is wrong and what to do, where it failed.
    ended_us : int, optional
        When it was done, failed or cancelled.
    deleted_us : int, optional
        When the answer was deleted, for no rule kept it any longer.
    """

    id: str
    case_number: str
    reason: str
    account: str
    created_us: int
    state: WorkState
    question: dict[str, Any]
    problem: str | None = None
    ended_us: int | None = None
    deleted_us: int | None = None


class Reconstructions:
    """Reconstructions by their ids and by their cases."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, kept: KeptReconstruction) -> None:
        """Keep a question that waits to be worked on."""
        row = {name: getattr(kept, name) for name in _COLUMNS}
        insert(self._engine, tables.reconstructions, "reconstruction", row | {"state": kept.state.value})

    def get(self, key: str) -> KeptReconstruction:
        """Return one without its answer.

        Raises
        ------
        NotFound
            If there is none with this id.
        """
        return _kept(get(self._engine, tables.reconstructions, "reconstruction", key))

    def answer(self, key: str) -> dict[str, Any]:
        """Return the answer of one that is done.

        Raises
        ------
        NotFound
            If there is none with this id.
        Conflict
            If it is not done: its state, and what is wrong; or if the answer was deleted.
        """
        row = get(self._engine, tables.reconstructions, "reconstruction", key)
        if row["state"] != WorkState.DONE:
            why = f": {row['problem']}" if row["problem"] else ""
            remedy = "ask for a new one" if row["state"] in ENDED else "wait until its state is done"
            raise Conflict(f"the reconstruction is {row['state']}{why}; {remedy}")
        if row["deleted_us"] is not None:
            raise Conflict(deleted("reconstruction", row["deleted_us"]))
        found: dict[str, Any] = json.loads(zlib.decompress(row["answer"]))
        return found

    def of_case(self, case_number: str, *, limit: int = 100) -> Sequence[KeptReconstruction]:
        """Return those of a case, the newest first."""
        c = tables.reconstructions.c
        query = (
            sa.select(*(c[name] for name in _COLUMNS))
            .where(c.case_number == case_number)
            .order_by(c.created_us.desc(), c.id)
            .limit(limit)
        )
        with self._engine.connect() as db:
            return [_kept(row) for row in db.execute(query).mappings()]

    def move(
        self,
        key: str,
        state: WorkState,
        *,
        problem: str | None = None,
        answer: dict[str, Any] | None = None,
        ended_us: int | None = None,
    ) -> None:
        """Say how far it is; one that has ended stays as it is.

        Raises
        ------
        NotFound
            If there is none with this id.
        Conflict
            If it has ended.
        """
        t = tables.reconstructions
        packed = None
        if answer is not None:
            packed = zlib.compress(json.dumps(answer, ensure_ascii=False, sort_keys=True).encode())
        with writing(self._engine) as db:
            changed = db.execute(
                t.update()
                .where(t.c.id == key, t.c.state.not_in([s.value for s in ENDED]))
                .values(state=state.value, problem=problem, answer=packed, ended_us=ended_us)
            )
            if changed.rowcount == 0:
                present = db.execute(sa.select(t.c.state).where(t.c.id == key)).scalar_one_or_none()
                if present is None:
                    raise NotFound("reconstruction", key)
                raise Conflict(f"the reconstruction is {present} already")

    def abandon(self, problem: str, ended_us: int) -> int:
        """Mark what nobody works on any more as failed, and return how many that were."""
        t = tables.reconstructions
        with writing(self._engine) as db:
            changed = db.execute(
                t.update()
                .where(t.c.state.not_in([s.value for s in ENDED]))
                .values(state=WorkState.FAILED.value, problem=problem, ended_us=ended_us)
            )
        return changed.rowcount


_COLUMNS = (
    *("id", "case_number", "reason", "account", "created_us", "state", "question", "problem", "ended_us"),
    "deleted_us",
)


def _kept(row: sa.RowMapping) -> KeptReconstruction:
    return KeptReconstruction(**{name: row[name] for name in _COLUMNS} | {"state": WorkState(row["state"])})
