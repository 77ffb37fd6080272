"""The picture that everybody watches: it follows what is stored, whatever went wrong meanwhile."""

import asyncio
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import orjson
import pytest

from geo_policing.errors import Unavailable
from geo_policing.model import Fix, FixColumns, Incident, IncidentState
from geo_policing.service.app import create_app, open_rooms
from geo_policing.service.hub import Hub
from geo_policing.service.picture import Picture
from geo_policing.service.routers import live
from geo_policing.service.telling import MANY, tell_positions
from geo_policing.settings import IngestSettings, ServiceSettings
from geo_policing.store import FixStore, Records
from geo_policing.store.history.keeper import Keeper
from tests.ingest.lines import rmc, until
from tests.service.running import events, running

LON, LAT = 113.131, 27.831
SECOND_US = 1_000_000


def now_us():
    return time.time_ns() // 1_000


def call(key, **more):
    return Incident(key, "theft", datetime(2026, 3, 1, tzinfo=UTC), LON, LAT, **more)


def records_of(folder):
    """The records as another process opens them, beside the service."""
    return Records(f"sqlite:///{folder / 'records.sqlite'}")


def rooms_of(folder):
    return open_rooms(ServiceSettings(data_dir=folder), IngestSettings(tcp_port=0, batch_seconds=0.01))


def test_a_fix_from_the_future_in_the_history_does_not_freeze_its_device(tmp_path):
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(FixColumns.from_fixes([Fix("car-1", now_us() + 3600 * SECOND_US, 113.2, 27.9)]))
    with running(tmp_path, {"admit_all": True}) as service:
        with service.receiver() as line:
            line.sendall(rmc(now_us(), LON, LAT, tag="s:car-1"))
            service.settle()
        (car,) = service.client("dispatcher").get("/api/units").json()["features"]
        assert car["geometry"]["coordinates"] == pytest.approx([LON, LAT], abs=1e-6)


async def test_what_cannot_be_told_is_logged_and_what_comes_after_it_is_told(tmp_path, caplog):
    async with rooms_of(tmp_path) as rooms:
        # Received in the year 148,000: it can be stored and not be written as a date.
        await rooms.pipeline.submit([Fix("odd", now_us(), LON, LAT, received=1 << 62)])
        await until(lambda: rooms.chores.troubles == ["telling of positions"])
        await rooms.pipeline.submit([Fix("car-1", now_us(), LON, LAT)])
        await until(lambda: rooms.picture.units()["features"])
        assert [f["id"] for f in rooms.picture.units()["features"]] == ["car-1"]
        assert rooms.chores.troubles == []
    assert "telling of positions failed" in caplog.text


async def test_who_tells_too_slowly_catches_up_with_the_newest_of_every_device(tmp_path):
    async with rooms_of(tmp_path) as rooms:
        picture = Picture()
        with rooms.pipeline.subscribe(size=1) as slow:
            for n in range(5):
                await rooms.pipeline.submit([Fix(f"car-{n}", now_us(), LON, LAT)])
            assert slow.lost > 0
            slow.close()
            await tell_positions(replace(rooms, picture=picture, hub=Hub(picture.snapshot)), slow)
        assert sorted(f["id"] for f in picture.units()["features"]) == [f"car-{n}" for n in range(5)]


def test_incidents_imported_beside_the_service_are_told_and_stand_in_the_next_snapshot(tmp_path):
    file = tmp_path / "calls.csv"
    file.write_text(
        "id,occurred,kind,lon,lat,state\n"
        f"open-1,2026-03-01T08:00:00+08:00,theft,{LON},{LAT},accepted\n"
        f"old-1,2025-03-01T08:00:00+08:00,theft,{LON},{LAT},closed\n"
    )
    with running(tmp_path / "data", heartbeat_seconds=60) as service:
        dispatcher = service.client("dispatcher")
        with dispatcher.stream("GET", "/api/live") as stream:
            told = events(stream.iter_lines())
            assert next(told)[2]["incidents"]["features"] == []
            subprocess.run(
                [
                    *(sys.executable, "-m", "geo_policing", "import-incidents", str(file)),
                    *("--data-dir", str(tmp_path / "data")),
                ],
                check=True,
                capture_output=True,
                timeout=60,
            )
            _, kind, incident = next(told)
        assert (kind, incident["id"], incident["properties"]["state"]) == ("incident", "open-1", "accepted")
        with dispatcher.stream("GET", "/api/live") as stream:
            _, _, snapshot = next(events(stream.iter_lines()))
        assert [f["id"] for f in snapshot["incidents"]["features"]] == ["open-1"]


def test_what_another_process_does_to_an_incident_is_told_until_it_is_over(tmp_path):
    with running(tmp_path, heartbeat_seconds=60) as service, records_of(tmp_path) as records:
        records.incidents.create(call("a"))
        with service.client("dispatcher").stream("GET", "/api/live") as stream:
            told = events(stream.iter_lines())
            _, kind, snapshot = next(told)
            if not snapshot["incidents"]["features"]:
                assert next(told)[2]["id"] == "a"
            states = []
            for state in (IncidentState.ACCEPTED, IncidentState.CANCELLED):
                records.incidents.change_state("a", state, "li", "", now_us())
                _, kind, incident = next(told)
                states.append((kind, incident["id"], incident["properties"]["state"]))
        assert states == [("incident", "a", "accepted"), ("incident", "a", "cancelled")]
        assert service.rooms.picture.incidents == {}


def test_many_incidents_at_once_are_told_as_one_snapshot(tmp_path):
    with running(tmp_path, heartbeat_seconds=60) as service, records_of(tmp_path) as records:
        with service.client("dispatcher").stream("GET", "/api/live") as stream:
            told = events(stream.iter_lines())
            assert next(told)[1] == "snapshot"
            records.incidents.save_all(call(f"{n}") for n in range(MANY + 1))
            _, kind, snapshot = next(told)
        assert kind == "snapshot"
        assert len(snapshot["incidents"]["features"]) == MANY + 1


def test_an_event_id_without_end_gets_a_snapshot(tmp_path):
    with running(tmp_path, heartbeat_seconds=60) as service:
        dispatcher = service.client("dispatcher")
        with dispatcher.stream("GET", "/api/live") as stream:
            number, _, _ = next(events(stream.iter_lines()))
        endless = {"last-event-id": f"{number.partition('-')[0]}-{'1' * 20_000}"}
        with dispatcher.stream("GET", "/api/live", headers=endless) as stream:
            assert stream.status_code == 200
            assert next(events(stream.iter_lines()))[1] == "snapshot"


def test_the_stream_ends_with_the_session(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "SESSION_CHECK_S", 0.1)
    with running(tmp_path, heartbeat_seconds=60) as service:
        dispatcher = service.client("dispatcher")
        with dispatcher.stream("GET", "/api/live") as stream:
            told = events(stream.iter_lines())
            assert next(told)[1] == "snapshot"
            dispatcher.post("/api/sign-out")
            assert list(told) == []


def test_the_stream_goes_on_while_the_records_cannot_be_asked(tmp_path, monkeypatch):
    asked = []

    def gone(*_):
        asked.append(None)
        raise Unavailable("records cannot be used (disk I/O error); check the folder")

    monkeypatch.setattr(live, "SESSION_CHECK_S", 0.1)
    with (
        running(tmp_path, {"admit_all": True}, heartbeat_seconds=60) as service,
        service.client("dispatcher").stream("GET", "/api/live") as stream,
        service.receiver() as line,
    ):
        told = events(stream.iter_lines())
        assert next(told)[1] == "snapshot"
        monkeypatch.setattr(service.rooms.access._sessions, "find", gone)
        for _ in range(200):
            if len(asked) >= 3:
                break
            time.sleep(0.05)
        line.sendall(rmc(now_us(), LON, LAT, tag="s:car-1"))
        assert next(told)[1] == "units"


async def test_health_says_when_nothing_is_stored_any_more(tmp_path):
    async def ask(rooms):
        transport = httpx.ASGITransport(create_app(rooms))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            answer = await client.get("/health")
            return answer.status_code, answer.json()["status"], answer.json()["reasons"]

    async def outlived():
        async with rooms_of(tmp_path) as rooms:
            answers = [await ask(rooms)]
            with pytest.raises(ValueError, match="fast"):
                await rooms.pipeline.submit([Fix("car-1", now_us(), LON, LAT, speed_mps="fast")])
            answers.append(await ask(rooms))
            assert answers == [
                (200, "ok", []),
                (503, "degraded", ["nothing is stored any more: start the service anew"]),
            ]

    with pytest.raises(ValueError, match="fast"):
        await outlived()


async def test_health_names_the_work_that_has_ended_before_it_should(tmp_path, caplog):
    async def dies():
        await asyncio.sleep(0)
        raise RuntimeError("boom")

    async with rooms_of(tmp_path) as rooms, rooms.chores.beside("dying", dies()):
        await until(lambda: rooms.chores.troubles == ["dying"])
    assert "dying has died" in caplog.text
    assert rooms.chores.troubles == []


async def test_a_service_that_is_stopped_while_the_history_is_sealed_lets_that_end(tmp_path, monkeypatch):
    began, ended, keep_up = threading.Event(), threading.Event(), Keeper.keep_up

    def slow(self, today, at_least):
        with self._store.snapshot():
            began.set()
            time.sleep(0.5)
        # The fix is there by now; when the service looked for the first time, it may not have been.
        parts = keep_up(self, today, at_least)
        ended.set()
        return parts

    monkeypatch.setattr(Keeper, "keep_up", slow)
    async with rooms_of(tmp_path) as rooms:
        await rooms.pipeline.submit([Fix("car-1", now_us(), LON, LAT)])
        await until(began.is_set)
    assert ended.is_set()


async def test_an_event_is_one_line_of_json_whatever_stands_in_it(tmp_path):
    async with rooms_of(tmp_path) as rooms:
        event = rooms.hub.publish("incident", {"summary": "two\r\nlines"})
    assert event.data.splitlines() == [event.data]
    assert orjson.loads(event.data) == {"summary": "two\r\nlines"}
