"""The movement from, to and between fixes that are not sealed is that of all fixes, whatever came late."""

from dataclasses import replace
from itertools import pairwise

import h3
import numpy as np
import pytest

from geo_policing.store import FixStore
from geo_policing.store.history import tail
from geo_policing.store.history.keeper import Keeper
from geo_policing.store.history.sealing import visits_of
from tests.store.moving import DAY_US, FIRST_DAY, T, walks

S = 1_000_000
GAP_US = 120 * S
NAMES = ("device", "cell", "first_s", "last_s")


@pytest.mark.parametrize("devices", [1, 5, 70_000])
@pytest.mark.parametrize("seed", range(4))
def test_rows_are_ordered_by_device_time_and_place(seed, devices):
    rng = np.random.default_rng(seed)
    n = 500
    device = rng.integers(0, devices, n).astype(np.int32)
    # Most come in time, some late, and some are there twice or at two places at once.
    time = np.arange(n) * S - np.where(rng.random(n) < 0.1, rng.integers(0, 300, n), 0) * S
    lon, lat = rng.integers(0, 3, n) / 4, rng.integers(0, 3, n) / 4
    order = tail.ordered(device, time, lon, lat)
    rows = list(zip(*(column.tolist() for column in (device, time, lon, lat)), strict=True))
    assert [rows[at] for at in order] == sorted(rows)
    assert sorted(order.tolist()) == list(range(n))


def test_no_rows_are_in_order():
    nothing = np.empty(0)
    assert len(tail.ordered(nothing.astype(np.int32), nothing.astype(np.int64), nothing, nothing)) == 0


def steps(tracks):
    """Steps between fixes that follow each other, of which one is not sealed."""
    found = set()
    for device, fixes in tracks.items():
        for (t, *at, its), (u, *then, next_its) in pairwise(sorted(fixes)):
            if (its or next_its) and u - t <= GAP_US:
                found.add((device, t, *at, u, *then))
    return found


def of_table(table):
    """The same of what was read: its rows follow each other as they lie."""
    columns = [table.column(name).to_pylist() for name in ("device", "time", "lon", "lat", "mine")]
    found = set()
    for (device, t, *at, its), (other, u, *then, next_its) in pairwise(zip(*columns, strict=True)):
        if device == other and (its or next_its) and u - t <= GAP_US:
            found.add((device, t, *at, u, *then))
    return found


@pytest.mark.parametrize("late", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(6))
def test_steps_to_and_from_what_is_not_sealed_are_those_of_all_fixes(seed, late, tmp_path):
    rng = np.random.default_rng(seed)
    fixes = walks(rng, devices=5, days=1, fixes=80)
    # Each quarter of each walk is sealed, but for the last one and for what comes late.
    part = np.arange(len(fixes)) * 4 // len(fixes)
    part[rng.random(len(fixes)) < late] = 3
    with FixStore(tmp_path / "fixes.duckdb") as store:
        for number in range(4):
            store.append(fixes.take(part == number))
            if number < 3:
                Keeper(store).seal(FIRST_DAY + 2)
        tracks = {}
        for device, time, lon, lat, its in zip(
            *(column.tolist() for column in (fixes.device, fixes.time, fixes.lon, fixes.lat, part)),
            strict=True,
        ):
            tracks.setdefault(device, []).append((time, lon, lat, its == 3))
        whole = (T - DAY_US, T + 9 * DAY_US)
        with store.snapshot() as now:
            # As it is when the disk was full while sealed tables should have been dropped.
            undropped = replace(now, manifest=replace(now.manifest, sealed_tables=("day_1",)))
            for state in (now, undropped):
                found = of_table(tail.moved(state, *whole))
                assert found == steps(tracks)
                assert len(found) > 20
                for first in rng.choice(fixes.time[part == 3], 4).tolist():
                    span = (first - 300 * S, first + 300 * S)
                    # Whoever asks for a time reads so much before and after it.
                    asked = (span[0] + GAP_US, span[1] - GAP_US)
                    found = during(of_table(tail.moved(state, *span)), *asked)
                    assert found == during(steps(tracks), *asked)
            mine = tail.fresh(now, *whole)
            told = zip(*(mine.column(name).to_pylist() for name in ("device", "time")), strict=True)
            asked = [(device, t) for device, of in tracks.items() for t, *_, its in sorted(of) if its]
            assert sorted(told) == sorted(asked)


def during(found, start_us, end_us):
    """Steps that are under way in a window."""
    return {step for step in found if start_us <= step[4] and step[1] < end_us}


def test_of_nothing_that_is_not_sealed_there_is_no_movement(tmp_path):
    fixes = walks(np.random.default_rng(1), days=1)
    with FixStore(tmp_path / "fixes.duckdb") as store:
        with store.snapshot() as now:
            assert tail.moved(now, T, T + DAY_US) is None
        store.append(fixes)
        with store.snapshot() as now:
            assert tail.fresh(now, T - DAY_US, T) is None
            assert tail.moved(now, T - DAY_US, T) is None
        Keeper(store).seal(FIRST_DAY + 2)
        with store.snapshot() as now:
            assert tail.moved(now, T, T + DAY_US) is None


@pytest.mark.parametrize("seed", range(8))
def test_in_a_box_the_visits_are_those_of_all_fixes(seed, tmp_path):
    rng = np.random.default_rng(seed)
    fixes = walks(rng, devices=6, days=1, fixes=150)
    at = rng.integers(len(fixes))
    lon, lat = fixes.lon[at], fixes.lat[at]
    box = np.array([lon - 0.004, lat - 0.004, lon + 0.004, lat + 0.004])
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(fixes)
        with store.snapshot() as now:
            moved = tail.moved(now, T, T + 2 * DAY_US)
    near = tail.meeting(moved, box)
    found, expected = (inside(visits_of(some), box) for some in (near, moved))
    assert found == expected
    assert len(found) > 3
    assert len(near) < len(moved)


def inside(visits, box):
    """The visits to cells that lie in a box with all of their corners."""
    told = []
    for device, cell, *when in zip(*(visits.column(name).to_pylist() for name in NAMES), strict=True):
        corners = h3.cell_to_boundary(h3.int_to_str(cell))
        if all(box[0] < lon < box[2] and box[1] < lat < box[3] for lat, lon in corners):
            told.append((device, cell, *when))
    return sorted(told)
