"""Turns and roads that go on against their naive twins."""

import math

import numpy as np
import pytest

from geo_policing.kernels import turning
from tests.kernels.town import Town


@pytest.mark.parametrize("seed", range(4))
def test_what_a_turn_costs_follows_from_its_angle(seed):
    town = Town(np.random.default_rng(seed))
    offset, cost = town.ways.turn_offset, town.ways.turn_cost
    assert len(cost) == np.diff(town.out_offset)[town.to_node].sum()
    for e in range(len(town.length_m)):
        expected = dict(town.roads.turns(e))
        first, last = town.out_offset[town.to_node[e]], town.out_offset[town.to_node[e] + 1]
        for j, f in enumerate(town.out_edge[first:last].tolist()):
            assert cost[offset[e] + j] == pytest.approx(expected.get(f, math.inf))


@pytest.mark.parametrize("seed", range(4))
def test_a_road_goes_on_where_two_edges_agree_that_it_does(seed):
    town = Town(np.random.default_rng(seed), n_nodes=12, n_streets=22)
    ends = turning.end_headings(town.vertex_offset, town.vertex_x, town.vertex_y)
    out_offset, out_edge, reverse = town.adjacency[1:]
    found = turning.through_lengths(town.to_node, town.length_m, out_offset, out_edge, reverse, *ends, 0.7)
    assert found == pytest.approx(town.roads.through_lengths(0.7))
    assert (found > town.length_m + 1.0).any()
