"""The rows of the movement through blocks, against plain loops that a reader can trust by eye."""

import h3
import numpy as np
import pytest

from geo_policing.geodesy import cells
from geo_policing.kernels import block_ways
from geo_policing.kernels.block_ways import FIRST, HERE, HOUR_US, LAST, ONWARD

STEPS = 300
HOUR_S = 3600


def drives(rng, n=60):
    """Three devices about an hour's end, that go 10 to 900 m at once, with gaps."""
    device = np.sort(rng.integers(0, 3, n)).astype(np.int32)
    step_s = rng.choice([3, 20, 60, 120, 121], n, p=[0.3, 0.3, 0.2, 0.1, 0.1])
    time = (HOUR_S * 500_000 - 600 + np.cumsum(step_s)) * 1_000_000
    time[rng.integers(0, n)] = HOUR_S * 500_000 * 1_000_000  # at the end of an hour to the microsecond
    order = np.lexsort((time, device))
    lon, lat = (at + np.cumsum(rng.normal(0, 2e-3, n)) for at in (113.13, 27.83))
    return device[order], time[order], lon, lat


def joined(a, b, time, lon, lat):
    metres = h3.great_circle_distance((lat[a], lon[a]), (lat[b], lon[b]), unit="m")
    elapsed = (time[b] - time[a]) / 1e6
    return elapsed <= 120 and metres <= 100 * elapsed + 200


def naive(device, time, lon, lat):
    """Return (block, hour, a, b) of the ways from fix a to b that small steps meet, and of each fix alone."""

    def block_at(x, y):
        return h3.str_to_int(h3.latlng_to_cell(y, x, 8))

    ways = set()
    for a in range(len(time) - 1):
        b = a + 1
        if device[a] != device[b] or not joined(a, b, time, lon, lat):
            continue
        for share in np.linspace(0, 1, STEPS):
            block = block_at(lon[a] + share * (lon[b] - lon[a]), lat[a] + share * (lat[b] - lat[a]))
            for hour in range(time[a] // HOUR_US, time[b] // HOUR_US + 1):
                ways.add((block, hour, a, b))
    return ways, {(block_at(lon[i], lat[i]), time[i] // HOUR_US, i) for i in range(len(time))}


@pytest.mark.parametrize("seed", range(25))
def test_rows_are_the_ways_that_small_steps_meet(seed):
    device, time, lon, lat = drives(np.random.default_rng(seed))
    fix, block, hour, flags = block_ways.rows(device, time, lon, lat, cells(lon, lat, 8), 8)
    order = np.lexsort((flags, time[fix], device[fix], block, hour))
    rows = list(zip(*(column[order].tolist() for column in (block, hour, fix, flags)), strict=True))
    found = set()
    for n, (its_block, its_hour, a, told) in enumerate(rows):
        if told & ONWARD:  # to the next row that is not the same fix again
            b = next(row for row in rows[n:] if row[2] != a)
            assert b[:2] == (its_block, its_hour)
            found.add((its_block, its_hour, a, b[2]))
    ways, here = naive(device.tolist(), time.tolist(), lon.tolist(), lat.tolist())
    assert found >= ways
    # What small steps do not meet is a corner that was cut by less than a step.
    assert len(found - ways) <= 4
    assert all(b == a + 1 for *_, a, b in found)
    # Each fix is in its own block and hour once.
    assert sorted(row[:3] for row in rows if row[3] & HERE) == sorted(here)
    for *_, a, told in rows:
        assert bool(told & FIRST) == (a == 0 or device[a - 1] != device[a])
        assert bool(told & LAST) == (a == len(time) - 1 or device[a + 1] != device[a])


@pytest.mark.parametrize("seed", range(25))
def test_what_is_near_a_box_has_each_way_whose_bounds_meet_it(seed):
    rng = np.random.default_rng(seed)
    device, time, lon, lat = drives(rng)
    flags = block_ways.chained(device)
    assert flags.tolist() == [
        (FIRST if a == 0 or device[a - 1] != device[a] else 0)
        | (LAST if a == len(time) - 1 or device[a + 1] != device[a] else ONWARD)
        for a in range(len(time))
    ]
    west, south = lon[20] - 1e-3, lat[20] - 1e-3
    box = np.array([west, south, west + 3e-3, south + 3e-3])
    rows, told = block_ways.near(time, lon, lat, flags, box)
    kept = rows.tolist()
    assert kept == sorted(set(kept))
    assert len(kept) < len(time)
    found = {(a, b) for a, b, told_of in zip(kept, kept[1:], told.tolist(), strict=False) if told_of & ONWARD}
    for a in range(len(time)):
        leads_on = bool(flags[a] & ONWARD)
        ends = [a, a + 1] if leads_on else [a]
        meets = max(lon[ends]) >= box[0] and min(lon[ends]) <= box[2]
        meets &= max(lat[ends]) >= box[1] and min(lat[ends]) <= box[3]
        if meets:
            assert set(ends) <= set(kept)
        if leads_on:
            assert ((a, a + 1) in found) == bool(meets)


@pytest.mark.parametrize("seed", range(25))
def test_a_fix_that_is_there_again_is_one_and_two_of_an_instant_are_told(seed):
    rng = np.random.default_rng(seed)
    n = 80
    device = np.sort(rng.integers(0, 6, n)).astype(np.int32)
    time = rng.integers(0, 10, n)
    lon = np.where(rng.random(n) < 0.1, 2.0, 1.0)
    flags = rng.integers(0, 16, n).astype(np.uint8)
    order = np.lexsort((time, device))
    device, time, lon, flags = (column[order] for column in (device, time, lon, flags))
    rows, told, is_double = block_ways.merged(device, time, lon, lon, flags, 7)
    together, places = {}, {}
    for d, t, x, told_of in zip(device.tolist(), time.tolist(), lon.tolist(), flags.tolist(), strict=True):
        together[d, t, x] = together.get((d, t, x), 0) | told_of
        places.setdefault((d, t), set()).add(x)
    double = {d for (d, _), xs in places.items() if len(xs) > 1}
    assert np.flatnonzero(is_double).tolist() == sorted(double)
    found = [(device[r], time[r], lon[r], f) for r, f in zip(rows.tolist(), told.tolist(), strict=True)]
    sure = [row for row in found if row[0] not in double]
    assert sure == [(*key, told_of) for key, told_of in sorted(together.items()) if key[0] not in double]


@pytest.mark.parametrize("seed", range(25))
def test_what_lies_on_ways_without_a_gap_is_covered(seed):
    rng = np.random.default_rng(seed)
    n = 60
    device = np.sort(rng.integers(0, 4, n)).astype(np.int32)
    time = np.concatenate([np.sort(rng.permutation(100)[: (device == d).sum()]) for d in range(4)])
    onward = np.append(device[1:] == device[:-1], False) & (rng.random(n) < 0.8)
    first = rng.integers(0, 100, 40)
    last = first + rng.integers(0, 20, 40)
    who = rng.integers(-1, 5, 40)
    found = block_ways.covered(device, time, onward, who, first, last)
    for k in range(40):
        on = np.zeros(200, bool)  # half units, so that a way's inside counts
        for i in np.flatnonzero(onward & (device == who[k])).tolist():
            on[2 * time[i] : 2 * time[i + 1] + 1] = True
        for i in np.flatnonzero(device == who[k]).tolist():
            on[2 * time[i]] = True
        assert found[k] == bool(on[2 * first[k] : 2 * last[k] + 1].all() and 2 * last[k] < 200)
    assert found.any()
