"""The few fastest routes between two edges, found in one call."""

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
