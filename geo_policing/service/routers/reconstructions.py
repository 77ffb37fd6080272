"""Where a suspect was: reconstructions from sightings, kept under their case."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from h3.api import basic_int as h3
from pydantic import BaseModel, Field

from geo_policing.errors import InvalidInput
from geo_policing.model import format_instant, parse_instant
from geo_policing.service.dependencies import InRooms, Investigating, OneLine, Rooms
from geo_policing.service.gates import Going, gates_first, live_units, read_units
from geo_policing.service.looks import recorded
from geo_policing.service.parameters import KNOWN_ONLY
from geo_policing.store.reconstructions import KeptReconstruction, WorkState
from geo_policing.tracks import Occupancy
from geo_policing.tracks.holding import PACE
from geo_policing.tracks.moments import cell_features, region_features
from geo_policing.tracks.report import report_html, report_pdf

router = APIRouter(prefix="/api/reconstructions", tags=["reconstructions"], dependencies=[KNOWN_ONLY])

Key = Annotated[str, Path(description="Id of a reconstruction.", max_length=64)]
At = Annotated[
    str | None,
    Query(max_length=60, description="Moment of the regions in the picture, RFC 3339 with an offset."),
]
CaseNumber = Annotated[str, Query(min_length=1, max_length=64, description="Number of a case.")]


class Question(BaseModel):
    """Sightings of one suspect, the case they belong to, and why somebody may know."""

    model_config = {"extra": "forbid"}

    case: OneLine = Field(min_length=1, max_length=64, examples=["A20260302001"])
    reason: OneLine = Field(min_length=4, max_length=500, examples=["盗窃案嫌疑车辆去向"])
    sightings: dict[str, Any] = Field(description="A GeoJSON FeatureCollection; see docs/reconstruction.md.")
    mode: Literal["car", "e-bike", "foot", "any", "unknown"] = "car"
    prior: dict[str, float] | None = Field(
        None,
        max_length=3,
        description="With mode unknown, how probable car, e-bike and foot are before anything was seen, on "
        "any scale; all alike when absent.",
        examples=[{"car": 0.6, "e-bike": 0.3, "foot": 0.1}],
    )
    window: str | None = Field(
        None, max_length=100, description="start/end; from the first to the last sighting when absent."
    )
    every_s: int = Field(60, ge=10, le=3600, description="Seconds between the moments that are kept.")
    paths: int = Field(5, ge=1, le=50)
    resolution: int = Field(10, ge=9, le=11, description="Of the H3 cells.")
    seed: int = Field(0, ge=0, le=2**31, description="The same question and seed give the same answer.")
    cameras: dict[str, str] = Field(
        default_factory=dict,
        max_length=5000,
        description="Edges that cameras look at, by camera; every likely edge without them.",
    )


class Places(BaseModel):
    """Where units are, and how they go."""

    model_config = {"extra": "forbid"}

    units: list[dict[str, Any]] = Field(
        description="unit, lon, lat of each; time from which it can go, and on_foot.",
        examples=[[{"unit": "芦淞07", "lon": 113.1557, "lat": 27.8316}]],
    )
    at: str | None = Field(None, max_length=60, description="When they set off; now when absent.")
    pace: float = Field(PACE, description="How many times the least time by road a drive takes.")
    delay_s: float = Field(0.0, description="Until a unit has set off.")
    most: int = Field(3, ge=1, le=50, description="How many units are told of each gate.")


async def _on_the_map(rooms: InRooms) -> list[dict[str, Any]]:
    # In the loop, where the picture changes.
    found: list[dict[str, Any]] = rooms.picture.units()["features"]
    return found


OnTheMap = Annotated[list[dict[str, Any]], Depends(_on_the_map)]


@router.post("", status_code=202)
def ask(request: Request, rooms: InRooms, who: Investigating, question: Question) -> dict[str, Any]:
    """Begin to reconstruct a track, and return its id and state; the work goes on beside the requests.

    Who asked, in which case and why is recorded.
    """
    with recorded(request, rooms, who):
        given = question.model_dump(exclude={"case", "reason"})
        kept = rooms.reconstructions.ask(given, case=question.case, reason=question.reason, account=who.key)
    return _told(rooms, kept, [])


@router.get("")
def read_of_case(request: Request, rooms: InRooms, who: Investigating, case: CaseNumber) -> dict[str, Any]:
    """Return the reconstructions of a case, the newest first, without their answers. It is recorded."""
    with recorded(request, rooms, who) as answer:
        found = rooms.records.reconstructions.of_case(case)
        answer.rows = len(found)
    return {"reconstructions": [_about(rooms, one) for one in found]}


@router.get("/{key}")
def read_one(request: Request, rooms: InRooms, who: Investigating, key: Key) -> dict[str, Any]:
    """Return how far it is, and once it is done the sightings with their fit, and the gates. Recorded.

    Where it is not known what the suspect travels with, ``modes`` has how probable each mode is.
    """
    with recorded(request, rooms, who) as answer:
        kept = rooms.records.reconstructions.get(key)
        there = kept.state is WorkState.DONE and kept.deleted_us is None
        found = _features(rooms, key, "sighting", "gate") if there else {"features": []}
        answer.rows = len(found["features"])
    return _told(rooms, kept, []) | found


@router.post("/{key}/cancel")
def cancel(request: Request, rooms: InRooms, who: Investigating, key: Key) -> dict[str, Any]:
    """End the work on it; the question stays under the case. It is recorded."""
    with recorded(request, rooms, who):
        kept = rooms.reconstructions.cancel(key)
    return _told(rooms, kept, [])


@router.get("/{key}/occupancy")
def read_occupancy(
    request: Request,
    rooms: InRooms,
    who: Investigating,
    key: Key,
    at: Annotated[str, Query(description="RFC 3339 with an offset.", max_length=60)],
) -> dict[str, Any]:
    """Return cells with their probabilities, and the 50 and 90 % regions, at the kept moment nearest to one.

    ``time`` says which moment that is. It is recorded.
    """
    with recorded(request, rooms, who) as answer:
        moment = parse_instant(at, field="at")
        document = rooms.records.reconstructions.answer(key)
        first, last = (parse_instant(text) for text in document["window"])
        if not first <= moment <= last:
            raise InvalidInput(
                f"at {at} is outside {document['window'][0]} to {document['window'][1]}; "
                "give a moment of the window",
                field="at",
                value=at,
            )
        kept = min(document["occupancies"], key=lambda one: abs(parse_instant(one["time"]) - moment))
        there = Occupancy(
            parse_instant(kept["time"]),
            np.array([h3.str_to_int(cell) for cell in kept["cells"]], np.uint64),
            np.array(kept["probabilities"]),
        )
        features = [*region_features(there), *cell_features(there)]
        answer.rows = len(features)
    return {"type": "FeatureCollection", "time": kept["time"], "features": features}


@router.get("/{key}/paths")
def read_paths(request: Request, rooms: InRooms, who: Investigating, key: Key) -> dict[str, Any]:
    """Return the paths, the representative one first; with ``modes`` as above. It is recorded."""
    return _part(request, rooms, who, key, "path")


@router.get("/{key}/gates")
def read_gates(
    request: Request,
    rooms: InRooms,
    who: Investigating,
    key: Key,
    on_the_map: OnTheMap,
    at: Annotated[
        str | None, Query(max_length=60, description="When units set off, RFC 3339; now when absent.")
    ] = None,
    pace: Annotated[float, Query(description="How many times the least time by road a drive takes.")] = PACE,
    delay_s: Annotated[float, Query(description="Until a unit has set off.")] = 0.0,
    most: Annotated[int, Query(ge=1, le=50, description="How many units are told of each gate.")] = 3,
) -> dict[str, Any]:
    """Return the gates with the units on the live map that reach them first. It is recorded.

    Units are patrol cars, and officers and handhelds, who walk; not those off duty. ``old`` names those whose
    position is older than five minutes.
    """
    with recorded(request, rooms, who) as answer:
        units, old = live_units(on_the_map, datetime.now(UTC))
        leaving = datetime.now(UTC) if at is None else parse_instant(at, field="at")
        document = rooms.records.reconstructions.answer(key)
        ready = [replace(unit, free=leaving) for unit in units]
        found = gates_first(document, rooms.tracks, ready, Going(leaving, pace, delay_s, most))
        answer.rows = len(found["features"])
    return found | {"old": old}


@router.post("/{key}/gates")
def ask_gates(
    request: Request, rooms: InRooms, who: Investigating, key: Key, places: Places
) -> dict[str, Any]:
    """Return the gates with those of some units that reach them first. It is recorded."""
    with recorded(request, rooms, who) as answer:
        leaving = datetime.now(UTC) if places.at is None else parse_instant(places.at, field="at")
        units = read_units(places.units, leaving)
        document = rooms.records.reconstructions.answer(key)
        going = Going(leaving, places.pace, places.delay_s, places.most)
        found = gates_first(document, rooms.tracks, units, going)
        answer.rows = len(found["features"])
    return found


@router.get("/{key}/next-cameras")
def read_next_cameras(request: Request, rooms: InRooms, who: Investigating, key: Key) -> dict[str, Any]:
    """Return the cameras that are expected to tell most about the path, by bits. It is recorded."""
    return _part(request, rooms, who, key, "camera")


@router.get("/{key}/report.html", response_class=HTMLResponse)
def read_report(
    request: Request, rooms: InRooms, who: Investigating, key: Key, at: At = None
) -> HTMLResponse:
    """Return the report to print. It is recorded."""
    with recorded(request, rooms, who) as answer:
        moment = None if at is None else parse_instant(at, field="at")
        document = rooms.records.reconstructions.answer(key)
        page = report_html(document, moment)
        answer.rows = len(document["features"])
    return HTMLResponse(page)


@router.get("/{key}/report.pdf", response_class=Response)
def read_report_pdf(
    request: Request, rooms: InRooms, who: Investigating, key: Key, at: At = None
) -> Response:
    """Return the report as PDF; the same bytes each time. It is recorded."""
    with recorded(request, rooms, who) as answer:
        moment = None if at is None else parse_instant(at, field="at")
        document = rooms.records.reconstructions.answer(key)
        pdf = report_pdf(document, moment)
        answer.rows = len(document["features"])
    return Response(pdf, media_type="application/pdf")


def _part(request: Request, rooms: Rooms, who: Any, key: str, what: str) -> dict[str, Any]:
    with recorded(request, rooms, who) as answer:
        found = _features(rooms, key, what)
        answer.rows = len(found["features"])
    return {"type": "FeatureCollection", **found}


def _features(rooms: Rooms, key: str, *what: str) -> dict[str, Any]:
    """Features of some kinds, and the modes where there are several."""
    document = rooms.records.reconstructions.answer(key)
    features = [feature for feature in document["features"] if feature["properties"]["what"] in what]
    return {name: document[name] for name in ("modes",) if name in document} | {"features": features}


def _about(rooms: Rooms, kept: KeptReconstruction) -> dict[str, Any]:
    return {
        "id": kept.id,
        "case": kept.case_number,
        "reason": kept.reason,
        "account": kept.account,
        "created": format_instant(kept.created_us),
        "ended": None if kept.ended_us is None else format_instant(kept.ended_us),
        "state": kept.state.value,
        "progress": round(rooms.reconstructions.progress(kept), 3),
        "problem": kept.problem,
        "deleted": None if kept.deleted_us is None else format_instant(kept.deleted_us),
    }


def _told(rooms: Rooms, kept: KeptReconstruction, features: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", **_about(rooms, kept), "features": features}
