"""The benchmark of the history runs, small, and says what it should."""

import json

import numpy as np
import pytest

from benchmarks import _growth, days, history, sealing
from benchmarks.days import DAY_US, FIRST_DAY
from geo_policing.model import TimeWindow, from_us
from geo_policing.roads import RoadNetwork
from geo_policing.store import FixStore
from geo_policing.store.history.checks import verify
from geo_policing.store.history.keeper import Keeper

SIDE = 20


@pytest.fixture
def roads(tmp_path):
    """A town of square blocks of 200 m, all streets two-way."""
    lon, lat = (
        v.ravel() for v in np.meshgrid(113.1 + np.arange(SIDE) * 2e-3, 27.8 + np.arange(SIDE) * 1.8e-3)
    )
    number = np.arange(SIDE * SIDE, dtype=np.int32).reshape(SIDE, SIDE)
    pairs = np.concatenate(
        [
            np.column_stack([a.ravel(), b.ravel()])
            for a, b in ((number[:, :-1], number[:, 1:]), (number[:-1], number[1:]))
        ]
    )
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    network = RoadNetwork.build(
        node_lon=lon,
        node_lat=lat,
        edge_id=[str(n) for n in range(len(pairs))],
        from_node=np.ascontiguousarray(pairs[:, 0]),
        to_node=np.ascontiguousarray(pairs[:, 1]),
        geometry_lonlat=[np.column_stack([lon[pair], lat[pair]]) for pair in pairs],
        forbidden_turn=np.empty((0, 2), np.int32),
        road_class=np.full(len(pairs), 5, np.uint8),
    )
    path = tmp_path / "town.roads"
    network.save(path)
    return path


def test_it_prints_what_it_measured(roads, tmp_path, capsys):
    out = tmp_path / "out.json"
    words = ["--rows", "1e5", "--roads", str(roads), "--postgresql-rows", "0", "--repeat", "2", "--cold", "1"]
    words += ["--days", "2", "--grow", "2"]
    assert history.main([*words, "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["rows"] > 20_000
    names = {"device_day", "area_hour", "collision", "companions", "footholds", "first_entry"}
    names.add("three_hour_job")
    assert found["queries"].keys() == found["hot"].keys() == names
    assert found["queries"]["three_hour_job"]["first"] == 1.0
    assert found["queries"]["footholds"].keys() == {"warm_median_ms", "warm_p95_ms", "cold_median_ms"}
    assert (found["grown"]["days"], found["grown"]["rows"]) == (4, 2 * found["rows"])
    assert found["grown"]["queries"].keys() == names
    assert json.loads(capsys.readouterr().out) == found


def test_sealing_a_large_day_is_measured(roads, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert sealing.main(["--rows", "1e5", "--roads", str(roads), "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["rows"] > 20_000
    assert {name for name in found if name.endswith("_peak_mb")} == {
        "seal_peak_mb",
        "merge_peak_mb",
        "verify_peak_mb",
    }
    assert json.loads(capsys.readouterr().out) == found


def test_a_longer_history_has_the_same_days_at_other_times_and_is_whole(roads, tmp_path):
    fleet = days.Fleet.on(roads, 20)
    path = tmp_path / "fixes.duckdb"
    with FixStore(path) as store:
        for number in range(2):
            for batch in fleet.day(number):
                store.append(batch)
        Keeper(store).seal(FIRST_DAY + 2)
        before = store.between(window(0, 2))
    with FixStore(_growth.grown(path, tmp_path / "longer", 3)) as longer:
        assert list(verify(longer.folder, longer.manifest)) == []
        for shift in (0, -2, -4):
            found = longer.between(window(shift, shift + 2))
            assert (found.time - shift * DAY_US).tolist() == before.time.tolist()
            assert found.lon.tolist() == before.lon.tolist()
        assert longer.count() == 3 * len(before)


def window(first, end):
    return TimeWindow(from_us((FIRST_DAY + first) * DAY_US), from_us((FIRST_DAY + end) * DAY_US))


def test_its_queries_find_something(roads, tmp_path):
    fleet = days.Fleet.on(roads, 60)
    with FixStore(tmp_path / "fixes.duckdb") as store:
        for batch in fleet.day(0):
            store.append(batch)
        asked = history.Asked(fleet, 1, True, roads, tmp_path)
        for name, query in asked.queries.items():
            assert sum(query(store, n) for n in range(6)) > 0, name
