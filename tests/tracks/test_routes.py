"""The route that stands for many: what most of the sampled routes have in common."""

import itertools
from itertools import pairwise

import numpy as np
import pytest

from geo_policing.tracks.routes import SELDOM, UNPASSED, consensus, passing_steps


def turns(follow, metres=None):
    """Offset, edge and cost of what follows each edge, from lists; nothing where no costs are given."""
    offset = np.concatenate([[0], np.cumsum([len(f) for f in follow])])
    metres = np.zeros(offset[-1]) if metres is None else metres
    return offset, np.array([e for f in follow for e in f], np.int32), metres


#: From 0 to 7 through 1 or 2, then 3, then 4 or 5 and 6.
FOLLOW = [[1, 2], [3], [3], [4, 5], [7], [6], [7], []]
LENGTH = np.array([10.0, 100.0, 90.0, 10.0, 100.0, 50.0, 40.0, 10.0])


def test_the_consensus_joins_parts_that_no_route_has_together():
    routes = [(0, 1, 3, 4, 7)] * 4 + [(0, 2, 3, 5, 6, 7)] * 4
    length = np.array([10.0, 90.0, 100.0, 10.0, 100.0, 50.0, 40.0, 10.0])
    # Half pass 1 and half pass 5 and 6; each is the shorter of its pair.
    assert consensus(routes, (0, 7), turns(FOLLOW), length) == (0, 1, 3, 5, 6, 7)


def test_with_nothing_in_common_the_consensus_is_the_shortest_way():
    routes = [(0, 1, 3, 4, 7), (0, 2, 3, 5, 6, 7)]
    assert consensus(routes, (0, 7), turns(FOLLOW), LENGTH) == (0, 2, 3, 5, 6, 7)


def test_a_shorter_way_that_too_few_pass_is_not_the_consensus():
    long, short = (0, 1, 3, 4, 7), (0, 2, 3, 5, 6, 7)
    enough = int(100 * SELDOM)
    for few, chosen in ((enough, short), (enough - 1, long), (0, long)):
        routes = [long] * (100 - few) + [short] * few
        assert consensus(routes, (0, 7), turns(FOLLOW), LENGTH) == chosen


def test_where_nobody_passes_a_way_has_to_be_much_shorter():
    short = LENGTH.copy()
    short[[2, 5, 6]] = [40.0, 20.0, 20.0]
    unpassed = consensus([(0, 1, 3, 4, 7)] * 9, (0, 7), turns(FOLLOW), short)
    assert unpassed == (0, 1, 3, 4, 7)
    short[2] = 100.0 / UNPASSED - 1.0
    assert consensus([(0, 1, 3, 4, 7)] * 9, (0, 7), turns(FOLLOW), short) == (0, 2, 3, 4, 7)


@pytest.mark.parametrize("seed", range(20))
def test_the_consensus_costs_least_of_all_ways(seed):
    rng = np.random.default_rng(seed)
    length = rng.uniform(10.0, 100.0, 8)
    ways = [(0, a, 3, *b, 7) for a, b in itertools.product((1, 2), ((4,), (5, 6)))]
    routes = [ways[k] for k in rng.integers(0, 4, 9)]
    pairs = [(a, b) for a, follows in enumerate(FOLLOW) for b in follows]
    metres = rng.uniform(0.0, 100.0, len(pairs))

    def times(passed):
        return 1.0 if passed / 9 >= 0.4 else UNPASSED

    def cost(way):
        edges = sum(length[e] * times(sum(e in route for route in routes)) for e in way[1:])
        turned = [(pair, sum(pair in pairwise(route) for route in routes)) for pair in pairwise(way)]
        return edges + sum(metres[pairs.index(pair)] * times(passed) for pair, passed in turned)

    assert consensus(routes, (0, 7), turns(FOLLOW, metres), length, seldom=0.4) == min(ways, key=cost)


def test_a_route_that_leads_back_to_its_start_is_one_of_those_driven():
    follow = [[1], [0]]
    around = [(0, 1, 0)] * 3 + [(0,)]
    assert consensus(around, (0, 0), turns(follow), np.array([10.0, 10.0])) == (0, 1, 0)


def test_an_edge_is_entered_when_most_enter_it_and_others_in_between_by_the_way():
    sampled = [((0, 1, 3), [0, 4, 8]), ((0, 1, 3), [0, 6, 10]), ((0, 2, 3), [0, 5, 9])]
    assert passing_steps((0, 1, 3), sampled, 20, LENGTH) == [0, 5, 9]
    length = np.array([10.0, 10.0, 10.0, 10.0, 10.0])
    assert passing_steps((0, 4, 3), sampled, 20, length) == [0, 4, 9]
