"""Who is admitted, and that it holds: against a real service, over restarts."""

import json
import sqlite3
import time
from contextlib import closing

import pytest

from geo_policing.model import format_instant
from tests.ingest.lines import rmc
from tests.service.running import events, running
from tests.service.test_process import free_port

LON, LAT = 113.131, 27.831
SECOND_US = 1_000_000


def now_us():
    return time.time_ns() // 1_000


@pytest.fixture
def port():
    """A port for receivers that is the same after a restart."""
    return free_port()


def heard(service, *sentences):
    with service.receiver() as line:
        line.sendall(b"".join(sentences))
        service.settle()


def devices(client):
    return {device["id"]: device for device in client.get("/api/devices").json()}


def until(true):
    """Wait until something is true; fail after a minute instead of hanging."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_with_admit_all_a_device_that_speaks_is_listed_and_has_tracks_also_after_a_restart(tmp_path):
    asked = {"datetime": f"{format_instant(0)}/{format_instant(SECOND_US)}"}
    with running(tmp_path, {"admit_all": True}) as service:
        admin = service.client("admin")
        heard(service, rmc(now_us(), LON, LAT, tag="s:car-1"))
        until(lambda: "car-1" in devices(admin))
        assert (devices(admin)["car-1"]["kind"], devices(admin)["car-1"]["name"]) == ("unknown", "car-1")
        assert admin.get("/api/tracks/car-1", params=asked).json()["features"] == []
    with running(tmp_path) as service:
        admin = service.client("admin")
        assert list(devices(admin)) == ["car-1"]
        assert devices(admin)["car-1"]["last_seen"] is not None
        assert admin.get("/api/tracks/car-1", params=asked).json()["features"] == []


def test_a_device_admitted_right_before_the_end_is_known_at_the_next_start(tmp_path):
    with running(tmp_path, {"admit_all": True}) as service, service.receiver() as line:
        line.sendall(rmc(now_us(), LON, LAT, tag="s:car-1"))
        until(lambda: "car-1" in service.rooms.registry)
    with running(tmp_path) as service:
        assert list(devices(service.client("admin"))) == ["car-1"]


def test_a_device_of_which_nothing_is_believed_is_listed_with_why(tmp_path):
    with running(tmp_path, {"admit_all": True}) as service:
        admin = service.client("admin")
        heard(service, rmc(now_us(), 0.0, 0.0, tag="s:car-1"))
        until(lambda: "car-1" in devices(admin))
        assert devices(admin)["car-1"]["refused"] == {"null_island": 1}


def test_the_devices_that_the_settings_name_are_listed(tmp_path):
    with running(tmp_path, {"lines": {"127.0.0.1": "patrol-07"}}) as service:
        assert list(devices(service.client("admin"))) == ["patrol-07"]
        heard(service, rmc(now_us(), LON, LAT))
        assert service.rooms.pipeline.latest.keys() == {"patrol-07"}


def test_who_speaks_on_a_line_holds_after_a_restart(tmp_path, port):
    where = f"tcp:{port}/127.0.0.1"
    with running(tmp_path, {"tcp_port": port}) as service:
        heard(service, rmc(now_us(), LON, LAT))
        admission = {"key": where, "device": "patrol-07", "kind": "patrol_car"}
        assert service.client("dispatcher").post("/api/devices", json=admission).status_code == 201
    with running(tmp_path, {"tcp_port": port}) as service:
        heard(service, rmc(now_us(), LON, LAT))
        assert service.rooms.pipeline.latest.keys() == {"patrol-07"}
        assert service.client("dispatcher").get("/api/devices/quarantine").json() == []


def test_a_line_may_be_given_to_another_device(tmp_path, port):
    where = f"tcp:{port}/127.0.0.1"
    with running(tmp_path, {"tcp_port": port}) as service:
        dispatcher = service.client("dispatcher")
        heard(service, rmc(now_us(), LON, LAT))
        for device in ("patrol-07", "patrol-08"):
            answer = dispatcher.post("/api/devices", json={"key": where, "device": device})
            assert (answer.status_code, answer.json()["id"]) == (201, device)
        heard(service, rmc(now_us(), LON, LAT))
        assert service.rooms.pipeline.latest.keys() == {"patrol-08"}


def test_what_the_settings_say_of_a_line_goes_before_what_was_admitted(tmp_path, port):
    where = f"tcp:{port}/127.0.0.1"
    with running(tmp_path, {"tcp_port": port}) as service:
        heard(service, rmc(now_us(), LON, LAT))
        service.client("dispatcher").post("/api/devices", json={"key": where, "device": "patrol-07"})
    with running(tmp_path, {"tcp_port": port, "lines": {where: "patrol-09"}}) as service:
        heard(service, rmc(now_us(), LON, LAT))
        assert service.rooms.pipeline.latest.keys() == {"patrol-09"}
        answer = service.client("dispatcher").post("/api/devices", json={"key": where, "device": "patrol-08"})
        assert answer.status_code == 409
        assert "the settings say that patrol-09 speaks on" in answer.json()["detail"]


def test_an_admission_that_the_records_do_not_take_leaves_nothing_half_admitted(tmp_path, port):
    where = f"tcp:{port}/127.0.0.1"
    admission = {"key": where, "device": "patrol-07"}
    with running(tmp_path, {"tcp_port": port}) as service:
        dispatcher = service.client("dispatcher")
        heard(service, rmc(now_us(), LON, LAT))
        with closing(sqlite3.connect(tmp_path / "records.sqlite")) as database:
            database.execute("ALTER TABLE lines RENAME TO away")
            assert dispatcher.post("/api/devices", json=admission).status_code == 503
            heard(service, rmc(now_us(), LON, LAT))
            assert devices(dispatcher) == {}
            assert service.rooms.pipeline.latest == {}
            assert [s["key"] for s in dispatcher.get("/api/devices/quarantine").json()] == [where]
            database.execute("ALTER TABLE away RENAME TO lines")
        assert dispatcher.post("/api/devices", json=admission).status_code == 201
        heard(service, rmc(now_us(), LON, LAT))
        assert service.rooms.pipeline.latest.keys() == {"patrol-07"}


def test_who_watches_hears_what_a_device_is_when_somebody_says_it(tmp_path):
    with running(tmp_path, {"admit_all": True}, heartbeat_seconds=60) as service:
        dispatcher = service.client("dispatcher")
        heard(service, rmc(now_us(), LON, LAT, tag="s:car-1"))
        until(lambda: "car-1" in devices(dispatcher))
        with dispatcher.stream("GET", "/api/live") as stream:
            told = events(stream.iter_lines())
            assert next(told)[1] == "snapshot"
            said = {"key": "car-1", "kind": "taxi", "name": " 一号  出租　车 "}
            assert dispatcher.post("/api/devices", json=said).json()["name"] == "一号  出租　车"
            _, kind, changed = next(told)
        assert (kind, changed["features"][0]["properties"]["kind"]) == ("units", "taxi")
        assert devices(dispatcher)["car-1"]["kind"] == "taxi"
        # What is not said stays.
        assert dispatcher.post("/api/devices", json={"key": "car-1"}).json()["kind"] == "taxi"


@pytest.mark.parametrize(
    ("admission", "field"),
    [
        ({"key": "car-9", "colour": "red"}, "colour"),
        ({"key": "car-9", "name": "a\u202eb"}, "name"),
        ({"key": "car-9", "name": "two\nlines"}, "name"),
        ({"key": "car-9", "name": "x" * 101}, "name"),
        ({"key": "car-9", "name": "\ud800"}, "name"),
        ({"key": "car-9", "device": "x" * 65}, "device"),
        ({"key": "x" * 201}, "key"),
        ({"key": "car\x009"}, "device"),
        ({"key": ""}, "key"),
        ({"key": "car-9", "kind": "spaceship"}, "kind"),
    ],
)
def test_an_admission_that_cannot_be_names_the_field(service, admission, field):
    dispatcher = service.client("dispatcher")
    headers = {"content-type": "application/json"}
    answer = dispatcher.post("/api/devices", content=json.dumps(admission), headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert "car-9" not in devices(dispatcher)
