"""Where the units are now."""

from typing import Any

from fastapi import APIRouter

from geo_policing.service.dependencies import Box, InRooms, Seeing
from geo_policing.service.parameters import KNOWN_ONLY

router = APIRouter(prefix="/api", tags=["units"], dependencies=[KNOWN_ONLY])


@router.get("/units")
async def read_units(rooms: InRooms, seeing: Seeing, bbox: Box) -> dict[str, Any]:
    """Return the newest position of every device that one sees, as a GeoJSON FeatureCollection."""
    return rooms.picture.units(bbox, seeing)
