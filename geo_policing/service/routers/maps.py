"""Pages with maps."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from geo_policing.maps import live_map, reconstruction_map, render, search_map, track_map
from geo_policing.service.dependencies import (
    INVESTIGATORS,
    Asking,
    DeviceId,
    InRooms,
    Investigating,
    Rooms,
    Window,
)
from geo_policing.service.looks import recorded
from geo_policing.service.withheld import permitted_now

router = APIRouter(prefix="/maps", tags=["maps"], default_response_class=HTMLResponse)

TILES_URL = "/tiles/city.pmtiles"


@router.get("/live")
def show_live(rooms: InRooms, who: Asking) -> HTMLResponse:
    """Show units and incidents as they change."""
    page = live_map(
        bounds=rooms.extent,
        tiles_url=_tiles(rooms),
        time_zone=rooms.settings.time_zone,
        home_url="/",
        tracks_url="/maps/tracks" if who.role in INVESTIGATORS else None,
    )
    return HTMLResponse(render(page))


@router.get("/tracks/{device}")
def show_track(
    request: Request, rooms: InRooms, who: Investigating, device: DeviceId, window: Window
) -> HTMLResponse:
    """Show the track of a device in a window: fixes, matched path, inferred parts dashed. It is recorded."""
    with recorded(request, rooms, who, device=device, window=window) as answer:
        track = rooms.tracks.track(device, window, match=rooms.tracks.has_roads)
        answer.rows = len(track.fixes)
    page = track_map(
        track,
        bounds=rooms.extent,
        tiles_url=_tiles(rooms),
        name=rooms.picture.name_of(device),
        time_zone=rooms.settings.time_zone,
        home_url="/",
    )
    return HTMLResponse(render(page))


@router.get("/reconstructions/{key}")
def show_reconstruction(
    request: Request,
    rooms: InRooms,
    who: Investigating,
    key: Annotated[str, Path(description="Id of a reconstruction.", max_length=64)],
) -> HTMLResponse:
    """Show where a suspect was when, by which ways, and how well the sightings fit. It is recorded."""
    with recorded(request, rooms, who) as answer:
        document = rooms.records.reconstructions.answer(key)
        answer.rows = len(document["features"])
    page = reconstruction_map(
        document, tiles_url=_tiles(rooms), time_zone=rooms.settings.time_zone, home_url="/"
    )
    return HTMLResponse(render(page))


@router.get("/searches/{key}")
def show_search(
    request: Request,
    rooms: InRooms,
    who: Investigating,
    key: Annotated[str, Path(description="Id of a search.", max_length=64)],
) -> HTMLResponse:
    """Show who was found by a search, and the fixes that prove it, but for who may not be told any more.

    It is recorded.
    """
    with recorded(request, rooms, who) as answer:
        document = permitted_now(rooms.records.searches.answer(key), rooms.records.devices.list())
        answer.rows = document["told"]
    page = search_map(
        document,
        tiles_url=_tiles(rooms),
        bounds=rooms.extent,
        time_zone=rooms.settings.time_zone,
        home_url="/",
    )
    return HTMLResponse(render(page))


def _tiles(rooms: Rooms) -> str | None:
    return TILES_URL if rooms.tiles is not None else None
