"""Who passes a line, and in which direction: as plain loops over fractions say, touched corners and all."""

import numpy as np
import pytest
import shapely

from geo_policing.errors import InvalidGeometry, InvalidInput, InvalidTimeWindow
from geo_policing.kernels import line_passages
from geo_policing.model import Halt
from geo_policing.store import FixStore
from geo_policing.store.history.keeper import Keeper
from geo_policing.store.history.questions import Questions
from geo_policing.tracks.searches import gate, passages
from tests.roads.town import grid
from tests.tracks.searches import naive
from tests.tracks.searches.towns import (
    DAY_US,
    EVER,
    MIDNIGHT,
    SOUTH,
    STEP,
    WEST,
    MemoryHistory,
    columns,
    random_window,
    town,
    window,
)


def place(x, y):
    return WEST + x * STEP, SOUTH + y * STEP


def random_line(rng):
    """On the grid, often along streets and through crossings, sometimes a ring; it does not cross itself."""
    while True:
        corners = np.cumsum(rng.integers(-4, 5, (int(rng.integers(2, 6)), 2)), axis=0)
        corners += rng.integers(0, 10, 2) - corners[0]
        if rng.random() < 0.2:
            corners = np.concatenate([corners, corners[:1]])
        if (np.diff(corners, axis=0) != 0).any(axis=1).all() and shapely.LineString(corners).is_simple:
            return [place(*at) for at in corners.tolist()]


@pytest.mark.parametrize("seed", range(200))
def test_passages_are_those_of_plain_loops(seed):
    rng = np.random.default_rng(seed)
    found, line, w = town(rng), random_line(rng), random_window(rng)
    if seed % 2:  # places with seven digits, as receivers send them
        found = {n: [(t, round(x, 7), round(y, 7)) for t, x, y in track] for n, track in found.items()}
        line = [(round(x, 7), round(y, 7)) for x, y in line]
    expected = [
        (name, *of_name)
        for name in sorted(found)
        for of_name in naive.passages(found[name], line, w.start_us, w.end_us)
    ]
    met = passages(MemoryHistory(found), line, w)
    assert [(p.device, p.rightwards, p.fix_us, p.next_fix_us) for p in met] == [
        (n, *e) for n, _, *e in expected
    ]
    assert all(abs(p.at_us - e[1]) <= 1 for p, e in zip(met, expected, strict=True))
    assert [p for p in met if p.rightwards] == passages(MemoryHistory(found), line, w, rightwards=True)
    back = passages(MemoryHistory(found), line[::-1], w)
    assert [(p.at_us, not p.rightwards) for p in back] == [(p.at_us, p.rightwards) for p in met]


#: From south to north: its left is the west.
LINE = [place(5, 0), place(5, 10)]


def directions(*places, line=LINE, every_s=60):
    track = [(MIDNIGHT + n * every_s * 1_000_000, *place(*at)) for n, at in enumerate(places)]
    return [p.rightwards for p in passages(MemoryHistory({"car": track}), line, EVER)]


def test_over_a_line_and_back():
    assert directions((4.5, 5), (5.5, 5)) == [True]
    assert directions((5.5, 5), (4.5, 5)) == [False]
    assert directions((4.5, 5), (5.5, 5), (4.5, 5)) == [True, False]


@pytest.mark.parametrize("side", [4.5, 5.5])
def test_to_touch_a_line_and_turn_back_is_no_passage(side):
    assert directions((side, 5), (5, 5), (side, 5.5)) == []
    assert directions((side, 5), (5, 5), (5, 5), (side, 5)) == []
    assert directions((side, 5), (5, 5), (5, 6), (side, 6)) == []


def test_to_stand_on_a_line_or_to_follow_it_is_part_of_the_passage():
    assert directions((4.5, 5), (5, 5), (5.5, 5)) == [True]
    assert directions((4.5, 5), (5, 5), (5, 5), (5, 6), (5, 5.5), (5.5, 5.5)) == [True]


def test_who_begins_or_ends_on_a_line_has_not_passed_it():
    assert directions((5, 5), (5.5, 5)) == []
    assert directions((4.5, 5), (5, 5)) == []
    assert directions((4.5, 5), (5, 5), (5, 5), every_s=121) == []


def test_the_ends_of_a_line_belong_to_it_and_beyond_them_is_no_line():
    assert directions((4.5, 10), (5.5, 10)) == [True]
    assert directions((4.5, 0), (5, 0), (5.5, 0)) == [True]
    assert directions((4.5, 10.01), (5.5, 10.01)) == []
    assert directions((5, 10.5), (5, 9.5), (5.5, 9.5)) == []  # from straight ahead of it: from neither side


def test_a_corner_is_passed_once_or_touched():
    corner = [
        place(0, 5),
        place(5, 5),
        place(5, 10),
    ]  # to the east, then to the north: its left is north-west
    assert directions((4.5, 5.5), (5.5, 4.5), line=corner) == [True]
    assert directions((5.5, 4.5), (4.5, 5.5), line=corner) == [False]
    assert directions((4.5, 4.5), (5.5, 5.5), line=corner) == []  # it stays outside
    assert directions((4.5, 4.5), (5, 5), (4.5, 5.5), line=corner) == [False]


def test_who_goes_over_two_arms_of_a_line_passes_twice():
    bent = [place(4, 10), place(4, 0), place(6, 0), place(6, 10)]  # down, and up again: its left is inside
    assert directions((3.5, 5), (6.5, 5), line=bent) == [False, True]
    ring = [place(4, 4), place(6, 4), place(6, 6), place(4, 6), place(4, 4)]
    assert directions((3.5, 3.5), (6.5, 6.5), line=ring, every_s=100) == [False, True]
    assert directions((3.5, 4.5), (4.5, 3.5), line=ring) == []  # it touches the corner where the ring closes


def test_a_gate_is_passed_rightwards_by_who_drives_along_its_edge():
    network = grid(4)
    there, back = (network.edge_ids.index(name) for name in ("1>2", "2>1"))
    lonlat = network.lonlat(there)
    track = [(MIDNIGHT + n * 20_000_000, *at) for n, at in enumerate([lonlat[0], lonlat[1], lonlat[0]])]
    history = MemoryHistory({"car": track})
    assert [p.rightwards for p in passages(history, gate(network, there), EVER)] == [True, False]
    assert [p.rightwards for p in passages(history, gate(network, back), EVER)] == [False, True]
    (first, _) = passages(history, gate(network, there, share=0.25), EVER)
    assert first.at_us == pytest.approx(MIDNIGHT + 5_000_000, abs=10)
    (ax, ay), (bx, by) = gate(network, there, width_m=40)
    x, y = network.plane.forward([ax, bx], [ay, by])
    assert np.hypot(x[1] - x[0], y[1] - y[0]) == pytest.approx(40)


@pytest.mark.parametrize("step_s", [0, 10, 60])
def test_a_passage_over_midnight_is_there_once_however_the_days_are_sealed(tmp_path, step_s):
    """Its fixes lie in two days; the line is reached before midnight, at midnight, or after it."""
    track = [(MIDNIGHT - 60_000_000 + step_s * 1_000_000, *place(4.5, 5))]
    track.append((track[0][0] + 100_000_000, *place(5.5, 5)))
    fixes = columns({"car": track})
    expected = passages(MemoryHistory({"car": track}), LINE, EVER)
    assert len(expected) == 1
    before, after = window(MIDNIGHT - DAY_US, MIDNIGHT), window(MIDNIGHT, MIDNIGHT + DAY_US)
    with FixStore(tmp_path / "fixes.duckdb") as store:
        asked, keeper = Questions(store), Keeper(store)
        store.append(fixes.take(slice(0, 1)))
        keeper.seal(MIDNIGHT // DAY_US)
        store.append(fixes.take(slice(1, 2)))
        for _ in range(3):
            assert passages(asked, LINE, EVER) == expected
            assert passages(asked, LINE, before) + passages(asked, LINE, after) == expected
            keeper.seal(MIDNIGHT // DAY_US + 2)
            keeper.compact()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ([(113, 27)], "two or more places"),
        ([(113, 27), (113, 27)], "each different from the next"),
        ([(113, 27), (113, np.nan)], "off the earth"),
        ([(113, 27), (113.1, 27.1), (113.1, 27), (113, 27.1)], "crosses or touches itself"),
        ([(113 + n / 1e6, 27) for n in range(2001)], "at most 2000"),
    ],
)
def test_a_line_that_is_none_is_refused(line, says):
    with pytest.raises(InvalidGeometry, match=says):
        passages(MemoryHistory({}), line, EVER)


def test_a_gate_that_cannot_be_is_refused():
    network = grid(2)
    for options, says in (
        ({"edge": 99}, "edge 99"),
        ({"edge": 0, "width_m": 0}, "width_m 0"),
        ({"edge": 0, "share": 1}, "share 1"),
    ):
        with pytest.raises(InvalidInput, match=says):
            gate(network, **options)
    with pytest.raises(InvalidTimeWindow, match="longer than 31 days"):
        passages(MemoryHistory({}), LINE, window(0, 3650 * DAY_US))
    assert passages(MemoryHistory({"car": []}), [(100.0, 20.0), (100.0, 20.1)], EVER) == []


@pytest.mark.parametrize("beside", [1e-15, 1e-18, 1e-20, 1e-25])
def test_who_stops_a_hair_beside_the_line_has_passed_it_once(beside):
    """So near that the share of the way up to the line is 1, or 0, to the last bit of a number."""
    line = np.zeros(2), np.array([-1e-3, 1e-3])
    time = np.array([0, 1, 2], np.int64) * 60_000_000
    for at in (beside, -beside):
        lon = np.array([-1e-3, at, 1e-3])
        device, _, side, first, last = line_passages.passages(
            *(np.zeros(3, np.int32), time, lon, np.zeros(3), *line, 0, 200_000_000, Halt().flag)
        )
        before = 0 if at > 0 else 1
        assert (len(device), side.tolist()) == (1, [1])
        assert (first.tolist(), last.tolist()) == ([before], [before + 1])
