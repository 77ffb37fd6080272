"""Routes across gaps against the least ways of their naive twin."""

import math
from itertools import pairwise

import numpy as np
import pytest

from geo_policing.kernels import gap_routes, way_search
from tests import naive
from tests.kernels.town import Town


def routes_of(a, b, count, town, dearer=1.5):
    edges, first = gap_routes.fastest_routes(a, 25.0, b, count, dearer, town.ways)
    assert first[0] == 0
    assert first[-1] == len(edges)
    return [edges[i:j].tolist() for i, j in pairwise(first)]


@pytest.mark.parametrize("seed", range(8))
def test_the_first_is_connected_and_costs_what_the_textbook_says(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng)
    for a, b in rng.integers(0, len(town.length_m), (10, 2)).tolist():
        expected = town.roads.cost_to(a, 25.0, b)
        found = routes_of(a, b, 3, town)
        if math.isinf(expected):
            assert found == []
            continue
        path = found[0]
        assert (path[0], path[-1], len(path) >= 2) == (a, b, True)
        assert 25.0 + town.roads.path_cost(path) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(8))
def test_the_others_are_the_least_where_those_before_are_dearer(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng, 9, 16)
    several = 0
    for a, b in rng.integers(0, len(town.length_m), (12, 2)).tolist():
        expected = naive.routes(town.roads, a, 25.0, b, 3, 1.5)
        found = routes_of(a, b, 3, town)
        assert found == expected
        several += len(found) > 1
    assert several > 0


@pytest.mark.parametrize("seed", range(6))
def test_the_fastest_is_told_with_its_length_and_time_and_what_of_it_others_share(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng, 9, 16)
    ways, length_m = town.ways, town.ways.length_m
    travel_s = rng.uniform(2.0, 60.0, len(length_m))

    def passed_s(route, a_m, b_m):
        a, b = route[0], route[-1]
        return (
            sum(travel_s[e] for e in route[:-1])
            - travel_s[a] * a_m / length_m[a]
            + travel_s[b] * b_m / length_m[b]
        )

    partly = 0
    for a, b in [*rng.integers(0, len(length_m), (20, 2)).tolist(), (3, 3)]:
        for a_m, b_m in ((0.3 * length_m[a], 0.6 * length_m[b]), (0.6 * length_m[a], 0.3 * length_m[b])):
            edges, metres, seconds, shared = gap_routes.fastest_of(
                *(a, a_m, b, b_m, 3, 1.5, 0.1, 5.0, ways, travel_s)
            )
            left = ways.cost_m[a] * (1.0 - a_m / length_m[a])
            routes = [[a]] if a == b and a_m <= b_m else naive.routes(town.roads, a, left, b, 3, 1.5)
            assert edges.tolist() == (routes[0] if routes else [])
            if not routes:
                continue
            assert metres == pytest.approx(sum(length_m[e] for e in routes[0][:-1]) - a_m + b_m)
            assert seconds == pytest.approx(passed_s(routes[0], a_m, b_m))
            inner = routes[0][1:-1]
            whole = sum(travel_s[e] for e in inner)
            weights, shares = [], []
            for route in routes:
                later_s = passed_s(route, a_m, b_m) - passed_s(routes[0], a_m, b_m)
                weights.append(math.exp(-later_s / (0.1 * seconds + 5.0)))
                shares.append(sum(travel_s[e] for e in inner if e in route) / whole if inner else 1.0)
            expected = sum(w * share for w, share in zip(weights, shares, strict=True)) / sum(weights)
            assert shared == pytest.approx(expected)
            partly += 0.0 < shared < 1.0
    assert partly > 0


def test_costs_that_were_made_dearer_are_as_before_afterwards():
    town = Town(np.random.default_rng(1))
    before = town.ways.cost_m.copy()
    assert routes_of(0, 5, 3, town) == routes_of(0, 5, 3, town)
    assert town.ways.cost_m.tolist() == before.tolist()


def test_a_search_ends_at_its_limit():
    town = Town(np.random.default_rng(2))
    b = next(b for b in range(1, len(town.length_m)) if town.roads.cost_to(0, 25.0, b) < math.inf)
    cost = town.roads.cost_to(0, 25.0, b)
    for limit, reached in ((cost * 0.99, False), (cost * 1.01, True)):
        on = way_search.scratch(len(town.length_m))
        on.target[b] = 1
        way_search.search(0, 25.0, limit, 1, 1, town.ways, on)
        assert (on.settled[b] == 1) == reached
