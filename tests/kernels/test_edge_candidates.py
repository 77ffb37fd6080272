"""Headings and places of candidates against their naive twins."""

import math

import numpy as np
import pytest

from geo_policing.kernels import edge_candidates, edge_grid
from tests import naive
from tests.kernels.town import Town


@pytest.mark.parametrize("seed", range(3))
def test_the_heading_is_that_of_the_segment_one_is_on(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng)
    edge = np.array([[0, 1, -1], [2, 3, 4]], np.int32)
    share = rng.uniform(0.0, 1.0, edge.shape)
    heading = edge_candidates.headings(edge, share * town.length_m[edge], *town.geometry)
    for i, j in np.ndindex(edge.shape):
        if edge[i, j] < 0:
            assert math.isnan(heading[i, j])
        else:
            assert heading[i, j] == pytest.approx(naive.heading_deg(town.lines[edge[i, j]], share[i, j]))


@pytest.mark.parametrize("seed", range(3))
def test_a_place_on_an_edge_is_where_one_has_gone_so_far(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng)
    edge = rng.integers(0, len(town.lines), 40).astype(np.int32)
    # Both ends, and a little beyond them, as rounding has it.
    share = np.concatenate([[0.0, 1.0, -1e-9, 1.0 + 1e-9], rng.uniform(0.0, 1.0, 36)])
    along = edge_grid.along(*town.geometry)
    edge[7] = -1
    x, y = edge_candidates.points(edge, share * town.length_m[edge], *town.geometry[:3], along)
    assert math.isnan(x[7])
    assert math.isnan(y[7])
    for i in range(40):
        if i != 7:
            expected = naive.point_at(town.lines[edge[i]].tolist(), min(max(share[i], 0.0), 1.0))
            assert (x[i], y[i]) == pytest.approx(expected)


def test_an_edge_that_is_a_point_has_no_heading_and_one_place():
    point = (np.array([0, 2]), np.full(2, 5.0), np.full(2, 7.0), np.zeros(1))
    place = edge_candidates.points(np.zeros(1, np.int32), np.zeros(1), *point[:3], np.zeros(2))
    assert [float(c[0]) for c in place] == [5.0, 7.0]
    assert np.isnan(edge_candidates.headings(np.zeros((1, 1), np.int32), np.zeros((1, 1)), *point)).all()
