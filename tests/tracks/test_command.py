"""``geo-policing reconstruct``."""

import json
import re

import pytest
from typer.testing import CliRunner

from geo_policing.cli import app
from geo_policing.cli.reconstruct import Travels, read_prior, reconstruct
from geo_policing.errors import InvalidFile, InvalidInput
from geo_policing.tracks import Mode
from geo_policing.tracks.mixture import UNKNOWN
from geo_policing.tracks.moments import cells_at
from tests.matching.city import LAT, LON, STEP, grid

HEADER = "time,lon,lat,accuracy_m,probability,observer,seen,until\n"


def row(column, line, minute, more=",,,,"):
    return f"2026-03-02T08:0{minute}:00+08:00,{LON + STEP * column:.6f},{LAT + STEP * line:.6f},{more}\n"


@pytest.fixture
def town(tmp_path):
    grid().save(tmp_path / "town.roads")
    return tmp_path


def run(town, text, name="sightings.csv", **options):
    (town / name).write_text(text, encoding="utf-8")
    reconstruct(town / "town.roads", town / name, town / "out.geojson", **options)
    return json.loads((town / "out.geojson").read_text(encoding="utf-8"))


def test_paths_sightings_and_cells_are_written_and_the_same_input_gives_the_same_bytes(town):
    text = HEADER + row(0, 0, 0, "20,1,C1,,") + row(4, 0, 1, "20,0.8,C2,,") + row(5, 3, 3, "20,1,C3,,")
    found = run(town, text)
    written = (town / "out.geojson").read_bytes()
    by_kind = {}
    for feature in found["features"]:
        by_kind.setdefault(feature["properties"]["what"], []).append(feature)
    assert {f["properties"]["observer"] for f in by_kind["sighting"]} == {"C1", "C2", "C3"}
    assert all(0 <= f["properties"]["probability"] <= 1 for f in by_kind["sighting"])
    assert by_kind["path"][0]["geometry"]["type"] == "LineString"
    assert {k for f in by_kind["cell"] for k in f["properties"]["moments"]} == set(range(4))
    run(town, text)
    assert (town / "out.geojson").read_bytes() == written


def test_geojson_says_the_same_as_csv(town):
    text = HEADER + row(0, 0, 0) + row(3, 2, 2)
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [float(lon), float(lat)]},
            "properties": {"time": time},
        }
        for time, lon, lat, *_ in (line.split(",") for line in text.splitlines()[1:])
    ]
    collection = json.dumps({"type": "FeatureCollection", "features": features})
    assert run(town, collection, "sightings.geojson")["features"] == run(town, text)["features"]


def test_a_watch_in_vain_is_taken_from_the_same_file(town):
    ends = HEADER + row(0, 0, 0) + row(2, 2, 2)
    watch = row(2, 0, 0, ",,,no,2026-03-02T08:02:00+08:00")
    assert run(town, ends + watch)["features"] != run(town, ends)["features"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEADER, "no sightings"),
        ("time,lon\n2026-03-02T08:00:00+08:00,113\n", "sighting 1: no lat; give lon and lat, an edge"),
        (HEADER + "2026-03-02T08:00:00,113.1,27.8,,,,,\n", "sighting 1: time"),
        (HEADER + "2026-03-02T08:00:00+08:00,x,27.8,,,,,\n", "sighting 1: lon 'x' is no number"),
        (HEADER + row(0, 0, 0, "20,1.5,,,"), "sighting 1: probability 1.5 is not from 0 to 1"),
        (HEADER + row(0, 0, 0, ",,,no,2026-03-02T07:00:00+08:00"), "not after its start"),
        ('{"features": 3}', "no GeoJSON FeatureCollection"),
        ("{x", "neither CSV nor GeoJSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_sighting(town, text, says):
    with pytest.raises((InvalidFile, InvalidInput), match=says):
        run(town, text)


def test_the_help_names_all_that_a_sighting_can_say():
    told = CliRunner().invoke(app, ["reconstruct", "--help"], env={"COLUMNS": "160"}).output
    words = set(re.findall(r"[\w-]+", told))
    assert {"lon", "accuracy_m", "edge", "cell", "area", "probability", "observer", "kind", "until"} <= words


def test_all_modes_of_the_model_can_be_chosen():
    assert [mode.value for mode in Travels] == [*(mode.value for mode in Mode), UNKNOWN]


def test_where_it_is_not_known_who_travels_how_the_modes_and_the_mode_of_each_path_are_told(town):
    text = HEADER + row(0.5, 0, 0, "20,1,C1,,") + row(2.5, 0, 1, "20,0.8,C2,,") + row(4.5, 0, 2, "20,1,C3,,")
    window = "2026-03-02T08:00:00+08:00/2026-03-02T08:05:00+08:00"
    found = run(town, text, mode=Travels.UNKNOWN, window=window, report=town / "report.html")
    written = (town / "out.geojson").read_bytes()
    assert found["mode"] == "unknown"
    weights = {one["mode"]: one["probability"] for one in found["modes"]}
    assert list(weights) == ["car", "e-bike", "foot"]
    assert sum(weights.values()) == pytest.approx(1.0, abs=1e-5)
    assert weights["foot"] < 0.001 < weights["car"]
    about = [feature["properties"] for feature in found["features"]]
    paths = [one for one in about if one["what"] == "path"]
    assert paths[0]["mode"] == max(weights, key=weights.get)
    assert {path["mode"] for path in paths} <= {"car", "e-bike"}
    for moment in {one["time"] for one in about if one["what"] == "region"}:
        assert 0.9 <= cells_at(found["features"], moment).probability.sum() <= 1.001
    assert all(one["fits"] for one in about if one["what"] == "sighting")
    assert sum(one["what"] == "camera" for one in about) > 0
    run(town, text, mode=Travels.UNKNOWN, window=window)
    assert (town / "out.geojson").read_bytes() == written


def test_the_prior_of_the_modes_is_told_and_printed(town):
    text = HEADER + row(0.5, 0, 0) + row(2.5, 0, 1)
    prior = "car=1, e-bike=9,foot=0"
    found = run(town, text, mode=Travels.UNKNOWN, prior=prior, report=town / "report.html")
    assert [one["prior"] for one in found["modes"]] == [0.1, 0.9, 0.0]
    assert found["modes"][2]["probability"] == 0.0
    page = (town / "report.html").read_text(encoding="utf-8")
    assert "prior 先验 90.0%" in page
    assert "prior 先验 0.0%; its prior is 0" in page


@pytest.mark.parametrize(
    ("prior", "mode", "says"),
    [
        ("car=0.5", Travels.CAR, "a prior is of no use with mode car; give --mode unknown"),
        ("car", Travels.UNKNOWN, "prior 'car': write a mode and a number, like car=0.6"),
        ("car=often", Travels.UNKNOWN, "prior 'car=often'"),
        ("car=1,car=1", Travels.UNKNOWN, "prior names car twice"),
        ("car=1,e-bike=1", Travels.UNKNOWN, "prior says nothing of foot"),
    ],
)
def test_a_prior_that_says_nothing_is_refused_before_anything_is_read(prior, mode, says):
    with pytest.raises(InvalidInput, match=says):
        read_prior(prior, mode)


def test_who_walks_leaves_the_roads_but_where_that_is_closed(town):
    text = HEADER + row(0, 0.5, 0) + row(1, 0.5, 4)
    yard = {
        "type": "Polygon",
        "coordinates": [
            [
                [LON + STEP * a, LAT + STEP * b]
                for a, b in ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9), (0.1, 0.1))
            ]
        ],
    }
    (town / "closed.geojson").write_text(json.dumps(yard), encoding="utf-8")
    free = run(town, text, mode=Travels.FOOT)
    barred = run(town, text, mode=Travels.FOOT, closed=town / "closed.geojson")
    assert any(f["properties"].get("off_road") for f in free["features"])
    assert barred["inputs"]["closed"] != free["inputs"]["roads"]
    for f in barred["features"]:
        for lon, lat in f["geometry"]["coordinates"] if f["properties"]["what"] == "path" else ():
            assert not (
                LON + STEP * 0.2 < lon < LON + STEP * 0.8 and LAT + STEP * 0.2 < lat < LAT + STEP * 0.8
            )
    for bad, says in (
        ('{"type": "Point", "coordinates": [113, 27]}', "geometry 1 is no area"),
        ("[1", "is no GeoJSON of areas"),
    ):
        (town / "closed.geojson").write_text(bad, encoding="utf-8")
        with pytest.raises(InvalidFile, match=says):
            run(town, text, mode=Travels.FOOT, closed=town / "closed.geojson")
