"""Between fixes a device moves along the roads where a match knows which, and is found there."""

import numpy as np
import pytest

from geo_policing.matching import Matcher
from geo_policing.store import FixStore
from geo_policing.store.history.keeper import Keeper
from geo_policing.store.history.questions import Questions
from geo_policing.tracks.searches import Area, OnRoads, companions, passages, presence, presences
from tests.roads.town import STEP_DEG, grid
from tests.tracks.searches.towns import DAY_US, EVER, MIDNIGHT, MemoryHistory, columns


@pytest.fixture(scope="module")
def matcher():
    return Matcher(grid(6))


def at(column, row):
    return 113.13 + STEP_DEG * column, 27.83 + STEP_DEG * row


def drive(start_s, *places, every_s=60):
    return [(MIDNIGHT + (start_s + n * every_s) * 1_000_000, *at(*p)) for n, p in enumerate(places)]


#: East along a street, around the corner at (3, 0), and north: no fix is near the corner.
CORNER = [(0.5, 0), (1.3, 0), (2.1, 0), (3, 1.1), (3, 1.9), (3, 2.7)]
AT_THE_CORNER = Area.circle(*at(3, 0), 40)


def test_who_drives_around_a_corner_was_at_the_corner(matcher):
    history = MemoryHistory({"car": drive(0, *CORNER)})
    assert presences(history, AT_THE_CORNER, EVER) == []
    (one,) = presences(OnRoads(history, matcher), AT_THE_CORNER, EVER)
    assert MIDNIGHT + 120_000_000 < one.enter_us < one.leave_us < MIDNIGHT + 180_000_000


def test_a_line_across_the_street_is_passed_where_the_street_is(matcher):
    history = MemoryHistory({"car": drive(0, *CORNER)})
    line = [at(2.7, 0.1), at(2.7, -0.1)]
    assert passages(history, line, EVER) == []
    (one,) = passages(OnRoads(history, matcher), line, EVER)
    assert not one.rightwards


def test_two_who_meet_at_a_corner_where_neither_has_a_fix_are_company(matcher):
    # One comes from the west and turns north, the other from the north and turns west, at the same time.
    found = {"car": drive(0, *CORNER), "other": drive(0, *CORNER[::-1])}
    straight = companions(MemoryHistory(found), "car", EVER, places=1, within_s=10)
    met = companions(OnRoads(MemoryHistory(found), matcher), "car", EVER, places=1, within_s=10)
    assert [c.device for c in met] == ["other"]
    assert not straight or met[0].places >= straight[0].places


def test_fixes_stay_where_they_are_and_ways_off_the_roads_are_straight(matcher):
    off = [(MIDNIGHT + n * 30_000_000, 113.2 + n * 1e-3, 27.9) for n in range(4)]
    history = OnRoads(MemoryHistory({"car": drive(0, *CORNER), "boat": off}), matcher)
    moves = history.moves(EVER.start_us, EVER.end_us, ["car", "boat"])
    boat, car = (moves.time[moves.device == code] for code in (0, 1))
    assert boat.tolist() == [t for t, *_ in off]
    assert set(car.tolist()) > {t for t, *_ in drive(0, *CORNER)}
    assert (np.diff(car) > 0).all()


@pytest.mark.parametrize(("every_s", "known"), [(300, True), (601, False)])
def test_a_silence_is_filled_up_to_ten_minutes(matcher, every_s, known):
    history = OnRoads(MemoryHistory({"car": drive(0, *CORNER, every_s=every_s)}), matcher)
    assert bool(presences(history, AT_THE_CORNER, EVER)) == known


def test_nobody_is_nowhere(matcher):
    history = OnRoads(MemoryHistory({}), matcher)
    assert presences(history, AT_THE_CORNER, EVER) == []
    assert len(history.moves(0, DAY_US, ["ghost"])) == 0
    assert len(history.visits(np.empty(0, np.uint64), 0, DAY_US)) == 0


def test_a_store_is_searched_along_the_roads_as_well(matcher, tmp_path):
    track = drive(-150, *CORNER)  # it turns the corner at midnight
    expected = presences(OnRoads(MemoryHistory({"car": track}), matcher), AT_THE_CORNER, EVER)
    assert len(expected) == 1
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(columns({"car": track}))
        for _ in range(2):
            assert presences(OnRoads(Questions(store), matcher), AT_THE_CORNER, EVER) == expected
            Keeper(store).seal(MIDNIGHT // DAY_US)


def test_many_at_a_place_are_found_by_what_is_near_it_as_one_by_one(matcher, monkeypatch):
    rng = np.random.default_rng(2)
    found = {f"car-{n}": drive(int(rng.integers(-300, 300)), *CORNER) for n in range(8)}
    history = OnRoads(MemoryHistory(found), matcher)
    expected = presences(history, AT_THE_CORNER, EVER)
    assert len(expected) == 8
    monkeypatch.setattr(presence, "FEW", 0)
    monkeypatch.setattr("geo_policing.tracks.searches.history.DEVICE_DAYS", 4)
    assert presences(history, AT_THE_CORNER, EVER) == expected
