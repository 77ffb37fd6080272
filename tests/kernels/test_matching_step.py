"""A step by itself against `map_matching.forward`, which has its own naive twin."""

import numpy as np
import pytest

from geo_policing.kernels import map_matching, matching_step
from geo_policing.kernels.way_search import scratch
from tests.kernels.town import MODEL, Town, model_of


@pytest.mark.parametrize("most", [0, 3, 20])
@pytest.mark.parametrize("seed", range(4))
def test_step_by_step_a_trace_has_the_lattice_of_the_whole(seed, most):
    rng = np.random.default_rng(seed)
    town = Town(rng, n_nodes=12, n_streets=22)
    n, k, held = 14, 6, 2
    x, y = rng.uniform(200.0, 400.0, (2, 1)) + np.cumsum(rng.normal(0.0, 40.0, (2, n)), axis=1)
    # An outlier, so that states hold and go on from where they held.
    x[6] += 300.0
    edge, distance, offset = town.candidates(x, y, 500.0, k)
    emission = map_matching.emission_logp(distance, np.full(n, 20.0))
    table, model = town.table(most), model_of(MODEL)
    whole = map_matching.forward(x, y, emission, edge, offset, town.ways, table, held, model, False)
    to, by = matching_step.lattice(n, k + held), matching_step.room(k, k + held)
    to.edge[0, :k], to.offset[0, :k] = edge[0], offset[0]
    to.score[0, :k] = np.where(edge[0] >= 0, emission[0], -np.inf)
    on, stamp = scratch(0), 0
    for i in range(1, n):
        on, stamp = matching_step.advance(
            i, x, y, emission, edge, offset, town.ways, table, model, to, by, on, stamp
        )
    for ours, theirs in zip(to[:5], whole[:5], strict=True):
        there = whole[0] >= 0
        assert np.array_equal(np.where(there, ours, 0), np.where(there, theirs, 0))
    assert np.array_equal(to.step[1:], whole[5][1:])
    assert (whole[4][1:] == map_matching.HELD).any()
    # Some of the best came from a state that held.
    assert (whole[3][1:, :k] >= k).any()
