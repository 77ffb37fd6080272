"""The nearest edges against their naive twin."""

import numpy as np
import pytest

from tests import naive
from tests.kernels.town import Town


@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_edges_are_those_of_the_textbook(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng)
    x, y = rng.uniform(-100.0, 700.0, (2, 30))
    town.length_m = town.length_m if seed % 2 else town.drawn_m
    edge, distance, offset = town.candidates(
        x, y, 80.0, 5, wide_m=150.0, cell_m=[20.0, 50.0, 300.0][seed % 3]
    )
    for i in range(len(x)):
        expected = naive.nearest_edges(x[i], y[i], town.lines, town.length_m, 80.0, 5)
        # A point that has none within the radius looks farther.
        expected = expected or naive.nearest_edges(x[i], y[i], town.lines, town.length_m, 150.0, 5)
        count = len(expected)
        assert (edge[i, count:] == -1).all()
        assert distance[i, :count] == pytest.approx([d for _, d, _ in expected])
        # Both directions of a street are equally near: which comes first is open.
        assert offset[i, :count] == pytest.approx(
            [
                naive.distance_to_line(x[i], y[i], town.lines[e])[1] / town.drawn_m[e] * town.length_m[e]
                for e in edge[i, :count]
            ]
        )
