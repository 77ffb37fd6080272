"""Headings of candidates against their naive twin."""

import math

import numpy as np
import pytest

from geo_policing.kernels import edge_candidates
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


def test_an_edge_that_is_a_point_has_no_heading():
    point = (np.array([0, 2]), np.zeros(2), np.zeros(2), np.zeros(1))
    assert np.isnan(edge_candidates.headings(np.zeros((1, 1), np.int32), np.zeros((1, 1)), *point)).all()
