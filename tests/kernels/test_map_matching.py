"""The model of the matcher against its naive twin."""

import itertools
import math

import numpy as np
import pytest

from geo_policing.kernels import map_matching
from tests import naive
from tests.kernels.town import HOW, MODEL, Town, model_of


def test_emission_and_course_are_their_formulas():
    rng = np.random.default_rng(0)
    distance_m, sigma_m = rng.uniform(0.0, 90.0, (4, 3)), rng.uniform(2.0, 20.0, 4)
    distance_m[1, 2] = math.inf
    heading_deg, course_deg = rng.uniform(0.0, 360.0, (4, 3)), np.array([10.0, 350.0, math.nan, 90.0])
    heading_deg[0, 1] = math.nan
    kappa = np.array([2.0, 2.0, 2.0, 0.0])
    emission = map_matching.emission_logp(distance_m, sigma_m)
    course = map_matching.course_logp(heading_deg, course_deg, kappa)
    for i, j in np.ndindex(4, 3):
        z = distance_m[i, j] / sigma_m[i]
        far = map_matching.FAR
        # Beyond FAR it goes on along its tangent.
        assert emission[i, j] == pytest.approx(-(z**2) / 2 if z <= far else -(far**2) / 2 - far * (z - far))
        known = i < 2 and (i, j) != (0, 1)
        angle = math.radians(heading_deg[i, j] - course_deg[i]) if known else 0.0
        assert course[i, j] == pytest.approx(2.0 * (math.cos(angle) - 1.0), abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_the_best_sequence_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng)
    n, k = 4, 2
    x, y = rng.uniform(0.0, 600.0) + np.cumsum(rng.normal(0.0, 90.0, (2, n)), axis=1)
    edge, distance, offset = town.candidates(x, y, 1000.0, k)
    emission = map_matching.emission_logp(distance / 20.0, np.full(n, 5.0))
    # As many held states as there can be places before: nothing is left out, as in the twin.
    state_edge, _, score, back, how, _ = map_matching.forward(
        x, y, emission, edge, offset, town.ways, town.table(0), 2 * n, model_of(MODEL), False
    )
    chosen = map_matching.trace_back(score, back)
    expected, choice = naive.best_sequence(town.roads, x, y, emission, edge, offset, MODEL)
    assert score[-1].max() == pytest.approx(expected)
    assert [j if j < k else -1 for j in chosen.tolist()] == list(choice)
    last = 0
    for i in range(1, n):
        if choice[i] < 0:
            assert state_edge[i, chosen[i]] == edge[last, choice[last]]
            continue
        way = math.dist((x[i], y[i]), (x[last], y[last]))
        _, expected_how = naive.transition_logp(
            *(town.roads, edge[last, choice[last]], offset[last, choice[last]]),
            *(edge[i, choice[i]], offset[i, choice[i]], way, MODEL),
        )
        assert HOW[how[i, chosen[i]]] == expected_how
        last = i


@pytest.mark.parametrize("seed", range(6))
def test_every_transition_weighs_what_the_model_says(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng, n_nodes=12, n_streets=22)
    n, k = 12, 6
    x, y = rng.uniform(200.0, 400.0, (2, 1)) + np.cumsum(rng.normal(0.0, 25.0, (2, n)), axis=1)
    edge, distance, offset = town.candidates(x, y, 500.0, k)
    emission = map_matching.emission_logp(distance, np.full(n, 30.0))
    # Where a jump is dearer than any detour, nothing ends a search before all is reached.
    model = MODEL | {"jump_cost": 12.0 if seed % 2 else 70.0}
    _, _, score, back, _, step = map_matching.forward(
        x, y, emission, edge, offset, town.ways, town.table(0), 0, model_of(model), False
    )
    seen = set()
    for i in range(1, n):
        way = math.dist((x[i], y[i]), (x[i - 1], y[i - 1]))
        for h, j in np.ndindex(k, k):
            if edge[i - 1, h] < 0 or edge[i, j] < 0:
                assert step[i, h, j] == -np.inf
                continue
            weight, how = naive.transition_logp(
                town.roads, edge[i - 1, h], offset[i - 1, h], edge[i, j], offset[i, j], way, model
            )
            weight += emission[i, j]
            # What cannot matter is not worked out.
            assert not step[i, h, j] > weight + 1e-3 - 1e-4 * weight
            if back[i, j] == h and score[i, j] > score[i].max() - map_matching.BEAM:
                assert step[i, h, j] == pytest.approx(weight, rel=1e-4, abs=1e-3)
                seen.add(how)
    assert "ahead" in seen


@pytest.mark.parametrize("seed", range(6))
def test_what_the_table_knows_is_not_searched_for_and_says_the_same(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng, n_nodes=12, n_streets=22)
    n, k = 12, 6
    x, y = rng.uniform(200.0, 400.0, (2, 1)) + np.cumsum(rng.normal(0.0, 40.0, (2, n)), axis=1)
    edge, distance, offset = town.candidates(x, y, 500.0, k)
    emission = map_matching.emission_logp(distance, np.full(n, 30.0))
    scores = []
    for most in (0, 3, 20):
        _, _, score, *_ = map_matching.forward(
            x, y, emission, edge, offset, town.ways, town.table(most), 2, model_of(MODEL), False
        )
        scores.append(score[-1].max())
    # A way that starts or ends by turning back may be longer in the table than it has to be.
    assert scores[1] == pytest.approx(scores[0], abs=1.5)
    assert scores[2] == pytest.approx(scores[0], abs=1.5)


@pytest.mark.parametrize("seed", range(4))
def test_the_posterior_is_that_of_every_sequence_added_up(seed):
    rng = np.random.default_rng(seed)
    n, s = 4, 3
    step = rng.normal(0.0, 2.0, (n, s, s)).astype(np.float32)
    step[0, 1:] = -np.inf
    step[2, 1, 0] = -np.inf
    state, links = map_matching.posterior(step)
    pair = np.zeros((n, s, s))
    for i, h, j in itertools.product(range(1, n), range(s), range(s)):
        pair[i, h, j] = map_matching.linked(i, h, j, links)
    of_state, of_pair = naive.posterior(step)
    assert state == pytest.approx(of_state, abs=1e-5)
    assert pair == pytest.approx(of_pair, abs=1e-5)
