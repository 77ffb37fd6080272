"""The table of ways between near nodes against its naive twin."""

import itertools
import math

import numpy as np
import pytest

from geo_policing.kernels import map_matching, node_tables, path_joining
from tests.kernels.town import Town


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
            assert node_tables.cost_of(whole.way[at]) >= cut.node[u]["complete_m"] - 0.3
        else:
            assert cut.way[near] >> 16 == whole.way[at] >> 16
    assert max(sum(node_tables.find(u, v, cut) >= 0 for v in range(n)) for u in range(n)) <= 4


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


@pytest.mark.parametrize("most", [0, 1, 31, 32, 33, 64, 100, node_tables.MOST])
@pytest.mark.parametrize(("n", "wide"), [(3000, False), (65_535, False), (65_536, True)])
def test_in_a_row_of_any_length_what_is_there_is_found_and_nothing_else(most, n, wide):
    rng = np.random.default_rng(most)
    asked = rng.choice(n, 3, replace=False)
    rank = rng.permutation(n).astype(np.int32)
    node_of = np.argsort(rank)
    held = {int(u): np.sort(rng.choice(n, max(most - int(i), 0), replace=False)) for i, u in enumerate(asked)}
    if most:
        held[int(asked[0])][-1] = n - 1  # the greatest rank of all, one less than what is none
    rows = [held.get(int(node_of[r]), np.empty(0, np.int64)) for r in range(n)]
    offset = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    target = np.concatenate(rows).astype(np.int32)
    begins, last, targets, ways = node_tables._blocks(
        offset, target, np.arange(len(target), dtype=np.uint32), rank
    )
    assert targets.dtype == (np.uint32 if wide else np.uint16)
    for u in asked.tolist():
        first = offset[rank[u]]
        for r in {0, n - 1, *rng.integers(0, n, 200).tolist(), *held[u].tolist()}:
            block = node_tables.block_of(last, u, begins[u], targets.dtype.type(r))
            at = node_tables.within(targets, block, targets.dtype.type(r)) if block >= 0 else -1
            where = np.flatnonzero(held[u] == r)
            assert [ways[at] - first] == where.tolist() if at >= 0 else len(where) == 0


def test_a_row_longer_than_its_blocks_can_say_is_refused():
    town = Town(np.random.default_rng(0), n_nodes=4, n_streets=4)
    with pytest.raises(ValueError, match="993 nodes a row; 992 at most"):
        town.table(993)


def test_what_lies_together_has_near_numbers():
    x, y = np.meshgrid(np.arange(16.0), np.arange(16.0))
    rank = node_tables.morton_ranks(x.ravel(), y.ravel())
    assert sorted(rank.tolist()) == list(range(256))
    # Each quarter of the map has a quarter of the numbers to itself.
    for west, south in itertools.product((0, 8), (0, 8)):
        quarter = rank.reshape(16, 16)[south : south + 8, west : west + 8]
        assert quarter.max() - quarter.min() == 63
