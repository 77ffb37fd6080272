"""Visits are of the movement: what of the cells that the sample city's devices truly crossed they cover."""

import numpy as np
import pytest

from benchmarks.visits import coverage, crossed
from geo_policing.matching import Matcher
from geo_policing.tracks.searches import on_roads

DEVICES = 20


@pytest.fixture(scope="module")
def matcher(city):
    return Matcher(city.network)


@pytest.fixture(scope="module")
def covered(moved, matcher):
    """What is covered, by seconds between fixes."""
    movements = [movement for _, movement in moved[:DEVICES]]
    return {every_s: coverage(matcher, movements, every_s) for every_s in (15, 60, 180)}


def test_short_gaps_are_crossed_straight(covered):
    found = covered[15]
    assert found["cells"] > 800
    assert found["fixes"] < 0.9  # the fixes alone miss what lies between them
    assert found["straight"] > 0.95
    assert found["straight_wrong"] < 0.05


def test_a_minute_between_fixes_is_crossed_along_the_roads_where_they_are_known(covered):
    found = covered[60]
    assert found["roads"] > 0.95
    assert found["roads"] > found["straight"] + 0.05
    assert found["roads_wrong"] < found["straight_wrong"]


def test_a_gap_longer_than_the_limit_breaks_the_visit_and_the_roads_bridge_it(covered):
    found = covered[180]
    assert found["straight"] == found["fixes"]
    assert found["straight_wrong"] < 0.01
    assert found["roads"] > 0.85


def test_what_is_silent_for_longer_than_the_roads_bridge_was_in_its_cells_only(city, moved, matcher):
    (_, movement) = max(moved[:DEVICES], key=lambda m: np.ptp(m[1].x))
    at = np.array([0, 5, 10, 611, 616])
    lon, lat = city.network.plane.inverse(movement.x[at], movement.y[at])
    moved = on_roads(matcher, at * 1_000_000, lon, lat)
    assert not ((moved[0] > 10_000_000) & (moved[0] < 611_000_000)).any()
    _, first, last = crossed(*moved)
    for a, b in zip(first.tolist(), last.tolist(), strict=True):
        assert b <= 10_000_000 or a >= 611_000_000
