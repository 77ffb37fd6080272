"""The few fastest routes between two edges, and how far they go the same way, in one call."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.path_joining import walk_back
from geo_policing.kernels.way_search import Ways, scratch, search


@njit(cache=True, nogil=True)
def fastest_routes(
    a: int, a_cost: float, b: int, routes: int, dearer: float, ways: Ways
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Find the cheapest path from edge a, whose end is a_cost away, to edge b, and others nearly as cheap.

    Each search after the first has the inner edges of the paths before it `dearer` times as dear, so it finds
    another one where there is one. A path from an edge to itself goes round.
    -> edges (e,) i32 of all different paths one after the other, each from a to b, both included, and where
    they begin (r + 1,) i64; r is 0 where no road leads there, else from 1 to `routes`.
    """
    cost_m = ways.cost_m.copy()
    felt = Ways(
        ways.from_node,
        ways.to_node,
        ways.length_m,
        cost_m,
        ways.out_offset,
        ways.out_edge,
        ways.reverse,
        ways.turn_offset,
        ways.turn_cost,
        ways.out_slot,
    )
    on = scratch(ways.to_node.shape[0])
    edges = np.empty(0, np.int32)
    first = np.zeros(routes + 1, np.int64)
    found = 0
    for trial in range(1, routes + 1):
        on.target[b] = trial
        search(a, a_cost, np.inf, 1, trial, felt, on)
        if on.settled[b] != trial:
            break
        path = walk_back(a, b, on.before)
        for e in path[1:-1]:
            cost_m[e] *= dearer
        known = False
        for other in range(found):
            known = known or np.array_equal(edges[first[other] : first[other + 1]], path)
        if not known:
            edges = np.concatenate((edges, path))
            found += 1
            first[found] = edges.shape[0]
    return edges, first[: found + 1].copy()


@njit(cache=True, nogil=True)
def _passed_s(
    edges: NDArray[np.int32], a_m: float, b_m: float, travel_s: NDArray[Any], length_m: NDArray[Any]
) -> float:
    """Time it takes from a place on the first edge to one on the last."""
    first, last = edges[0], edges[-1]
    seconds = -travel_s[first] * a_m / max(length_m[first], 1e-9)
    for e in edges[:-1]:
        seconds += travel_s[e]
    return float(seconds + travel_s[last] * b_m / max(length_m[last], 1e-9))


@njit(cache=True, nogil=True)
def _shared(edges: NDArray[np.int32], other: NDArray[np.int32], travel_s: NDArray[Any]) -> float:
    """Share of the time on the inner edges of a route that is on another one too."""
    total = on_other = 0.0
    for e in edges[1:-1]:
        total += travel_s[e]
        for f in other:
            if e == f:
                on_other += travel_s[e]
                break
    return on_other / total if total > 0.0 else 1.0


@njit(cache=True, nogil=True)
def fastest_of(
    a: int,
    a_m: float,
    b: int,
    b_m: float,
    routes: int,
    dearer: float,
    taste_share: float,
    taste_s: float,
    times: Ways,
    travel_s: NDArray[Any],
) -> tuple[NDArray[np.int32], float, float, float]:
    """Tell the fastest of a few routes from a place on edge a to one on edge b, in metres from their starts.

    times: Ways in seconds, which the search counts; travel_s (m,) f64, what each edge takes; routes, dearer
    as for `fastest_routes`. -> its edges (e,) i32, none where no road leads there; its length in m and time
    in s; the expected share of it that is driven by who chooses among them by time, where a difference of
    taste_share of the time and taste_s is worth 1 in the logarithm.
    """
    length_m = times.length_m
    if a == b and b_m >= a_m:
        edges, first = np.full(1, a, np.int32), np.arange(2)
    else:
        left = 1.0 - min(a_m / length_m[a], 1.0) if length_m[a] > 0.0 else 0.0
        edges, first = fastest_routes(a, times.cost_m[a] * left, b, routes, dearer, times)
    if edges.shape[0] == 0:
        return edges, 0.0, 0.0, 0.0
    fastest = edges[: first[1]]
    fastest_s = _passed_s(fastest, a_m, b_m, travel_s, length_m)
    shared, weights = 0.0, 0.0
    for r in range(first.shape[0] - 1):
        route = edges[first[r] : first[r + 1]]
        later_s = _passed_s(route, a_m, b_m, travel_s, length_m) - fastest_s
        weight = math.exp(-later_s / (taste_share * fastest_s + taste_s))
        shared += weight * _shared(fastest, route, travel_s)
        weights += weight
    metres = b_m - a_m
    for e in fastest[:-1]:
        metres += length_m[e]
    return fastest.copy(), metres, fastest_s, shared / weights
