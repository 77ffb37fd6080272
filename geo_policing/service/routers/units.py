"""Where the units are now."""

from typing import Any

from fastapi import APIRouter

from geo_policing.service.dependencies import Asking, Box, InRooms
from geo_policing.service.parameters import KNOWN_ONLY

router = APIRouter(prefix="/api", tags=["units"], dependencies=[KNOWN_ONLY])


@router.get("/units")
async def read_units(rooms: InRooms, _: Asking, bbox: Box) -> dict[str, Any]:
    """Return the newest position of every device, as a GeoJSON FeatureCollection."""
    return rooms.picture.units(bbox)
