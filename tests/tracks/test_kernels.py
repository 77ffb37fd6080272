"""The kernels of the reconstruction against their naive twins."""

import numpy as np
import pytest

from geo_policing.kernels import bin_filter, bin_steps, bin_ways, shortest_trees
from tests.tracks import naive


def random_roads(seed, edges=7):
    """bin_m, bin_edge, first_bin, turns and shares of each edge, and the same as the kernel takes them."""
    rng = np.random.default_rng(seed)
    n_bins = rng.integers(1, 4, edges)
    first = np.concatenate([[0], np.cumsum(n_bins)]).astype(np.int32)
    bin_edge = np.repeat(np.arange(edges, dtype=np.int32), n_bins)
    bin_m = rng.uniform(15.0, 60.0, edges)[bin_edge]
    turns = [rng.choice(edges, rng.integers(0, 4), replace=False) for _ in range(edges)]
    shares = [rng.dirichlet(np.full(len(t), 3.0)) if len(t) else np.empty(0) for t in turns]
    offset = np.concatenate([[0], np.cumsum([len(t) for t in turns])])
    flat = (offset, np.concatenate(turns).astype(np.int32), np.concatenate(shares)[:, None])
    return bin_m, bin_edge, first, turns, shares, flat


def nothing_aside(n, classes):
    return np.full((n, 2), -1, np.int32), 60.0, np.zeros((classes, 2))


def stepped(seed, distance_m):
    bin_m, bin_edge, first, _, _, flat = random_roads(seed)
    return bin_steps.step_matrix(
        *(bin_m, bin_edge, first, *flat, np.zeros(len(distance_m), np.int32), distance_m),
        *nothing_aside(len(bin_m), len(distance_m)),
    )


def dense(offset, other, weight, classes):
    rows = len(offset) - 1
    found = np.zeros((rows // classes, classes, rows // classes))
    for row in range(rows):
        for k in range(offset[row], offset[row + 1]):
            found[row // classes, row % classes, other[k]] += weight[k]
    return found


@pytest.mark.parametrize("seed", range(10))
def test_a_step_leads_where_moving_many_places_leads(seed):
    bin_m, bin_edge, first, turns, shares, _ = random_roads(seed)
    distance_m = np.array([0.0, 10.0, 70.0])
    offset, target, weight, _ = stepped(seed, distance_m)
    expected = naive.step_matrix(bin_m, bin_edge, first, turns, shares, distance_m, places=400)
    assert dense(offset, target, weight, 3) == pytest.approx(expected, abs=0.01)


def test_who_stands_may_turn_back_and_keeps_all_probability():
    bin_m, n = 50.0, 4
    aside = np.array([[3, -1], [2, 0], [1, -1], [0, 2]], np.int32)
    matrix = bin_steps.step_matrix(
        *(
            np.full(n, bin_m),
            np.array([0, 0, 1, 1], np.int32),
            np.array([0, 2, 4], np.int32),
            np.zeros(3, np.int64),
        ),
        *(np.empty(0, np.int32), np.empty((0, 1)), np.zeros(1, np.int32), np.array([0.0])),
        *(aside, 60.0, np.array([[0.1, 0.01]])),
    )
    moved = dense(*matrix[:3], 1)[:, 0]
    assert moved[1] == pytest.approx([0.01, 0.89, 0.1, 0.0])
    assert moved[2] == pytest.approx([0.0, 0.1, 0.9, 0.0])


@pytest.mark.parametrize("seed", range(5))
def test_the_transpose_leads_back(seed):
    matrix = stepped(seed, np.array([5.0, 40.0]))
    there, back = dense(*matrix[:3], 2), dense(*bin_steps.transpose(*matrix, 2)[:3], 2)
    assert back == pytest.approx(there.transpose(2, 1, 0))


@pytest.mark.parametrize("seed", range(10))
def test_the_way_of_a_step_is_the_least_sum_of_arcs(seed):
    matrix, rng = stepped(seed, np.array([0.0, 12.0, 90.0])), np.random.default_rng(seed)
    bins = (len(matrix[0]) - 1) // 3
    arcs = sorted({(int(a), int(b)) for a, b in rng.integers(0, bins, (3 * bins, 2)) if a != b})
    lengths = rng.uniform(1.0, 50.0, len(arcs))
    arc_offset = np.searchsorted([a for a, _ in arcs], np.arange(bins + 1))
    found = bin_ways.step_ways(
        *(matrix[0], matrix[1], 3, arc_offset, np.array([b for _, b in arcs], np.int32), lengths)
    )
    weighted = [(a, b, length) for (a, b), length in zip(arcs, lengths, strict=True)]
    for i in range(bins):
        expected = np.array(naive.distances(bins, weighted, {i}))
        entries = slice(matrix[0][3 * i], matrix[0][3 * i + 3])
        assert found[entries] == pytest.approx(expected[matrix[1][entries]], rel=1e-6)


def test_a_detour_costs_and_the_straight_way_does_not():
    bin_m, n = 50.0, 4
    edge = np.zeros(n, np.int32)
    matrix = bin_steps.step_matrix(
        *(np.full(n, bin_m), edge, np.array([0, n], np.int32), np.zeros(2, np.int64)),
        *(np.empty(0, np.int32), np.empty((0, 1)), np.zeros(1, np.int32), np.array([50.0])),
        *nothing_aside(n, 1),
    )
    toward = bin_steps.penalised(*matrix, np.array([150.0, 100.0, 50.0, 0.0]), 0.1, 1, False)
    away = bin_steps.penalised(*matrix, np.array([0.0, 50.0, 100.0, 150.0]), 0.1, 1, False)
    assert toward == pytest.approx(matrix[2])
    assert away[0] == pytest.approx(matrix[2][0] * np.exp(-0.1 * 100.0))


@pytest.mark.parametrize("seed", range(10))
def test_filters_equal_dense_products(seed):
    classes, rng = 3, np.random.default_rng(seed)
    matrix = stepped(seed, np.array([0.0, 12.0, 55.0]))
    move, n = dense(*matrix[:3], classes), (len(matrix[0]) - 1) // classes
    chain, kind = rng.dirichlet(np.ones(classes), (2, classes)), rng.integers(0, 2, n).astype(np.uint8)
    state = rng.random((n, classes)).astype(np.float32)
    bins = np.arange(n, dtype=np.int32)
    scratch = (np.zeros((n, classes)), np.zeros(n, np.int32), np.full(n, -1, np.int32))

    there, values, log = bin_filter.forward(bins, state, *matrix[:3], chain, kind, 0.0, *scratch)
    expected = np.einsum("bc,bcd,bdj->jd", state, chain[kind], move)
    got = np.zeros((n, classes))
    got[there] = values * np.exp(log)
    assert got == pytest.approx(expected, rel=1e-4, abs=1e-6)

    back = bin_steps.transpose(*matrix, classes)
    there, values, log = bin_filter.backward(
        bins, state, *back[:3], chain, kind, np.zeros(n), np.inf, np.ones(1), 1.0, np.ones(n), 0.0, *scratch
    )
    expected = np.einsum("bcd,bdj,jd->bc", chain[kind], move, state)
    got = np.zeros((n, classes))
    got[there] = values * np.exp(log)
    assert got == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert (scratch[0] == 0).all()
    assert (scratch[2] == -1).all()


def test_backward_a_bin_is_forgotten_by_its_weight_times_what_can_have_come_there():
    classes, n = 1, 4
    stay = (np.arange(n + 1), np.arange(n, dtype=np.int32), np.ones(n, np.float32))
    chain, kind = np.ones((1, 1, 1)), np.zeros(n, np.uint8)
    state = np.array([[0.1], [0.2], [0.3], [0.4]], np.float32)
    came_m, prior = np.array([0.0, 15.0, 25.0, 35.0]), np.array([1.0, 1.0, 0.5, 1.0])
    reached, prune = np.array([1.0, 0.5, 0.2]), 0.2
    worth = state[:, 0] * prior * np.array([1.0, 0.5, 0.2, 0.2])
    there, values, log = bin_filter.backward(
        *(np.arange(n, dtype=np.int32), state, *stay, chain, kind),
        *(came_m, 30.0, reached, 10.0, prior, prune),
        *(np.zeros((n, classes)), np.zeros(n, np.int32), np.full(n, -1, np.int32)),
    )
    # The last one is too far to be reached at all.
    kept = [i for i in range(3) if worth[i] > prune * worth[:3].sum()]
    assert there.tolist() == kept == [0, 1]
    assert values[:, 0] * np.exp(log) == pytest.approx(state[kept, 0])


def test_what_is_joined_is_the_product_scaled_to_one():
    a, b = np.array([0, 2, 5], np.int32), np.array([5, 2, 7], np.int32)
    left = np.array([[1, 1], [0.5, 0.5], [0, 0.25]], np.float32)
    right = np.array([[1, 1], [1, 0.5], [1, 1]], np.float32)
    bins, mass, log, values = bin_filter.join(a, left, b, right, 0.0, np.full(8, -1, np.int32))
    assert bins.tolist() == [2, 5]
    assert mass == pytest.approx([0.75, 0.25])
    assert np.exp(log) == pytest.approx(1.0)
    assert values.tolist() == [[0.5, 0.5], [0.0, 0.25]]


@pytest.mark.parametrize("seed", range(10))
def test_distances_and_flows_equal_the_naive_ones(seed):
    rng = np.random.default_rng(seed)
    n, a = 12, 40
    origin = np.sort(rng.integers(0, n, a))
    to, length = rng.integers(0, n, a), rng.uniform(1.0, 9.0, a)
    offset = np.searchsorted(origin, np.arange(n + 1))
    sources = rng.choice(n, 3, replace=False)
    distance, by, order = shortest_trees.search(sources, offset, to, length)
    assert distance == pytest.approx(
        naive.distances(n, list(zip(origin, to, length, strict=True)), set(sources.tolist()))
    )
    assert (np.diff(distance[order]) >= 0).all()
    passed = np.zeros(a)
    for source in sources:
        _, by, _ = shortest_trees.search(np.array([source]), offset, to, length)
        for end in range(n):
            node = end
            while by[node] >= 0:
                passed[by[node]] += 1
                node = origin[by[node]]
    assert shortest_trees.flow(sources, origin, offset, to, length) == pytest.approx(passed)
