"""Searches about single vehicles over the API: an itinerary, a path driven, a gate passed, a plate twice."""

import numpy as np
import pytest

from geo_policing.model import TimeWindow, format_instant
from geo_policing.roads.times import RoadTimes
from geo_policing.store import FixStore
from geo_policing.tracks import searches
from geo_policing.tracks.searches import DrawnPath, LegKind
from tests.matching.city import grid
from tests.service.running import running
from tests.tracks.searches.towns import MIDNIGHT, MemoryHistory, columns

URL = "/api/investigations/A20260302001/searches"
WHY = {"reason": "盗窃案嫌疑车辆排查"}
S = 1_000_000
ROADS = grid()
NUMBER = {name: n for n, name in enumerate(ROADS.edge_ids)}
WINDOW = f"{format_instant(MIDNIGHT - 3600 * S)}/{format_instant(MIDNIGHT + 7200 * S)}"


def along(edges, start_s, step_s=5, mps=10.0):
    """Fixes of who drives edges one after the other."""
    xy = np.concatenate([ROADS.vertices(NUMBER[e]) for e in edges])
    at_m = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    t = np.arange(0.0, at_m[-1] / mps, step_s)
    x, y = np.interp(t * mps, at_m, xy[:, 0]), np.interp(t * mps, at_m, xy[:, 1])
    lon, lat = ROADS.plane.inverse(x, y)
    times = MIDNIGHT + (start_s * S + t * S).astype(np.int64)
    return list(zip(times.tolist(), lon.tolist(), lat.tolist(), strict=True))


def standing(fix, seconds, step_s=60):
    return [(fix[0] + n * step_s * S, *fix[1:]) for n in range(1, seconds // step_s + 1)]


STREET = ["0>1", "1>2", "2>3"]
OUT = along(STREET, -60)
STAY = standing(OUT[-1], 1500)
FOUND = {
    # Over midnight along a street, half an hour there, an hour silent, and back.
    "taxi": [*OUT, *STAY, *along(["3>2", "2>1"], 5400)],
    "back": along(["3>2", "2>1", "1>0"], 30),
    # One plate on two cars at the same time, a kilometre and more apart.
    "plate": sorted(
        along(["0>1", "1>2"], 0, 10) + [(t + S, x, y) for t, x, y in along(["34>35", "35>29"], 0, 10)]
    ),
}


@pytest.fixture(scope="module")
def detective(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    ROADS.save(folder / "city.roads")
    with FixStore(folder / "fixes.duckdb") as store:
        store.append(columns(FOUND))
    with running(folder) as service:
        client = service.client("detective")
        client.timeout = 120  # the first search of its kind may compile what it needs
        yield client


def ask(client, name, **question):
    answer = client.post(f"{URL}/{name}", json=WHY | {"window": WINDOW} | question)
    assert answer.status_code == 200, answer.text
    return answer.json()


def proofs(answer, rank):
    return [
        f for f in answer["features"] if f["properties"].get("rank") == rank and "times" in f["properties"]
    ]


def test_an_itinerary_is_its_trips_stays_and_gaps_with_their_fixes(detective):
    answer = ask(detective, "itinerary", device="taxi")
    assert [(r["leg"], r["rank"]) for r in answer["results"]] == [
        ("trip", 1),
        ("stay", 2),
        ("gap", 3),
        ("trip", 4),
    ]
    expected = searches.itinerary(MemoryHistory(FOUND), "taxi", TimeWindow.parse(WINDOW)).legs
    for result, leg in zip(answer["results"], expected, strict=True):
        (proof,) = proofs(answer, result["rank"])
        assert proof["properties"]["times"][0] == format_instant(leg.first.at_us)
        assert proof["properties"]["times"][-1] == format_instant(leg.last.at_us)
        assert result["length_m"] == pytest.approx(leg.length_m, abs=0.1)
    (place,) = [f for f in answer["features"] if f["properties"]["what"] == "place"]
    stay = next(leg for leg in expected if leg.kind is LegKind.STAY)
    assert place["geometry"]["coordinates"] == pytest.approx([stay.lon, stay.lat], abs=1e-7)


def test_a_fix_that_leaps_away_is_told_of(detective):
    fixes = ask(detective, "itinerary", device="plate")
    assert "leap away and back" in " ".join(fixes["notes"])


def path_of(edges):
    xy = np.concatenate([ROADS.vertices(NUMBER[e]) for e in edges])
    lon, lat = ROADS.plane.inverse(xy[:, 0], xy[:, 1])
    places = np.unique(np.column_stack([lon, lat]), axis=0)
    return {"type": "LineString", "coordinates": places.tolist()}


def test_who_drove_along_a_path_is_told_with_the_share_and_where(detective):
    line = path_of(STREET)
    answer = ask(detective, "overlap", line=line, least_share=0.9)
    assert {r["device"] for r in answer["results"]} == {"back", "taxi"}
    expected = searches.overlap(
        MemoryHistory(FOUND),
        DrawnPath([np.array(line["coordinates"])]),
        TimeWindow.parse(WINDOW),
        least_share=0.9,
    )
    assert [(r["device"], r["share"]) for r in answer["results"]] == [
        (o.device, pytest.approx(o.share, abs=1e-4)) for o in expected
    ]
    assert all(proofs(answer, r["rank"]) for r in answer["results"])
    one_way = ask(detective, "overlap", line=line, least_share=0.9, directed=True)
    assert [r["device"] for r in one_way["results"]] == ["taxi"]
    none = ask(detective, "overlap", line=line, without=["taxi", "back", "plate"])
    assert none["results"] == []


def test_a_path_with_times_is_driven_then(detective):
    line = path_of(STREET)
    count = len(line["coordinates"])
    times = [format_instant(MIDNIGHT - 60 * S + n * 20 * S) for n in range(count)]
    near = ask(detective, "overlap", line=line, least_share=0.9, times=times, within_s=30)
    assert [r["device"] for r in near["results"]] == ["taxi"]


def test_a_plate_on_two_cars_is_told_with_the_steps_that_no_car_can_make(detective):
    answer = ask(detective, "cloned", devices=["taxi", "plate"], apart_m=400)
    (result,) = answer["results"]
    expected = searches.cloned(
        MemoryHistory(FOUND), RoadTimes(ROADS), ["plate"], TimeWindow.parse(WINDOW), apart_m=400
    )
    assert (result["device"], result["firm"]) == ("plate", expected[0].firm)
    assert result["firm"] > 3
    for proof in proofs(answer, 1):
        assert proof["properties"]["needed_s"] > proof["properties"]["elapsed_s"]
        assert len(proof["properties"]["times"]) == 2


def test_a_gate_across_an_edge_is_passed_by_who_drives_along_it(detective):
    ahead = ask(detective, "passages", edge="1>2", rightwards=True)
    # Between two fixes of the plate that no car can have joined nobody passed.
    assert {r["device"] for r in ahead["results"]} == {"taxi"}
    back = ask(detective, "passages", edge="2>1", rightwards=True)
    assert {r["device"] for r in back["results"]} == {"back", "taxi"}
    (line,) = [f for f in back["features"] if f["properties"]["what"] == "line"]
    assert len(line["geometry"]["coordinates"]) == 2


def test_a_stretch_of_road_with_a_width_is_an_area(detective):
    area = path_of(["0>1"]) | {"width_m": 20}
    window = f"{format_instant(MIDNIGHT - 3600 * S)}/{format_instant(MIDNIGHT)}"
    answer = ask(detective, "presences", area=area, window=window)
    assert [r["device"] for r in answer["results"]] == ["taxi"]


LINE = path_of(STREET)


@pytest.mark.parametrize(
    ("name", "question", "field", "says"),
    [
        ("itinerary", {"device": "taxi", "stay_s": 1}, "stay_s", "60"),
        (
            "itinerary",
            {"device": "taxi", "window": "2016-01-01T00:00:00Z/2026-01-01T00:00:00Z"},
            "window",
            "92 days",
        ),
        ("overlap", {"line": LINE, "within_s": 5}, "within_s", "times"),
        (
            "overlap",
            {"line": LINE, "times": ["2026-03-02T00:00:00Z"], "within_s": 5},
            "times",
            "one for each",
        ),
        ("overlap", {"line": LINE, "times": ["noon"], "within_s": 5}, "times.0", "RFC 3339"),
        ("overlap", {"line": LINE, "least_share": 0}, "least_share", "0"),
        ("overlap", {"line": {"type": "LineString", "coordinates": [[113, 27]]}}, "line.coordinates", "2 to"),
        ("cloned", {"devices": []}, "devices", "1"),
        ("cloned", {"devices": ["taxi"], "haste": 0.5}, "haste", "1"),
        ("passages", {}, "line", "either a line or"),
        ("passages", {"line": LINE, "edge": "0>1"}, "line", "either a line or"),
        ("passages", {"edge": "no such"}, "edge", "not in the roads"),
        ("presences", {"area": LINE}, "area.width_m", "width_m"),
        ("presences", {"area": LINE | {"width_m": 10**400}}, "area.width_m", "width_m"),
        ("presences", {"area": LINE | {"width_m": 5000}}, "area", "1000"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_field_and_remedy(detective, name, question, field, says):
    answer = detective.post(f"{URL}/{name}", json=WHY | {"window": WINDOW} | question)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert says in answer.json()["detail"]


def test_a_device_never_seen_did_nothing(detective):
    assert ask(detective, "itinerary", device="ghost")["results"] == []
    assert ask(detective, "cloned", devices=["ghost"])["results"] == []


def test_without_roads_it_says_what_to_do(tmp_path):
    with running(tmp_path) as service:
        answer = service.client("detective").post(
            f"{URL}/cloned", json=WHY | {"devices": ["taxi"], "window": WINDOW}
        )
    assert answer.status_code == 503
    assert "import-roads" in answer.json()["detail"]
