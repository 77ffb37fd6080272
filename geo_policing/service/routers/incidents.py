"""Incidents: list, take a call, move it along its life cycle."""

import base64
import binascii
import secrets
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Body, Path, Query, Request
from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, field_validator
from starlette.concurrency import run_in_threadpool

from geo_policing.errors import InvalidCoordinates, InvalidInput
from geo_policing.geodesy.crs import to_wgs84
from geo_policing.model import Incident, IncidentState, Severity, format_instant, parse_instant
from geo_policing.service.dependencies import (
    Box,
    Dispatching,
    InRooms,
    OneLine,
    OptionalWindow,
    Policing,
    Rooms,
)
from geo_policing.service.looks import Answer, recorded
from geo_policing.service.parameters import KNOWN_ONLY
from geo_policing.service.picture import incident_feature
from geo_policing.service.telling import tell_incident

router = APIRouter(prefix="/api/incidents", tags=["incidents"], dependencies=[KNOWN_ONLY])

IncidentId = Annotated[str, Path(description="Id of an incident.", max_length=200)]

#: Before it nobody could call, and after it nothing has occurred; a day for clocks and zones.
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), timedelta(days=1)

#: So far outside of the roads a call is a slip of the pen, and not the neighbouring county's.
FAR_DEG = 1.0


def _occurred(value: object) -> datetime | None:
    """Read when something occurred; a number could be seconds or milliseconds, and is nothing."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text; write a time like 2026-03-01T08:00:00+08:00")  # noqa: TRY004
    try:
        instant = parse_instant(value, field="occurred")
    except InvalidInput as error:
        raise ValueError(str(error)) from None
    if not EARLIEST <= instant <= datetime.now(UTC) + LATEST:
        raise ValueError(f"{value!r} is not between 1900 and tomorrow; correct it")
    return instant


class Call(BaseModel):
    """What is known when a call is taken."""

    model_config = {"extra": "forbid"}

    kind: OneLine = Field(min_length=1, max_length=100, examples=["盗窃 theft"])
    lon: float = Field(ge=-180, le=180, examples=[113.13], allow_inf_nan=False)
    lat: float = Field(ge=-90, le=90, examples=[27.83], allow_inf_nan=False)
    occurred: Annotated[datetime | None, BeforeValidator(_occurred)] = Field(
        None, description="RFC 3339 with an offset, 1900 to tomorrow; now when absent."
    )
    severity: Severity = Field(Severity.ORDINARY, description="1 critical, 2 urgent, 3 ordinary, 4 minor.")
    summary: str = Field("", max_length=4000)
    address: str = Field("", max_length=500)
    crs: Literal["wgs84", "gcj02", "bd09"] = Field("wgs84", description="What lon and lat are measured in.")

    @field_validator("lat", mode="before")
    @classmethod
    def _not_a_longitude(cls, lat: object, info: ValidationInfo) -> object:
        lon = info.data.get("lon")
        if isinstance(lat, int | float) and 90 < abs(lat) <= 180 and lon is not None and abs(lon) <= 90:
            raise ValueError(f"lon {lon:g}, lat {lat:g} look swapped; exchange them")
        return lat


class Move(BaseModel):
    """The next state, and why."""

    model_config = {"extra": "forbid"}

    state: IncidentState
    note: str = Field("", max_length=1000)


@router.get("")
def read_incidents(
    request: Request,
    rooms: InRooms,
    who: Policing,
    bbox: Box,
    window: OptionalWindow,
    status: Annotated[
        str | None, Query(description="States, separated by commas, or `open` for all that are not final.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    next: Annotated[str | None, Query(description="From the page before.")] = None,  # noqa: A002 - the API's word
) -> dict[str, Any]:
    """Return incidents, the newest first, as GeoJSON with ``next`` while there are more.

    Who asks for others than open ones is recorded.
    """
    after = None if next is None else rooms.records.incidents.get(_read_cursor(next))
    states = None if status is None else _states(status)
    of_the_past = states is None or any(state.is_final for state in states)
    with recorded(request, rooms, who, window=window) if of_the_past else nullcontext(Answer()) as answer:
        found = list(rooms.records.incidents.list(bbox, window, states, limit=limit + 1, after=after))
        page = found[:limit]
        answer.rows = len(page)
    collection: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [incident_feature(incident) for incident in page],
        "numberReturned": len(page),
    }
    if len(found) > limit:
        cursor = _cursor(page[-1].id)
        query = [(k, v) for k, v in request.query_params.multi_items() if k != "next"]
        collection["next"] = cursor
        collection["links"] = [
            {"rel": "next", "href": f"{request.url.path}?{urlencode([*query, ('next', cursor)])}"}
        ]
    return collection


@router.post("", status_code=201)
async def create_incident(rooms: InRooms, who: Dispatching, call: Annotated[Call, Body()]) -> dict[str, Any]:
    """Take a call; everybody who watches hears of it."""
    lon, lat = _place(rooms, call)
    occurred = call.occurred or datetime.now(UTC)
    incident = Incident(
        id=f"{occurred.astimezone(UTC):%Y%m%d}-{secrets.token_hex(5)}",
        kind=call.kind,
        occurred=occurred,
        lon=lon,
        lat=lat,
        severity=call.severity,
        summary=call.summary,
        address=call.address,
        source=f"dispatcher:{who.name}",
    )
    async with rooms.incidents_in_order:
        await run_in_threadpool(rooms.records.incidents.create, incident)
        return tell_incident(rooms, incident)


@router.get("/{incident_id}")
def read_incident(request: Request, rooms: InRooms, who: Policing, incident_id: IncidentId) -> dict[str, Any]:
    """Return an incident with the history of its states; who asks for one that is over is recorded."""
    incident = rooms.records.incidents.get(incident_id)
    if incident.state.is_final:
        with recorded(request, rooms, who) as answer:
            answer.rows = 1
    feature = incident_feature(incident)
    feature["properties"]["history"] = [
        {
            "at": format_instant(change.at_us),
            "before": change.before,
            "after": change.after,
            "by": change.by,
            "note": change.note,
        }
        for change in rooms.records.incidents.history(incident_id)
    ]
    return feature


@router.post("/{incident_id}/state")
async def move_incident(
    rooms: InRooms, who: Dispatching, incident_id: IncidentId, move: Annotated[Move, Body()]
) -> dict[str, Any]:
    """Move an incident to its next state; 409 says which may follow."""
    async with rooms.incidents_in_order:
        moved = await run_in_threadpool(
            rooms.records.incidents.change_state,
            incident_id,
            move.state,
            by=who.name,
            note=move.note,
            now_us=time.time_ns() // 1_000,
        )
        return tell_incident(rooms, moved)


def _place(rooms: Rooms, call: Call) -> tuple[float, float]:
    """Return where a call is from, in degrees WGS 84; what cannot be in this city is refused."""
    value = f"{call.lon:g},{call.lat:g}"
    given = f"lon {call.lon:g}, lat {call.lat:g}"
    if call.lon == 0 and call.lat == 0:
        says = f"{given} is what forms write for no place; give the place"
        raise InvalidCoordinates(says, field="lon,lat", value=value)
    try:
        lons, lats = to_wgs84([call.lon], [call.lat], {"wgs84": "EPSG:4326"}.get(call.crs, call.crs))
    except InvalidCoordinates:
        says = f"{given} is not where {call.crs} is in use; correct the place, or say crs wgs84"
        raise InvalidCoordinates(says, field="lon,lat", value=value) from None
    lon, lat, city = float(lons[0]), float(lats[0]), rooms.extent
    beyond = max(city.west - lon, lon - city.east, city.south - lat, lat - city.north)
    if rooms.tracks.has_roads and beyond > FAR_DEG:
        box = f"{city.west:.4f},{city.south:.4f},{city.east:.4f},{city.north:.4f}"
        says = f"{given} is more than {FAR_DEG:g} degree outside of the roads, which span {box}; correct it"
        raise InvalidCoordinates(says, field="lon,lat", value=value)
    return lon, lat


def _states(status: str) -> tuple[IncidentState, ...]:
    if status == "open":
        return tuple(state for state in IncidentState if not state.is_final)
    try:
        return tuple(IncidentState(part.strip()) for part in status.split(","))
    except ValueError:
        known = ", ".join(IncidentState)
        raise InvalidInput(
            f"status {status!r} is none; write open, or some of {known}", field="status", value=status
        ) from None


def _cursor(incident_id: str) -> str:
    return base64.urlsafe_b64encode(incident_id.encode()).decode().rstrip("=")


def _read_cursor(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidInput(
            f"next {text!r} is none of ours; take it from the page before", field="next", value=text
        ) from None
