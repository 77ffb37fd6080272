"""The cells that a movement crosses, against a walk in small steps that a reader can trust by eye."""

import h3
import numpy as np
import pytest

from geo_policing.geodesy import cells
from geo_policing.kernels import cell_visits

STEPS = 400


def naive(device, time, lon, lat, mine):
    """Return the (device, cell) that small steps along each movement meet, and when; 0.1 s is a long time."""
    found = {}
    for i in range(len(time)):
        ways = [(i, i)] if mine[i] else []
        if i and device[i] == device[i - 1] and (mine[i] or mine[i - 1]):
            metres = h3.great_circle_distance((lat[i - 1], lon[i - 1]), (lat[i], lon[i]), unit="m")
            elapsed = (time[i] - time[i - 1]) / 1e6
            if elapsed <= 120 and metres <= 100 * elapsed + 200:
                ways.append((i - 1, i))
        for a, b in ways:
            for share in np.linspace(0, 1, STEPS if b > a else 1):
                at = [x[a] + share * (x[b] - x[a]) for x in (lat, lon, time)]
                cell = h3.str_to_int(h3.latlng_to_cell(at[0], at[1], 10))
                found.setdefault((device[i], cell), []).append(at[2])
    return found


@pytest.mark.parametrize("seed", range(12))
def test_visits_are_the_cells_that_small_steps_meet(seed):
    rng = np.random.default_rng(seed)
    n = 40
    device = np.sort(rng.integers(0, 3, n)).astype(np.int32)
    time = np.sort(rng.integers(0, 2_000, n)) * 1_000_000
    time = np.concatenate([time[device == d] for d in range(3)])
    lon, lat = (at + np.cumsum(rng.normal(0, 2e-3, n)) for at in (113.13, 27.83))
    mine = rng.random(n) < 0.7
    found = cell_visits.visits(device, time, lon, lat, cells(lon, lat), mine, 10)
    met = naive(device.tolist(), time.tolist(), lon.tolist(), lat.tolist(), mine)
    assert {(d, c) for d, c, *_ in zip(*(f.tolist() for f in found), strict=True)} >= set(met)
    spans = {}
    for d, c, first, last in zip(*(f.tolist() for f in found), strict=True):
        assert first <= last
        spans.setdefault((d, c), []).append((first, last))
    for key, times in met.items():
        assert all(any(first <= t <= last for first, last in spans[key]) for t in times)
    # What small steps do not meet is a corner that was cut by less than a step.
    assert len(set(spans) - set(met)) <= 2


def test_a_gap_or_an_impossible_jump_ends_a_visit():
    lon, lat = np.full(4, 113.13), np.array([27.83, 27.83, 27.83, 27.9])
    time = np.array([0, 60, 300, 310]) * 1_000_000
    found = cell_visits.visits(np.zeros(4, np.int32), time, lon, lat, cells(lon, lat), np.ones(4, bool), 10)
    assert [(f, t) for f, t in zip(found[2].tolist(), found[3].tolist(), strict=True)] == [
        (0, 60_000_000),
        (300_000_000, 300_000_000),
        (310_000_000, 310_000_000),
    ]


def test_nothing_gives_nothing():
    empty = np.empty(0)
    found = cell_visits.visits(
        empty.astype(np.int32),
        empty.astype(np.int64),
        empty,
        empty,
        empty.astype(np.uint64),
        empty.astype(bool),
        10,
    )
    assert [len(column) for column in found] == [0, 0, 0, 0]
