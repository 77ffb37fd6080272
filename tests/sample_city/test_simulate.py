"""A sample city is written whole or not at all, and the same seed writes the same bytes."""

import csv
import json
import os
import subprocess
import sys
from collections import defaultdict

import pytest
from geo_policing_sample_city import simulate
from geo_policing_sample_city.simulate import MARK, live, make_sample_city
from typer.testing import CliRunner

from geo_policing.cli import app
from geo_policing.errors import Conflict, InvalidInput
from geo_policing.ingest.nmea0183 import Decoder
from tests.sample_city.conftest import BRIEF, FEW

FILES = {
    "devices.csv",
    "fleet.nmea",
    "truth.csv",
    "incidents.csv",
    "theft.json",
    "theft_truth.csv",
    "README.txt",
}


@pytest.fixture
def same_city(city, monkeypatch):
    """The city that the room's tests already have, for tests of what becomes of the folder."""
    monkeypatch.setattr(simulate, "build_city", {7: city}.__getitem__)


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_has_every_file_of_the_contract(folder):
    assert {file.name for file in folder.iterdir()} == FILES | {"city.roads", "city.gpkg"}
    assert (folder / "README.txt").read_text(encoding="utf-8").startswith(MARK)


def test_another_process_with_another_hash_seed_and_time_zone_writes_the_same_bytes(folder, tmp_path):
    code = (
        "import sys; from pathlib import Path;"
        "from geo_policing_sample_city.simulate import make_sample_city;"
        f"make_sample_city(Path(sys.argv[1]), 7, {FEW}, {BRIEF})"
    )
    other = os.environ | {"PYTHONHASHSEED": "12345", "TZ": "America/New_York", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code, tmp_path / "city"], check=True, env=other)
    for file in sorted(folder.iterdir()):
        assert (tmp_path / "city" / file.name).read_bytes() == file.read_bytes(), file.name


def test_another_seed_is_another_life(city, life):
    other = live(city, 8, 6, 0.1)
    assert other.theft.case != life.theft.case
    assert [call.id for call in other.incidents] != [call.id for call in life.incidents]


def test_the_fleet_is_told_in_the_order_of_reception(folder):
    lines = (folder / "fleet.nmea").read_bytes().splitlines()
    received = [int(line.split(b"c:")[1].split(b"*")[0]) for line in lines]
    assert received == sorted(received)


def test_who_speaks_is_a_device_with_a_true_path_over_known_edges(folder):
    devices = {row["id"] for row in rows(folder / "devices.csv")}
    assert len(devices) == FEW
    decoder = Decoder()
    fixes = decoder.feed((folder / "fleet.nmea").read_bytes()) + decoder.flush()
    assert {fix.device for fix in fixes} <= devices
    paths = defaultdict(list)
    for row in rows(folder / "truth.csv"):
        paths[row["device"]].append(row["enter_time"])
    assert set(paths) == devices
    for times in paths.values():
        assert times == sorted(times)
        assert all(time.endswith("Z") and len(time) == 24 for time in times)


def test_the_theft_of_the_folder_happened_on_roads_of_its_truth(folder):
    case = json.loads((folder / "theft.json").read_text(encoding="utf-8"))
    driven = {row["edge_id"] for row in rows(folder / "theft_truth.csv")}
    assert {sighting["edge_id"] for sighting in case["sightings"]} <= driven


def test_an_earlier_sample_city_is_replaced(same_city, tmp_path):
    out = tmp_path / "city"
    out.mkdir()
    (out / "README.txt").write_text(MARK + ": seed 1\n", encoding="utf-8")
    (out / "old.txt").write_text("old", encoding="utf-8")
    make_sample_city(out, 7, 1, 0.02)
    assert not (out / "old.txt").exists()
    assert (out / "fleet.nmea").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["city"]


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.doc").write_text("precious", encoding="utf-8")
    with pytest.raises(Conflict, match="not empty and no sample city"):
        make_sample_city(tmp_path, 7, 1, 0.02)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.doc"]


def test_a_file_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "city").write_text("precious", encoding="utf-8")
    with pytest.raises(Conflict, match="is a file"):
        make_sample_city(tmp_path / "city", 7, 1, 0.02)
    assert (tmp_path / "city").read_text(encoding="utf-8") == "precious"


def test_what_fails_half_way_leaves_nothing_behind(same_city, tmp_path):
    out = tmp_path / "city"

    def stop(what, share):
        if what == "Writing NMEA":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_sample_city(out, 7, 2, 0.02, city_map=False, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("vehicles", 0, "vehicles"),
        ("vehicles", 5001, "vehicles"),
        ("hours", 0.0, "hours"),
        ("hours", 48.5, "hours"),
    ],
)
def test_numbers_out_of_range_are_named(tmp_path, option, value, field):
    with pytest.raises(InvalidInput) as refused:
        make_sample_city(tmp_path / "city", **{option: value})
    assert refused.value.field == field
    assert str(value) in str(refused.value)
    assert not (tmp_path / "city").exists()


def test_hours_that_are_no_number_are_refused(tmp_path):
    with pytest.raises(InvalidInput, match="hours nan"):
        make_sample_city(tmp_path / "city", hours=float("nan"))


def test_the_command_refuses_a_begin_without_an_offset(tmp_path):
    result = CliRunner().invoke(
        app, ["sample-city", str(tmp_path / "city"), "--start", "2026-03-02T07:00:00"]
    )
    assert isinstance(result.exception, InvalidInput)
    assert "offset" in str(result.exception)


def test_without_the_map_other_files_of_the_folder_stay(same_city, tmp_path):
    (tmp_path / "clip.gpkg").write_text("a map", encoding="utf-8")
    make_sample_city(tmp_path, 7, 1, 0.02, city_map=False)
    assert {file.name for file in tmp_path.iterdir()} == FILES | {"clip.gpkg"}
