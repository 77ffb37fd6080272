"""Where something was in a window of time."""

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Query

from geo_policing.service.dependencies import DeviceId, InRooms, Investigating, Window

log = logging.getLogger(__name__)
router = APIRouter(prefix="/api/tracks", tags=["tracks"])


@router.get("/{device}")
def read_track(
    rooms: InRooms,
    who: Investigating,
    device: DeviceId,
    window: Window,
    match: Annotated[bool, Query(description="Whether to match the fixes to the roads.")] = False,
) -> dict[str, Any]:
    """Return the fixes of a device in a window, and the path matched to them, as GeoJSON.

    A feature has a ``role``: ``fixes``, or ``path``, of which those with ``inferred`` join a gap and have no
    fix on them; ``confidence`` is the probability that the piece was travelled.
    """
    log.info("%s asked for the track of %s, %s to %s", who.name, device, window.start, window.end)
    return rooms.tracks.track(device, window, match=match).to_geojson()
