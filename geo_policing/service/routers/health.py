"""Whether the service runs."""

from fastapi import APIRouter
from pydantic import BaseModel

import geo_policing
from geo_policing.service.dependencies import InRooms

router = APIRouter(tags=["health"])

#: Fixes not yet on disk beyond which the store counts as too slow.
BACKLOG = 20_000


class Health(BaseModel):
    """What a stranger may know: that it runs, in which version, and whether fixes reach the disk."""

    status: str
    version: str


@router.head("/health", include_in_schema=False)
@router.get("/health")
def read_health(rooms: InRooms) -> Health:
    """Tell whether the service runs; ``degraded`` while fixes pile up in front of the store."""
    status = "ok" if rooms.pipeline.waiting < BACKLOG else "degraded"
    return Health(status=status, version=geo_policing.__version__)
