"""From the scene to the suspect over the API: the theft of the sample city, with a receiver of the thief."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from geo_policing.maps import remote_loads
from geo_policing.model import Device, DeviceKind
from geo_policing.store import FixStore, open_records
from tests.service.running import running
from tests.tracks import thefts

URL = "/api/investigations/A20260302001"
WHY = {"reason": "盗窃案嫌疑车辆排查"}
BEGIN = "2026-03-02T07:00:00+08:00"


def receivers():
    """The fleet; the thief; who takes half of that way, or takes it later; one who may not be searched."""
    found = [thefts.fleet(), thefts.thief(), thefts.thief("half", until=0.5, seed=9)]
    found += [thefts.thief(f"late{s}", later_s=s, seed=s) for s in (45, 120, 300)]
    return [*found, thefts.thief("ankle", noise_m=1.0, seed=4)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    thefts.roads().save(folder / "city.roads")
    with FixStore(folder / "fixes.duckdb") as store:
        for fixes in receivers():
            store.append(fixes.take(np.argsort(fixes.time, kind="stable")))
    with open_records(folder) as records:
        records.devices.create(Device("ankle", DeviceKind.CORRECTIONS))
        records.devices.create(Device("thief", DeviceKind.PRIVATE_CAR, "湘B·X0001"))
    return folder


@pytest.fixture(scope="module")
def service(folder):
    with running(folder) as service:
        yield service


@pytest.fixture(scope="module")
def detective(service):
    client = service.client("detective")
    client.timeout = 120
    return client


def scene():
    place = thefts.case()["scene"]
    area = {"type": "Point", "coordinates": [place["lon"], place["lat"]], "radius_m": 120}
    return {"area": area, "window": "2026-03-02T07:03:00+08:00/2026-03-02T07:08:00+08:00"}


QUESTION = {"sightings": thefts.sightings(), "scenes": [scene()], "at_least": 2, "mode": "car"}


@pytest.fixture(scope="module")
def found(detective):
    answer = detective.post(f"{URL}/suspects", json=WHY | QUESTION)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_thief_is_found_first(found):
    results = found["results"]
    assert [r["device"] for r in results][:2] == ["thief", "half"]
    assert results[0]["name"] == "湘B·X0001"
    assert results[0]["score"] > results[1]["score"] + 3
    assert results[0]["fitting"] == results[0]["sightings"] == 7
    assert "no probability of guilt" in found["notes"][0]


def test_who_may_not_be_searched_is_no_candidate(found):
    assert "ankle" not in json.dumps(found)


def test_each_sighting_has_its_evidence(found):
    proofs = [f for f in found["features"] if f["properties"].get("rank") == 1]
    assert [f["properties"]["sighting"] for f in proofs] == list(range(1, 8))
    for feature in proofs:
        about = feature["properties"]
        assert about["what"] == "fit"
        assert about["distance_m"] < 120
        assert about["probability"] > 0.9
        assert set(about["sources"]) == {"nmea0183:tcp:7001"}
        assert len(feature["geometry"]["coordinates"]) == len(about["times"]) >= 2
    total = sum(f["properties"]["score"] for f in proofs) + found["results"][0]["unseen"]
    assert found["results"][0]["score"] == pytest.approx(total, abs=0.01)


def test_the_first_ones_track_is_the_way_that_was_truly_driven(found):
    driven = {row.split(",")[0] for row in (thefts.SMALL / "theft_truth.csv").read_text().splitlines()[1:]}
    track = [f["properties"] for f in found["features"] if f["properties"]["what"] == "track"]
    edges = [edge for piece in track for edge in piece["edges"]]
    assert {piece["device"] for piece in track} == {"thief"}
    assert len(driven & set(edges)) > 0.9 * len(driven)
    assert len(driven & set(edges)) > 0.9 * len(set(edges))


def test_it_is_recorded_and_drawn(service, detective, found):
    look = service.client("admin").get("/api/looks", params={"limit": 100}).json()["looks"]
    assert (f"{URL}/suspects", found["found"]) in {(one["question"], one["rows"]) for one in look}
    kept = detective.get(f"{URL}/searches").json()["searches"]
    assert "suspects" in {one["search"] for one in kept}
    assert detective.get(f"{URL}/searches/{found['id']}").json() == found
    page = detective.get(f"/maps/searches/{found['id']}")
    assert page.status_code == 200
    assert remote_loads(page.text) == []


def test_of_many_candidates_those_at_most_of_the_places_are_held_against_them(detective):
    answer = detective.post(f"{URL}/suspects", json=WHY | QUESTION | {"candidates": 1})
    assert [r["device"] for r in answer.json()["results"]] == ["thief"]
    assert "the 1 at most of them were held against" in answer.json()["notes"][1]


def test_candidates_that_are_read_one_by_one_are_ranked_the_same(detective, found, monkeypatch):
    monkeypatch.setattr("geo_policing.tracks.inquiry.scenes.WHOLE_DEVICE_DAYS", 0)
    answer = detective.post(f"{URL}/suspects", json=WHY | QUESTION).json()
    assert (answer["results"], answer["features"]) == (found["results"], found["features"])


def test_scenes_alone_and_sightings_alone_are_enough(detective):
    two = [scene(), scene() | {"area": {"type": "Point", "coordinates": [113.1557, 27.8316], "radius_m": 150},
                               "window": "2026-03-02T07:09:00+08:00/2026-03-02T07:11:00+08:00"}]  # fmt: skip
    answer = detective.post(f"{URL}/suspects", json=WHY | {"scenes": two})
    # The windows are too wide to tell the thief from who follows.
    assert {"thief", "half"} <= {r["device"] for r in answer.json()["results"] if r["score"] > 1}
    answer = detective.post(f"{URL}/suspects", json=WHY | {"sightings": thefts.sightings(edges=False)})
    assert answer.json()["results"][0]["device"] == "thief"


def test_where_nobody_was_nobody_is_found(detective):
    early = [scene() | {"window": "2026-02-01T07:03:00+08:00/2026-02-01T07:08:00+08:00"}] * 2
    answer = detective.post(f"{URL}/suspects", json=WHY | {"scenes": early})
    assert (answer.status_code, answer.json()["found"], answer.json()["results"]) == (200, 0, [])
    assert {f["properties"]["what"] for f in answer.json()["features"]} == {"area", "sighting"}


def point(lon, lat, **about):
    geometry = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "geometry": geometry, "properties": {"time": BEGIN} | about}


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


GOOD = point(113.1557, 27.8316)


@pytest.mark.parametrize(
    ("question", "field", "says"),
    [
        ({}, "sightings", "0 scenes and sightings; give at least two"),
        ({"scenes": [scene()]}, "sightings", "1 scenes and sightings"),
        ({"sightings": collection(GOOD)}, "sightings", "1 scenes and sightings"),
        ({"sightings": collection(GOOD, GOOD), "at_least": 3}, "at_least", "at most 2"),
        ({"sightings": collection(GOOD, GOOD), "at_least": 0}, "at_least", "not at least 1"),
        ({"sightings": {"features": 7}}, "features", "no GeoJSON FeatureCollection"),
        ({"sightings": collection(*[GOOD] * 51)}, "sightings", "give at most 50"),
        ({"sightings": collection(GOOD, point(2.3, 48.8))}, "sightings", "off the roads"),
        ({"sightings": collection(GOOD, point(113.15, 27.83, edge="x"))}, "edge", "not in the network"),
        ({"sightings": collection(GOOD, point(113.15, 27.83, probability=2))}, "probability", "sighting 2"),
        (
            {"sightings": collection(GOOD, point(113.15, 27.83, time="2026-03-04T07:00:00+08:00"))},
            "sightings",
            "48.0 hours apart",
        ),
        (
            {"scenes": [scene(), scene() | {"window": "2016-01-01T00:00:00Z/2026-01-01T00:00:00Z"}]},
            "sightings",
            "hours apart",
        ),
        ({"scenes": [scene(), scene() | {"area": {"type": "Polygon", "coordinates": []}}]},
         "scenes.1.area.coordinates", "without rings"),
        (
            {"scenes": [scene() | {"window": "9999-12-31T00:00:00Z/9999-12-31T23:59:59Z"}] * 2},
            "window",
            "correct the year",
        ),
        (
            {"sightings": collection(*[point(113.15, 27.83, time="0001-01-01T00:00:00Z")] * 2)},
            "window",
            "correct the year",
        ),
        ({"scenes": [scene()] * 51}, "scenes", "give 50 or fewer"),
        ({"mode": "tank"}, "mode", "not possible"),
        ({"candidates": 0}, "candidates", "too small"),
        ({"colour": 1}, "colour", "no such field"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_with_field_and_remedy(detective, question, field, says):
    answer = detective.post(f"{URL}/suspects", json=WHY | question)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert says in answer.json()["detail"]


def test_without_roads_it_says_what_to_do(tmp_path):
    with running(tmp_path) as service:
        answer = service.client("detective").post(f"{URL}/suspects", json=WHY | QUESTION)
    assert answer.status_code == 503
    assert "import-roads" in answer.json()["detail"]


def test_the_command_finds_the_thief_as_well(tmp_path, geo_policing, monkeypatch):
    thefts.roads().save(tmp_path / "city.roads")
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(thefts.thief())
        store.append(thefts.thief("half", until=0.5, seed=9))
    (tmp_path / "sightings.geojson").write_text(json.dumps(thefts.sightings()), encoding="utf-8")
    rows = [f["properties"] | dict(zip(("lon", "lat"), f["geometry"]["coordinates"], strict=True))
            for f in thefts.sightings()["features"]]  # fmt: skip
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = [",".join(names), *(",".join(str(row.get(name, "")) for name in names) for row in rows)]
    (tmp_path / "sightings.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    for name in [name for name in os.environ if name.startswith("GEO_POLICING")]:
        monkeypatch.delenv(name)
    words = ["search", "suspects", "--data-dir", tmp_path, "--case", "A1", "--reason", "because"]
    words += ["--mode", "car", "--map", tmp_path / "map.html", "--sightings"]
    code, here, wrong = geo_policing(*words, tmp_path / "sightings.csv")
    assert code == 0, wrong
    done = subprocess.run(
        [sys.executable, "-m", "geo_policing", *map(str, words), str(tmp_path / "sightings.geojson")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[1] for row in rows] == ["thief", "half"]
    assert here == done.stdout
    assert remote_loads((tmp_path / "map.html").read_text(encoding="utf-8")) == []
