"""``geo-policing import-roads`` from file to file, with what it says."""

import json

import pytest

from geo_policing.cli import main
from geo_policing.roads import RoadNetwork
from tests.roads.test_gis import MAP, write
from tests.shared_data import shared


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command; returns exit code, standard output and standard error without its line breaks."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["geo-policing", "import-roads", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return left.value.code or 0, out, err

    return call


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".csv"])
def test_gis_files_become_a_network_and_a_report(tmp_path, run, suffix):
    source = write(tmp_path / f"streets{suffix}", **({"encoding": "utf-8"} if suffix == ".shp" else {}))
    mapped = [word for target, column in MAP.items() for word in ("--map", f"{target}={column}")]
    crs = ["--crs", "EPSG:4326"] if suffix == ".csv" else []
    out, report = tmp_path / "city.roads", tmp_path / "report.json"
    code, printed, said = run(source, "-o", out, "--report", report, *mapped, *crs)
    assert (code, printed) == (0, "")
    assert RoadNetwork.load(out).n_edges == 5
    assert "2  roads read" in said
    assert "5  directed edges" in said
    assert f"streets{suffix}" in said
    counts = json.loads(report.read_text(encoding="utf-8"))
    assert (counts["roads"], counts["split_lines"], counts["edges"], counts["duplicates"]) == (2, 1, 5, 0)


def test_openstreetmap_becomes_a_network(tmp_path, run):
    source = shared("osm") / "monaco.osm.pbf"
    code, _, said = run(source, "-o", tmp_path / "some.roads")
    assert code == 0
    assert "small pieces, dropped" in said
    assert run(source, "-o", tmp_path / "all.roads", "--keep-pieces")[0] == 0
    some, all_ = (RoadNetwork.load(tmp_path / f"{name}.roads") for name in ("some", "all"))
    assert set(some.edge_ids) < set(all_.edge_ids)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--map", "name=STREET"], "has no column STREET for name; it has CODE, ROADNAME, DIR"),
        (["--map", "name"], "--map 'name' has no '='; write it like name=ROADNAME"),
        (["--code", "oneway=forward"], "--code 'oneway=forward' has no ':'; write it like oneway:2=forward"),
        (["--code", "oneway:2=sideways"], "oneway '2' cannot mean 'sideways'; give one of both, forward"),
        (["--crs", "EPSG:4547"], "looks like degrees, the system is in metres; use EPSG:4326, gcj02 or bd09"),
        (["--expect", "7,43,8,44"], "outside 7,43,8,44 where it is expected"),
        (["--expect", "8,43,7,44"], "swapped or equal corners; the order is west,south,east,north"),
        (["--layer", "rails"], "has no layer 'rails'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_nothing_is_written(tmp_path, run, arguments, says):
    code, printed, said = run(write(tmp_path / "s.gpkg"), "-o", tmp_path / "city.roads", *arguments)
    assert (code, printed) == (1, "")
    assert said.count("\n") == 1
    assert says in said
    assert not (tmp_path / "city.roads").exists()


def test_options_of_gis_files_are_refused_for_openstreetmap(tmp_path, run):
    source = tmp_path / "town.osm"
    source.write_text('<osm version="0.6"/>')
    code, _, said = run(source, "-o", tmp_path / "city.roads", "--crs", "gcj02")
    assert code == 1
    assert "--crs is for GIS files" in said
    code, _, said = run(source, "-o", tmp_path / "city.roads")
    assert code == 1
    assert "holds no roads; give an extract with highway ways" in said


def test_codes_of_the_file_itself_are_told(tmp_path, run):
    source = write(tmp_path / "s.gpkg", columns={"oneway": ["2", "3"], "id": ["a", "b"]})
    code, _, said = run(source, "-o", tmp_path / "x.roads")
    assert code == 0
    assert "oneway '2' of 1 roads has no known meaning" in said
    told = ["--code", "oneway:2=forward", "--code", "oneway:3=backward"]
    code, _, said = run(source, "-o", tmp_path / "x.roads", *told)
    assert code == 0
    assert "no known meaning" not in said
    assert RoadNetwork.load(tmp_path / "x.roads").edge_ids == ["a.0", "a.1", "b"]


def test_a_folder_that_is_not_there_is_said_before_the_work(tmp_path, run):
    code, _, said = run(write(tmp_path / "s.gpkg"), "-o", tmp_path / "new" / "city.roads")
    assert code == 1
    assert "new is no folder; make it first" in said
    assert said.count("\n") == 1


def test_a_missing_file_is_named(tmp_path, run):
    code, _, said = run(tmp_path / "nowhere.gpkg")
    assert code == 1
    assert "nowhere.gpkg; check the path and its permissions" in said


def test_without_a_box_that_is_expected_the_place_is_to_be_checked(tmp_path, run):
    source = write(tmp_path / "s.gpkg")
    _, _, said = run(source, "-o", tmp_path / "x.roads")
    assert said.endswith(
        "check that this is where the city is; --expect W,S,E,N refuses what lies elsewhere\n"
    )
    code, _, said = run(source, "-o", tmp_path / "x.roads", "--expect", "-179,-89,179,89")
    assert code == 0
    assert "--expect" not in said
