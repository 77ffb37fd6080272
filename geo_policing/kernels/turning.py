"""What turning costs from each edge into each that follows it, and roads that go on through crossings."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.edge_search import forbidden


@njit(cache=True, nogil=True)
def end_headings(
    vertex_offset: NDArray[Any], vertex_x: NDArray[Any], vertex_y: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Direction (m,) f64 in which each of m polylines starts, and in which it ends: atan2(dy, dx), radians.

    Segments without length are passed over; a polyline that is a point has direction 0.
    """
    m = vertex_offset.shape[0] - 1
    start, end = np.zeros(m), np.zeros(m)
    for e in range(m):
        found = False
        for v in range(vertex_offset[e], vertex_offset[e + 1] - 1):
            dx, dy = vertex_x[v + 1] - vertex_x[v], vertex_y[v + 1] - vertex_y[v]
            if dx != 0.0 or dy != 0.0:
                end[e] = math.atan2(dy, dx)
                if not found:
                    start[e] = end[e]
                found = True
    return start, end


@njit(cache=True, nogil=True)
def bend(a: float, b: float) -> float:
    """Angle between two directions, 0 to pi; radians."""
    return abs((b - a + math.pi) % (2.0 * math.pi) - math.pi)


@njit(cache=True, nogil=True)
def turn_costs(
    to_node: NDArray[Any],
    out_offset: NDArray[Any],
    out_edge: NDArray[Any],
    reverse: NDArray[Any],
    forbidden_turn: NDArray[Any],
    start: NDArray[Any],
    end: NDArray[Any],
    right_angle_m: float,
    crossing_m: float,
    u_turn_m: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cost of following each of m edges by each that leaves where it ends, metres.

    right_angle_m * angle / (pi / 2), and crossing_m where more than two edges leave; turning back u_turn_m,
    nothing at a dead end; infinite where forbidden. start, end (m,) f64 of `end_headings`.
    -> offset (m,) i64 and cost (t,) f64: edge e into out_edge[out_offset[to_node[e]] + j] costs
    cost[offset[e] + j]. The turns at a node follow each other, by the edges that come to it, ascending.
    """
    m = to_node.shape[0]
    offset = np.zeros(m, np.int64)
    size = 0
    for e in np.argsort(to_node, kind="mergesort"):
        offset[e] = size
        size += out_offset[to_node[e] + 1] - out_offset[to_node[e]]
    cost = np.zeros(size)
    for e in range(m):
        first, last = out_offset[to_node[e]], out_offset[to_node[e] + 1]
        for j in range(first, last):
            f = out_edge[j]
            if forbidden_turn.shape[0] > 0 and forbidden(forbidden_turn, e, f):
                c = np.inf
            elif f == reverse[e]:
                c = u_turn_m if last - first > 1 else 0.0
            else:
                c = right_angle_m * bend(end[e], start[f]) / (math.pi / 2.0)
                c += crossing_m if last - first > 2 else 0.0
            cost[offset[e] + j - first] = c
    return offset, cost


@njit(cache=True, nogil=True)
def _root(parent: NDArray[Any], e: int) -> int:
    while parent[e] != e:
        parent[e] = parent[parent[e]]
        e = parent[e]
    return e


@njit(cache=True, nogil=True)
def through_lengths(
    to_node: NDArray[Any],
    length_m: NDArray[Any],
    out_offset: NDArray[Any],
    out_edge: NDArray[Any],
    reverse: NDArray[Any],
    start: NDArray[Any],
    end: NDArray[Any],
    straight: float,
) -> NDArray[np.float64]:
    """Length (m,) f64 m of the road each edge is part of, followed straight on through crossings.

    An edge goes on into the one it bends least into, by less than `straight` radians, if it is also the one
    that bends least into that of those that go on there. start, end (m,) f64 of `end_headings`.
    """
    m = to_node.shape[0]
    before = np.full(m, -1, np.int64)
    bends = np.full(m, straight)
    for e in range(m):
        onward, least = -1, straight
        for j in range(out_offset[to_node[e]], out_offset[to_node[e] + 1]):
            f = out_edge[j]
            angle = bend(end[e], start[f])
            if f != reverse[e] and angle < least:
                onward, least = f, angle
        if onward >= 0 and least < bends[onward]:
            before[onward], bends[onward] = e, least
    parent = np.arange(m)
    for f in range(m):
        if before[f] >= 0:
            parent[_root(parent, before[f])] = _root(parent, f)
    total = np.zeros(m)
    for e in range(m):
        total[_root(parent, e)] += length_m[e]
    out = np.empty(m)
    for e in range(m):
        out[e] = total[_root(parent, e)]
    return out
