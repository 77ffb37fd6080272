"""Where something was in a window of time."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from geo_policing.service.dependencies import DeviceId, InRooms, Investigating, Window
from geo_policing.service.looks import recorded
from geo_policing.service.parameters import KNOWN_ONLY

router = APIRouter(prefix="/api/tracks", tags=["tracks"], dependencies=[KNOWN_ONLY])


@router.get("/{device}")
def read_track(
    request: Request,
    rooms: InRooms,
    who: Investigating,
    device: DeviceId,
    window: Window,
    match: Annotated[bool, Query(description="Whether to match the fixes to the roads.")] = False,
) -> dict[str, Any]:
    """Return the fixes of a device in a window, and the path matched to them, as GeoJSON.

    A feature has a ``role``: ``fixes``, or ``path``, of which those with ``inferred`` join a gap and have no
    fix on them; ``confidence`` is the probability that the piece was travelled. Who asked is recorded.
    """
    with recorded(request, rooms, who, device=device, window=window) as answer:
        track = rooms.tracks.track(device, window, match=match)
        answer.rows = len(track.fixes)
    return track.to_geojson()
