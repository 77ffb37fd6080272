"""``geo-policing build-tiles`` as it is typed."""

import subprocess
import sys
from pathlib import Path

import pyogrio

from tests.tiles.test_tiles import a_network, shapes


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    code = "from geo_policing.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "build-tiles", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_city_folder_becomes_tiles(tmp_path):
    a_network().save(tmp_path / "city.roads")
    for name, frame in shapes().items():
        pyogrio.write_dataframe(frame, tmp_path / "city.gpkg", layer=name, driver="GPKG")
    said = run(tmp_path, "-o", tmp_path / "city.pmtiles")
    assert said.returncode == 0, said.stderr
    assert "MB in" in said.stderr
    assert "roads" in {name for name, _ in pyogrio.list_layers(tmp_path / "city.pmtiles")}


def test_a_folder_without_roads_is_said_in_one_line(geo_policing, tmp_path):
    code, _, said = geo_policing("build-tiles", tmp_path)
    assert code == 1
    assert said.count("\n") == 1
    assert "city.roads is not there; make a city with geo-policing sample-city" in said


def test_a_file_that_is_no_geopackage_is_said(tmp_path):
    a_network().save(tmp_path / "city.roads")
    (tmp_path / "city.gpkg").write_text("no")
    said = run(tmp_path)
    assert said.returncode == 1
    assert "city.gpkg is no GeoPackage" in said.stderr
    assert "Traceback" not in said.stderr
