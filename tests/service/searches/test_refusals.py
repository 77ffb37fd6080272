"""What cannot be asked of the searches: refused with the field, what is wrong with it, and what to do."""

import json

import pytest

from geo_policing.tracks.inquiry import SEARCHES
from tests.service.searches.asking import (
    A_DAY,
    BOW,
    CASE,
    PLACE,
    POINT,
    SQUARE,
    TEN_YEARS,
    URL,
    WHY,
    WIDE,
    poly,
)


@pytest.mark.parametrize(
    ("name", "question", "field", "says"),
    [
        ("presences", {"area": POINT, "window": TEN_YEARS}, "window", "longer than 31 days"),
        ("companions", {"device": "d0", "window": TEN_YEARS}, "window", "longer than 7 days"),
        ("frequent", {"area": POINT, "window": TEN_YEARS}, "window", "longer than 31 days"),
        ("first-entry", {"area": POINT, "window": TEN_YEARS}, "window", "longer than 31 days"),
        ("night-activity", {"area": POINT, "window": TEN_YEARS}, "window", "longer than 7 days"),
        (
            "passages",
            {"line": {"type": "LineString", "coordinates": SQUARE[:2]}, "window": TEN_YEARS},
            "window",
            "longer than 31 days",
        ),
        (
            "collision",
            {"places": [PLACE, PLACE | {"window": TEN_YEARS}]},
            "window",
            "longer than 1 days",
        ),
        ("presences", {"area": POINT, "window": "yesterday"}, "window", "no window; write start/end"),
        (
            "presences",
            {"area": POINT, "window": "2026-03-02T00:00:00Z/2026-03-01T00:00:00Z"},
            "window",
            "swap them",
        ),
        (
            "presences",
            {"area": POINT, "window": "2026-03-01T00:00:00/2026-03-02T00:00:00"},
            "window",
            "offset",
        ),
        ("presences", {"window": A_DAY}, "area", "missing; give it"),
        ("presences", {"area": {}, "window": A_DAY}, "area", "of type none; give a GeoJSON Polygon"),
        ("presences", {"area": poly(), "window": A_DAY}, "area.coordinates", "without rings"),
        ("presences", {"area": poly([]), "window": A_DAY}, "area.coordinates", "fewer than 4"),
        (
            "presences",
            {"area": {"type": "MultiPolygon", "coordinates": []}, "window": A_DAY},
            "area.coordinates",
            "is empty",
        ),
        ("presences", {"area": poly([SQUARE[0]] * 4), "window": A_DAY}, "area", "not valid"),
        ("presences", {"area": poly(BOW), "window": A_DAY}, "area", "Self-intersection"),
        ("presences", {"area": poly(SQUARE[:4]), "window": A_DAY}, "area.coordinates", "not closed"),
        ("presences", {"area": poly(WIDE), "window": A_DAY}, "area", "at most 2000 km²"),
        (
            "presences",
            {"area": poly([[y, x] for x, y in SQUARE]), "window": A_DAY},
            "area.coordinates.0.0",
            "lon first",
        ),
        (
            "presences",
            {"area": poly([["a", "b"]] * 4), "window": A_DAY},
            "area.coordinates.0.0",
            "no position",
        ),
        (
            "presences",
            {"area": poly([[10**400, 0]] * 4), "window": A_DAY},
            "area.coordinates.0.0",
            "off the earth",
        ),
        (
            "presences",
            {"area": poly([[float("nan"), 0.0]] * 4), "window": A_DAY},
            "area.coordinates.0.0",
            "off the earth",
        ),
        (
            "presences",
            {"area": {"type": "MultiPoint", "coordinates": SQUARE}, "window": A_DAY},
            "area",
            "'MultiPoint'; give a GeoJSON Polygon",
        ),
        ("presences", {"area": POINT | {"radius_m": None}, "window": A_DAY}, "area.radius_m", "a number"),
        ("presences", {"area": POINT | {"radius_m": -1}, "window": A_DAY}, "area", "not above 0"),
        ("presences", {"area": POINT | {"radius_m": 1e300}, "window": A_DAY}, "area", "at most 100000"),
        ("presences", {"area": {"cells": []}, "window": A_DAY}, "area.cells", "1 to 5000 H3 cells"),
        ("presences", {"area": {"cells": ["8a40"]}, "window": A_DAY}, "area.cells", "H3 cell"),
        ("presences", {"area": {"cells": [7]}, "window": A_DAY}, "area.cells.0", "no H3 cell"),
        ("presences", {"area": {"cells": ["8041fffffffffff"]}, "window": A_DAY}, "area", "degrees across"),
        ("presences", {"area": POINT, "window": A_DAY, "devices": ["\ud800"]}, "devices.0", "UTF-8"),
        ("presences", {"area": POINT, "window": A_DAY, "devices": ["a b"]}, "device", "device id 'a b'"),
        ("presences", {"area": POINT, "window": A_DAY, "colour": "red"}, "colour", "no such field"),
        ("collision", {"places": [PLACE]}, "places", "places 1 is not at least 2"),
        ("collision", {"places": []}, "places", "places 0 is not at least 2"),
        ("collision", {"places": [PLACE] * 101}, "places", "has 101 entries; give 100 or fewer"),
        ("collision", {"places": {}}, "places", "no list; write it in square brackets"),
        ("collision", {"places": [5, PLACE]}, "places.0", "5 is no object; write it in curly braces"),
        ("presences", {"area": [], "window": A_DAY}, "area", "no object"),
        (
            "presences",
            {"area": POINT, "window": A_DAY, "devices": ["d0"] * 1001},
            "devices",
            "has 1001 entries",
        ),
        ("cloned", {"devices": [], "window": A_DAY}, "devices", "has 0 entries; give 1 or more"),
        ("collision", {"places": [PLACE, PLACE], "at_least": 3}, "at_least", "at most 2"),
        ("collision", {"places": [PLACE, PLACE], "at_least": 0}, "at_least", "not at least 1"),
        (
            "collision",
            {"places": [PLACE, {"area": poly(BOW), "window": A_DAY}]},
            "places.1.area",
            "Self-inter",
        ),
        ("collision", {"places": [PLACE, {"area": POINT}]}, "places.1.window", "missing; give it"),
        ("collision", {"places": [PLACE, PLACE | {"colour": 1}]}, "places.1.colour", "no such field"),
        ("companions", {"device": "d0", "window": A_DAY, "places": 0}, "places", "too small; give 1"),
        ("companions", {"device": "d0", "window": A_DAY, "within_s": 3600}, "within_s", "too large"),
        ("companions", {"device": "a'b", "window": A_DAY}, "device", "device id"),
        ("companions", {"device": "", "window": A_DAY}, "device", "empty; give it"),
        ("footholds", {"device": "d0", "window": A_DAY, "stay_s": 10**30}, "stay_s", "too large"),
        ("footholds", {"device": "d0", "window": A_DAY, "radius_m": float("inf")}, "radius_m", "finite"),
        ("frequent", {"area": POINT, "window": A_DAY, "times": 0}, "times", "too small"),
        ("first-entry", {"area": POINT, "window": A_DAY, "days": 367}, "days", "too large"),
        (
            "night-activity",
            {"area": POINT, "window": A_DAY, "night_from": 6},
            "night",
            "the same hour",
        ),
        ("vanished", {"area": POINT, "moment": "noon"}, "moment", "no RFC 3339 time"),
        ("vanished", {"area": POINT, "moment": "2026-03-01T00:00:00Z", "days": 32}, "days", "too large"),
        (
            "passages",
            {"line": {"type": "LineString", "coordinates": [SQUARE[0]]}, "window": A_DAY},
            "line.coordinates",
            "no list of 2 to",
        ),
        (
            "passages",
            {"line": {"type": "LineString", "coordinates": [SQUARE[0]] * 2}, "window": A_DAY},
            "line.coordinates",
            "same position",
        ),
        ("passages", {"line": POINT, "window": A_DAY}, "line", "give a GeoJSON LineString"),
        ("presences", {"area": POINT, "window": A_DAY, "limit": 501}, "limit", "too large"),
        ("presences", {"area": POINT, "window": A_DAY, "skip": -1}, "skip", "too small"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_field_and_remedy(detective, name, question, field, says):
    answer = detective.post(
        f"{URL}/{name}",
        content=json.dumps(WHY | question),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("", "empty; give it"),
        ("   ", "too short"),
        ("x", "too short"),
        ("a\nbcde", "no printable"),
        (None, ""),
    ],
)
def test_nobody_searches_without_a_reason(detective, reason, says):
    body = {"area": POINT, "window": A_DAY} | ({} if reason is None else {"reason": reason})
    answer = detective.post(f"{URL}/presences", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "reason")
    assert says in answer.json()["detail"]


@pytest.mark.parametrize("case", ["%20", "x" * 65, "a%00b"])
def test_nobody_searches_without_a_case(detective, case):
    answer = detective.post(
        f"/api/investigations/{case}/searches/presences", json=WHY | {"area": POINT, "window": A_DAY}
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "case")


def test_areas_nested_deeply_are_refused(detective):
    for depth in (100, 500, 900, 5000):
        nested = '{"type":"Polygon","coordinates":' + "[" * depth + "]" * depth + "}"
        answer = detective.post(
            f"{URL}/presences",
            content=f'{{"reason":"because","window":"{A_DAY}","area":{nested}}}',
            headers={"content-type": "application/json"},
        )
        assert answer.status_code in (400, 422), (depth, answer.text[:200])


LINE = {"type": "LineString", "coordinates": SQUARE[:2]}
HUGE = 10**400
NUMBERS = [0, -1, 2**63, HUGE, -1e308, 1e-300, float("nan"), float("inf"), True, None, "x", [], {}]
TEXTS = ["", "a b", "\x00", "\ud800", "x" * 65, "x" * 100_000, "'; DROP TABLE looks --", None, 5, []]
WINDOWS = [
    *("", "/", TEN_YEARS, None, 5),
    "0001-01-01T00:00:00Z/0001-01-01T00:00:01Z",
    "9999-12-31T23:59:59Z/9999-12-31T23:59:59.9Z",
    "0001-01-01T00:00:00+14:00/0001-01-01T12:00:00Z",
    "2026-03-01T00:00:00Z/2026-03-01T00:00:00Z",
]
MOMENTS = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-03-01T24:00:00Z", "noon", "", None, 5]
SHAPES = [
    *(None, 5, "x", [], {}, {"type": "Point"}, {"type": "Polygon", "coordinates": None}, poly(), poly([])),
    *(
        poly(BOW),
        poly(WIDE),
        poly(SQUARE, SQUARE),
        poly([[]] * 4),
        poly([["a", "b"]] * 4),
        poly([[HUGE, 0]] * 4),
    ),
    poly([[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]),
    {"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE]]},
    *(POINT | {"radius_m": radius_m} for radius_m in (0, HUGE, "5", True, 1e-9)),
    *(POINT | {"coordinates": place} for place in ([0, 90], [180, 84], [HUGE, 0], [], None, "x")),
    *(LINE | {"width_m": width_m} for width_m in (0, HUGE, float("nan"))),
    {"type": "LineString", "coordinates": [[0, 0], [179, 80]], "width_m": 5},
    {"type": "LineString", "coordinates": [[113.1 + n * 1e-6, 27.8] for n in range(5001)]},
    *({"cells": cells} for cells in (None, ["zz"], ["ffffffffffffffff"], ["8001fffffffffff"], [""])),
    *({"edges": edges, "width_m": 20} for edges in ([], ["no"], [5], ["0>1"] * 2001)),
    *({"type": "Feature", "geometry": geometry} for geometry in (None, {}, POINT)),
]
LISTS = [None, 5, [], [5], [None], ["a b"], ["\ud800"], ["d0"] * 1001, ["d0"] * 2001]
ODD = {
    "area": SHAPES,
    "line": SHAPES,
    "window": WINDOWS,
    "moment": MOMENTS,
    "device": TEXTS,
    "edge": TEXTS,
    "devices": LISTS,
    "without": LISTS,
    "edges": LISTS,
    "times": LISTS,
    "places": [*([PLACE, PLACE | {"area": area}] for area in SHAPES), None, [PLACE], [PLACE] * 3000],
    "scenes": [[PLACE, PLACE | {"window": window}] for window in WINDOWS],
    "sightings": [None, 5, [], {"type": "FeatureCollection"}, {"type": "FeatureCollection", "features": [5]}],
}


@pytest.mark.parametrize("name", SEARCHES)
def test_nothing_that_can_be_written_is_a_fault_of_the_service(service, name):
    """Each field with whatever is no value of it: an answer, or a refusal that says what to do."""
    detective = service.client("detective")
    detective.timeout = 300
    needed = {"area": POINT, "window": A_DAY, "device": "d0", "devices": ["d0"], "places": [PLACE, PLACE]}
    needed |= {"moment": "2026-03-01T12:00:00Z", "line": LINE}
    fields = SEARCHES[name].question.model_fields
    path = f"/api/investigations/{CASE}/suspects" if name == "suspects" else f"{URL}/{name}"
    for field in fields:
        question = {one: needed[one] for one, info in fields.items() if info.is_required()}
        question |= {"line": LINE} if "line" in fields and field not in ("edge", "edges", "device") else {}
        for odd in ODD.get(field, NUMBERS):
            answer = detective.post(
                path,
                content=json.dumps(WHY | question | {field: odd}),
                headers={"content-type": "application/json"},
            )
            assert answer.status_code in (200, 400, 413, 422, 503), (field, odd, answer.text)
            if answer.status_code == 422:
                told = answer.json()
                assert told["field"], (field, odd)
                # In our own words, with what to do.
                assert " should " not in told["detail"], told["detail"]
            if answer.status_code == 503:
                assert "import-roads" in answer.json()["detail"], answer.text
