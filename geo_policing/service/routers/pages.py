"""The start page and the documentation of the interface."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from geo_policing.errors import GeoPolicingError
from geo_policing.model import Account, DeviceKind, from_us
from geo_policing.service.dependencies import (
    DISPATCHERS,
    INVESTIGATORS,
    Asking,
    Dispatching,
    InRooms,
    Rooms,
)
from geo_policing.service.pages import page
from geo_policing.service.problems import status_of
from geo_policing.service.routers.devices import Admission, admit_device, known_to

router = APIRouter(include_in_schema=False)

#: As kinds are listed: those of the police first.
_PLACE = {kind: place for place, kind in enumerate(DeviceKind)}


@router.get("/", response_class=HTMLResponse)
def show_start(rooms: InRooms, who: Asking) -> HTMLResponse:
    """Show where to go from here."""
    zone = ZoneInfo(rooms.settings.time_zone)
    devices = known_to(who, rooms.records.devices.list())
    now = datetime.now(zone).replace(microsecond=0)
    start = (now - timedelta(minutes=30)).isoformat()
    return page(
        "start.html",
        who=who,
        devices=sorted(devices, key=lambda device: (_PLACE[device.kind], device.id)),
        seen={device: _clock(fix.time, zone) for device, fix in rooms.pipeline.latest.items()},
        strangers=len(rooms.registry.quarantine),
        may_investigate=who.role in INVESTIGATORS,
        may_admit=who.role in DISPATCHERS,
        start=start,
        end=now.isoformat(),
        window=quote(f"{start}/{now.isoformat()}", safe="/"),
    )


@router.get("/quarantine", response_class=HTMLResponse)
def show_quarantine(rooms: InRooms, who: Dispatching) -> HTMLResponse:
    """Show who sends without having been admitted."""
    return _quarantine(rooms, who)


@router.post("/quarantine", response_model=None)
async def admit(
    request: Request,
    rooms: InRooms,
    who: Dispatching,
    key: Annotated[str, Form(max_length=200)],
    kind: Annotated[DeviceKind, Form()],
    device: Annotated[str, Form(max_length=64)] = "",
) -> HTMLResponse | RedirectResponse:
    """Admit one of them."""
    try:
        admission = Admission(key=key, device="" if device == key else device, kind=kind)
        await admit_device(request, rooms, who, admission)
    except GeoPolicingError as error:
        return _quarantine(rooms, who, str(error), status_of(error))
    return RedirectResponse("/quarantine", HTTPStatus.SEE_OTHER)


def _quarantine(rooms: Rooms, who: Account, error: str = "", status: int = 200) -> HTMLResponse:
    return page(
        "quarantine.html",
        status,
        who=who,
        strangers=rooms.registry.quarantine,
        kinds=[kind.value for kind in DeviceKind],
        error=error,
    )


def _clock(us: int, zone: ZoneInfo) -> str:
    return f"{from_us(us).astimezone(zone):%Y-%m-%d %H:%M:%S}"


@router.get("/api/docs", response_class=HTMLResponse)
def show_documentation(_: Asking) -> HTMLResponse:
    """Show the interface, to read and to try; its scripts are our own files."""
    return get_swagger_ui_html(
        openapi_url="/api/openapi.json",
        title="geo_policing: API",
        swagger_js_url="/assets/swagger-ui/swagger-ui-bundle.js",
        swagger_css_url="/assets/swagger-ui/swagger-ui.css",
        swagger_favicon_url="data:,",
    )


@router.get("/api/openapi.json")
def read_openapi(request: Request, _: Asking) -> JSONResponse:
    """Return the description of the interface."""
    return JSONResponse(request.app.openapi())
