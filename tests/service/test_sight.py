"""Devices of community corrections are seen by who is here for corrections, and by nobody else."""

import time

import pytest

from geo_policing.model import Device, DeviceKind, Role
from tests.ingest.lines import rmc
from tests.service.running import events, furnish, running

LON, LAT = 113.131, 27.831
POLICE = [role for role in Role if role is not Role.CORRECTIONS]


def now_us():
    return time.time_ns() // 1_000


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A patrol car and an ankle monitor on the map."""
    with running(tmp_path_factory.mktemp("data"), heartbeat_seconds=60) as service:
        furnish(service)
        service.client("admin").post("/api/devices", json={"key": "ankle", "kind": "corrections"})
        with service.receiver() as line:
            for device in ("patrol-07", "ankle"):
                line.sendall(rmc(now_us(), LON, LAT, tag=f"s:{device}"))
            service.settle()
        yield service


def ids(collection):
    return sorted(feature["id"] for feature in collection["features"])


@pytest.mark.parametrize("role", POLICE)
def test_no_role_of_the_police_sees_them(service, role):
    client = service.client(role)
    assert ids(client.get("/api/units").json()) == ["patrol-07"]
    with client.stream("GET", "/api/live") as stream:
        _, kind, snapshot = next(events(stream.iter_lines()))
    assert (kind, ids(snapshot["units"])) == ("snapshot", ["patrol-07"])


def test_who_is_here_for_corrections_sees_them_and_nobody_else(service):
    client = service.client("corrections")
    assert ids(client.get("/api/units").json()) == ["ankle"]
    assert ids(client.get("/api/units", params={"bbox": "113.2,27.83,113.3,27.84"}).json()) == []
    with client.stream("GET", "/api/live") as stream:
        _, _, snapshot = next(events(stream.iter_lines()))
    assert (ids(snapshot["units"]), snapshot["incidents"]["features"]) == (["ankle"], [])
    assert [device["id"] for device in client.get("/api/devices").json()] == ["ankle"]
    page = client.get("/", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "patrol-07" not in page.text
    assert client.get("/maps/live").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/incidents",
        "/api/incidents/I0",
        "/api/tracks/ankle?datetime=2026-03-01T00:00:00Z/2026-03-02T00:00:00Z",
        "/api/investigations/A1/searches",
        "/api/reconstructions?case=A1",
        "/api/looks",
        "/api/devices/quarantine",
    ],
)
def test_who_is_here_for_corrections_sees_nothing_of_the_polices_work(service, path):
    assert service.client("corrections").get(path).status_code == 403


def test_who_investigates_has_no_list_of_them_and_who_admits_devices_has(service):
    listed = {
        role: "ankle" in {device["id"] for device in service.client(role).get("/api/devices").json()}
        for role in Role
    }
    assert {role for role, there in listed.items() if there} == {"dispatcher", "admin", "corrections"}


def test_each_stream_tells_what_its_watchers_may_see(service):
    police, corrections = service.client("dispatcher"), service.client("corrections")
    with (
        police.stream("GET", "/api/live") as one,
        corrections.stream("GET", "/api/live") as other,
        service.receiver() as line,
    ):
        told, apart = events(one.iter_lines()), events(other.iter_lines())
        next(told), next(apart)
        for n, device in enumerate(("ankle", "patrol-07", "ankle")):
            line.sendall(rmc(now_us() + n * 10_000, LON + 0.001, LAT, tag=f"s:{device}"))
            service.settle()
        number, kind, units = next(told)
        assert (kind, ids(units)) == ("units", ["patrol-07"])
        for _ in range(2):
            _, kind, units = next(apart)
            assert (kind, ids(units)) == ("units", ["ankle"])
    # A number of the one stream says nothing on the other.
    with corrections.stream("GET", "/api/live", headers={"last-event-id": number}) as stream:
        _, kind, snapshot = next(events(stream.iter_lines()))
        assert (kind, ids(snapshot["units"])) == ("snapshot", ["ankle"])


def test_a_device_that_becomes_one_of_corrections_is_gone_from_the_polices_map_at_once(tmp_path):
    with running(tmp_path, heartbeat_seconds=60) as service:
        admin = service.client("admin")
        admin.post("/api/devices", json={"key": "tag-1"})
        with service.receiver() as line:
            line.sendall(rmc(now_us(), LON, LAT, tag="s:tag-1"))
            service.settle()
        corrections = service.client("corrections")
        with admin.stream("GET", "/api/live") as one, corrections.stream("GET", "/api/live") as other:
            told, apart = events(one.iter_lines()), events(other.iter_lines())
            assert ids(next(told)[2]["units"]) == ["tag-1"]
            assert ids(next(apart)[2]["units"]) == []
            service.client("dispatcher").post("/api/devices", json={"key": "tag-1", "kind": "corrections"})
            _, kind, snapshot = next(told)
            assert (kind, ids(snapshot["units"])) == ("snapshot", [])
            _, kind, snapshot = next(apart)
            assert (kind, ids(snapshot["units"])) == ("snapshot", ["tag-1"])


def test_an_administrator_alone_makes_one_a_device_of_another_kind_and_it_is_recorded(tmp_path):
    with running(tmp_path) as service:
        admin, dispatcher = service.client("admin"), service.client("dispatcher")
        admin.post("/api/devices", json={"key": "ankle", "kind": "corrections"})
        with service.receiver() as line:
            line.sendall(rmc(now_us(), LON, LAT, tag="s:ankle"))
            service.settle()
        officer = {"key": "ankle", "kind": "officer"}
        assert dispatcher.post("/api/devices", json={"key": "ankle", "name": "tag 7"}).status_code == 201
        refused = dispatcher.post("/api/devices", json=officer)
        assert (refused.status_code, "ask an administrator" in refused.json()["detail"]) == (403, True)
        assert ids(dispatcher.get("/api/units").json()) == []
        assert admin.get("/api/looks").json()["looks"] == []
        assert admin.post("/api/devices", json=officer).status_code == 201
        (look,) = admin.get("/api/looks").json()["looks"]
        assert (look["account"], look["device"]) == ("a-admin", "ankle")
        assert "ankle is of community corrections no more, but officer" in look["question"]
        assert ids(dispatcher.get("/api/units").json()) == ["ankle"]


def test_after_a_restart_they_are_hidden_as_before(tmp_path):
    with running(tmp_path) as service:
        service.rooms.records.devices.create(Device("ankle", DeviceKind.CORRECTIONS))
        service.rooms.registry.admit("ankle")
        with service.receiver() as line:
            line.sendall(rmc(now_us(), LON, LAT, tag="s:ankle"))
            service.settle()
    with running(tmp_path) as service:
        assert ids(service.client("admin").get("/api/units").json()) == []
        assert ids(service.client("corrections").get("/api/units").json()) == ["ankle"]
