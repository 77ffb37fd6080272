"""``geo-policing search``: the same searches beside the service, recorded in the same way."""

import json
import os

import pytest
import shapely

from geo_policing import cli
from geo_policing.maps import remote_loads
from geo_policing.model import TimeWindow
from geo_policing.store import FixStore, open_records
from geo_policing.tracks import searches
from geo_policing.tracks.inquiry import SEARCHES
from geo_policing.tracks.searches import Area
from tests.matching.city import LAT, LON, STEP, drive, grid
from tests.service.searches.asking import EVENING, TWO_DAYS, WHOLE, areas, geojson, history, span
from tests.tracks.searches.towns import MIDNIGHT, MemoryHistory, columns

WHY = ("--case", "A1", "--reason", "盗窃案嫌疑车辆排查")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with FixStore(folder / "fixes.duckdb") as store:
        store.append(columns(history()))
    return folder


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Run the command line; return exit code, output and error."""
    for name in list(os.environ):
        if name.startswith("GEO_POLICING"):
            monkeypatch.delenv(name)

    def run(*words):
        monkeypatch.setattr("sys.argv", ["geo-policing", "search", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return run


def write(path, found):
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def collection(*shapes):
    features = [
        {"type": "Feature", "geometry": geojson(shape), "properties": {"window": EVENING}} for shape in shapes
    ]
    return {"type": "FeatureCollection", "features": features}


def test_a_collision_is_printed_written_drawn_and_recorded(run, folder, tmp_path):
    places = write(tmp_path / "places.geojson", collection(*areas()))
    out, page = tmp_path / "out.geojson", tmp_path / "map.html"
    code, told, _ = run(
        *("collision", *WHY, "--data-dir", folder, "--places", places, "--at-least", 2),
        *("--out", out, "--map", page),
    )
    assert code == 0
    window = TimeWindow.parse(EVENING)
    expected = searches.collision(MemoryHistory(history()), [(Area(a), window) for a in areas()], 2)
    rows = [line.split("\t") for line in told.splitlines()]
    assert [row[:2] for row in rows] == [[str(n), name] for n, name in enumerate(expected, 1)]
    assert len(rows) > 1
    answer = json.loads(out.read_text(encoding="utf-8"))
    assert [r["device"] for r in answer["results"]] == list(expected)
    assert {f["properties"]["what"] for f in answer["features"]} == {"area", "presence"}
    assert "searchMap" in page.read_text(encoding="utf-8")
    assert remote_loads(page.read_text(encoding="utf-8")) == []
    with open_records(folder) as records:
        kept = records.searches.of_case("A1", limit=1)[0]
        assert records.searches.answer(kept.id) == answer
        assert (kept.search, kept.role, kept.found) == ("collision", "command line", len(expected))
        assert kept.question["at_least"] == 2
        look = records.looks.list(limit=1)[0]
        assert (look.question, look.rows) == ("geo-policing search collision", len(expected))


def test_every_search_has_its_command_and_an_area_may_be_a_circle(run, folder, tmp_path):
    area = write(tmp_path / "area.geojson", geojson(WHOLE))
    line = write(
        tmp_path / "line.geojson",
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "properties": {},
                    "geometry": {"type": "LineString", "coordinates": [[113.134, 27.8], [113.134, 27.9]]},
                }
            ],
        },
    )
    within = ("--window", TWO_DAYS)
    asked = {
        "presences": ("--area", "113.13,27.82,900", *within, "--devices", "d0", "--devices", "d1"),
        "collision": ("--places", write(tmp_path / "places.geojson", collection(*areas()))),
        "companions": ("--device", "d0", *within, "--places", 2),
        "footholds": ("--device", "d2", *within, "--stay-s", 300, "--radius-m", 250),
        "first-entry": ("--area", area, *within, "--days", 2),
        "frequent": ("--area", area, *within, "--times", 1),
        "night-activity": ("--area", area, *within, "--night-from", 7, "--night-until", 9, "--at-night", 1),
        "vanished": ("--area", area, "--moment", "2026-03-02T00:00:00Z", "--before", 1, "--after", 3),
        "passages": ("--line", line, *within),
        "itinerary": ("--device", "d1", *within, "--stay-s", 300, "--radius-m", 250),
        "overlap": ("--line", line, *within, "--within-m", 400, "--least-share", 0.1),
    }
    # The two that need roads are below.
    assert {*asked, "cloned", "suspects"} == set(SEARCHES)
    for name, words in asked.items():
        code, told, wrong = run(name, *WHY, "--data-dir", folder, *words)
        assert code == 0, name
        # Nobody has admitted the devices of this history.
        noted = [f"no device '{words[1]}' is admitted"] if words[0] == "--device" else []
        assert wrong.splitlines() == noted
        assert all(line.split("\t")[0].isdigit() for line in told.splitlines())
        assert told or name in ("collision", "overlap")
    code, told, _ = run("--help")
    assert all(name in told for name in SEARCHES)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """Roads; somebody who drives along three streets at 10 m/s, and one plate on two cars far apart."""
    folder, roads = tmp_path_factory.mktemp("city"), grid()
    roads.save(folder / "city.roads")
    lon, lat = drive(roads, ["0>1", "1>2", "2>8"])
    corners = [(LON, LAT), (LON + 5 * STEP, LAT + 5 * STEP)]
    found = {
        "driver": [(MIDNIGHT + n * 4_000_000, x, y) for n, (x, y) in enumerate(zip(lon, lat, strict=True))],
        "plate": [(MIDNIGHT + n * 10_000_000, *corners[n % 2]) for n in range(12)],
    }
    with FixStore(folder / "fixes.duckdb") as store:
        store.append(columns(found))
    return folder, found


def test_a_plate_on_two_cars_is_printed_with_its_steps(run, city, tmp_path):
    folder, _ = city
    out = tmp_path / "out.geojson"
    code, told, _ = run(
        *("cloned", *WHY, "--data-dir", folder, "--devices", "driver", "--devices", "plate"),
        *("--window", TWO_DAYS, "--out", out),
    )
    assert code == 0
    (row,) = [line.split("\t") for line in told.splitlines()]
    # Eleven steps from fix to fix, all between two cars that were seen six times each.
    assert row == ["1", "plate", "plate", "unknown", "11", "0", "2", "11"]
    steps = [f for f in json.loads(out.read_text())["features"] if f["properties"]["what"] == "step"]
    assert len(steps) == 11
    assert all(f["properties"]["needed_s"] > f["properties"]["elapsed_s"] for f in steps)
    with open_records(folder) as records:
        kept = records.searches.of_case("A1")[0]
        assert (kept.search, kept.found, kept.question["devices"]) == ("cloned", 1, ["driver", "plate"])


def test_whose_track_fits_the_scenes_is_printed_and_drawn(run, city, tmp_path):
    folder, found = city
    scenes = [
        {
            "type": "Feature",
            "geometry": geojson(shapely.Point(x, y).buffer(0.0005)),
            "properties": {"window": span(t - 5_000_000, t + 5_000_000)},
        }
        for t, x, y in (found["driver"][2], found["driver"][-2])
    ]
    places = write(tmp_path / "scenes.geojson", {"type": "FeatureCollection", "features": scenes})
    out, page = tmp_path / "out.geojson", tmp_path / "map.html"
    code, told, notes = run(
        *("suspects", *WHY, "--data-dir", folder, "--scenes", places, "--mode", "car"),
        *("--out", out, "--map", page),
    )
    assert code == 0
    (row,) = [line.split("\t") for line in told.splitlines()]
    assert row[:4] == ["1", "driver", "driver", "unknown"]
    assert float(row[4]) > 1  # the score: more than ten times likelier than anybody
    assert "no probability of guilt" in notes
    answer = json.loads(out.read_text(encoding="utf-8"))
    track = [f["properties"] for f in answer["features"] if f["properties"]["what"] == "track"]
    assert [edge for piece in track for edge in piece["edges"]] == ["0>1", "1>2", "2>8"]
    assert remote_loads(page.read_text(encoding="utf-8")) == []


def test_without_roads_it_is_said_and_recorded(run, folder):
    code, told, wrong = run("cloned", *WHY, "--data-dir", folder, "--devices", "d0", "--window", TWO_DAYS)
    assert (code, told) == (1, "")
    assert "import-roads" in wrong
    with open_records(folder) as records:
        assert "import-roads" in records.searches.of_case("A1", limit=1)[0].problem


def test_what_is_written_is_for_its_owner_alone(run, folder, tmp_path):
    out, page = tmp_path / "out.geojson", tmp_path / "map.html"
    out.write_text("there already, for everybody", encoding="utf-8")
    out.chmod(0o644)
    code, _, _ = run(
        *("footholds", *WHY, "--data-dir", folder, "--device", "d0", "--window", TWO_DAYS),
        *("--out", out, "--map", page),
    )
    assert code == 0
    assert json.loads(out.read_text(encoding="utf-8"))["search"] == "footholds"
    assert [path.stat().st_mode & 0o777 for path in (out, page)] == [0o600, 0o600]


def test_the_next_page_is_pointed_to(run, folder, tmp_path):
    area = write(tmp_path / "area.geojson", geojson(WHOLE))
    code, told, hint = run(
        "presences", *WHY, "--data-dir", folder, "--area", area, "--window", EVENING, "--limit", 2
    )
    assert (code, len(told.splitlines())) == (0, 2)
    assert "the next ones with --skip 2" in hint


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("footholds", "--device", "d0", "--window", TWO_DAYS), "--case"),
        (("footholds", "--case", "A1", "--device", "d0", "--window", TWO_DAYS), "--reason"),
        (("nothing",), "No such command"),
    ],
)
def test_what_is_missing_is_asked_for(run, folder, words, says):
    code, told, wrong = run(*words, "--data-dir", folder)
    assert (code, told) == (2, "")
    assert says in wrong


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("footholds", "--device", "d0", "--window", "2016-01-01T00:00:00Z/2026-01-01T00:00:00Z"), "92 days"),
        (("footholds", "--device", "d0", "--window", TWO_DAYS, "--stay-s", 1), "stay_s '1'"),
        (("presences", "--area", "nowhere.json", "--window", TWO_DAYS), "cannot be read"),
        (("presences", "--area", "1,2", "--window", TWO_DAYS), "cannot be read"),
        (("presences", "--area", "113,28,-5", "--window", TWO_DAYS), "not above 0"),
        (("footholds", "--device", "d0", "--window", TWO_DAYS, "--out", "/no/such/f"), "is no folder"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(run, folder, words, says):
    code, told, wrong = run(*words, *WHY, "--data-dir", folder)
    assert (code, told) == (1, "")
    assert says in wrong
    assert len(wrong.splitlines()) == 1


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([], "give an object"),
        ({"type": "FeatureCollection", "features": []}, "places 0 is not at least 2"),
        ({"type": "Feature"}, "no FeatureCollection"),
        (
            {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}}]},
            "has no window",
        ),
    ],
)
def test_a_file_of_places_that_cannot_be_read_is_refused(run, folder, tmp_path, found, says):
    places = write(tmp_path / "places.geojson", found)
    code, _, wrong = run("collision", *WHY, "--data-dir", folder, "--places", places)
    assert code == 1
    assert says in wrong


@pytest.mark.parametrize("why", [("--case", " ", "--reason", "because"), ("--case", "A1", "--reason", "x")])
def test_an_empty_case_or_reason_is_none(run, folder, why):
    code, told, wrong = run("footholds", *why, "--data-dir", folder, "--device", "d0", "--window", TWO_DAYS)
    assert (code, told) == (1, "")
    assert "is not one line of" in wrong


def test_a_folder_without_a_history_is_named(run, tmp_path):
    code, _, wrong = run("footholds", *WHY, "--data-dir", tmp_path, "--device", "d0", "--window", TWO_DAYS)
    assert code == 1
    assert "there is no history at" in wrong
