"""How sure edges are against sums over all sequences."""

import itertools

import numpy as np
import pytest

from geo_policing.kernels import map_matching, path_confidence, path_joining
from tests import naive
from tests.kernels.town import MODEL, Town, model_of


@pytest.mark.parametrize("seed", range(4))
def test_the_posterior_of_a_chain_is_that_of_the_sequences_which_hold_it(seed):
    step = np.random.default_rng(seed).normal(0.0, 2.0, (5, 3, 3)).astype(np.float32)
    step[0, 1:] = -np.inf
    chosen = np.array([0, 2, 1, 1, 0])
    found = list(naive.sequences(step))
    holding = sum(weight for states, weight in found if list(states[1:4]) == [2, 1, 1])
    chained = path_confidence.chained(1, 3, chosen, *map_matching.posterior(step))
    assert chained == pytest.approx(holding / sum(weight for _, weight in found), abs=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_an_edge_is_as_sure_as_all_the_ways_that_pass_it(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng, n_nodes=12, n_streets=22)
    n, k = 6, 5
    x, y = rng.uniform(200.0, 400.0, (2, 1)) + np.cumsum(rng.normal(0.0, 60.0, (2, n)), axis=1)
    edge, distance, offset = town.candidates(x, y, 500.0, k)
    emission = map_matching.emission_logp(distance, np.full(n, 60.0))
    table, model = town.table(20), model_of(MODEL)
    edge, offset, score, back, how, step = map_matching.forward(
        x, y, emission, edge, offset, town.ways, table, 0, model, False
    )
    chosen, used = map_matching.trace_back(score, back), np.arange(n)
    of_state, links = map_matching.posterior(step)
    places = edge[used, chosen], offset[used, chosen], how[used, chosen]
    path, at, starts, *_ = path_joining.join(*places, np.zeros(n, bool), town.ways, table)
    sure = path_confidence.of_edges(
        *(path, at, starts, used, chosen, edge, offset, of_state, links),
        *(k, model.backward_m, 30.0, town.ways, table),
    )
    best, passed = np.zeros(len(path)), np.zeros(len(path), bool)
    for i in range(n):
        best[at[i]] = max(best[at[i]], of_state[i, chosen[i]])
        if i == 0 or starts[i]:
            continue
        for p in range(at[i - 1], at[i] + 1):
            total = map_matching.linked(i, chosen[i - 1], chosen[i], links)
            for h, j in itertools.product(range(k), repeat=2):
                if (h, j) == (chosen[i - 1], chosen[i]) or edge[i - 1, h] < 0 or edge[i, j] < 0:
                    continue
                a, b = int(edge[i - 1, h]), int(edge[i, j])
                way = {a, b}
                on_along = a == b and offset[i, j] >= offset[i - 1, h] - model.backward_m
                if not on_along and town.ways.reverse[a] != b:
                    way |= set(path_joining.between(a, b, town.ways, table)[1].tolist())
                total += map_matching.linked(i, h, j, links) if path[p] in way else 0.0
            best[p], passed[p] = max(best[p], min(total, 1.0)), True
    for p in range(len(path)):
        # What is less likely than 0.001 is left out, of 25 transitions.
        if passed[p]:
            low, high = (path_confidence.calibrated(best[p] + d, 30.0) for d in (-0.025, 1e-6))
            assert low <= sure[p] <= high + 1e-9
        else:
            assert sure[p] == pytest.approx(best[p])


def test_confidence_grows_with_the_posterior_and_is_less_for_sparser_fixes():
    given = np.linspace(0.0, 1.0, 101)
    for usual_s in (0.0, 1.0, 30.0, 300.0):
        shares = [path_confidence.calibrated(p, usual_s) for p in given.tolist()]
        assert (np.diff(shares[:-1]) > 0).all()
        assert shares[0] > 0.0
        assert shares[-1] < 1.0
    at = [path_confidence.calibrated(0.9, usual_s) for usual_s in (1.0, 15.0, 30.0, 120.0, 300.0)]
    assert at[0] == at[1] > at[2] > at[3] == at[4]
    # log(q / (1 - q)) = 0.56 log 9 + 0.52 = 1.7504
    assert at[2] == pytest.approx(0.8520, abs=1e-4)
