"""The cheapest way between two places, and how far one comes in a given time."""

import itertools

import numpy as np
import pytest

from geo_policing.errors import InvalidInput
from geo_policing.roads import Access, RoadNetwork, reachable, route
from geo_policing.roads.routing import U_TURN_M, U_TURN_S, WALK_MPS
from tests.roads import naive
from tests.roads.town import grid


def random_network(seed, n=12):
    """Streets among n places, some one-way, some for walkers only, with forbidden turns and a self-loop."""
    rng = np.random.default_rng(seed)
    lon, lat = 113.13 + 0.01 * rng.random(n), 27.83 + 0.01 * rng.random(n)
    pairs = [(a, b) for a, b in rng.integers(0, n, (2 * n, 2)).tolist() if a != b]
    pairs += [(b, a) for a, b in pairs if rng.random() < 0.7] + [(0, 0)]
    middle = rng.normal(0.0, 0.002, (len(pairs), 2))
    lines = []
    for (a, b), bend in zip(pairs, middle, strict=True):
        ends = np.array([[lon[a], lat[a]], [lon[b], lat[b]]])
        lines.append(np.insert(ends, 1, ends.mean(axis=0) + bend, axis=0))
    by_pair = {}
    for i, pair in enumerate(pairs):  # a way back runs along the same line
        twin = by_pair.get(pair[::-1])
        if twin is not None:
            lines[i] = lines[twin][::-1]
        by_pair[pair] = i
    turns = [
        (e, f)
        for (e, p), (f, q) in itertools.product(enumerate(pairs), repeat=2)
        if p[1] == q[0] and rng.random() < 0.15
    ]
    return RoadNetwork.build(
        node_lon=lon,
        node_lat=lat,
        edge_id=[str(i) for i in range(len(pairs))],
        from_node=np.array([a for a, _ in pairs]),
        to_node=np.array([b for _, b in pairs]),
        geometry_lonlat=lines,
        speed_mps=rng.uniform(3.0, 20.0, len(pairs)),
        access=rng.choice([Access.ALL, Access.ALL, Access.CAR, Access.FOOT], len(pairs)),
        forbidden_turn=np.array(turns, np.int32).reshape(-1, 2),
    )


def number(network, name):
    return network.edge_ids.index(name)


@pytest.mark.parametrize("by", ["time", "length"])
@pytest.mark.parametrize("seed", range(10))
def test_routes_cost_what_the_naive_twin_says(seed, by):
    network = random_network(seed)
    duration = network.length_m / network.speed_mps.astype(float)
    cost, u_turn = (duration, U_TURN_S) if by == "time" else (network.length_m, U_TURN_M)
    is_open = (network.access & Access.CAR) > 0
    rng = np.random.default_rng(seed)
    reached = 0
    for a in rng.choice(network.n_edges, 8, replace=False).tolist():
        share_a, share_b = rng.random(2)
        best = naive.edge_costs(network, a, (1 - share_a) * cost[a], cost, is_open, u_turn)
        for b in range(network.n_edges):
            if a == b and share_b >= share_a:
                continue
            a_m, b_m = share_a * network.length_m[a], share_b * network.length_m[b]
            way = route(network, a, a_m, b, b_m, by=by)
            assert (way is None) == (b not in best)
            if way is None:
                continue
            reached += 1
            backs = 0 if by == "time" else _backs(network, way.edges, is_open)
            found = way.duration_s if by == "time" else way.length_m + backs * U_TURN_M
            assert found == pytest.approx(best[b] + share_b * cost[b])
            assert (network.from_node[way.edges[1:]] == network.to_node[way.edges[:-1]]).all()
    assert reached > 20


def _backs(network, edges, is_open):
    degree = np.bincount(network.from_node[is_open], minlength=network.n_nodes)
    return sum(
        network.reverse[e] == f and degree[network.to_node[e]] > 1 for e, f in itertools.pairwise(edges)
    )


@pytest.mark.parametrize("seed", range(10))
def test_reach_is_what_the_naive_twin_reaches_in_time(seed):
    network = random_network(seed)
    duration = network.length_m / network.speed_mps.astype(float)
    is_open = (network.access & Access.CAR) > 0
    within_s = 150.0
    start_m = 0.25 * float(network.length_m[0])
    best = naive.edge_costs(network, 0, 0.75 * duration[0], duration, is_open, U_TURN_S)
    reach = reachable(network, 0, start_m, within_s)
    expected = {e: s for e, s in best.items() if s <= within_s}
    assert (reach.edge[0], reach.arrival_s[0], reach.from_m[0]) == (0, 0.0, start_m)
    assert sorted(reach.edge[1:].tolist()) == sorted(expected)
    assert (np.diff(reach.arrival_s) >= 0).all()
    for edge, arrival, to_m in zip(reach.edge[1:], reach.arrival_s[1:], reach.to_m[1:], strict=True):
        assert arrival == pytest.approx(expected[edge])
        whole = start_m if edge == 0 else network.length_m[edge]
        assert to_m == pytest.approx(min((within_s - arrival) * network.speed_mps[edge], whole))


def test_along_one_edge_the_way_is_the_stretch_between():
    network = grid()
    way = route(network, 0, 20.0, 0, 150.0)
    assert way.edges.tolist() == [0]
    assert way.length_m == pytest.approx(130.0)
    assert way.duration_s == pytest.approx(130.0 / 13.9, rel=1e-6)


def test_a_place_behind_on_a_one_way_edge_is_reached_around_the_block():
    network = grid(one_way={"0>1"})
    edge = number(network, "0>1")
    way = route(network, edge, 150.0, edge, 20.0)
    assert [network.edge_ids[e] for e in way.edges] == ["0>1", "1>7", "7>6", "6>0", "0>1"]
    lonlat = way.lonlat(network)
    assert lonlat[0, 0] > lonlat[-1, 0]
    steps = np.hypot(*np.diff(np.column_stack(network.plane.forward(*lonlat.T)), axis=0).T)
    assert steps.sum() == pytest.approx(way.length_m)


def test_a_forbidden_turn_is_driven_around_and_walked():
    network = grid(forbidden=[("0>1", "1>7")])
    a, b = number(network, "0>1"), number(network, "1>7")
    driven = route(network, a, 0.0, b, 0.0)
    walked = route(network, a, 0.0, b, 0.0, access=Access.FOOT)
    assert len(driven.edges) > 2
    assert walked.edges.tolist() == [a, b]
    assert walked.duration_s == pytest.approx(network.length_m[a] / WALK_MPS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((0, 0.0, 9999, 0.0), "to_edge 9999 is not in the network; its edges are 0 to 119"),
        ((-1, 0.0, 0, 0.0), "from_edge -1 is not"),
        ((0, 5000.0, 1, 0.0), "from offset 5000.0 m is not on edge 0; give 0 to 197"),
        ((0, 0.0, 1, float("nan")), "to offset nan m is not on edge 1"),
    ],
)
def test_a_place_that_is_not_on_the_roads_is_refused(arguments, says):
    with pytest.raises(InvalidInput, match=says):
        route(grid(), *arguments)


@pytest.mark.parametrize("within_s", [-1.0, float("nan"), float("inf")])
def test_a_reach_without_end_is_refused(within_s):
    with pytest.raises(InvalidInput, match="give 0 or more"):
        reachable(grid(), 0, 0.0, within_s)


def test_an_unknown_cost_is_refused():
    with pytest.raises(InvalidInput, match="give time or length"):
        route(grid(), 0, 0.0, 1, 0.0, by="beauty")
