"""Searches along the roads over the API: trips, who drove along a path, gates, identities in two places."""

import numpy as np
import pytest

from geo_policing.model import TimeWindow, parse_instant
from geo_policing.roads.times import RoadTimes
from geo_policing.store import FixStore
from geo_policing.store.history.questions import Questions
from geo_policing.tracks import searches
from geo_policing.tracks.searches import DrawnPath
from tests.service.running import running
from tests.tracks import thefts

URL = "/api/investigations/A20260302001/searches"
WHY = {"reason": "盗窃案嫌疑车辆排查"}
WINDOW = "2026-03-02T07:00:00+08:00/2026-03-02T07:40:00+08:00"
MORNING = TimeWindow.parse(WINDOW)


def fill(path):
    with FixStore(path) as store:
        for fixes in (
            thefts.fleet(),
            thefts.thief(),
            thefts.thief("half", until=0.5, seed=9),
            thefts.thief("late45", later_s=45, seed=45),
            thefts.thief("late300", later_s=300, seed=3),
            thefts.thief("seldom", every_s=150.0, seed=7),
            thefts.thief("clone", seed=5),
            thefts.thief("clone", later_s=300, seed=6),
        ):
            store.append(fixes.take(np.argsort(fixes.time, kind="stable")))


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    thefts.roads().save(folder / "city.roads")
    fill(folder / "fixes.duckdb")
    with running(folder) as service:
        yield service


@pytest.fixture(scope="module")
def detective(service):
    client = service.client("detective")
    client.timeout = 400
    return client


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """The same history, asked without the service."""
    path = tmp_path_factory.mktemp("same") / "fixes.duckdb"
    fill(path)
    with FixStore(path) as store:
        yield Questions(store)


def ask(client, name, **question):
    answer = client.post(f"{URL}/{name}", json=WHY | {"window": WINDOW} | question)
    assert answer.status_code == 200, answer.text
    return answer.json()


def proofs(answer):
    return [
        f["properties"]
        for f in answer["features"]
        if "rank" in f["properties"] and "times" in f["properties"]
    ]


def driven():
    return [row.split(",")[0] for row in (thefts.SMALL / "theft_truth.csv").read_text().splitlines()[1:]]


def test_a_track_query_tells_legs_with_their_fixes_and_the_matched_path(detective, history):
    answer = ask(detective, "itinerary", device="CAR-001", match=True, stay_s=300)
    expected = searches.itinerary(history, "CAR-001", MORNING, stay_s=300)
    assert [(r["leg"], r["fixes"]) for r in answer["results"]] == [
        (leg.kind.value, leg.fixes) for leg in expected.legs
    ]
    assert len(expected.legs) > 0
    for about, leg in zip(proofs(answer), expected.legs, strict=True):
        ends = (parse_instant(about["times"][0]), parse_instant(about["times"][-1]))
        assert ends == (parse_instant(about["from"]), parse_instant(about["until"]))
        assert about["fixes"] >= leg.fixes
    assert {f["properties"]["what"] for f in answer["features"]} >= {"track"}
    long = {"device": "CAR-001", "match": True, "window": "2026-03-01T00:00:00Z/2026-03-10T00:00:00Z"}
    refused = detective.post(f"{URL}/itinerary", json=WHY | long)
    assert (refused.status_code, refused.json()["field"]) == (422, "window")


def test_who_drove_along_the_way_of_another_is_told_with_the_stretches(detective, history):
    answer = ask(detective, "overlap", device="thief", within_m=40)
    path = DrawnPath.of_device(history, "thief", MORNING)
    expected = searches.overlap(history, path, MORNING, within_m=40, without=["thief"])
    assert [(r["device"], r["share"]) for r in answer["results"]] == [
        (o.device, round(o.share, 4)) for o in expected
    ]
    assert {"clone", "late45", "late300"} <= {r["device"] for r in answer["results"]}
    assert all(about["what"] == "along" and about["times"] for about in proofs(answer))
    near = ask(detective, "overlap", device="thief", within_m=40, within_s=20, directed=True)
    assert {r["device"] for r in near["results"]} == {"half"}
    drawn = [f["geometry"] for f in answer["features"] if f["properties"]["what"] == "line"]
    assert [len(line["coordinates"]) for line in drawn] == [len(part) for part in path.parts]


def test_a_path_along_edges_and_a_drawn_one_find_the_same_drivers(detective):
    by_edges = ask(detective, "overlap", edges=driven(), least_share=0.9)
    assert {"thief", "late45", "late300", "clone"} == {r["device"] for r in by_edges["results"]}
    (drawn,) = [f for f in by_edges["features"] if f["properties"]["what"] == "line"]
    by_hand = ask(detective, "overlap", line=drawn["geometry"], least_share=0.9)
    assert by_hand["results"] == by_edges["results"]


def test_who_passed_a_gate_across_an_edge_is_told_with_the_direction(detective):
    answer = ask(detective, "passages", edge="877")
    found = {r["device"]: r["rightwards"] for r in answer["results"]}
    assert found["thief"] is True
    (seen,) = [about for about in proofs(answer) if about["device"] == "thief"]
    # The camera that sees this edge was passed before its middle, and the next one after.
    cameras = {one["edge_id"]: parse_instant(one["time"]) for one in thefts.case()["sightings"]}
    assert cameras["877"] < parse_instant(seen["from"]) < cameras["806"]
    assert len(seen["times"]) == 2
    against = ask(detective, "passages", edge="877", rightwards=False)
    assert "thief" not in {r["device"] for r in against["results"]}


def test_an_identity_in_two_places_is_told_with_both_fixes(detective, history):
    answer = ask(detective, "cloned", devices=["clone", "thief", "half"])
    expected = searches.cloned(history, RoadTimes(thefts.roads()), ["clone", "thief", "half"], MORNING)
    assert [(r["device"], r["firm"], r["leaps"]) for r in answer["results"]] == [
        (c.device, c.firm, c.leaps) for c in expected
    ]
    assert [r["device"] for r in answer["results"]] == ["clone"]
    for about in proofs(answer):
        assert about["what"] == "step"
        assert about["needed_s"] > about["elapsed_s"]
        assert len(about["times"]) >= 2


def test_stretches_of_road_are_areas(detective):
    road = ask(detective, "presences", area={"edges": ["877"], "width_m": 30})
    assert "thief" in {r["device"] for r in road["results"]}
    part = ask(detective, "presences", area={"edges": ["877"], "width_m": 30, "from_m": 0, "to_m": 20})
    assert part["found"] <= road["found"]
    line = {"type": "LineString", "coordinates": [[113.1410, 27.8334], [113.1424, 27.8334]], "width_m": 40}
    assert "thief" in {r["device"] for r in ask(detective, "presences", area=line)["results"]}


def test_along_the_roads_who_sends_once_in_minutes_is_found_where_no_straight_way_leads(detective):
    """The receiver `seldom` sends every 150 s: between its fixes nothing is known but the roads."""
    area = {"edges": ["806"], "width_m": 30}
    straight = ask(detective, "presences", area=area, devices=["seldom"])
    assert straight["found"] == 0
    found = ask(detective, "presences", area=area, devices=["seldom", "thief"], along_roads=True)
    assert [r["device"] for r in found["results"]] == ["seldom", "thief"]
    (proof,) = [about for about in proofs(found) if about["device"] == "seldom"]
    first, last = parse_instant(proof["times"][0]), parse_instant(proof["times"][-1])
    assert first <= parse_instant(proof["from"]) <= parse_instant(proof["until"]) <= last
    long = {"window": "2026-03-01T00:00:00Z/2026-03-05T00:00:00Z", "area": area, "along_roads": True}
    refused = detective.post(f"{URL}/presences", json=WHY | long)
    assert (refused.status_code, refused.json()["field"]) == (422, "window")


LINE = {"type": "LineString", "coordinates": [[113.14, 27.83], [113.15, 27.83]]}


@pytest.mark.parametrize(
    ("name", "question", "field", "says"),
    [
        ("overlap", {}, "line", "give one of line, edges and device"),
        ("overlap", {"line": LINE, "device": "d0"}, "line", "line and device"),
        ("overlap", {"edges": ["877", "nowhere"]}, "edge", "not in the network"),
        ("overlap", {"edges": []}, "edges", "no list of 1 to"),
        ("overlap", {"edges": [""]}, "edges.0", "no id of an edge"),
        ("overlap", {"device": "ghost"}, "device", "nothing is known of a way"),
        ("overlap", {"line": LINE, "within_s": 5}, "within_s", "needs times"),
        ("overlap", {"edges": ["877"], "times": ["2026-03-02T07:00:00Z"]}, "times", "those of a line"),
        ("overlap", {"line": {"type": "Point", "coordinates": [1, 2]}}, "line", "give a GeoJSON LineString"),
        ("overlap", {"line": LINE, "least_share": 0}, "least_share", "give more than 0"),
        ("passages", {}, "line", "either a line or the id of an edge"),
        ("passages", {"line": LINE, "edge": "877"}, "line", "either a line or the id of an edge"),
        ("passages", {"edge": "nowhere"}, "edge", "not in the roads"),
        ("passages", {"edge": ""}, "edge", "not in the"),
        ("cloned", {"devices": []}, "devices", "give 1 or more"),
        ("cloned", {"devices": ["clone"], "haste": 9}, "haste", "too large"),
        ("itinerary", {"device": "thief", "gap_s": 0}, "gap_s", "too small"),
        ("presences", {"area": {"edges": ["nowhere"], "width_m": 9}}, "edge", "not in the network"),
        ("presences", {"area": {"edges": ["877"]}}, "area.width_m", "number of metres"),
        ("presences", {"area": {"edges": ["877"], "width_m": 0}}, "area", "width_m 0"),
        ("presences", {"area": {"edges": ["877"], "width_m": 9, "from_m": 1e6}}, "area", "no length"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_field_and_remedy(detective, name, question, field, says):
    answer = detective.post(f"{URL}/{name}", json=WHY | {"window": WINDOW} | question)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert says in answer.json()["detail"]


def test_without_roads_it_says_what_to_do(tmp_path):
    with running(tmp_path) as service:
        detective = service.client("detective")
        for name, question in {
            "passages": {"edge": "877"},
            "cloned": {"devices": ["a"]},
            "overlap": {"edges": ["877"]},
            "presences": {"area": {"edges": ["877"], "width_m": 10}},
        }.items():
            answer = detective.post(f"{URL}/{name}", json=WHY | {"window": WINDOW} | question)
            assert (answer.status_code, "import-roads" in answer.json()["detail"]) == (503, True), name
