"""The detectives' searches over the API: a real history, a real client, and a record of every question."""

import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import h3
import numpy as np
import pytest
import shapely

from geo_policing.maps import remote_loads
from geo_policing.model import Device, DeviceKind, TimeWindow, format_instant, from_us, parse_instant
from geo_policing.store import FixStore
from geo_policing.store.history.keeper import Keeper
from geo_policing.tracks import searches
from geo_policing.tracks.searches import Area
from tests.service.running import running
from tests.tracks.searches.towns import MIDNIGHT, SOUTH, STEP, WEST, MemoryHistory, columns, town

CASE = "A20260302001"
URL = f"/api/investigations/{CASE}/searches"
WHY = {"reason": "盗窃案嫌疑车辆排查"}
MINUTE = 60_000_000
DAY = 86_400_000_000
SEED = 11


def span(start_us, end_us):
    return f"{format_instant(start_us)}/{format_instant(end_us)}"


def window(text):
    return TimeWindow.parse(text)


TWO_DAYS = span(MIDNIGHT - DAY, MIDNIGHT + DAY)
EVENING = span(MIDNIGHT - 50 * MINUTE, MIDNIGHT + 50 * MINUTE)


def geojson(shape):
    return json.loads(json.dumps(shape.__geo_interface__))


def history():
    """Six who walk about, one who follows the first, and one who does so under community corrections."""
    found = town(np.random.default_rng(SEED))
    found["follower"] = [(t + 20_000_000, x, y) for t, x, y in found["d0"]]
    found["ankle"] = [(t + 10_000_000, x, y) for t, x, y in found["d0"]]
    return found


@pytest.fixture(scope="module")
def town_found():
    return history()


@pytest.fixture(scope="module")
def permitted(town_found):
    return MemoryHistory({name: track for name, track in town_found.items() if name != "ankle"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory, town_found):
    folder = tmp_path_factory.mktemp("data")
    with FixStore(folder / "fixes.duckdb") as store:
        store.append(columns(town_found))
        # The first day is sealed, the second is not.
        Keeper(store).seal(MIDNIGHT // DAY)
    return folder


@pytest.fixture(scope="module")
def service(folder):
    with running(folder) as service:
        records = service.rooms.records
        records.devices.create(Device("d0", DeviceKind.TAXI, "湘B·T0001"))
        records.devices.create(Device("ankle", DeviceKind.CORRECTIONS))
        yield service


@pytest.fixture(scope="module")
def detective(service):
    return service.client("detective")


@pytest.fixture(scope="module")
def admin(service):
    return service.client("admin")


def ask(client, name, **question):
    answer = client.post(f"{URL}/{name}", json=WHY | question)
    assert answer.status_code == 200, answer.text
    return answer.json()


def areas():
    """Three areas on the way of the first: around where it begins, where it is later, and where it ends."""
    track = history()["d0"]
    return [
        shapely.box(x - size * STEP, y - size * STEP, x + size * STEP, y + size * STEP)
        for (_, x, y), size in zip((track[0], track[12], track[-1]), (1.5, 1, 0.5), strict=True)
    ]


WHOLE = shapely.box(WEST - STEP, SOUTH - STEP, WEST + 11 * STEP, SOUTH + 11 * STEP)


def proofs(answer, rank):
    return [
        f
        for f in answer["features"]
        if f["properties"].get("rank") == rank and f["properties"]["what"] != "place"
    ]


def check_evidence(answer, town_found):
    """Each stretch of evidence is of fixes that the device has sent, around the time it is told for."""
    for result in answer["results"]:
        found = proofs(answer, result["rank"])
        assert len(found) == min(result["evidence"], 25) > 0
        for feature in found:
            about = feature["properties"]
            sent = {(format_instant(t), round(x, 7), round(y, 7)) for t, x, y in town_found[about["device"]]}
            told = {
                (t, x, y)
                for t, (x, y) in zip(about["times"], feature["geometry"]["coordinates"], strict=True)
            }
            assert told
            assert told <= sent
            assert set(about["sources"]) == {"nmea0183"}
            assert about["fixes"] >= len(about["times"])
            assert parse_instant(about["from"]) <= parse_instant(about["until"])


def test_who_was_in_an_area_is_told_with_the_fixes_that_prove_it(detective, permitted, town_found):
    shape = areas()[0]
    answer = ask(detective, "presences", area=geojson(shape), window=EVENING)
    expected = searches.presences(permitted, Area(shape), window(EVENING))
    assert [r["device"] for r in answer["results"]] == sorted({p.device for p in expected})
    assert answer["found"] == answer["told"] == len(answer["results"]) > 0
    told = [
        (f["properties"]["device"], f["properties"]["from"], f["properties"]["until"])
        for f in answer["features"]
        if f["properties"]["what"] == "presence"
    ]
    assert told == [(p.device, format_instant(p.enter_us), format_instant(p.leave_us)) for p in expected]
    check_evidence(answer, town_found)
    (area,) = [f for f in answer["features"] if f["properties"]["what"] == "area"]
    assert shapely.geometry.shape(area["geometry"]).equals(shape)


def test_the_evidence_of_a_presence_begins_and_ends_with_the_fixes_between_which_it_is_known(
    detective, permitted
):
    shape = areas()[0]
    answer = ask(detective, "presences", area=geojson(shape), window=EVENING)
    expected = searches.presences(permitted, Area(shape), window(EVENING))
    told = [f["properties"]["times"] for f in answer["features"] if f["properties"]["what"] == "presence"]
    assert [(times[0], times[-1]) for times in told] == [
        (format_instant(p.first_fix_us), format_instant(p.last_fix_us)) for p in expected
    ]


def test_only_some_devices_are_looked_for_where_they_are_named(detective):
    answer = ask(detective, "presences", area=geojson(WHOLE), window=EVENING, devices=["d1", "d2"])
    assert {r["device"] for r in answer["results"]} == {"d1", "d2"}


@pytest.mark.parametrize("at_least", [None, 1, 2])
def test_collision_tells_who_was_in_k_of_the_areas_and_proves_each(
    detective, permitted, town_found, at_least
):
    places = [{"area": geojson(shape), "window": EVENING} for shape in areas()]
    answer = ask(detective, "collision", places=places, at_least=at_least)
    expected = searches.collision(
        permitted, [(Area.from_geojson(p["area"]), window(p["window"])) for p in places], at_least
    )
    assert [r["device"] for r in answer["results"]] == list(expected)
    assert len(expected) > 0
    for result in answer["results"]:
        there = [n for n, mine in enumerate(expected[result["device"]], 1) if mine]
        assert (result["areas"], result["in_areas"]) == (len(there), there)
        assert {f["properties"]["area"] for f in proofs(answer, result["rank"])} == set(there)
    check_evidence(answer, town_found)


def test_companions_are_proven_at_as_many_places_as_they_are_told(detective, permitted, town_found):
    answer = ask(detective, "companions", device="d0", window=TWO_DAYS, within_s=30, places=2)
    expected = searches.companions(permitted, "d0", window(TWO_DAYS), within_s=30, places=2)
    assert [(r["device"], r["places"]) for r in answer["results"]] == [(c.device, c.places) for c in expected]
    first = answer["results"][0]
    assert first["device"] == "follower"
    assert first["evidence"] == first["places"]
    for feature in proofs(answer, 1):
        about = feature["properties"]
        assert about["other"] == "d0"
        way = shapely.LineString((feature["geometry"]["coordinates"] * 2)[: len(about["times"]) + 1])
        near = [way.interpolate(k / 4000, normalized=True) for k in range(4001)]
        assert about["cell"] in {h3.latlng_to_cell(at.y, at.x, 10) for at in near}
    assert [r["evidence"] for r in answer["results"]] == [c.places for c in expected]


def test_footholds_are_places_with_their_stays(detective, permitted, town_found):
    answer = ask(detective, "footholds", device="d2", window=TWO_DAYS, stay_s=300, radius_m=250)
    zone = from_us(0).astimezone().tzinfo
    expected = searches.footholds(permitted, "d2", window(TWO_DAYS), zone, stay_s=300, radius_m=250)
    assert [(r["stays"], r["total_s"]) for r in answer["results"]] == [
        (len(f.stays), f.total_s) for f in expected
    ]
    places = [f["geometry"]["coordinates"] for f in answer["features"] if f["properties"]["what"] == "place"]
    assert places == [[round(f.lon, 7), round(f.lat, 7)] for f in expected]
    assert len(places) == 2
    check_evidence(answer, town_found)


def test_first_entry_frequent_and_vanished_say_what_the_searches_say(detective, permitted, town_found):
    shape = areas()[1]
    area = Area(shape)
    late = span(MIDNIGHT - 20 * MINUTE, MIDNIGHT + 50 * MINUTE)
    new = ask(detective, "first-entry", area=geojson(shape), window=late, days=1)
    assert [r["device"] for r in new["results"]] == [
        p.device for p in searches.first_entry(permitted, area, window(late), 1)
    ]
    often = ask(detective, "frequent", area=geojson(WHOLE), window=TWO_DAYS, times=1)
    assert [(r["device"], r["presences"]) for r in often["results"]] == [
        (n, len(p)) for n, p in searches.frequent(permitted, Area(WHOLE), window(TWO_DAYS), 1).items()
    ]
    gone = ask(
        detective,
        "vanished",
        area=geojson(shape),
        moment=format_instant(MIDNIGHT + 5 * MINUTE),
        days=1,
        before=1,
    )
    expected = searches.vanished(permitted, area, from_us(MIDNIGHT + 5 * MINUTE), days=1, before=1, after=0)
    assert [r["device"] for r in gone["results"]] == [p.device for p in expected]
    assert len(expected) > 0
    for answer in (new, often, gone):
        check_evidence(answer, town_found)


def test_night_activity_is_proven_by_presences(detective, town_found):
    # Midnight of UTC is 8 o'clock in Shanghai.
    answer = ask(
        detective,
        "night-activity",
        area=geojson(WHOLE),
        window=TWO_DAYS,
        night_from=7,
        night_until=9,
        at_night=1,
        by_day=0,
    )
    assert answer["found"] > 0
    assert all(r["night_hours"] >= 1 and r["day_hours"] == 0 for r in answer["results"])
    check_evidence(answer, town_found)


def test_passages_are_proven_by_the_fixes_before_and_after(detective, permitted):
    line = [[WEST + 4.5 * STEP, SOUTH - STEP], [WEST + 4.5 * STEP, SOUTH + 11 * STEP]]
    question = {"line": {"type": "LineString", "coordinates": line}, "window": EVENING}
    answer = ask(detective, "passages", **question)
    expected = searches.passages(permitted, line, window(EVENING))
    told = [f["properties"] for f in answer["features"] if f["properties"]["what"] == "passage"]
    assert [(t["device"], t["from"], t["rightwards"]) for t in told] == [
        (p.device, format_instant(p.at_us), p.rightwards)
        for p in sorted(expected, key=lambda p: (p.at_us, p.device))
    ]
    assert len(told) > 0
    for about in told:
        before, after = map(parse_instant, about["times"])
        assert before <= parse_instant(about["from"]) <= after
    one_way = ask(detective, "passages", rightwards=True, **question)
    assert one_way["found"] == sum(p.rightwards for p in expected)


def test_circles_cells_and_features_are_areas_too(detective):
    lon, lat = WEST + 5 * STEP, SOUTH + 5 * STEP
    disk = sorted(h3.grid_disk(h3.latlng_to_cell(lat, lon, 9), 1))
    point = {"type": "Point", "coordinates": [lon, lat]}
    for area in (
        point | {"radius_m": 600},
        {"type": "Feature", "geometry": point, "properties": {"radius_m": 600}},
        {"type": "Feature", "geometry": geojson(WHOLE), "properties": None},
        {"cells": disk},
    ):
        assert ask(detective, "presences", area=area, window=EVENING)["found"] > 0


def test_nobody_under_community_corrections_is_found(detective):
    answer = ask(detective, "presences", area=geojson(WHOLE), window=EVENING, devices=["ankle", "d0"])
    assert [r["device"] for r in answer["results"]] == ["d0"]
    assert ask(detective, "footholds", device="ankle", window=TWO_DAYS)["found"] == 0
    everybody = ask(detective, "companions", device="d0", window=TWO_DAYS, places=1)
    assert "ankle" not in json.dumps(everybody)
    track = detective.get("/api/tracks/ankle", params={"datetime": TWO_DAYS})
    assert (track.status_code, "corrections" in track.json()["detail"]) == (403, True)


def test_results_say_what_people_call_the_device(detective):
    answer = ask(detective, "presences", area=geojson(WHOLE), window=EVENING)
    by_device = {r["device"]: r for r in answer["results"]}
    assert (by_device["d0"]["name"], by_device["d0"]["kind"]) == ("湘B·T0001", "taxi")
    assert (by_device["d1"]["name"], by_device["d1"]["kind"]) == ("d1", "unknown")


def test_pages_tell_every_result_once(detective):
    question = {"area": geojson(WHOLE), "window": EVENING}
    whole = ask(detective, "presences", **question)
    found, skip = [], 0
    while skip is not None:
        page = ask(detective, "presences", limit=2, skip=skip, **question)
        assert page["told"] <= 2
        assert page["found"] == whole["found"]
        found += page["results"]
        skip = page["next"]
    assert found == whole["results"]
    assert len(found) > 4


# What is recorded


def newest(admin):
    return admin.get("/api/looks", params={"limit": 1}).json()["looks"][0]


def test_a_search_is_recorded_with_who_when_why_what_and_how_much(detective, admin):
    question = {"area": geojson(areas()[0]), "window": EVENING}
    answer = ask(detective, "presences", **question)
    look = newest(admin)
    assert (look["account"], look["role"], look["client"]) == ("a-detective", "detective", "127.0.0.1")
    assert (look["question"], look["rows"]) == (f"{URL}/presences", answer["found"])
    kept = detective.get(URL, params={"limit": 1}).json()["searches"][0]
    assert kept["id"] == answer["id"]
    assert (kept["search"], kept["reason"], kept["account"]) == ("presences", WHY["reason"], "a-detective")
    assert (kept["role"], kept["found"], kept["told"]) == ("detective", answer["found"], answer["told"])
    assert kept["question"]["area"] == question["area"]
    assert kept["question"]["window"] == EVENING
    assert kept["asked"] == answer["asked"] == look["at"]
    assert kept["problem"] is None


def test_the_answer_is_kept_as_it_was_given_under_its_case_alone(detective, admin):
    answer = ask(detective, "presences", area=geojson(WHOLE), window=EVENING)
    assert detective.get(f"{URL}/{answer['id']}").json() == answer
    assert (newest(admin)["question"], newest(admin)["rows"]) == (f"{URL}/{answer['id']}", answer["told"])
    other = detective.get(f"/api/investigations/B1/searches/{answer['id']}")
    assert other.status_code == 404
    assert "GET /api/investigations/CASE/searches" in other.json()["detail"]


def test_a_search_that_is_refused_is_recorded_with_why(detective, admin):
    question = {"device": "d0", "window": "2016-01-01T00:00:00Z/2026-01-01T00:00:00Z"}
    answer = detective.post(f"{URL}/footholds", json=WHY | question)
    assert answer.status_code == 422
    assert newest(admin)["rows"] == 0
    kept = detective.get(URL, params={"limit": 1}).json()["searches"][0]
    assert (kept["search"], kept["found"], kept["told"]) == ("footholds", 0, 0)
    assert kept["question"]["window"] == question["window"]
    assert "longer than 92 days" in kept["problem"]
    refused = detective.get(f"{URL}/{kept['id']}")
    assert (refused.status_code, "ask again" in refused.json()["detail"]) == (409, True)


def test_searches_of_a_case_are_paged_without_loss(detective):
    url = "/api/investigations/B-7/searches"
    for n in range(5):
        asked = WHY | {"device": f"d{n}", "window": TWO_DAYS}
        assert detective.post(f"{url}/footholds", json=asked).status_code == 200
    found, after = [], {}
    while after is not None:
        page = detective.get(url, params={"limit": 2} | after).json()
        found += page["searches"]
        after = {"next": page["next"]} if page["next"] else None
    assert [one["question"]["device"] for one in found] == ["d4", "d3", "d2", "d1", "d0"]


@pytest.mark.parametrize("name", ["presences", "collision", "footholds"])
def test_dispatchers_and_strangers_may_not_search(service, name):
    body = WHY | {"area": geojson(WHOLE), "window": EVENING}
    assert service.client("dispatcher").post(f"{URL}/{name}", json=body).status_code == 403
    assert service.client().post(f"{URL}/{name}", json=body).status_code == 401
    assert service.client("dispatcher").get(URL).status_code == 403


def change(folder, sql):
    with sqlite3.connect(folder / "records.sqlite") as db:
        db.execute(sql)
    db.close()


def test_no_answer_leaves_without_its_record(tmp_path, town_found):
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(columns(town_found))
    body = WHY | {"area": geojson(WHOLE), "window": EVENING}
    with running(tmp_path) as service:
        detective = service.client("detective")
        kept = detective.post(f"{URL}/presences", json=body)
        assert kept.json()["found"] > 0
        for table in ("searches", "looks"):
            change(tmp_path, f"ALTER TABLE {table} RENAME TO away")
            answer = detective.post(f"{URL}/presences", json=body)
            assert (answer.status_code, answer.json()["title"]) == (503, "Service Unavailable")
            assert "d1" not in answer.text
            change(tmp_path, f"ALTER TABLE away RENAME TO {table}")
        with sqlite3.connect(tmp_path / "records.sqlite") as db:
            # Neither of the two is there without the other.
            for table in ("searches", "looks"):
                assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
        db.close()
        again = detective.get(f"{URL}/{kept.json()['id']}")
        assert again.json() == kept.json()


def test_records_that_another_holds_for_long_give_a_problem_and_no_data(tmp_path, town_found):
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(columns(town_found))
    with running(tmp_path) as service:
        detective = service.client("detective")
        detective.timeout = 60
        db = sqlite3.connect(tmp_path / "records.sqlite", isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        try:
            answer = detective.post(
                f"{URL}/presences", json=WHY | {"area": geojson(WHOLE), "window": EVENING}
            )
        finally:
            db.execute("ROLLBACK")
            db.close()
        assert answer.status_code == 503
        assert "features" not in answer.json()


def test_so_many_searches_run_at_once_and_others_are_told_to_come_back(service, detective, monkeypatch):
    """The searches are held where they read the history, as long ones would be found there."""
    from geo_policing.service import searches as module

    go_on, running_now, most = threading.Event(), [], []
    told = module._told

    def held(*args):
        running_now.append(1)
        most.append(len(running_now))
        assert go_on.wait(30)
        running_now.pop()
        return told(*args)

    monkeypatch.setattr(module, "_told", held)
    body = WHY | {"device": "d1", "window": TWO_DAYS}
    clients = [service.client("detective") for _ in range(2)]
    for client in clients:
        client.timeout = 60
    with ThreadPoolExecutor(30) as pool:
        asked = [
            pool.submit(clients[n % 2].post, f"{URL}/footholds", json=body)
            for n in range(module.MOST_RUNNING + module.MOST_WAITING)
        ]
        while service.rooms.searches._here < module.MOST_RUNNING + module.MOST_WAITING:
            pass
        refused = detective.post(f"{URL}/footholds", json=body)
        # Other requests go on beside them.
        assert detective.get("/api/devices").status_code == 200
        go_on.set()
        assert {one.result().status_code for one in asked} == {200}
    assert refused.status_code == 503
    assert "try again when one has ended" in refused.json()["detail"]
    assert max(most) == module.MOST_RUNNING
    assert detective.post(f"{URL}/footholds", json=body).status_code == 200


# What cannot be asked

POINT = {"type": "Point", "coordinates": [113.14, 27.83], "radius_m": 100}
SQUARE = [[113.13, 27.83], [113.14, 27.83], [113.14, 27.84], [113.13, 27.84], [113.13, 27.83]]


def poly(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


TEN_YEARS = "2016-01-01T00:00:00Z/2026-01-01T00:00:00Z"
A_DAY = "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z"
BOW = [[113.13, 27.83], [113.14, 27.84], [113.14, 27.83], [113.13, 27.84], [113.13, 27.83]]
WIDE = [[113.0, 27.0], [115.0, 27.0], [115.0, 29.0], [113.0, 29.0], [113.0, 27.0]]
PLACE = {"area": POINT, "window": A_DAY}


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
        ("collision", {"places": [PLACE] * 101}, "places", "at most 100"),
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


def test_places_without_data_and_devices_never_seen_give_nothing(detective):
    far = {"type": "Point", "coordinates": [2.35, 48.85], "radius_m": 500}
    for name, question in {
        "presences": {"area": far, "window": TWO_DAYS},
        "collision": {"places": [{"area": far, "window": EVENING}] * 2},
        "frequent": {"area": far, "window": TWO_DAYS},
        "first-entry": {"area": far, "window": TWO_DAYS},
        "vanished": {"area": far, "moment": format_instant(MIDNIGHT)},
        "night-activity": {"area": far, "window": TWO_DAYS},
        "companions": {"device": "ghost", "window": TWO_DAYS},
        "footholds": {"device": "ghost", "window": TWO_DAYS},
        "passages": {
            "line": {"type": "LineString", "coordinates": [[2.3, 48.8], [2.3, 48.9]]},
            "window": TWO_DAYS,
        },
    }.items():
        answer = ask(detective, name, **question)
        assert (answer["found"], answer["results"], answer["next"]) == (0, [], None)
    old = ask(detective, "presences", area=POINT, window="0001-01-01T00:00:00Z/0001-01-02T00:00:00Z")
    assert old["found"] == 0
    late = ask(detective, "presences", area=POINT, window="9999-12-30T00:00:00Z/9999-12-31T00:00:00Z")
    assert late["found"] == 0


def test_what_no_json_can_say_is_kept_as_something_that_it_can(detective):
    odd = {"type": "Feature", "geometry": POINT, "properties": {"a": float("nan"), "b": "\ud800\u0000"}}
    answer = detective.post(
        f"{URL}/presences",
        content=json.dumps(WHY | {"area": odd, "window": A_DAY}),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 200
    assert answer.json()["question"]["area"]["properties"] == {"a": None, "b": "\ufffd\ufffd"}


def test_areas_nested_deeply_are_refused(detective):
    for depth in (100, 500, 900, 5000):
        nested = '{"type":"Polygon","coordinates":' + "[" * depth + "]" * depth + "}"
        answer = detective.post(
            f"{URL}/presences",
            content=f'{{"reason":"because","window":"{A_DAY}","area":{nested}}}',
            headers={"content-type": "application/json"},
        )
        assert answer.status_code in (400, 422), (depth, answer.text[:200])


def test_each_search_is_described_with_its_exact_definition(detective):
    paths = detective.get("/api/openapi.json").json()["paths"]
    posted = {path: way["post"] for path, way in paths.items() if "/searches/" in path and "post" in way}
    assert len(posted) >= 9
    for operation in posted.values():
        assert "recorded before it is given" in operation["description"]
        assert len(operation["description"]) > 150
    assert "shifted by each" in posted["/api/investigations/{case}/searches/companions"]["description"]


def test_the_map_of_an_answer_loads_nothing_from_elsewhere_and_is_recorded(detective, admin):
    for answer in (
        ask(
            detective,
            "collision",
            places=[{"area": geojson(a), "window": EVENING} for a in areas()],
            at_least=2,
        ),
        ask(detective, "companions", device="ghost", window=TWO_DAYS),
    ):
        page = detective.get(f"/maps/searches/{answer['id']}")
        assert page.status_code == 200
        assert "geoPolicing.searchMap(" in page.text
        assert remote_loads(page.text) == []
        assert newest(admin)["question"] == f"/maps/searches/{answer['id']}"
        assert newest(admin)["rows"] == answer["told"]
    assert detective.get("/maps/searches/nothing").status_code == 404
