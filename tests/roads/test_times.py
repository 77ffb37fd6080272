"""The least time by road, against relaxing every edge until nothing gets faster."""

import math
from dataclasses import replace

import numpy as np
import pytest

from geo_policing.errors import InvalidInput
from geo_policing.kernels.road_times import PLACES, WIDE_M
from geo_policing.roads import Access, route
from geo_policing.roads.times import RoadTimes
from tests.roads import naive
from tests.roads.test_routing import random_network
from tests.roads.town import grid


@pytest.mark.parametrize("seed", range(20))
def test_least_times_equal_the_naive_twin(seed):
    network = random_network(seed)
    roads = RoadTimes(network)
    rng = np.random.default_rng(seed)
    n = 8
    places = np.column_stack([113.13 + 0.01 * rng.random(n), 27.83 + 0.01 * rng.random(n)]).tolist()
    radius_m = rng.choice([1.0, 20.0, 60.0], n).tolist()
    is_open = (network.access & Access.CAR) > 0
    near = [
        naive.stretches(network, is_open, *at, r, WIDE_M, PLACES)
        for at, r in zip(places, radius_m, strict=True)
    ]
    ways = 0
    for a in range(n):
        for b in range(n):
            expected = naive.least_time(network, is_open, near[a], near[b])
            found = roads.least_s(places[a], places[b], radius_m[a], radius_m[b])
            assert found == pytest.approx(expected, abs=1e-9)
            ways += 0 < expected < math.inf
    assert ways


@pytest.mark.parametrize("seed", range(12))
def test_arrivals_at_every_edge_equal_the_naive_twin(seed):
    network = random_network(seed)
    roads = RoadTimes(network, most_mps=8.0)
    slow = replace(network, speed_mps=np.minimum(network.speed_mps, np.float32(8.0)))
    rng = np.random.default_rng(seed)
    is_open = (network.access & Access.CAR) > 0
    for radius_m in (5.0, 60.0):
        lon, lat = 113.13 + 0.01 * rng.random(), 27.83 + 0.01 * rng.random()
        near = naive.stretches(network, is_open, lon, lat, radius_m, WIDE_M, PLACES)
        expected = np.array(naive.arrivals(slow, is_open, near))
        found = roads.arrivals_s((lon, lat), radius_m)
        assert found == pytest.approx(expected, abs=1e-6)
        limit = float(np.median(expected[np.isfinite(expected)]))
        soon = roads.arrivals_s((lon, lat), radius_m, limit)
        assert (soon[np.isfinite(soon)] == found[np.isfinite(soon)]).all()
        assert np.isfinite(soon[expected < limit - 1e-6]).all()
        assert not np.isfinite(soon[expected > limit + 1e-6]).any()


def test_who_walks_goes_along_one_way_roads_either_way():
    one_way = grid(one_way={"1>2", "2>3", "9>8"})
    two_way = RoadTimes(grid(), Access.FOOT)
    number = {name: edge for edge, name in enumerate(grid().edge_ids)}
    for place in ((113.1305, 27.83), (113.1312, 27.831), (113.1325, 27.8301)):
        walking = RoadTimes(one_way, Access.FOOT, both_ways=True).arrivals_s(place, 20.0)
        both = two_way.arrivals_s(place, 20.0)
        for edge, name in enumerate(one_way.edge_ids):
            other = ">".join(reversed(name.split(">")))
            least = both[number[name]]
            if one_way.reverse[edge] < 0:
                least = min(least, both[number[other]])
            assert walking[edge] == pytest.approx(least, abs=1e-9)
    keeping = RoadTimes(one_way, Access.FOOT).arrivals_s(place, 20.0)
    assert (keeping >= walking - 1e-9).all()
    assert (keeping > walking + 1.0).any()


def test_nobody_who_drives_the_fastest_route_is_faster():
    network = grid(one_way={"1>2", "2>3", "9>8"}, forbidden=[("0>1", "1>2"), ("6>7", "7>8")])
    roads = RoadTimes(network)
    longer = 0
    for a in range(0, network.n_edges, 5):
        for b in range(0, network.n_edges, 7):
            middles = [tuple(network.lonlat(e).mean(axis=0)) for e in (a, b)]
            found = route(network, a, network.length_m[a] / 2, b, network.length_m[b] / 2)
            least_s = roads.least_s(*middles, 1.0, 1.0)
            assert least_s <= found.duration_s
            longer += found.duration_s > least_s + 1
    assert longer  # turning back and forbidden turns cost the route


def test_a_place_off_the_roads_has_no_way():
    roads = RoadTimes(grid())
    on_it, by_it, far = (113.1305, 27.83), (113.128, 27.83), (114.5, 27.83)
    assert roads.least_s(on_it, on_it, 50, 50) == 0
    assert roads.least_s(on_it, by_it, 50, 50) == 0  # the road that it is by begins within the radius
    assert roads.least_s(on_it, far, 50, 50) == math.inf


def test_roads_that_nobody_may_use_are_refused():
    with pytest.raises(InvalidInput, match="no road is open to"):
        RoadTimes(replace(grid(), access=np.full(grid().n_edges, Access.FOOT, np.uint8)))
