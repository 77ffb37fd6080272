"""Paths over places against the least ways of their naive twin."""

import math

import numpy as np
import pytest

from geo_policing.kernels import map_matching, path_joining
from tests import naive
from tests.kernels.town import Town


@pytest.mark.parametrize("seed", range(8))
def test_places_are_joined_by_least_ways_and_broken_where_there_is_none(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng)
    n = 14
    edge = np.repeat(rng.integers(0, len(town.length_m), n // 2), 2).astype(np.int32)
    offset = rng.uniform(0.0, 1.0, n) * town.length_m[edge]
    how = np.full(n, map_matching.BY_WAY, np.int8)
    how[1::2] = map_matching.AHEAD
    how[rng.random(n) < 0.1] = map_matching.JUMP
    new = rng.random(n) < 0.2
    path, at, starts, entered, left = path_joining.join(edge, offset, how, new, town.ways, town.table(0))
    assert path[at].tolist() == edge.tolist()
    assert at[-1] == len(path) - 1
    assert starts[0]
    for i in range(1, n):
        a, b = int(edge[i - 1]), int(edge[i])
        if how[i] == map_matching.AHEAD:
            assert left[i] == max(left[i - 1], offset[i])
            moved = left[i] > left[i - 1]
            assert (starts[i], at[i] - at[i - 1]) == ((True, 1) if new[i] and moved else (False, 0))
        elif new[i] or how[i] == map_matching.JUMP or math.isinf(town.roads.cost_to(a, 0.0, b)):
            assert (starts[i], at[i] - at[i - 1]) == (True, 1)
            assert entered[i] == left[i] == offset[i]
        else:
            assert not starts[i]
            cost = town.roads.path_cost(path[at[i - 1] : at[i] + 1].tolist())
            assert cost == pytest.approx(town.roads.cost_to(a, 0.0, b))


def test_who_turns_back_within_an_edge_does_so_at_the_farthest_place():
    town = Town(np.random.default_rng(0))
    a = int(np.flatnonzero(town.reverse >= 0)[0])
    b = int(town.reverse[a])
    length = town.length_m[a] = town.length_m[b] = 100.0
    how = np.array([map_matching.BY_WAY, map_matching.AHEAD, map_matching.BACK], np.int8)
    for offset, turn in [([10.0, 40.0, 80.0], 40.0), ([10.0, 40.0, 30.0], 70.0)]:
        path, at, starts, entered, left = path_joining.join(
            np.array([a, a, b], np.int32), np.array(offset), how, np.zeros(3, bool), town.ways, town.table(5)
        )
        assert (path.tolist(), at.tolist(), starts.tolist()) == ([a, b], [0, 0, 1], [True, False, True])
        assert left.tolist() == [10.0, turn, offset[2]]
        assert entered[2] == length - turn


@pytest.mark.parametrize("seed", range(5))
def test_a_fix_speaks_for_those_near_it_that_follow(seed):
    rng = np.random.default_rng(seed)
    x, y = np.cumsum(rng.normal(0.0, 5.0, (2, 60)), axis=1)
    assert path_joining.thin(x, y, 12.0).tolist() == naive.speakers(x, y, 12.0)
    x[-1], y[-1] = x[-2], y[-2]
    assert path_joining.thin(x, y, 12.0).tolist() == naive.speakers(x, y, 12.0)
