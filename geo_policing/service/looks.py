"""The record of who looked at the past, kept before anything is told."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import Request

from geo_policing.model import Account, TimeWindow
from geo_policing.service.dependencies import Rooms
from geo_policing.store import Look

_LONGEST = 2000  # characters of a question that are kept


@dataclass(slots=True)
class Answer:
    """How many rows a question has brought."""

    rows: int = 0


@contextmanager
def recorded(
    request: Request,
    rooms: Rooms,
    who: Account,
    *,
    device: str | None = None,
    window: TimeWindow | None = None,
) -> Iterator[Answer]:
    """Record a question about the past when this ends, answered or refused.

    Raises
    ------
    Unavailable
        If it cannot be recorded: then nothing is told.
    """
    answer = Answer()
    try:
        yield answer
    finally:
        # As it was asked, still percent-encoded: whatever it says can be kept.
        question = b"?".join(filter(None, (request.scope["raw_path"], request.scope["query_string"])))
        rooms.records.looks.add(
            Look(
                at_us=time.time_ns() // 1_000,
                account=who.key,
                role=who.role.value,
                client=request.client.host if request.client else "",
                question=question.decode("latin-1")[:_LONGEST],
                rows=answer.rows,
                device=device,
                start_us=None if window is None else window.start_us,
                end_us=None if window is None else window.end_us,
            )
        )
