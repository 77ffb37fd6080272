"""Who asked where something was is recorded before it is told."""

import os
import sqlite3
import subprocess
import sys
import time

import pytest

from geo_policing.model import Device, DeviceKind, IncidentState, from_us
from tests.ingest.lines import rmc
from tests.service.running import furnish, running

LON, LAT = 113.131, 27.831
HOUR_US = 3_600_000_000
START_US = time.time_ns() // 1_000_000_000 * 1_000_000 - 2 * HOUR_US
WINDOW = f"{from_us(START_US).isoformat()}/{from_us(START_US + HOUR_US).isoformat()}"
ASKED = {"datetime": WINDOW}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def service(folder):
    with running(folder) as service:
        furnish(service)
        with service.receiver() as line:
            line.sendall(
                b"".join(rmc(START_US + n * 1_000_000, LON, LAT + n * 1e-5, tag="s:taxi-1") for n in range(3))
            )
            service.settle()
        yield service


@pytest.fixture(scope="module")
def admin(service):
    return service.client("admin")


def newest(admin, **params):
    return admin.get("/api/looks", params={"limit": 1} | params).json()["looks"][0]


def count(admin):
    return len(admin.get("/api/looks", params={"limit": 1000}).json()["looks"])


@pytest.mark.parametrize("path", ["/api/tracks/taxi-1", "/maps/tracks/taxi-1"])
def test_a_question_for_a_track_is_recorded_with_who_what_and_how_much_came_back(service, admin, path):
    before = time.time_ns() // 1_000
    assert service.client("detective").get(path, params=ASKED).status_code == 200
    look = newest(admin)
    assert look["at"] >= from_us(before).isoformat()[:19]
    assert (look["account"], look["role"], look["client"]) == ("a-detective", "detective", "127.0.0.1")
    assert look["question"].startswith(f"{path}?datetime=20")
    assert (look["device"], look["rows"]) == ("taxi-1", 3)
    assert (look["start"], look["end"]) == (
        from_us(START_US).isoformat().replace("+00:00", "Z"),
        from_us(START_US + HOUR_US).isoformat().replace("+00:00", "Z"),
    )


@pytest.mark.parametrize(
    ("device", "params", "status"),
    [
        ("nobody", ASKED, 404),
        ("taxi-1", ASKED | {"match": "true"}, 503),
        ("taxi-1", {"datetime": "2020-01-01T00:00:00Z/2026-01-01T00:00:00Z"}, 422),
        ("a%00%ED%A0%80'%22", ASKED, 404),
    ],
)
def test_a_question_that_is_refused_is_recorded_with_nothing_told(service, admin, device, params, status):
    answer = service.client("analyst").get(f"/api/tracks/{device}", params=params)
    assert answer.status_code == status
    look = newest(admin)
    assert (look["account"], look["rows"]) == ("a-analyst", 0)
    assert look["question"].startswith(f"/api/tracks/{device}?")


def test_a_question_for_incidents_of_the_past_is_recorded_and_one_for_open_ones_is_not(service, admin):
    dispatcher = service.client("dispatcher")
    before = count(admin)
    for params in ({"status": "open"}, {"status": "reported,accepted", "datetime": WINDOW}):
        assert dispatcher.get("/api/incidents", params=params).status_code == 200
    assert count(admin) == before
    answer = dispatcher.get("/api/incidents", params={"limit": 2})
    assert newest(admin)["rows"] == answer.json()["numberReturned"] == 2
    assert newest(admin)["question"] == "/api/incidents?limit=2"
    dispatcher.get("/api/incidents", params={"status": "closed", "datetime": WINDOW})
    assert (newest(admin)["rows"], newest(admin)["start"] is None) == (0, False)
    assert count(admin) == before + 2


def test_reading_an_incident_that_is_over_is_recorded(service, admin):
    dispatcher = service.client("dispatcher")
    before = count(admin)
    dispatcher.get("/api/incidents/I1")
    assert count(admin) == before
    dispatcher.post("/api/incidents/I1/state", json={"state": IncidentState.CANCELLED})
    dispatcher.get("/api/incidents/I1")
    assert (count(admin), newest(admin)["question"]) == (before + 1, "/api/incidents/I1")


def test_looks_are_chosen_by_account_and_time_and_paged_without_loss(service, admin):
    analyst = service.client("analyst")
    for _ in range(5):
        analyst.get("/api/tracks/taxi-1", params=ASKED)
    everything = admin.get("/api/looks", params={"limit": 1000}).json()["looks"]
    found, params = [], {"limit": 2, "account": "A-Analyst"}
    while True:
        page = admin.get("/api/looks", params=params).json()
        found += page["looks"]
        if page["next"] is None:
            break
        params["next"] = page["next"]
    assert found == [look for look in everything if look["account"] == "a-analyst"]
    assert len(found) >= 5
    ids = [look["id"] for look in everything]
    assert ids == sorted(set(ids), reverse=True)
    assert newest(admin, datetime="2020-01-01T00:00:00Z/9999-01-01T00:00:00Z") == everything[0]
    past = admin.get("/api/looks", params={"datetime": "2020-01-01T00:00:00Z/2020-01-02T00:00:00Z"})
    assert past.json() == {"looks": [], "next": None}


@pytest.mark.parametrize("role", ["dispatcher", "detective", "analyst"])
def test_looks_are_for_administrators(service, role):
    assert service.client(role).get("/api/looks").status_code == 403


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"next": "x"}, "next"),
        ({"next": 10**30}, "next"),
        ({"datetime": "today"}, "datetime"),
        ({"account": "x" * 1000}, "account"),
    ],
)
def test_a_question_for_looks_that_cannot_be_is_refused_by_name(admin, params, field):
    answer = admin.get("/api/looks", params=params)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_looks_are_added_to_and_never_changed(service, admin):
    before = admin.get("/api/looks").json()
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert admin.request(method, "/api/looks").status_code == 405
    assert {name for name in dir(service.rooms.records.looks) if not name.startswith("_")} == {"add", "list"}
    assert admin.get("/api/looks").json() == before


def test_looks_are_listed_on_the_command_line_beside_a_running_service(service, admin, folder):
    service.client("detective").get("/api/tracks/taxi-1", params=ASKED)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GEO_POLICING")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "geo_policing", "looks", "--data-dir", str(folder)),
            *("--account", "a-detective", "--limit", "1"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=clean,
    )
    look = newest(admin)
    (line,) = done.stdout.splitlines()
    named = (look[name] for name in ("id", "at", "account", "role", "client", "rows", "question"))
    assert line.split("\t") == [str(value) for value in named]


def test_nothing_is_told_that_cannot_be_recorded(tmp_path):
    with running(tmp_path) as service:
        service.rooms.records.devices.create(Device("car-1", DeviceKind.TAXI))
        detective = service.client("detective")
        for path in ("/api/tracks/car-1", "/maps/tracks/car-1"):
            assert detective.get(path, params=ASKED).status_code == 200
        with sqlite3.connect(tmp_path / "records.sqlite") as db:
            db.execute("DROP TABLE looks")
        db.close()
        for path in ("/api/tracks/car-1", "/maps/tracks/car-1", "/api/incidents"):
            answer = detective.get(path, params=ASKED)
            assert (answer.status_code, answer.json()["title"]) == (503, "Service Unavailable")
            assert "features" not in answer.text
        assert detective.get("/api/incidents", params={"status": "open"}).status_code == 200
