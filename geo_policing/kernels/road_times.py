"""Least time by road from where one may be to where one may be; Dijkstra over nodes, all turns are allowed.

Scratch arrays are stamped, never cleared, so a search costs what it visits, not what the network holds.
"""

import heapq
import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.edge_grid import Grid, nearest

#: How many edges near a place are looked at.
PLACES = 32
#: Where none is within its radius the nearest within this count; beyond it a place is off the roads.
WIDE_M = 500.0


class Arcs(NamedTuple):
    """m edges between n nodes: from_node, to_node (m,) i32; length_m, seconds (m,) f64 of each.

    Edges that leave node i are out_edge[out_offset[i]:out_offset[i + 1]], only those that are open.
    """

    from_node: NDArray[Any]
    to_node: NDArray[Any]
    length_m: NDArray[Any]
    seconds: NDArray[Any]
    out_offset: NDArray[Any]
    out_edge: NDArray[Any]


class Scratch(NamedTuple):
    """Per node (n,): seen, done, wanted i64 equal the stamp where seconds, rest f64 hold; stamp (1,) i64."""

    seen: NDArray[Any]
    done: NDArray[Any]
    wanted: NDArray[Any]
    seconds: NDArray[Any]
    rest: NDArray[Any]
    stamp: NDArray[Any]


class Roads(NamedTuple):
    """What a search needs: the arcs, what finds those near a place, and scratch arrays."""

    arcs: Arcs
    grid: Grid
    work: Scratch


def scratch(nodes: int) -> Scratch:
    """Return the scratch arrays for a network of so many nodes."""
    stamps = np.zeros((3, nodes), np.int64)
    return Scratch(stamps[0], stamps[1], stamps[2], np.zeros(nodes), np.zeros(nodes), np.zeros(1, np.int64))


@njit(cache=True, nogil=True)
def _share(arcs: Arcs, edge: int, offset_m: float) -> float:
    length = arcs.length_m[edge]
    return min(max(offset_m / length, 0.0), 1.0) if length > 0.0 else 0.0


@njit(cache=True, nogil=True)
def places(x: float, y: float, radius_m: float, roads: Roads) -> tuple[Any, Any, Any]:
    """Where one may be who is within a radius of a point: edges (k,) i32, and stretches of them.

    -> edge, from_m, to_m (k,): along each of the `PLACES` nearest edges as far as the radius on both sides of
    its nearest point, all of a loop, which may be near at both ends; -1 where there are fewer.
    """
    edges, _, offset_m = nearest(
        np.array([x]), np.array([y]), np.array([radius_m]), WIDE_M, PLACES, roads.grid
    )
    edge, at = edges[0], offset_m[0]
    from_m = np.maximum(at - radius_m, 0.0)
    to_m = np.minimum(at + radius_m, roads.arcs.length_m[np.maximum(edge, 0)])
    for j in range(edge.shape[0]):
        e = edge[j]
        if e >= 0 and roads.arcs.from_node[e] == roads.arcs.to_node[e]:
            from_m[j], to_m[j] = 0.0, roads.arcs.length_m[e]
    return edge, from_m, to_m


@njit(cache=True, nogil=True)
def arrivals(x: float, y: float, radius_m: float, within_s: float, roads: Roads) -> NDArray[np.float64]:
    """Least seconds (m,) f64 from the stretches of `places` near a place to the beginning of each edge.

    0 on those edges themselves; infinite without a way, beyond within_s, and for edges that are closed.
    """
    arcs, work = roads.arcs, roads.work
    found = np.full(arcs.from_node.shape[0], np.inf)
    edge, _, to_m = places(x, y, radius_m, roads)
    work.stamp[0] += 1
    stamp = work.stamp[0]
    heap = [(0.0, np.int64(0))]
    heap.clear()
    for i in range(edge.shape[0]):
        e = edge[i]
        if e < 0:
            break
        found[e] = 0.0
        node = arcs.to_node[e]
        cost = (1.0 - _share(arcs, e, to_m[i])) * arcs.seconds[e]
        if work.seen[node] != stamp or cost < work.seconds[node]:
            work.seen[node] = stamp
            work.seconds[node] = cost
            heapq.heappush(heap, (cost, np.int64(node)))
    while heap:
        cost, node = heapq.heappop(heap)
        if cost > within_s:
            break
        if work.done[node] == stamp:
            continue
        work.done[node] = stamp
        for k in range(arcs.out_offset[node], arcs.out_offset[node + 1]):
            e = arcs.out_edge[k]
            found[e] = min(found[e], cost)
            after = arcs.to_node[e]
            c = cost + arcs.seconds[e]
            if work.seen[after] != stamp or c < work.seconds[after]:
                work.seen[after] = stamp
                work.seconds[after] = c
                heapq.heappush(heap, (c, np.int64(after)))
    return found


@njit(cache=True, nogil=True)
def least(
    x_a: float, y_a: float, radius_a: float, x_b: float, y_b: float, radius_b: float, roads: Roads
) -> float:
    """Least seconds from the stretches of `places` near a to those near b; infinite without a way.

    Infinite as well where a or b is off the roads. Metres of the plane in.
    """
    arcs, work = roads.arcs, roads.work
    edge_a, from_a, to_a = places(x_a, y_a, radius_a, roads)
    edge_b, from_b, to_b = places(x_b, y_b, radius_b, roads)
    work.stamp[0] += 1
    stamp = work.stamp[0]
    best = math.inf
    for j in range(edge_b.shape[0]):
        e = edge_b[j]
        if e < 0:
            break
        begins = _share(arcs, e, from_b[j])
        node = arcs.from_node[e]
        rest = begins * arcs.seconds[e]
        if work.wanted[node] != stamp or rest < work.rest[node]:
            work.wanted[node] = stamp
            work.rest[node] = rest
        for i in range(edge_a.shape[0]):  # further on along the same edge
            if edge_a[i] == e and from_a[i] <= to_b[j]:
                best = min(best, max(0.0, begins - _share(arcs, e, to_a[i])) * arcs.seconds[e])
    heap = [(0.0, np.int64(0))]
    heap.clear()
    for i in range(edge_a.shape[0]):
        e = edge_a[i]
        if e < 0:
            break
        node = arcs.to_node[e]
        cost = (1.0 - _share(arcs, e, to_a[i])) * arcs.seconds[e]
        if work.seen[node] != stamp or cost < work.seconds[node]:
            work.seen[node] = stamp
            work.seconds[node] = cost
            heapq.heappush(heap, (cost, np.int64(node)))
    while heap:
        cost, node = heapq.heappop(heap)
        if cost >= best:
            break
        if work.done[node] == stamp:
            continue
        work.done[node] = stamp
        if work.wanted[node] == stamp:
            best = min(best, cost + work.rest[node])
        for k in range(arcs.out_offset[node], arcs.out_offset[node + 1]):
            e = arcs.out_edge[k]
            after = arcs.to_node[e]
            c = cost + arcs.seconds[e]
            if work.seen[after] != stamp or c < work.seconds[after]:
                work.seen[after] = stamp
                work.seconds[after] = c
                heapq.heappush(heap, (c, np.int64(after)))
    return best
