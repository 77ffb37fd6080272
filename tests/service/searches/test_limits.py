"""Searches that take long, are many, or that nobody waits for any more."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from geo_policing.service import searches
from geo_policing.service.running_searches import MOST_RUNNING, MOST_WAITING
from geo_policing.store import FixStore, open_records
from geo_policing.store.history.keeper import Keeper
from tests.matching.city import grid
from tests.service.running import running
from tests.service.searches.asking import CASE, DAY, TWO_DAYS, URL, WHY, newest, span, wait_until
from tests.tracks.searches.towns import MIDNIGHT, columns

DAYS, CARS = 12, 1_000
#: Whether any of a thousand identities was in two places at once: read one after the other, for seconds.
LONG = WHY | {
    "devices": [f"car-{n}" for n in range(CARS)],
    "window": span(MIDNIGHT, MIDNIGHT + DAYS * DAY),
}
SHORT = WHY | {"device": "car-1", "window": TWO_DAYS}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """A thousand cars on twelve days, each seen twice a day at one place."""
    folder = tmp_path_factory.mktemp("crowd")
    roads = grid()
    roads.save(folder / "city.roads")
    lon, lat = (float(v[0]) for v in roads.plane.inverse(np.zeros(1), np.zeros(1)))
    found = {
        f"car-{n}": [
            (MIDNIGHT + d * DAY + (n + s) * 1_000_000, lon, lat) for d in range(DAYS) for s in (0, 30)
        ]
        for n in range(CARS)
    }
    with FixStore(folder / "fixes.duckdb") as store:
        store.append(columns(found))
        Keeper(store).seal(MIDNIGHT // DAY + DAYS)
    return folder


@pytest.fixture(scope="module")
def patient(crowd):
    """A service that lets searches run for an hour."""
    with running(crowd, search_seconds=3600) as service:
        warm(service)
        yield service


def warm(service):
    """Ask once for a car, so that what must be compiled is, and roads are loaded."""
    client = service.client("detective")
    client.timeout = 300
    question = LONG | {"devices": ["car-1"]}
    assert client.post(f"{URL}/cloned", json=question).status_code == 200


def asking(pool, client, question=LONG):
    """Ask for long, and return the answer to come and the key of the search once it runs."""
    client.timeout = 120
    there = {one["id"] for one in client.get(URL).json()["running"]}
    answer = pool.submit(client.post, f"{URL}/cloned", json=question)
    found = []

    def begun():
        found[:] = [one for one in client.get(URL).json()["running"] if one["id"] not in there]
        return found

    wait_until(begun)
    return answer, found[0]["id"]


def kept(client, key):
    return next(one for one in client.get(URL).json()["searches"] if one["id"] == key)


def test_a_search_that_takes_too_long_is_ended_recorded_and_says_how_far_it_was(crowd):
    with running(crowd) as service:
        warm(service)
        service.rooms.searches._limit_s = 0.3
        detective, admin = service.client("detective"), service.client("admin")
        answer = detective.post(f"{URL}/cloned", json=LONG)
        assert answer.status_code == 504
        detail = answer.json()["detail"]
        assert "longer than 0.3 s" in detail
        assert "of 1,000 devices" in detail
        assert "ask for fewer devices, a shorter window" in detail
        look = newest(admin)
        assert (look["account"], look["question"], look["rows"]) == ("a-detective", f"{URL}/cloned", 0)
        one = detective.get(URL, params={"limit": 1}).json()["searches"][0]
        assert (one["search"], one["found"], one["problem"]) == ("cloned", 0, detail)
        assert one["question"]["devices"] == LONG["devices"]
        assert detective.get(f"{URL}/{one['id']}").status_code == 409
        # Neither the thread nor the history is lost to those who come after.
        for _ in range(MOST_RUNNING + 1):
            assert detective.post(f"{URL}/footholds", json=SHORT).status_code == 200


def test_the_limit_is_a_setting(tmp_path):
    with running(tmp_path, search_seconds=7) as service:
        assert service.rooms.searches._limit_s == 7


def test_a_search_whose_client_goes_away_is_ended_and_recorded(patient):
    detective = patient.client("detective")
    before = len(detective.get(URL).json()["searches"])
    with pytest.raises(httpx.ReadTimeout):
        detective.post(f"{URL}/cloned", json=LONG, timeout=0.5)
    wait_until(lambda: not detective.get(URL).json()["running"])
    found = detective.get(URL).json()["searches"]
    assert len(found) == before + 1
    assert "whoever asked has gone" in found[0]["problem"]
    assert (found[0]["found"], found[0]["account"]) == (0, "a-detective")


def test_a_running_search_is_listed_and_cancelled_by_who_asked_or_an_administrator(patient):
    detective, analyst, admin = (patient.client(role) for role in ("detective", "analyst", "admin"))
    for who, name in ((detective, "a-detective"), (admin, "a-admin")):
        with ThreadPoolExecutor(1) as pool:
            answer, key = asking(pool, detective)
            listed = next(one for one in analyst.get(URL).json()["running"] if one["id"] == key)
            assert (listed["search"], listed["account"]) == ("cloned", "a-detective")
            wait_until(lambda: "of 1,000 devices" in detective.get(URL).json()["running"][0]["done"])
            refused = analyst.delete(f"{URL}/{key}")
            assert (refused.status_code, "a-detective asked" in refused.json()["detail"]) == (403, True)
            assert analyst.delete(f"/api/investigations/B1/searches/{key}").status_code == 404
            ended = who.delete(f"{URL}/{key}")
            assert (ended.status_code, ended.json()["id"]) == (202, key)
            told = answer.result()
        assert told.status_code == 409
        assert f"{name} has cancelled it" in told.json()["detail"]
        wait_until(lambda: not detective.get(URL).json()["running"])
        assert f"{name} has cancelled it" in kept(detective, key)["problem"]
        again = who.delete(f"{URL}/{key}")
        assert (again.status_code, "has ended already" in again.json()["detail"]) == (409, True)
    looks = admin.get("/api/looks", params={"limit": 1000}).json()["looks"]
    assert any(one["question"] == f"{URL}/{key}" and one["account"] == "a-admin" for one in looks)
    assert admin.delete(f"{URL}/nothing").status_code == 404
    assert patient.client("dispatcher").delete(f"{URL}/{key}").status_code == 403


def test_one_that_waits_is_cancelled_and_recorded_as_well(patient):
    detective = patient.client("detective")
    with ThreadPoolExecutor(MOST_RUNNING + 1) as pool:
        asked = [asking(pool, patient.client("detective")) for _ in range(MOST_RUNNING + 1)]
        waiting = detective.get(URL).json()["running"][-1]
        assert (waiting["seconds"], waiting["done"]) == (None, "")
        for _, key in reversed(asked):
            assert detective.delete(f"{URL}/{key}").status_code == 202
        assert [answer.result().status_code for answer, _ in asked] == [409] * len(asked)
    for _, key in asked:
        assert "has cancelled it" in kept(detective, key)["problem"]


def test_one_that_has_its_answer_is_not_cancelled_any_more(service, detective, monkeypatch):
    """The search is held where its answer is written, which is where a cancel would come too late."""
    there, go_on, keep = threading.Event(), threading.Event(), searches._keep

    def held(*args):
        there.set()
        assert go_on.wait(30)
        keep(*args)

    monkeypatch.setattr(searches, "_keep", held)
    client = service.client("detective")
    client.timeout = 60
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, f"{URL}/footholds", json=WHY | {"device": "d1", "window": TWO_DAYS})
        assert there.wait(30)
        (key,) = (one["id"] for one in detective.get(URL).json()["running"])
        late = detective.delete(f"{URL}/{key}")
        go_on.set()
        assert answer.result().status_code == 200
    assert (late.status_code, "has ended already" in late.json()["detail"]) == (409, True)


def test_a_service_that_stops_ends_its_searches_and_records_them(crowd):
    with ThreadPoolExecutor(1) as pool:
        with running(crowd, search_seconds=3600) as service:
            warm(service)
            answer, key = asking(pool, service.client("detective"))
        with pytest.raises(httpx.HTTPError):
            answer.result()
    with open_records(crowd) as records:
        assert "the service was stopped" in records.searches.get(key).problem


def test_so_many_searches_run_at_once_and_others_are_told_to_come_back(service, detective, monkeypatch):
    """The searches are held where they read the history, as long ones would be found there."""
    go_on, running_now, most = threading.Event(), [], []
    told = searches._told

    def held(*args):
        running_now.append(1)
        most.append(len(running_now))
        assert go_on.wait(30)
        running_now.pop()
        return told(*args)

    monkeypatch.setattr(searches, "_told", held)
    body = WHY | {"device": "d1", "window": TWO_DAYS}
    clients = [service.client("detective") for _ in range(2)]
    for client in clients:
        client.timeout = 60
    with ThreadPoolExecutor(30) as pool:
        asked = [
            pool.submit(clients[n % 2].post, f"{URL}/footholds", json=body)
            for n in range(MOST_RUNNING + MOST_WAITING)
        ]
        wait_until(lambda: len(service.rooms.searches.of_case(CASE)) == MOST_RUNNING + MOST_WAITING)
        refused = detective.post(f"{URL}/footholds", json=body)
        # Other requests go on beside them.
        assert detective.get("/api/devices").status_code == 200
        go_on.set()
        assert {one.result().status_code for one in asked} == {200}
    assert refused.status_code == 503
    assert "try again when one has ended" in refused.json()["detail"]
    assert max(most) == MOST_RUNNING
    assert detective.post(f"{URL}/footholds", json=body).status_code == 200
