"""The basemap: one PMTiles archive, read by ranges."""

from fastapi import APIRouter
from fastapi.responses import FileResponse

from geo_policing.errors import NotFound
from geo_policing.service.dependencies import Asking, InRooms

router = APIRouter(tags=["tiles"])


@router.head("/tiles/city.pmtiles", response_class=FileResponse, include_in_schema=False)
@router.get("/tiles/city.pmtiles", response_class=FileResponse)
def read_tiles(rooms: InRooms, _: Asking) -> FileResponse:
    """Return the archive, or the ranges of it that the Range header names."""
    if rooms.tiles is None or not rooms.tiles.is_file():
        raise NotFound("basemap", "city.pmtiles")
    return FileResponse(rooms.tiles, media_type="application/vnd.pmtiles")
