"""Reconstructions over the API: asked for in a case, worked on beside the requests, kept, cancelled."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely

from geo_policing.errors import InvalidFile
from geo_policing.maps import remote_loads
from geo_policing.roads import RoadClass
from geo_policing.service.app import open_rooms
from geo_policing.settings import IngestSettings, ServiceSettings
from geo_policing.store.reconstructions import KeptReconstruction, WorkState
from geo_policing.tracks import MovementModel, Speeds
from tests.matching.city import LAT, LON, STEP
from tests.service.running import network, running

BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CASE = {"case": "A20260302001", "reason": "盗窃案嫌疑车辆去向"}
URL = "/api/reconstructions"
NOTHING = {"car": 0.0, "e-bike": 0.0, "foot": 0.0}


def at(after_s):
    return (BEGIN + timedelta(seconds=after_s)).isoformat()


def sighting(column, row, after_s, **more):
    point = {"type": "Point", "coordinates": [LON + STEP * column, LAT + STEP * row]}
    return {"type": "Feature", "geometry": point, "properties": {"time": at(after_s)} | more}


def question(*features, **more):
    return CASE | {"sightings": {"type": "FeatureCollection", "features": list(features)}} | more


GOOD = question(
    sighting(0, 0, 0, observer="C1"),
    sighting(2, 1, 60, observer="C2", probability=0.8),
    sighting(4, 2, 120, observer="C3"),
    window=f"{at(0)}/{at(180)}",
    every_s=30,
    cameras={"K1": "1>2", "K2": "34>35"},
)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    network().save(folder / "city.roads")
    with running(folder) as service:
        yield service


@pytest.fixture(scope="module")
def detective(service):
    return service.client("detective")


def ended(client, key):
    for _ in range(600):
        found = client.get(f"{URL}/{key}").json()
        if found["state"] not in ("waiting", "running"):
            return found
        time.sleep(0.05)
    raise AssertionError(found)


@pytest.fixture(scope="module")
def done(detective):
    answer = detective.post(URL, json=GOOD)
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert told["state"] in ("waiting", "running")
    assert (told["case"], told["reason"], told["account"]) == (CASE["case"], CASE["reason"], "a-detective")
    found = ended(detective, told["id"])
    assert found["state"] == "done", found
    return found


def test_when_it_is_done_the_sightings_tell_how_they_fit(done):
    assert done["progress"] == 1.0
    seen = [f["properties"] for f in done["features"] if f["properties"]["what"] == "sighting"]
    assert [s["observer"] for s in seen] == ["C1", "C2", "C3"]
    assert all(0 <= s["probability"] <= 1 for s in seen)


def test_the_occupancy_at_a_moment_sums_to_one_and_has_its_regions(detective, done):
    answer = detective.get(f"{URL}/{done['id']}/occupancy", params={"at": at(64)})
    assert answer.status_code == 200
    found = answer.json()
    assert found["time"] == at(60)
    cells = [f for f in found["features"] if f["properties"]["what"] == "cell"]
    assert sum(f["properties"]["probability"] for f in cells) == pytest.approx(1.0, abs=1e-3)
    small, large = (
        shapely.geometry.shape(f["geometry"])
        for f in found["features"]
        if f["properties"]["what"] == "region"
    )
    assert small.area <= large.area
    assert large.buffer(1e-6).contains(small)


def test_where_it_is_not_known_who_travels_how_each_path_says_its_mode(service, detective):
    prior = {"car": 2, "e-bike": 1, "foot": 1}
    told = detective.post(URL, json=GOOD | {"mode": "unknown", "prior": prior}).json()
    found = ended(detective, told["id"])
    assert found["state"] == "done"
    weights = {one["mode"]: one["probability"] for one in found["modes"]}
    assert list(weights) == ["car", "e-bike", "foot"]
    assert [one["prior"] for one in found["modes"]] == [0.5, 0.25, 0.25]
    assert sum(weights.values()) == pytest.approx(1.0, abs=1e-5)
    assert service.rooms.records.reconstructions.answer(told["id"])["mode"] == "unknown"
    answer = detective.get(f"{URL}/{told['id']}/paths").json()
    paths = answer["features"]
    assert answer["modes"] == found["modes"]
    assert paths[0]["properties"]["mode"] == max(weights, key=weights.get)
    where = detective.get(f"{URL}/{told['id']}/occupancy", params={"at": at(90)}).json()["features"]
    inside = [f["properties"]["probability"] for f in where if f["properties"]["what"] == "cell"]
    assert sum(inside) == pytest.approx(1.0, abs=1e-3)
    page = detective.get(f"{URL}/{told['id']}/report.html").text
    assert "By e-bike 方式概率" in page


def test_the_paths_and_the_cameras_to_ask_next(detective, done):
    found = detective.get(f"{URL}/{done['id']}/paths").json()["features"]
    assert found[0]["properties"]["kind"] == "best"
    assert "mode" not in found[0]["properties"]
    assert len(found[0]["properties"]["edges"]) == len(found[0]["properties"]["entered"])
    cameras = detective.get(f"{URL}/{done['id']}/next-cameras").json()["features"]
    assert [c["properties"]["camera"] for c in cameras] == ["K1"]
    assert 0 < cameras[0]["properties"]["bits"] <= 1


def test_the_report_has_the_same_bytes_each_time_and_names_case_and_inputs(detective, done):
    for kind in ("html", "pdf"):
        first, again = (detective.get(f"{URL}/{done['id']}/report.{kind}").content for _ in range(2))
        assert first == again
        assert len(first) > 3000
    page = detective.get(f"{URL}/{done['id']}/report.html").text
    assert CASE["case"] in page
    assert "SHA-256 of roads" in page
    assert "not of guilt" in page
    assert remote_loads(page) == []


def test_the_picture_of_the_report_is_of_the_moment_that_is_asked_for(detective, done):
    url = f"{URL}/{done['id']}/report"
    page = detective.get(f"{url}.html", params={"at": at(64)}).text
    assert page.count("<svg ") == 2
    assert f"Regions at {(BEGIN + timedelta(seconds=60)):%H:%M:%S}" in page
    assert detective.get(f"{url}.pdf", params={"at": at(64)}).content.startswith(b"%PDF")
    for kind in ("html", "pdf"):
        for moment, says in ((at(999), "is outside"), ("noon", "no RFC 3339 time")):
            answer = detective.get(f"{url}.{kind}", params={"at": moment})
            assert answer.status_code == 422
            assert answer.json()["field"] == "at"
            assert says in answer.json()["detail"]


def test_the_same_question_gives_the_same_answer(detective, done):
    again = ended(detective, detective.post(URL, json=GOOD).json()["id"])
    assert again["features"] == done["features"]
    assert again["id"] != done["id"]


def test_the_map_loads_nothing_from_elsewhere(detective, done):
    page = detective.get(f"/maps/reconstructions/{done['id']}")
    assert page.status_code == 200
    assert "geoPolicing.reconstructionMap(" in page.text
    assert remote_loads(page.text) == []


def test_those_of_a_case_are_listed_the_newest_first(detective, done):
    found = detective.get(URL, params={"case": CASE["case"]}).json()["reconstructions"]
    assert done["id"] in [one["id"] for one in found]
    assert [one["created"] for one in found] == sorted((one["created"] for one in found), reverse=True)
    assert detective.get(URL, params={"case": "another"}).json() == {"reconstructions": []}


def test_every_question_is_recorded(service, detective, done):
    detective.get(f"{URL}/{done['id']}/paths")
    look = service.client("admin").get("/api/looks", params={"limit": 1}).json()["looks"][0]
    assert look["question"] == f"{URL}/{done['id']}/paths"
    assert (look["account"], look["role"]) == ("a-detective", "detective")
    assert look["rows"] >= 2


@pytest.mark.parametrize(("method", "path"), [("post", ""), ("get", "?case=x"), ("get", "/x/paths")])
def test_dispatchers_may_not_ask(service, method, path):
    answer = service.client("dispatcher").request(method, URL + path, json=GOOD if method == "post" else None)
    assert answer.status_code == 403
    assert "detective" in answer.json()["detail"]


def test_contradictory_certainty_fails_with_the_pair_and_the_road_time(detective):
    apart = question(sighting(0, 0, 0), sighting(5, 5, 10))
    found = ended(detective, detective.post(URL, json=apart).json()["id"])
    assert found["state"] == "failed"
    assert "cannot both be true" in found["problem"]
    assert "m apart on the roads" in found["problem"]
    answer = detective.get(f"{URL}/{found['id']}/paths")
    assert answer.status_code == 409
    assert "cannot both be true" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        (GOOD | {"case": ""}, "case", "empty; give it"),
        ({k: v for k, v in GOOD.items() if k != "reason"}, "reason", "missing; give it"),
        (GOOD | {"reason": "x"}, "reason", "too short"),
        (question(), "sightings", "no sightings; give at least one"),
        (GOOD | {"sightings": {"features": 3}}, "features", "no GeoJSON FeatureCollection"),
        (question(sighting(0, 0, 0, probability=7)), "probability", "sighting 1: probability 7.0"),
        (question(sighting(0, 0, 0, edge="nowhere")), "edge", "'nowhere' is not in the network"),
        (question(sighting(0, 0, 0), window="yesterday"), "window", "no window; write start/end"),
        (question(sighting(0, 0, 0), window=f"{at(9)}/{at(19)}"), "window", "outside the window"),
        (
            question(sighting(0, 0, 0), window="0001-01-02T00:00:00Z/9999-01-01T00:00:00Z"),
            "window",
            "at most 86400 s",
        ),
        (question(*[sighting(0, 0, 0)] * 201), "sightings", "201 sightings and watches; give at most 200"),
        (GOOD | {"cameras": {"K1": "nowhere"}}, "edge", "not in the network"),
        (GOOD | {"mode": "tank"}, "mode", "not possible; write"),
        (GOOD | {"mode": "unknown", "prior": {"car": 1}}, "prior", "says nothing of e-bike, foot"),
        (GOOD | {"mode": "unknown", "prior": {"boat": 1}}, "prior", "prior of 'boat'"),
        (GOOD | {"mode": "unknown", "prior": NOTHING}, "prior", "one of them above 0"),
        (GOOD | {"prior": NOTHING}, "prior", "of no use with mode car"),
        (GOOD | {"every_s": 1}, "every_s", "too small; give 10"),
        (GOOD | {"secret": 1}, "secret", "no such field"),
    ],
)
def test_a_bad_question_is_refused_with_field_and_remedy(detective, body, field, says):
    answer = detective.post(URL, json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("moment", "says"),
    [("noon", "no RFC 3339 time"), (at(999), "is outside"), ("2026-03-02T08:00:00", "no UTC offset")],
)
def test_a_bad_moment_is_refused(detective, done, moment, says):
    answer = detective.get(f"{URL}/{done['id']}/occupancy", params={"at": moment})
    assert answer.status_code == 422
    assert answer.json()["field"] == "at"
    assert says in answer.json()["detail"]


def test_one_that_is_not_there_is_not_found(detective):
    answer = detective.get(f"{URL}/nothing")
    assert answer.status_code == 404
    assert "GET /api/reconstructions?case=" in answer.json()["detail"]


def test_work_can_be_cancelled_and_requests_go_on_beside_it(service, detective, monkeypatch):
    """The work is held where it tells its progress, as a long one would be found there."""
    held, go_on = threading.Event(), threading.Event()
    work = service.rooms.reconstructions
    tell = type(work)._tell

    def hold(self, key, share):
        if share > 0:
            held.set()
            go_on.wait(20)
        tell(self, key, share)

    monkeypatch.setattr(type(work), "_tell", hold)
    key = detective.post(URL, json=GOOD).json()["id"]
    waiting = detective.post(URL, json=GOOD).json()["id"]
    assert held.wait(20)
    assert detective.get(f"{URL}/{key}").json()["state"] == "running"
    assert detective.get(f"{URL}/{waiting}").json()["state"] == "waiting"
    answer = detective.get(f"{URL}/{key}/paths")
    assert (answer.status_code, "wait until" in answer.json()["detail"]) == (409, True)
    for one in (key, waiting):
        assert detective.post(f"{URL}/{one}/cancel").json()["state"] == "cancelled"
    monkeypatch.undo()
    go_on.set()
    assert detective.post(f"{URL}/{key}/cancel").status_code == 409
    last = ended(detective, detective.post(URL, json=GOOD).json()["id"])
    assert last["state"] == "done"
    assert [ended(detective, one)["state"] for one in (key, waiting)] == ["cancelled"] * 2


def test_what_was_not_finished_when_the_service_stopped_is_marked_so(tmp_path):
    network().save(tmp_path / "city.roads")
    with running(tmp_path) as service:
        kept = KeptReconstruction("left", "A1", "why", "a-detective", 1, WorkState.RUNNING, {})
        service.rooms.records.reconstructions.add(kept)
    with running(tmp_path) as service:
        found = service.client("analyst").get(f"{URL}/left").json()
        assert (found["state"], found["problem"]) == (
            "failed",
            "the service was stopped; ask for a new one",
        )


def speeds_file(folder, mode="car"):
    """Unknown roads, which all of the town are, at 3.4 m/s in most of the time."""
    model = MovementModel.of("car")
    counted = {(RoadClass.UNKNOWN, None): np.eye(len(model.speed_mps))[2] * 1e6}
    speeds = Speeds.counted(mode, "Asia/Shanghai", model.speed_mps, model.start, counted)
    speeds.write(folder / "speeds.json")
    return folder / "speeds.json"


def test_learned_speeds_are_followed_for_cars_and_named_among_the_inputs(tmp_path, done):
    network().save(tmp_path / "city.roads")
    with running(tmp_path, speeds=speeds_file(tmp_path)) as service:
        client = service.client("detective")
        kept = [
            ended(client, client.post(URL, json=GOOD | {"mode": mode}).json()["id"])
            for mode in ("car", "any")
        ]
        pages = [client.get(f"{URL}/{one['id']}/report.html").text for one in kept]
    assert ["SHA-256 of speeds" in page for page in pages] == [True, False]
    assert kept[0]["features"] != done["features"]


def test_who_walks_leaves_the_roads_but_for_what_is_closed(tmp_path):
    network().save(tmp_path / "city.roads")
    pond = shapely.box(LON + STEP * 0.1, LAT + STEP * 0.1, LON + STEP * 0.9, LAT + STEP * 0.9)
    (tmp_path / "closed.geojson").write_text(shapely.to_geojson(pond), encoding="utf-8")
    ends = sighting(0, 0.5, 0), sighting(1, 0.5, 240)
    across, around = (
        question(*some, every_s=60, mode="foot")
        for some in ((*ends, sighting(0.5, 0.5, 120, accuracy_m=5)), ends)
    )
    told = []
    for options in ({}, {"closed": tmp_path / "closed.geojson"}):
        with running(tmp_path, **options) as service:
            client = service.client("detective")
            one, other = (
                ended(client, client.post(URL, json=asked).json()["id"]) for asked in (across, around)
            )
            paths = client.get(f"{URL}/{one['id']}/paths")
            report = client.get(f"{URL}/{other['id']}/report.html").text
            cells = paths.json()["features"][0]["properties"]["cells"] if paths.status_code == 200 else []
            told.append((one["state"], any(cells), "SHA-256 of closed" in report))
            problem = one.get("problem")
    assert told == [("done", True, False), ("failed", False, True)]
    assert "is off the roads" in problem


def test_a_bad_file_of_closed_areas_ends_the_start_with_one_line(tmp_path):
    bad = tmp_path / "closed.geojson"
    bad.write_text('{"type": "Point", "coordinates": [113, 27]}', encoding="utf-8")
    settings = ServiceSettings(data_dir=tmp_path, closed=bad)
    with pytest.raises(InvalidFile, match="geometry 1 is no area"):
        asyncio.run(_open(settings))


def test_a_bad_file_of_speeds_ends_the_start_with_one_line(tmp_path):
    bad = tmp_path / "speeds.json"
    bad.write_text("{}", encoding="utf-8")
    settings = ServiceSettings(data_dir=tmp_path, speeds=bad)
    with pytest.raises(InvalidFile, match=r"no file of speeds: .*learn-speeds"):
        asyncio.run(_open(settings))


async def _open(settings):
    async with open_rooms(settings, IngestSettings(tcp_port=0)):
        pass
