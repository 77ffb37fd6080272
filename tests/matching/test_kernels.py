"""Kernels against their naive twins, compiled and, in a process of its own, as plain Python."""

import itertools
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from geo_policing.kernels import (
    edge_candidates,
    edge_grid,
    map_matching,
    node_tables,
    path_confidence,
    path_joining,
    path_times,
    turning,
    way_search,
)
from tests import naive

MODEL = {
    "hold_cost": 3.0,
    "hold_share": 0.01,
    "jump_cost": 12.0,
    "beta_m": 8.0,
    "beta_share": 0.05,
    "detour_cost": 60.0,
    "backward_m": 40.0,
    "turn_back_m": 90.0,
    "right_angle_m": 11.0,
    "crossing_m": 5.0,
    "u_turn_m": 60.0,
}
HOW = ["ahead", "back", "by way", "jump", "held"]


def model_of(parameters):
    """What the kernels take of it."""
    return map_matching.Model(**{name: parameters[name] for name in map_matching.Model._fields})


class Town:
    """A random town as arrays: streets between crossings, most two-way, some turns forbidden."""

    def __init__(self, rng, n_nodes=7, n_streets=11):
        self.x, self.y = rng.uniform(0.0, 600.0, (2, n_nodes))
        ends, reverse = [], []
        for a, b in rng.permutation(list(itertools.combinations(range(n_nodes), 2)))[:n_streets]:
            ends.append((a, b))
            if rng.random() < 0.3:
                reverse.append(-1)
            else:
                ends.append((b, a))
                reverse += [len(ends) - 1, len(ends) - 2]
        self.from_node, self.to_node = np.array(ends, np.int32).T
        self.reverse = np.array(reverse, np.int32)
        m = len(ends)
        middle = {}  # both directions of a street bend at the same place
        self.lines = []
        for a, b in ends:
            pair = (min(a, b), max(a, b))
            bend = middle.setdefault(pair, rng.normal(0.0, 30.0, 2))
            ends_xy = np.array([[self.x[a], self.y[a]], [self.x[b], self.y[b]]])
            self.lines.append(np.array([ends_xy[0], ends_xy.mean(0) + bend, ends_xy[1]]))
        self.drawn_m = np.array([np.hypot(*np.diff(line, axis=0).T).sum() for line in self.lines])
        self.length_m = self.drawn_m * rng.uniform(0.95, 1.05, m)
        self.vertex_offset = np.arange(m + 1) * 3
        self.vertex_x, self.vertex_y = np.concatenate(self.lines).T
        self.out_edge = np.argsort(self.from_node, kind="stable").astype(np.int32)
        self.out_offset = np.concatenate(
            [[0], np.cumsum(np.bincount(self.from_node, minlength=n_nodes))]
        ).astype(np.int32)
        turns = [(a, b) for a in range(m) for b in range(m) if self.to_node[a] == self.from_node[b]]
        forbidden = rng.permutation(turns)[: len(turns) // 8]
        self.turn = forbidden[np.lexsort(forbidden.T[::-1])].astype(np.int32)
        self.cost_m = self.length_m * rng.uniform(0.8, 1.2, m)
        self.directions = [naive.directions(line.tolist()) for line in self.lines]
        self.roads = naive.Roads(
            *(self.from_node, self.to_node, self.length_m, self.cost_m, self.reverse),
            *(self.turn.tolist(), self.directions, MODEL),
        )
        self.adjacency = (self.to_node, self.out_offset, self.out_edge, self.reverse)
        ends = turning.end_headings(self.vertex_offset, self.vertex_x, self.vertex_y)
        turns = turning.turn_costs(
            *(*self.adjacency, self.turn, *ends),
            *(MODEL["right_angle_m"], MODEL["crossing_m"], MODEL["u_turn_m"]),
        )
        self.ways = way_search.Ways(
            *(self.from_node, self.to_node, self.length_m, self.cost_m, *self.adjacency[1:], *turns),
            way_search.out_slots(m, self.out_offset, self.out_edge),
        )

    @property
    def geometry(self):
        return (self.vertex_offset, self.vertex_x, self.vertex_y, self.length_m)

    def candidates(self, x, y, radius_m, k, wide_m=0.0, cell_m=50.0):
        along = edge_grid.along(*self.geometry)
        usable = np.full(len(self.lines), True)
        shapes = edge_grid.Shapes(*self.geometry[:3], along, self.length_m, self.reverse, usable)
        return edge_grid.nearest(
            x, y, np.full(len(x), radius_m), wide_m, k, edge_grid.build(shapes, cell_m), shapes
        )

    def table(self, most):
        return node_tables.build(self.ways, node_tables.morton_ranks(self.x, self.y), most)


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
        x, y, emission, edge, offset, town.ways, town.table(0), 2 * n, model_of(MODEL)
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
        x, y, emission, edge, offset, town.ways, town.table(0), 0, model_of(model)
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
def test_a_row_has_the_nearest_nodes_and_the_ways_to_them(seed):
    town = Town(np.random.default_rng(seed), n_nodes=12, n_streets=22)
    whole, cut = town.table(20), town.table(4)
    edges = range(len(town.length_m))
    n = len(town.x)
    for u, v in np.ndindex(n, n):
        at = node_tables.find(u, v, whole)
        ways = [
            town.cost_m[a] if a == b else town.roads.cost_to(a, town.cost_m[a], b) + town.cost_m[b]
            for a in edges
            for b in edges
            if town.from_node[a] == u and town.to_node[b] == v
        ]
        if u == v or at < 0:
            continue
        # Only the least way to each node on the way is followed: it may be a little dearer than the least.
        assert node_tables.cost_of(whole.way[at]) >= min(ways) - node_tables.UNIT_M
        near = node_tables.find(u, v, cut)
        if near < 0:
            assert node_tables.cost_of(whole.way[at]) >= cut.complete_m[cut.node[u]["rank"]] - 0.3
        else:
            assert cut.way[near] >> 16 == whole.way[at] >> 16
    assert (np.diff(cut.offset) <= 4).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_way_of_the_table_costs_what_driving_it_costs(seed):
    town = Town(np.random.default_rng(seed), n_nodes=12, n_streets=22)
    table = town.table(8)
    known = 0
    for a, b in np.ndindex(len(town.length_m), len(town.length_m)):
        u, v = town.to_node[a], town.from_node[b]
        at = node_tables.find(u, v, table)
        if u == v or at < 0:
            continue
        cost = node_tables.cost_between(a, b, at, table, town.ways)
        if math.isinf(cost):
            continue
        by_way = np.full(2, map_matching.BY_WAY, np.int8)
        path, *_ = path_joining.join(
            *(np.array([a, b], np.int32), np.zeros(2), by_way, np.zeros(2, bool), town.ways, table)
        )
        assert (path[0], path[-1]) == (a, b)
        assert cost == pytest.approx(town.roads.path_cost(path.tolist()), abs=node_tables.UNIT_M / 2 + 1e-6)
        least = town.roads.cost_to(a, 0.0, b)
        assert cost >= least - node_tables.UNIT_M
        known += cost <= least + node_tables.UNIT_M
    assert known > 50


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
            x, y, emission, edge, offset, town.ways, town.table(most), 2, model_of(MODEL)
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
        x, y, emission, edge, offset, town.ways, table, 0, model
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


@pytest.mark.parametrize("seed", range(8))
def test_a_least_path_is_connected_and_costs_what_the_textbook_says(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng)
    for a, b in rng.integers(0, len(town.length_m), (10, 2)).tolist():
        path, to_start = path_joining.least_path(a, 25.0, b, math.inf, town.ways)
        expected = town.roads.cost_to(a, 25.0, b)
        assert to_start == pytest.approx(expected)
        if math.isinf(expected):
            assert len(path) == 0
        else:
            assert (path[0], path[-1], len(path) >= 2) == (a, b, True)
            assert 25.0 + town.roads.path_cost(path.tolist()) == pytest.approx(expected)
            beyond, _ = path_joining.least_path(a, 25.0, b, expected * 0.99, town.ways)
            assert len(beyond) == 0


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


@pytest.mark.parametrize("seed", range(6))
def test_edges_are_entered_when_the_usual_times_between_the_places_say(seed):
    rng = np.random.default_rng(seed)
    m, p = 9, 14
    length_m, usual_s = rng.uniform(20.0, 300.0, m), rng.uniform(2.0, 60.0, m)
    path = rng.integers(0, m, p).astype(np.int32)
    at = np.sort(np.concatenate([[0, p - 1], rng.integers(0, p, 8)]))
    # A second path begins in the middle, with a place on its first edge and one on the last edge before.
    cut = int(rng.integers(1, p))
    at = np.sort(np.concatenate([at, [cut - 1, cut]]))
    starts = np.zeros(len(at), bool)
    starts[0] = starts[np.searchsorted(at, cut)] = True
    left_m = rng.uniform(0.0, 1.0, len(at)) * length_m[path[at]]
    t_s = np.cumsum(rng.uniform(0.0, 20.0, len(at)))
    found = path_times.entered(path, at, starts, left_m, t_s, usual_s, length_m)
    assert found == pytest.approx(naive.entered(path, at, starts, left_m, t_s, usual_s, length_m))


@pytest.mark.parametrize("seed", range(6))
def test_a_stretch_is_unseen_where_nothing_was_heard_or_what_was_heard_does_not_fit(seed):
    rng = np.random.default_rng(seed)
    n = 60
    t_s = np.cumsum(rng.choice([1.0, 2.0, 40.0], n, p=[0.6, 0.3, 0.1]))
    x, y = np.cumsum(rng.normal(0.0, 60.0, (2, n)), axis=1)
    speaker = path_joining.thin(x, y, 50.0)
    speaks = np.flatnonzero(speaker == np.arange(n))
    fix = speaks[rng.random(len(speaks)) < 0.8]
    limits = (30.0, 80.0, 70.0)
    found = path_times.unseen(t_s, speaker, fix, x[fix], y[fix], *limits)
    assert found.tolist() == naive.unseen(t_s, speaker.tolist(), fix.tolist(), x[fix], y[fix], *limits)
    assert 0 < found.sum() < len(found)
    assert path_times.usual_interval(t_s) == np.median(np.diff(t_s))
    assert path_times.usual_interval(t_s[:1]) == 0.0


def test_what_lies_together_has_near_numbers():
    x, y = np.meshgrid(np.arange(16.0), np.arange(16.0))
    rank = node_tables.morton_ranks(x.ravel(), y.ravel())
    assert sorted(rank.tolist()) == list(range(256))
    # Each quarter of the map has a quarter of the numbers to itself.
    for west, south in itertools.product((0, 8), (0, 8)):
        quarter = rank.reshape(16, 16)[south : south + 8, west : west + 8]
        assert quarter.max() - quarter.min() == 63


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="this is that process")
def test_the_kernels_say_the_same_as_plain_python():
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert "1 skipped" in run.stdout
