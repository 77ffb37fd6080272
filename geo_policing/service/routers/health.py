"""Whether the service runs."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

import geo_policing
from geo_policing.service.dependencies import InRooms, Rooms

router = APIRouter(tags=["health"])

#: Fixes not yet on disk beyond which the store counts as too slow.
BACKLOG = 20_000


class Health(BaseModel):
    """What a stranger may know: that it runs, in which version, and whether fixes reach the disk."""

    status: Literal["ok", "degraded"]
    version: str
    reasons: list[str] = Field(description="Why it is degraded; the log says more.")


@router.head("/health", include_in_schema=False)
@router.get("/health", responses={503: {"description": "Nothing is stored any more; start it anew."}})
async def read_health(rooms: InRooms, response: Response) -> Health:
    """Tell whether the service runs; 503 when nothing is stored any more and it must be started anew."""
    reasons = list(_reasons(rooms))
    if rooms.pipeline.has_stopped:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Health(status="degraded" if reasons else "ok", version=geo_policing.__version__, reasons=reasons)


def _reasons(rooms: Rooms) -> Iterator[str]:
    if rooms.pipeline.has_stopped:
        yield "nothing is stored any more: start the service anew"
    elif rooms.pipeline.is_failing:
        yield "the disk does not take what receivers send: it is kept in memory and tried again"
    if rooms.pipeline.waiting >= BACKLOG:
        yield "the disk is slower than what receivers send"
    for name in rooms.chores.troubles:
        yield f"{name} failed"
