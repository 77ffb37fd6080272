"""What turning costs, and which roads feel short."""

import numpy as np
import pytest

from geo_policing.roads import Access
from geo_policing.tracks.turns import FEELS, Turns
from tests.matching.city import grid


@pytest.fixture(scope="module")
def town():
    return grid(6, forbidden=[("7>8", "8>14")])


def cost(town, turns, metres, a, b):
    """Metres that turning from the one edge into the other costs; None where nobody may."""
    number = {name: k for k, name in enumerate(town.edge_ids)}
    at = np.flatnonzero((turns.source == number[a]) & (turns.target == number[b]))
    return float(metres[at[0]]) if len(at) else None


def test_a_turn_costs_by_its_angle_a_crossing_and_turning_back_what_is_said(town):
    turns = Turns.of(town, Access.CAR)
    _, metres = turns.felt(0.0, 90.0, 7.0, 300.0)
    assert cost(town, turns, metres, "13>14", "14>15") == pytest.approx(7.0, abs=0.5)
    assert cost(town, turns, metres, "13>14", "14>20") == pytest.approx(97.0, abs=1.0)
    assert cost(town, turns, metres, "13>14", "14>13") == 300.0
    assert cost(town, turns, metres, "7>8", "8>14") is None
    # At the corner of the town two edges leave: no crossing.
    assert cost(town, turns, metres, "1>0", "0>6") == pytest.approx(90.0, abs=1.0)


def test_turning_back_at_a_dead_end_costs_nothing():
    closed = [f"{a}>{b}" for a, b in ((0, 6), (6, 0))]
    town = grid(6, closed=closed)
    turns = Turns.of(town, Access.CAR)
    _, metres = turns.felt(0.0, 90.0, 7.0, 300.0)
    assert cost(town, turns, metres, "1>0", "0>1") == 0.0


def test_a_long_straight_road_feels_shorter_and_nothing_beyond_bounds(town):
    feels, _ = Turns.of(town).felt(0.1, 0.0, 0.0, 0.0)
    # Each road of the town goes straight on for a kilometre.
    assert feels == pytest.approx(1.0, abs=0.02)
    alone, _ = Turns.of(grid(2)).felt(0.1, 0.0, 0.0, 0.0)
    assert alone == pytest.approx(0.2**-0.1, abs=0.02)
    assert Turns.of(grid(2)).felt(9.0, 0.0, 0.0, 0.0)[0] == pytest.approx(FEELS[1])
    assert Turns.of(town).felt(0.0, 0.0, 0.0, 0.0)[0] == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(3))
def test_shares_are_exponentials_over_their_sum_at_each_edge(town, seed):
    turns, rng = Turns.of(town), np.random.default_rng(seed)
    coefficients = rng.normal(size=(4, turns.features.shape[1]))
    some = np.flatnonzero((rng.random(town.n_edges) < 0.5)[turns.source])
    found, alone = turns.shares(coefficients), turns.shares(coefficients, some)
    for edge in range(town.n_edges):
        mine = [t for t in range(len(turns.source)) if turns.source[t] == edge]
        for band in range(4):
            weight = [np.exp(turns.features[t] @ coefficients[band]) for t in mine]
            assert found[mine, band] == pytest.approx(np.array(weight) / sum(weight))
    assert alone == pytest.approx(found[some])
    assert turns.shares(coefficients, some[:0]).shape == (0, 4)
