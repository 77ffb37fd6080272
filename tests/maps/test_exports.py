"""Exported tracks, read back by GDAL."""

import pandas as pd
import pyogrio
import pytest

from geo_policing.errors import InvalidInput
from geo_policing.maps import export_track
from geo_policing.model import FixColumns, Track
from tests.maps.test_tracks import WINDOW, a_track


def test_gpx_carries_the_fixes_with_their_times_and_the_path(tmp_path):
    export_track(a_track(), tmp_path / "track.gpx")
    points = pyogrio.read_dataframe(tmp_path / "track.gpx", layer="track_points")
    fixes = points[points["track_fid"] == 0]
    assert fixes.geometry.x.tolist() == pytest.approx([113.10 + i * 0.001 for i in range(30)], abs=1e-7)
    assert pd.to_datetime(fixes["time"], utc=True).tolist() == list(
        pd.date_range("2026-03-01T02:00Z", periods=30, freq="1min")
    )
    lines = pyogrio.read_dataframe(tmp_path / "track.gpx", layer="tracks")
    assert lines["type"].tolist() == ["fixes", "observed", "inferred", "observed"]


def test_kml_carries_path_and_fixes(tmp_path):
    export_track(a_track(), tmp_path / "track.kml")
    read = pyogrio.read_dataframe(tmp_path / "track.kml")
    assert read["Name"].tolist() == ["observed", "inferred", "observed", "car-1 fixes"]
    assert read.total_bounds == pytest.approx([113.10, 27.83, 113.129, 27.83], abs=1e-6)


def test_geopackage_carries_all_that_is_known(tmp_path):
    export_track(a_track(), tmp_path / "track.gpkg")
    fixes = pyogrio.read_dataframe(tmp_path / "track.gpkg", layer="fixes")
    assert fixes["speed_mps"].tolist() == [10.0] * 30
    assert fixes["time"].dt.tz_convert("UTC").iloc[-1] == pd.Timestamp("2026-03-01T02:29Z")
    path = pyogrio.read_dataframe(tmp_path / "track.gpkg", layer="path")
    assert path["inferred"].tolist() == [False, True, False]
    assert path["confidence"].tolist() == pytest.approx([0.97, 0.7, 0.3])
    assert path["edges"].tolist() == ["e1"] * 3


@pytest.mark.parametrize("ending", ["gpx", "kml", "gpkg"])
def test_a_track_without_a_path_is_a_track_too(tmp_path, ending):
    export_track(Track("car-1", WINDOW, a_track().fixes), tmp_path / f"t.{ending}")
    assert [p.name for p in tmp_path.iterdir()] == [f"t.{ending}"]
    assert len(pyogrio.read_dataframe(tmp_path / f"t.{ending}", layer=0)) >= 0


def test_an_older_file_is_replaced(tmp_path):
    export_track(a_track(), tmp_path / "t.gpkg")
    export_track(Track("car-2", WINDOW, a_track().fixes), tmp_path / "t.gpkg")
    assert set(pyogrio.read_dataframe(tmp_path / "t.gpkg", layer="fixes")["device"]) == {"car-2"}


def test_another_ending_is_refused_with_those_that_are_known(tmp_path):
    with pytest.raises(InvalidInput, match=r"t\.xlsx ends in none of \.gpx, \.kml, \.gpkg"):
        export_track(a_track(), tmp_path / "t.xlsx")


def test_an_empty_track_makes_no_file(tmp_path):
    with pytest.raises(InvalidInput, match="car-1 has no fixes"):
        export_track(Track("car-1", WINDOW, FixColumns.from_fixes([])), tmp_path / "t.gpx")
    assert list(tmp_path.iterdir()) == []
