import csv
import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from geo_policing.cli import app
from geo_policing.cli.match import Traveller, match
from geo_policing.errors import InvalidFile, InvalidInput
from geo_policing.geodesy.gcj02 import gcj02_from_wgs84
from tests.matching.city import LAT, LON, STEP, drive, grid

ROUTE = ["0>1", "1>2", "2>8", "8>14", "14>13", "13>12"]


@pytest.fixture
def town(tmp_path):
    grid().save(tmp_path / "town.roads")
    return tmp_path


def trace(lon, lat, track="007", **more):
    times = pd.date_range("2026-03-01T08:00:00+08:00", periods=len(lon), freq="4s")
    return pd.DataFrame({"t": [i.isoformat() for i in times], "lon": lon, "lat": lat}).assign(
        track=track, **more
    )


def run(town, table, **options):
    if isinstance(table, str):
        (town / "in.csv").write_text(table)
    else:
        table.to_csv(town / "in.csv", index=False)
    match(town / "town.roads", town / "in.csv", town / "out.csv", **options)
    with (town / "out.csv").open(newline="") as lines:
        return [(row["track"], row["edges"].split()) for row in csv.DictReader(lines)]


def test_a_row_a_track_with_the_edges_of_the_source_in_the_order_of_the_file(town):
    lon, lat = drive(grid(), ROUTE)
    back = [f"{e.split('>')[1]}>{e.split('>')[0]}" for e in ROUTE[::-1]]
    table = pd.concat([trace(lon, lat, "b c"), trace(lon[::-1], lat[::-1], "007")])
    assert run(town, table) == [("b c", ROUTE), ("007", back)]
    table["t"] = [*range(len(lon)), *range(len(lon))]
    assert run(town, table) == [("b c", ROUTE), ("007", back)]


def test_rows_of_tracks_may_be_mixed(town):
    lon, lat = drive(grid(), ROUTE)
    mixed = pd.concat([trace(lon, lat, "a"), trace(lon, lat, "b")]).sort_values("t", kind="stable")
    assert run(town, mixed) == [("a", ROUTE), ("b", ROUTE)]


def test_across_an_outage_the_row_goes_on_and_names_no_edge_twice(town):
    lon, lat = drive(grid(), ROUTE)
    seen = np.ones(len(lon), bool)
    seen[6:17] = False
    table = trace(lon, lat)[seen]
    assert run(town, table, geojson=town / "out.geojson") == [("007", ROUTE)]
    features = json.loads((town / "out.geojson").read_text())["features"]
    assert [f["properties"]["inferred"] for f in features] == [False, True, False]
    assert all(0.0 < f["properties"]["confidence"] <= 1.0 for f in features)
    drawn = [f["geometry"]["coordinates"] for f in features]
    assert drawn[0][0] == pytest.approx([lon[0], lat[0]], abs=1e-6)
    assert (drawn[0][-1], drawn[1][-1]) == (drawn[1][0], drawn[2][0])
    assert drawn[2][-1] == pytest.approx([lon[-1], lat[-1]], abs=1e-6)


def test_a_track_off_the_roads_has_an_empty_row_and_is_named(town, capsys):
    lon, lat = drive(grid(), ROUTE)
    table = pd.concat([trace(lon, lat), trace(lon + 0.3, lat, "far")])
    assert run(town, table) == [("007", ROUTE), ("far", [])]
    assert "1 of 2 tracks: far" in capsys.readouterr().err


def test_a_track_that_cannot_be_matched_is_named_and_the_others_go_on_over_two_processes_too(town, capsys):
    lon, lat = drive(grid(), ROUTE)
    tables = [trace(lon, lat, f"{i:03}").assign(t=np.arange(len(lon))) for i in range(150)]
    tables[70]["t"] = np.inf
    expected = [(f"{i:03}", ROUTE if i != 70 else []) for i in range(150)]
    for workers in (1, 2):
        assert run(town, pd.concat(tables), workers=workers) == expected
        assert f"{town / 'in.csv'}: track 070: fix 0: t_s is inf; leave" in capsys.readouterr().err
    (town / "out.csv").unlink()
    with pytest.raises(InvalidInput, match="track 070: fix 0: t_s is inf"):
        run(town, tables[70])
    assert not (town / "out.csv").exists()


def test_the_table_of_the_roads_is_kept_beside_them(town):
    run(town, trace(*drive(grid(), ROUTE)), access=Traveller.CAR)
    assert (town / "town.roads.car.ways").is_file()


def test_what_the_receiver_says_of_itself_may_be_missing_here_and_there(town):
    lon, lat = drive(grid(), ROUTE)
    table = trace(lon, lat, speed_mps=10.0, course_deg="", accuracy_m="nan")
    assert run(town, table) == [("007", ROUTE)]


def test_fixes_in_another_system_are_converted(town):
    lon, lat = drive(grid(), ROUTE)
    assert run(town, trace(*gcj02_from_wgs84(lon, lat)), crs="gcj02") == [("007", ROUTE)]


def test_a_car_does_not_ride_where_only_walkers_may(town):
    lon, lat = drive(grid(), ROUTE)
    grid(footways=("1>2", "2>1")).save(town / "town.roads")
    assert "1>2" in run(town, trace(lon, lat))[0][1]
    assert all("1>2" not in edges for _, edges in run(town, trace(lon, lat), access=Traveller.CAR))
    assert "1>2" in run(town, trace(lon, lat), access=Traveller.FOOT)[0][1]


HEAD = "track,t,lon,lat\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no CSV file"),
        (HEAD, "has a header but no fixes"),
        ("track,t,x,y\n1,0,1,2\n", "no column lon, lat; needed are track, t, lon, lat"),
        (HEAD + f"1,0,{LON},{LAT}\n1,1,abc,{LAT}\n", "row 3: lon 'abc' is not a number"),
        (HEAD + f"1,0,{LON},\n", "row 2: lat '' is not a number"),
        (HEAD + f"1,soon,{LON},{LAT}\n", "row 2: t 'soon' is neither seconds nor RFC 3339"),
        (HEAD + f"1,2026-03-01T08:00:00,{LON},{LAT}\n", "row 2: t .* RFC 3339 with an offset"),
        (HEAD + f"1,2026-13-01T08:00:00Z,{LON},{LAT}\n", "row 2: t .* is no RFC 3339 time"),
        (
            HEAD + f"1,5,{LON},{LAT}\n2,1,{LON},{LAT}\n1,4,{LON},{LAT}\n",
            "row 4: t '4' is before the fix above",
        ),
        (HEAD + f",0,{LON},{LAT}\n", "row 2: track '' is empty"),
        (HEAD + f"1,0,{LAT},{LON}\n", "row 2: .* axes look swapped"),
        (HEAD + "1,0,413500,3079000\n", "row 2: .* if these are metres name their system"),
        (HEAD + "1,0,0,0\n", "row 2: .* 'no position'"),
        (HEAD + f"1,0,{LON + 1},{LAT}\n", r"no fix is near a road: .* --crs \(now EPSG:4326\)"),
        (HEAD.strip() + f",accuracy_m\n1,0,{LON},{LAT},good\n", "row 2: accuracy_m 'good' is not a number"),
    ],
)
def test_a_bad_file_is_refused_with_row_column_and_remedy_and_nothing_is_written(town, text, says):
    with pytest.raises(InvalidInput, match=says) as raised:
        run(town, text)
    assert "\n" not in str(raised.value)
    assert str(town / "in.csv") in str(raised.value)
    assert not (town / "out.csv").exists()


def test_lon_and_lat_swapped_where_both_are_possible_are_recognised_by_the_roads(town):
    network = grid(lon=37.6, lat=55.75)
    network.save(town / "town.roads")
    lon, lat = drive(network, ROUTE)
    with pytest.raises(InvalidInput, match="lon and lat look swapped"):
        run(town, trace(lat, lon))


def test_what_is_no_road_network_and_a_folder_that_is_missing_are_refused(town):
    (town / "in.csv").write_text(HEAD + f"1,0,{LON + STEP / 2},{LAT}\n")
    with pytest.raises(InvalidFile, match="is no road network"):
        match(town / "in.csv", town / "in.csv", town / "out.csv")
    with pytest.raises(InvalidInput, match="is no folder"):
        match(town / "town.roads", town / "in.csv", town / "missing" / "out.csv")


def test_the_command_takes_its_options_by_name(town):
    trace(*drive(grid(), ROUTE)).to_csv(town / "in.csv", index=False)
    result = CliRunner().invoke(
        app,
        [
            *("match", str(town / "town.roads"), str(town / "in.csv"), "-o", str(town / "out.csv")),
            *("--geojson", str(town / "out.geojson"), "--access", "car", "--crs", "EPSG:4326"),
        ],
    )
    assert result.exit_code == 0, result.output
    assert (town / "out.csv").read_text() == f"track,edges\n007,{' '.join(ROUTE)}\n"
