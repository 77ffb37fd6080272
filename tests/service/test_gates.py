"""Which units reach the gates of a reconstruction first, over the API with units on the live map."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from geo_policing.roads import RoadClass
from geo_policing.service.gates import live_units
from tests.ingest.lines import rmc
from tests.matching.city import LAT, LON, STEP
from tests.service.running import furnish, network, running
from tests.service.test_reconstructions import CASE, URL, ended

RAMP = ("11>17", "17>11")


def town():
    plain = network()
    classes = plain.road_class.copy()
    for name in RAMP:
        classes[plain.edge_ids.index(name)] = RoadClass.EXPRESSWAY_RAMP
    return replace(plain, road_class=classes)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    town().save(folder / "city.roads")
    with running(folder) as service:
        furnish(service)
        yield service


@pytest.fixture(scope="module")
def detective(service):
    return service.client("detective")


def sighting(column, row, when):
    point = {"type": "Point", "coordinates": [LON + STEP * column, LAT + STEP * row]}
    return {"type": "Feature", "geometry": point, "properties": {"time": when.isoformat()}}


def reconstructed(client, begin, go_on_s):
    """Seen going east on the southern road for half a minute, and the window goes on."""
    seen = [sighting(0.2, 0, begin), sighting(1.6, 0, begin + timedelta(seconds=30))]
    end = begin + timedelta(seconds=30 + go_on_s)
    question = CASE | {
        "sightings": {"type": "FeatureCollection", "features": seen},
        "window": f"{begin.isoformat()}/{end.isoformat()}",
    }
    found = ended(client, client.post(URL, json=question).json()["id"])
    assert found["state"] == "done", found
    return found["id"]


@pytest.fixture(scope="module")
def now(service, detective):
    """The id of a reconstruction that began a minute ago, and units that have just been heard."""
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=60)
    with service.receiver() as line:
        heard_us = time.time_ns() // 1000
        line.sendall(rmc(heard_us, LON + 5 * STEP, LAT + 1.5 * STEP, tag="s:patrol-07"))
        line.sendall(rmc(heard_us, LON + 5 * STEP, LAT + 0.5 * STEP, tag="s:officer-3"))
        line.sendall(rmc(heard_us, LON + 5 * STEP, LAT + 1.5 * STEP, tag="s:taxi-1"))
        service.settle()
    return reconstructed(detective, begin, 630)


def gate_of(answer):
    assert answer.status_code == 200, answer.text
    (gate,) = answer.json()["features"]
    return gate["properties"]


def test_live_units_are_told_for_each_gate_the_soonest_first(detective, now):
    """The car stands on the ramp; the officer walks a street to it; the taxi is no police."""
    answer = detective.get(f"{URL}/{now}/gates")
    ramp = gate_of(answer)
    assert set(ramp["edges"]) == set(RAMP)
    assert [one["unit"] for one in ramp["units"]] == ["芦淞07", "officer-3"]
    car, officer = ramp["units"]
    assert car["road_s"] == 0.0
    assert officer["road_s"] == pytest.approx((0.5 * STEP * 110_900 - 30) / 1.4, abs=3.0)
    assert officer["in_time"] < car["in_time"] <= 1.0
    assert officer["meets"] <= car["meets"] <= ramp["passed"][-1]
    found = answer.json()
    assert (found["units"], found["old"], found["off_roads"]) == (2, [], [])


@pytest.mark.parametrize(
    ("call_sign", "name", "called"),
    [
        ("芦淞\u300007", "car", "芦淞 07"),
        (None, "patrol\t7\x00", "patrol 7 "),
        (" ", "car", "d-1"),
        ("芦" * 80, "car", "芦" * 64),
    ],
)
def test_a_unit_of_an_odd_name_is_told_like_the_others(call_sign, name, called):
    now = datetime.now(UTC)
    about = {"device": "d-1", "kind": "patrol_car", "status": "available", "time": now.isoformat()}
    feature = {
        "geometry": {"type": "Point", "coordinates": [LON, LAT]},
        "properties": about | {"call_sign": call_sign, "name": name},
    }
    units, old = live_units([feature], now)
    assert [unit.unit for unit in units] == [called]
    assert old == []


def test_later_units_are_in_time_less_probably(detective, now):
    soon, late = (
        gate_of(detective.get(f"{URL}/{now}/gates", params={"delay_s": s}))["units"][0] for s in (0, 300)
    )
    assert late["in_time"] < soon["in_time"]


def test_units_that_are_given_are_told_with_their_times(detective, now):
    at = datetime.now(UTC).replace(microsecond=0)
    places = {
        "units": [
            {"unit": "A", "lon": LON + 5 * STEP, "lat": LAT + 3.5 * STEP},
            {
                "unit": "B",
                "lon": LON + 5 * STEP,
                "lat": LAT + 1.5 * STEP,
                "time": (at + timedelta(seconds=200)).isoformat(),
            },
            {"unit": "C", "lon": LON + 1, "lat": LAT},
        ],
        "at": at.isoformat(),
        "pace": 1.0,
    }
    answer = detective.post(f"{URL}/{now}/gates", json=places)
    units = gate_of(answer)["units"]
    assert [one["unit"] for one in units] == ["A", "B"]
    assert datetime.fromisoformat(units[0]["arrives"]) - at < timedelta(seconds=60)
    assert datetime.fromisoformat(units[1]["arrives"]) - at == timedelta(seconds=200)
    assert answer.json()["off_roads"] == ["C"]


def test_a_unit_that_is_free_only_after_the_window_is_told_of_no_gate(detective, now):
    late = {"unit": "A", "lon": LON + 5 * STEP, "lat": LAT + 1.5 * STEP, "time": "9999-12-31T23:59:59Z"}
    answer = detective.post(f"{URL}/{now}/gates", json={"units": [late], "delay_s": 60})
    assert gate_of(answer)["units"] == []


def test_it_is_recorded(service, detective, now):
    detective.get(f"{URL}/{now}/gates", params={"most": 1})
    look = service.client("admin").get("/api/looks", params={"limit": 1}).json()["looks"][0]
    assert look["question"] == f"{URL}/{now}/gates?most=1"
    assert look["rows"] == 1


def test_dispatchers_may_not_ask(service, now):
    assert service.client("dispatcher").get(f"{URL}/{now}/gates").status_code == 403


@pytest.mark.parametrize(
    ("params", "field", "says"),
    [
        ({"at": "noon"}, "at", "no RFC 3339 time"),
        ({"at": "2099-01-01T00:00:00Z"}, "at", "whose window goes on for longer"),
        ({"at": "0001-01-01T00:00:00Z"}, "at", "where the window begins; give a moment of it"),
        ({"pace": 0}, "pace", "is not 0.1 to 100"),
        ({"pace": "nan"}, "pace", "correct it"),
        ({"delay_s": -1}, "delay_s", "is not 0 to 86400"),
        ({"most": 0}, "most", "too small"),
        ({"colour": 1}, "colour", "there are: at, pace, delay_s, most"),
    ],
)
def test_bad_parameters_are_refused_by_name(detective, now, params, field, says):
    answer = detective.get(f"{URL}/{now}/gates", params=params)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("units", "field", "says"),
    [
        ([], "units", "0 units; give 1 to 500"),
        ([{"unit": "A", "lon": 113.13}], "lat", "unit 1: no lat"),
        ([{"unit": "A", "lon": [1], "lat": 27.8}], "lon", "is no number"),
        ([{"unit": "", "lon": 113.1, "lat": 27.8}], "unit", "no unit"),
        ([{"unit": "A", "lon": 113.1, "lat": 27.8, "time": "soon"}], "time", "no RFC 3339 time"),
        ([{"unit": "A", "lon": 10**400, "lat": 27.8}], "lon", "is no number"),
        ("all", "units", "list"),
    ],
)
def test_bad_units_are_refused_with_their_number(detective, now, units, field, says):
    answer = detective.post(f"{URL}/{now}/gates", json={"units": units})
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert says in answer.json()["detail"]


def test_an_answer_that_ends_with_the_last_sighting_says_so(detective):
    begin = datetime.now(UTC).replace(microsecond=0)
    key = reconstructed(detective, begin, 0)
    answer = detective.get(f"{URL}/{key}/gates")
    assert answer.status_code == 422
    assert "whose window goes on for longer" in answer.json()["detail"]


def test_one_that_is_not_there_is_not_found(detective):
    assert detective.get(f"{URL}/nothing/gates").status_code == 404
