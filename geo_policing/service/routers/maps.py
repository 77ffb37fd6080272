"""Pages with maps."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from geo_policing.maps import live_map, render, track_map
from geo_policing.service.dependencies import Asking, DeviceId, InRooms, Investigating, Rooms, Window

router = APIRouter(prefix="/maps", tags=["maps"], default_response_class=HTMLResponse)

TILES_URL = "/tiles/city.pmtiles"


@router.get("/live")
def show_live(rooms: InRooms, _: Asking) -> HTMLResponse:
    """Show units and incidents as they change."""
    page = live_map(bounds=rooms.extent, tiles_url=_tiles(rooms), time_zone=rooms.settings.time_zone)
    return HTMLResponse(render(page))


@router.get("/tracks/{device}")
def show_track(rooms: InRooms, _: Investigating, device: DeviceId, window: Window) -> HTMLResponse:
    """Show the track of a device in a window: fixes, matched path, inferred parts dashed."""
    track = rooms.tracks.track(device, window, match=rooms.tracks.has_roads)
    page = track_map(
        track,
        bounds=rooms.extent,
        tiles_url=_tiles(rooms),
        name=rooms.picture.name_of(device),
        time_zone=rooms.settings.time_zone,
    )
    return HTMLResponse(render(page))


def _tiles(rooms: Rooms) -> str | None:
    return TILES_URL if rooms.tiles is not None else None
