"""Which units can be at a gate before the suspect."""

import json
from dataclasses import replace
from datetime import timedelta, timezone

import numpy as np
import pytest

from geo_policing.cli.reconstruct import read_units, reconstruct
from geo_policing.errors import InvalidFile, InvalidInput
from geo_policing.roads import RoadClass
from geo_policing.tracks import Held, Holding, UnitAt
from geo_policing.tracks.holding import PACE
from tests.matching.city import LAT, LON, STEP, grid
from tests.tracks.test_reconstruct import at
from tests.tracks.test_report import ROWS

TOWN = grid(6)
EDGE_M = float(TOWN.length_m[TOWN.edge_ids.index("0>1")])


def unit(name, column, row, after_s=0.0, **more):
    return UnitAt(name, LON + STEP * column, LAT + STEP * row, at(after_s), **more)


def gate(*edges, passed=(0.0, 0.2, 0.6), every_s=60):
    times = tuple(at(every_s * k) for k in range(len(passed)))
    return Held(np.array([TOWN.edge_ids.index(e) for e in edges], np.int32), times, np.array(passed))


def first(gates, units, **more):
    options = {"pace": 1.0, "spread": 0.0} | more
    return Holding(TOWN, **options).first(gates, units)[0]


def test_the_nearest_unit_by_road_comes_first_and_no_more_than_asked():
    units = [unit("far", 0.5, 0), unit("near", 2.5, 0), unit("mid", 1.5, 0), unit("other", 0.5, 1)]
    (found,) = first([gate("3>4")], units)
    assert [arrival.unit for arrival in found] == ["near", "mid", "far"]
    assert found[0].road_s < found[1].road_s < found[2].road_s


def test_it_is_in_time_as_probably_as_the_suspect_has_not_passed_when_it_comes():
    """From the middle of 1>2, less the 30 m around it, to the begin of 3>4 at 10 m/s."""
    (found,) = first([gate("3>4")], [unit("U", 1.5, 0)])
    road_s = (1.5 * EDGE_M - 30.0) / 10.0
    passed = 0.2 * road_s / 60.0
    assert found[0].road_s == pytest.approx(road_s, abs=0.2)
    assert found[0].arrives == at(found[0].road_s)
    assert found[0].in_time == pytest.approx(1.0 - passed, abs=1e-3)
    assert found[0].meets == pytest.approx(0.6 - passed, abs=1e-3)


def test_who_stands_at_the_gate_is_there_at_once():
    (found,) = first([gate("3>4", "4>3")], [unit("U", 3.5, 0)])
    assert (found[0].road_s, found[0].in_time, found[0].meets) == (0.0, 1.0, pytest.approx(0.6))


def test_later_or_slower_is_less_in_time():
    one = {"gates": [gate("3>4")], "units": [unit("U", 0.5, 0)]}
    (now,), (later,), (slower,), (delayed,) = (
        first(**one)[0],
        first([gate("3>4")], [unit("U", 0.5, 0, after_s=30)])[0],
        first(**one, pace=1.5)[0],
        first(**one, delay_s=30.0)[0],
    )
    assert max(later.in_time, slower.in_time, delayed.in_time) < now.in_time
    assert later.arrives == delayed.arrives == now.arrives + timedelta(seconds=30)
    assert (slower.arrives - at(0)).total_seconds() == pytest.approx(
        1.5 * (now.arrives - at(0)).total_seconds(), abs=1e-5
    )
    assert slower.road_s == now.road_s


def test_who_comes_after_the_end_of_what_is_known_is_not_told():
    assert first([gate("3>4", every_s=10)], [unit("U", 0.5, 0)]) == [[]]


def test_the_probability_is_the_mean_over_the_times_that_a_drive_can_take():
    """Against a hundred thousand drives that are drawn."""
    held = gate("3>4", passed=(0.0, 0.05, 0.5, 0.8), every_s=25)
    (found,) = first([held], [unit("U", 1.0, 0)], pace=1.2, spread=0.4)
    draw = np.random.default_rng(0).normal(0.0, 0.4, 100_000)
    there_s = 1.2 * found[0].road_s * np.exp(draw)
    passed = np.interp(there_s, [0, 25, 50, 75], held.passed)
    in_time = np.where(there_s <= 75, 1 - passed, 0).mean()
    assert found[0].in_time == pytest.approx(in_time, abs=0.01)
    assert found[0].meets == pytest.approx(np.where(there_s <= 75, 0.8 - passed, 0).mean(), abs=0.01)
    assert found[0].in_time < 0.95


def test_who_walks_goes_as_fast_as_walkers_whatever_the_pace():
    units = [unit("walks", 2.0, 0, on_foot=True), unit("drives", 2.0, 0)]
    (found,) = first([gate("3>4", every_s=600)], units, pace=PACE)
    assert [arrival.unit for arrival in found] == ["drives", "walks"]
    metres = EDGE_M - 30.0
    assert (found[1].arrives - at(0)).total_seconds() == pytest.approx(metres / 1.4, abs=1.0)
    assert (found[0].arrives - at(0)).total_seconds() == pytest.approx(PACE * metres / 10.0, abs=0.5)


def test_a_unit_off_the_roads_is_named_and_the_others_are_told():
    found, astray = Holding(TOWN).first([gate("3>4")], [unit("lost", 60, 60), unit("U", 3, 0)])
    assert astray == ["lost"]
    assert [arrival.unit for arrival in found[0]] == ["U"]


def test_arrivals_are_told_in_the_zone_of_the_gate_wherever_units_are_told_in():
    held, east = gate("3>4"), replace(unit("U", 1.5, 0), free=at(0).astimezone(timezone(timedelta(hours=-3))))
    ((found,),) = first([held], [east])
    assert found.arrives.utcoffset() == held.times[0].utcoffset()
    assert found.arrives == at(found.road_s)


def test_half_of_those_who_pass_have_passed_at_the_likely_moment():
    assert gate("3>4", passed=(0.0, 0.2, 0.6)).likely == at(75)
    assert gate("3>4", passed=(0.0, 0.0)).likely is None


@pytest.mark.parametrize("options", [{"pace": 0.0}, {"spread": -1.0}, {"delay_s": float("nan")}])
def test_numbers_that_make_no_sense_are_refused_by_name(options):
    with pytest.raises(InvalidInput, match=f"{next(iter(options))} .* correct it"):
        Holding(TOWN, **options)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("U1,,27.83", "unit 1: no lon; give unit, lon and lat"),
        ("U1,east,27.83", "lon 'east' is no number"),
        ("U1,113.13,97", "lat 97.0 is not -90 to 90"),
        ("U1,nan,27.83", "lon nan is not -180 to 180"),
        ("U1,113.13,27.83,8 am", "no RFC 3339 time"),
        ("U1,113.13,27.83,,perhaps", "neither yes nor no"),
        ("U" * 65 + ",113.13,27.83", "is no name"),
        ("", "has no unit"),
    ],
)
def test_bad_units_are_refused_with_row_and_remedy(tmp_path, row, says):
    (tmp_path / "units.csv").write_text(f"unit,lon,lat,time,on_foot\n{row}\n", encoding="utf-8")
    with pytest.raises(InvalidFile, match=says):
        read_units(tmp_path / "units.csv", at(0))


def test_the_command_tells_of_each_gate_who_is_there_first(tmp_path):
    """A bridge two streets on from where the suspect was last seen, and a unit that stands on it."""
    town = grid()
    classes = town.road_class.copy()
    for name in ("11>17", "17>11"):
        classes[town.edge_ids.index(name)] = RoadClass.EXPRESSWAY_RAMP
    replace(town, road_class=classes).save(tmp_path / "town.roads")
    (tmp_path / "seen.csv").write_text(ROWS, encoding="utf-8")
    lon, lat = town.lonlat(town.edge_ids.index("11>17")).mean(axis=0)
    (tmp_path / "units.csv").write_text(
        f"unit,lon,lat,time\nU1,{lon},{lat},\nU2,{LON},{LAT},2026-03-02T08:02:10+08:00\n", encoding="utf-8"
    )
    reconstruct(
        *(tmp_path / name for name in ("town.roads", "seen.csv", "out.geojson")),
        window="2026-03-02T08:00:00+08:00/2026-03-02T08:08:00+08:00",
        units=tmp_path / "units.csv",
        report=tmp_path / "report.html",
    )
    document = json.loads((tmp_path / "out.geojson").read_text("utf-8"))
    (ramp,) = [f["properties"] for f in document["features"] if f["properties"]["what"] == "gate"]
    assert ramp["edges"] == ["11>17", "17>11"]
    assert [one["unit"] for one in ramp["units"]] == ["U1", "U2"]
    assert ramp["units"][0]["arrives"] == "2026-03-02T08:02:00+08:00"
    assert ramp["units"][0]["in_time"] > 0.9
    assert ramp["passed"][0] <= ramp["passed"][-1]
    assert ramp["earliest"] < ramp["likely"] < ramp["times"][-1]
    assert "units" in document["inputs"]
    assert "U1 08:02:00" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("row", "window", "says"),
    [
        ("U1,27.83,13.13", "08:08", "U1: more than half a kilometre from any road .* correct lon and lat"),
        (f"U1,{LON},{LAT}", "08:02", "ends with the last sighting, .* --window that goes on for longer"),
        (f"U1,{LON},{LAT}", None, "ends with the last sighting, .* leave --units out"),
    ],
)
def test_units_of_whom_nothing_could_be_told_are_refused(tmp_path, row, window, says):
    grid().save(tmp_path / "town.roads")
    (tmp_path / "seen.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "units.csv").write_text(f"unit,lon,lat\n{row}\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=says):
        reconstruct(
            *(tmp_path / name for name in ("town.roads", "seen.csv", "out.geojson")),
            window=window and f"2026-03-02T08:00:00+08:00/2026-03-02T{window}:00+08:00",
            units=tmp_path / "units.csv",
        )
    assert not (tmp_path / "out.geojson").exists()
