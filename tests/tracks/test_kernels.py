"""The kernels of the reconstruction against their naive twins."""

import numpy as np
import pytest

from geo_policing.kernels import bin_approach, bin_filter, bin_steps, bin_ways, shortest_trees
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
    return np.full((n, 2), -1, np.int32), 60.0, np.zeros((classes, 2)), 1e-4, all_of(n)


def all_of(n):
    return np.arange(n, dtype=np.int32)


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


def bins_of(offset, place, weight, classes):
    """Rows of places as rows of bins, each of which has to be of the class of its row."""
    assert (place % classes == np.repeat(np.arange(len(offset) - 1) % classes, np.diff(offset))).all()
    return offset, place // classes, weight


def places_of(offset, source, weight, classes):
    """Rows of bins as rows of places."""
    row_class = np.repeat(np.arange(len(offset) - 1) % classes, np.diff(offset))
    return offset, (source * classes + row_class).astype(np.uint32), weight


@pytest.mark.parametrize("seed", range(10))
def test_a_step_leads_where_moving_many_places_leads(seed):
    bin_m, bin_edge, first, turns, shares, _ = random_roads(seed)
    distance_m = np.array([0.0, 10.0, 70.0])
    offset, target, weight, _ = stepped(seed, distance_m)
    expected = naive.step_matrix(bin_m, bin_edge, first, turns, shares, distance_m, places=400)
    assert dense(offset, target, weight, 3) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("least", [1e-4, 0.02, 0.3])
def test_who_passes_many_crossings_in_a_step_is_not_lost_where_each_way_is_rare(least):
    """Behind eight crossings at which as many go on as turn off no way has even one in a hundred."""
    edges, classes = 2**9 - 1, 1
    turns = [[2 * e + 1, 2 * e + 2] if 2 * e + 2 < edges else [] for e in range(edges)]
    offset = np.concatenate([[0], np.cumsum([len(t) for t in turns])])
    flat = (offset, np.concatenate(turns).astype(np.int32), np.full((offset[-1], 1), 0.5))
    lengths, every = np.full(edges, 10.0), np.arange(edges, dtype=np.int32)
    first = np.arange(edges + 1, dtype=np.int32)
    aside, aside_m, aside_weight, *_ = nothing_aside(edges, classes)
    rows, target, weight, _ = bin_steps.step_matrix(
        *(lengths, every, first, *flat, np.zeros(classes, np.int32), np.array([80.0])),
        *(aside, aside_m, aside_weight, least, all_of(edges)),
    )
    ends = target[rows[0] : rows[1]]
    assert set(ends.tolist()) <= set(range(2**8 - 1, edges))
    assert np.add.reduceat(weight, rows[:-1]) == pytest.approx(1.0, abs=1e-5)


def test_turns_that_nobody_takes_lead_nowhere():
    rows, target, *_ = bin_steps.step_matrix(
        *(np.full(2, 10.0), np.arange(2, dtype=np.int32), np.arange(3, dtype=np.int32), np.array([0, 1, 1])),
        *(np.array([1], np.int32), np.zeros((1, 1)), np.zeros(1, np.int32), np.array([30.0])),
        *nothing_aside(2, 1),
    )
    assert (rows.tolist(), target.tolist()) == ([0, 0, 1], [1])


@pytest.mark.parametrize("stay", [0.5, 0.7])
def test_a_step_ends_where_tiny_loops_lead_to_each_other_alone(stay):
    """Half a metre at a time there are 2^200 ways round two loops: they are not all followed.

    Who comes from outside goes round the likelier one; who is far from them goes as ever.
    """
    turns = [[1, 2], [1, 2], [1, 2]]
    shares = np.array([0.6, 0.4, stay, 1.0 - stay, 1.0 - stay, stay])[:, None]
    flat = (np.arange(0, 7, 2), np.concatenate(turns).astype(np.int32), shares)
    lengths, every = np.array([120.0, 0.5, 0.5]), np.arange(3, dtype=np.int32)
    rows, target, weight, _ = bin_steps.step_matrix(
        *(lengths, every, np.arange(4, dtype=np.int32), *flat, np.zeros(2, np.int32)),
        *(np.array([6.0, 100.0]), *nothing_aside(3, 2)),
    )
    moved = dense(rows, target, weight, 2)
    assert moved.sum(axis=2) == pytest.approx(1.0, abs=1e-5)
    assert moved[0, 0, 0] == pytest.approx(0.95, abs=1e-3)
    assert moved[1:, :, 0].max() == 0.0
    if stay > 0.5:
        assert moved[[1, 2], [1, 1], [1, 2]] == pytest.approx(1.0)


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
        *(aside, 60.0, np.array([[0.1, 0.01]]), 1e-4, all_of(n)),
    )
    moved = dense(*matrix[:3], 1)[:, 0]
    assert moved[1] == pytest.approx([0.01, 0.89, 0.1, 0.0])
    assert moved[2] == pytest.approx([0.0, 0.1, 0.9, 0.0])


@pytest.mark.parametrize("seed", range(10))
def test_the_way_of_a_step_is_the_least_sum_of_arcs(seed):
    matrix, rng = stepped(seed, np.array([0.0, 12.0, 90.0])), np.random.default_rng(seed)
    bins = (len(matrix[0]) - 1) // 3
    arcs = sorted({(int(a), int(b)) for a, b in rng.integers(0, bins, (3 * bins, 2)) if a != b})
    lengths = rng.uniform(1.0, 50.0, len(arcs))
    arc_offset = np.searchsorted([a for a, _ in arcs], np.arange(bins + 1))
    found = bin_ways.step_ways(
        *(
            matrix[0],
            matrix[1],
            3,
            arc_offset,
            np.array([b for _, b in arcs], np.int32),
            lengths,
            all_of(bins),
        )
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
    there, rows = dense(*matrix[:3], 1), (all_of(n), *matrix)
    toward = bin_steps.cut_out(all_of(n), all_of(n), np.array([150.0, 100.0, 50.0, 0.0]), 0.1, 1, *rows)
    away = bin_steps.cut_out(all_of(n), all_of(n), np.array([0.0, 50.0, 100.0, 150.0]), 0.1, 1, *rows)
    assert dense(*toward, 1) == pytest.approx(there.transpose(2, 1, 0))  # of one class places are bins
    assert dense(*away, 1)[1, 0, 0] == pytest.approx(there[0, 0, 1] * np.exp(-0.1 * 100.0))


@pytest.mark.parametrize("seed", range(5))
def test_what_is_cut_out_is_the_part_between_its_bins_each_step_by_its_detour(seed):
    classes, rng = 2, np.random.default_rng(seed)
    matrix = stepped(seed, np.array([5.0, 40.0]))
    n = (len(matrix[0]) - 1) // classes
    bins = rng.permutation(n)[: n // 2].astype(np.int32)
    number = np.full(n, -1, np.int32)
    number[bins] = np.arange(len(bins))
    to_go_m = rng.uniform(0.0, 200.0, len(bins))
    cut = bin_steps.cut_out(bins, number, to_go_m, 0.02, classes, all_of(n), *matrix)
    got = dense(*bins_of(*cut, classes), classes)
    back = naive.turned(classes, *matrix)
    assert got == pytest.approx(naive.cut_out(bins, to_go_m, 0.02, classes, *back), rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_the_same_whichever_part_of_the_bins_they_are_made_for(seed):
    bin_m, bin_edge, first, _, _, flat = random_roads(seed, edges=120)
    n, distance_m = len(bin_m), np.array([120.0, 200.0, 250.0])
    arcs = (np.arange(n + 1), np.roll(np.arange(n, dtype=np.int32), 1), np.full(n, 10.0))
    moves = (bin_m, bin_edge, first, *flat, np.zeros(3, np.int32), distance_m, *nothing_aside(n, 3)[:-1])

    def made(bins):
        rows = bin_steps.step_matrix(*moves, bins)
        return *rows[:3], bin_ways.step_ways(*rows[:2], 3, *arcs, bins)

    whole = made(all_of(n))
    assert whole[0][-1] > 3 * 4 * n + 64, "too few to need more room than there is at first"
    for bins in (
        all_of(7),
        all_of(n)[7:8],
        all_of(n)[:0],
        np.random.default_rng(seed).permutation(all_of(n)),
    ):
        offset, *others = made(bins)
        rows = [row for b in bins.tolist() for row in range(3 * b, 3 * b + 3)]
        assert (np.diff(offset) == np.diff(whole[0])[rows]).all()
        entries = [k for row in rows for k in range(whole[0][row], whole[0][row + 1])]
        for mine, all_of_it in zip(others, whole[1:], strict=True):
            assert (mine == all_of_it[entries]).all()


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_bins_in_any_order_are_put_in_order_and_cut_out_alike(seed):
    matrix, rng, classes = stepped(seed, np.array([5.0, 40.0])), np.random.default_rng(seed), 2
    n = (len(matrix[0]) - 1) // classes
    order = rng.permutation(n)
    nth = np.argsort(order).astype(np.int32)
    rows = [row for b in order.tolist() for row in range(classes * b, classes * b + classes)]
    entries = [k for row in rows for k in range(matrix[0][row], matrix[0][row + 1])]
    mixed = (np.cumsum([0, *np.diff(matrix[0])[rows]]), *(column[entries] for column in matrix[1:]))
    for found, expected in zip(bin_steps.in_order(nth, classes, *mixed), matrix, strict=True):
        assert (found == expected).all()
    bins = np.sort(rng.permutation(n)[: n // 2]).astype(np.int32)
    number = np.full(n, -1, np.int32)
    number[bins] = np.arange(len(bins))
    between = (bins, number, rng.uniform(0.0, 200.0, len(bins)), 0.02, classes)
    in_order = bin_steps.cut_out(*between, all_of(n), *matrix)
    for found, expected in zip(bin_steps.cut_out(*between, nth, *mixed), in_order, strict=True):
        assert (found == expected).all()


def scratch(n, classes):
    return np.zeros(n * classes, np.float32), np.zeros(-(-n * classes // bin_approach.BLOCK), bool)


def untouched(dense_, mark):
    return len(dense_) and (dense_ == 0).all() and not mark.any()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("before", "after"), [(3, 3), (2, 3), (5, 3)])
def test_filters_equal_dense_products_also_from_some_classes_to_others(seed, before, after):
    rng = np.random.default_rng(seed)
    matrix = stepped(seed, np.array([0.0, 12.0, 55.0]))
    move, n = dense(*matrix[:3], after), (len(matrix[0]) - 1) // after
    chain = rng.dirichlet(np.ones(after), (2, before)).astype(np.float32)
    kind = rng.integers(0, 2, n).astype(np.uint8)
    bins = np.sort(rng.choice(n, n - 2, replace=False)).astype(np.int32)
    state, later = np.zeros((n, before), np.float32), rng.random((n, after)).astype(np.float32)
    state[bins] = rng.random((len(bins), before))
    back = places_of(*naive.turned(after, *matrix)[:3], after)
    used = scratch(n, after)
    touched, mark = np.zeros(n, np.int32), np.full(n, -1, np.int8)

    expected = np.einsum("bc,bcd,bdj->jd", state, chain[kind], move)
    there, values, log = bin_filter.forward(
        *(bins, state[bins], *matrix[:3], chain, kind, 0.0, used[0].reshape(n, after), touched, mark)
    )
    assert (mark == -1).all()
    got = np.zeros((n, after))
    got[there] = values * np.exp(log)
    assert got == pytest.approx(expected, rel=1e-4, abs=1e-6)

    to = np.sort(rng.choice(n, n - 1, replace=False)).astype(np.int32)
    there, values, log, mass = bin_approach.forward(
        *(bins, state[bins], *back, chain, kind, to, later[to], 0.0, used[0])
    )
    got = np.zeros((n, after))
    got[there] = values * np.exp(log)
    only = np.isin(np.arange(n), to)[:, None]
    assert got == pytest.approx(expected * only, rel=1e-4, abs=1e-6)
    joint = (expected * only * later).sum(axis=1)
    assert mass == pytest.approx(joint[there] / joint.sum(), rel=1e-4)

    anywhere = (np.zeros((1, n), np.float32), np.ones((1, n), np.float32), np.zeros(1), np.zeros(1, np.int64))
    turned = np.ascontiguousarray(chain.transpose(0, 2, 1))
    there, values, log = bin_approach.backward(
        *(to, later[to], *back, turned, kind, *anywhere, np.ones((1, 1)), 1.0, 0.0, *used)
    )
    got = np.zeros((n, before))
    got[there] = values * np.exp(log)
    expected = np.einsum("bcd,bdj,jd->bc", chain[kind], move, later * only)
    assert got == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert untouched(*used)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.01, 0.3])
def test_filters_equal_dense_products_where_little_and_where_much_of_many_bins_is_reached(seed, share):
    classes, rng = 3, np.random.default_rng(seed)
    n = 400
    source = np.array([rng.choice(n, 4, replace=False) for _ in range(n * classes)])
    offset, weight = 4 * np.arange(n * classes + 1), rng.random(4 * n * classes).astype(np.float32)
    rows = (offset, source.ravel().astype(np.int32), weight)
    bins = np.sort(rng.choice(n, round(share * n), replace=False)).astype(np.int32)
    state = np.zeros((n, classes), np.float32)
    state[bins] = rng.random((len(bins), classes))
    chain = rng.dirichlet(np.ones(classes), (2, classes)).astype(np.float32)
    kind = rng.integers(0, 2, n).astype(np.uint8)
    used = scratch(n, classes)
    touched, mark = np.zeros(n, np.int32), np.full(n, -1, np.int8)
    moved = dense(*rows, classes)

    anywhere = (np.zeros((1, n), np.float32), np.ones((1, n), np.float32), np.zeros(1), np.zeros(1, np.int64))
    there, values, log = bin_approach.backward(
        *(bins, state[bins], *places_of(*rows, classes), chain, kind),
        *(*anywhere, np.ones((1, 1)), 1.0, 0.0, *used),
    )
    got = np.zeros((n, classes))
    got[there] = values * np.exp(log)
    assert got == pytest.approx(np.einsum("idc,jdi,jd->ic", chain[kind], moved, state), rel=1e-4, abs=1e-6)
    assert there.tolist() == sorted(there)
    assert untouched(*used)

    there, values, log = bin_filter.forward(
        *(bins, state[bins], *rows, chain, kind, 0.0, used[0].reshape(n, classes), touched, mark)
    )
    got = np.zeros((n, classes))
    got[there] = values * np.exp(log)
    assert got == pytest.approx(np.einsum("ic,icd,idj->jd", state, chain[kind], moved), rel=1e-4, abs=1e-6)
    assert untouched(*used)
    assert (mark == -1).all()


@pytest.mark.parametrize("seed", range(20))
def test_backward_a_bin_is_kept_that_one_start_still_needs_and_can_have_come_to(seed):
    rng = np.random.default_rng(seed)
    n, starts = 12, 3
    stay = (np.arange(n + 1), np.arange(n, dtype=np.uint32), np.ones(n, np.float32))
    state = rng.random((n, 1)).astype(np.float32)
    came_m, prior = rng.uniform(0.0, 50.0, (starts, n)), rng.random((starts, n))
    reach_m, age = np.array([20.0, 30.0, 5.0]), np.array([2, 1, 0])
    reached, prune = np.sort(rng.random((3, 4)))[:, ::-1].copy(), 0.1
    used = scratch(n, 1)
    there, values, log = bin_approach.backward(
        *(np.arange(n, dtype=np.int32), state, *stay, np.ones((1, 1, 1), np.float32), np.zeros(n, np.uint8)),
        *(came_m.astype(np.float32), prior.astype(np.float32), reach_m, age, reached, 10.0, prune, *used),
    )
    kept = naive.worth_keeping(state[:, 0], came_m, prior, reach_m, age, reached, 10.0, prune)
    assert there.tolist() == kept
    assert 0 < len(kept) < n
    assert values[:, 0] * np.exp(log) == pytest.approx(state[kept, 0])
    assert untouched(*used)


@pytest.mark.parametrize("seed", range(5))
def test_paths_go_where_they_lead_as_often_as_the_weights_say(seed):
    classes, count, penalty, rng = 2, 20_000, 0.01, np.random.default_rng(seed)
    matrix = stepped(seed, np.array([5.0, 60.0]))
    n = (len(matrix[0]) - 1) // classes
    bins = rng.permutation(n)[: n - 2].astype(np.int32)
    number = np.full(n, -1, np.int32)
    number[bins] = np.arange(len(bins))
    to_go_m = rng.uniform(0.0, 200.0, len(bins))
    chain, kind = rng.dirichlet(np.ones(classes), (1, classes)), np.zeros(len(bins), np.uint8)
    behind = rng.random((len(bins), classes)).astype(np.float32)
    state_bin, state_class = np.full(count, bins[0], np.int32), np.full(count, 1, np.int32)
    bin_approach.sample(
        *(state_bin, state_class, rng.random(count), all_of(len(bins)), behind, all_of(n), *matrix),
        *(to_go_m, penalty, chain, kind, number, np.full(len(bins), -1, np.int32)),
    )
    moved = naive.cut_out(bins, to_go_m, penalty, classes, *naive.turned(classes, *matrix))
    expected = chain[0, 1] * moved[:, :, 0] * behind
    got = np.zeros((len(bins), classes))
    np.add.at(got, (number[state_bin], state_class), 1 / count)
    assert got == pytest.approx(expected / expected.sum(), abs=0.02)


def test_masses_of_the_same_bin_are_summed():
    whole = np.zeros(6)
    bins, mass = np.array([4, 1, 4, 5], np.int32), np.array([0.5, 1.0, 1.5, 0.0], np.float32)
    there, share = bin_filter.summed(bins, mass, whole)
    assert dict(zip(there.tolist(), share.tolist(), strict=True)) == pytest.approx({4: 2 / 3, 1: 1 / 3})
    assert (whole == 0).all()


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
