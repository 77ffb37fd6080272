"""Places chosen on edges to the path that leads over them."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.edge_search import search


@njit(cache=True, nogil=True)
def least_path(
    a: int,
    a_cost: float,
    b: int,
    limit: float,
    to_node: NDArray[Any],
    edge_cost: NDArray[Any],
    out_offset: NDArray[Any],
    out_edge: NDArray[Any],
    reverse: NDArray[Any],
    turn: NDArray[Any],
    u_turn_cost: float,
) -> tuple[NDArray[np.int32], float]:
    """Edges of the cheapest path from edge a, whose end is a_cost away, to edge b, and its cost at b's start.

    The cost of an edge (m,) f64 may be metres or seconds, limit and u_turn_cost alike. -> (e,) i32 from a to
    b, both included, empty where the limit ends the search; a f64. A path from an edge to itself goes round.
    """
    m = to_node.shape[0]
    target, seen, settled = np.zeros(m, np.int64), np.zeros(m, np.int64), np.zeros(m, np.int64)
    label, before = np.zeros(m), np.zeros(m, np.int32)
    heap_cost, heap_edge = np.empty(4 * m + 16), np.empty(4 * m + 16, np.int32)
    target[b] = 1
    search(
        a,
        a_cost,
        limit,
        1,
        1,
        to_node,
        edge_cost,
        out_offset,
        out_edge,
        reverse,
        turn,
        u_turn_cost,
        target,
        seen,
        settled,
        label,
        before,
        heap_cost,
        heap_edge,
    )
    if settled[b] != 1:
        return np.empty(0, np.int32), np.inf
    return _walk_back(a, b, before), label[b]


@njit(cache=True, nogil=True)
def _walk_back(a: int, b: int, before: NDArray[Any]) -> NDArray[np.int32]:
    """Edges from a to b by the edge each was reached from; at least two, as b is reached by a turn."""
    size = 2
    e = before[b]
    while e != a:
        e = before[e]
        size += 1
    path = np.empty(size, np.int32)
    e = b
    for i in range(size - 1, -1, -1):
        path[i] = e
        e = before[e]
    return path


@njit(cache=True, nogil=True)
def hold_back(
    edge: NDArray[Any], offset: NDArray[Any], backward_m: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which places (n,) bool lie on the edge of the place before, and how far along it they reach (n,) f64 m.

    Going back along an edge by backward_m or less is jitter: the place reached stays the farthest.
    """
    n = edge.shape[0]
    same = np.zeros(n, np.bool_)
    reached = offset.copy()
    for i in range(1, n):
        if edge[i] == edge[i - 1] and offset[i] >= offset[i - 1] - backward_m:
            same[i] = True
            reached[i] = max(reached[i - 1], offset[i])
    return same, reached


@njit(cache=True, nogil=True)
def join(
    edge: NDArray[Any],
    same: NDArray[Any],
    new: NDArray[Any],
    to_node: NDArray[Any],
    length_m: NDArray[Any],
    out_offset: NDArray[Any],
    out_edge: NDArray[Any],
    reverse: NDArray[Any],
    turn: NDArray[Any],
    u_turn_m: float,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_]]:
    """Shortest paths over the places chosen: edge (n,) i32; same (n,) bool, on the edge of the place before.

    new (n,) bool starts another path there. -> edges of all paths (p,) i32 one after the other; at (n,) i64,
    which of them each place is on; starts (n,) bool: first of all, new, or no road leads there.
    """
    n = edge.shape[0]
    m = to_node.shape[0]
    target, seen, settled = np.zeros(m, np.int64), np.zeros(m, np.int64), np.zeros(m, np.int64)
    label, before = np.zeros(m), np.zeros(m, np.int32)
    heap_cost, heap_edge = np.empty(4 * m + 16), np.empty(4 * m + 16, np.int32)
    path = np.empty(2 * n + 16, np.int32)
    at = np.zeros(n, np.int64)
    starts = np.zeros(n, np.bool_)
    size = 0
    for i in range(n):
        b = edge[i]
        way = np.full(1, b, np.int32)
        starts[i] = i == 0 or new[i]
        if not starts[i]:
            if same[i]:
                at[i] = at[i - 1]
                continue
            # Where on its edge the search starts adds the same to every path.
            a = edge[i - 1]
            stamp = i + 1
            target[b] = stamp
            search(
                a,
                0.0,
                np.inf,
                1,
                stamp,
                to_node,
                length_m,
                out_offset,
                out_edge,
                reverse,
                turn,
                u_turn_m,
                target,
                seen,
                settled,
                label,
                before,
                heap_cost,
                heap_edge,
            )
            if settled[b] == stamp:
                way = _walk_back(a, b, before)[1:]
            else:
                starts[i] = True
        while size + way.shape[0] > path.shape[0]:
            path = np.concatenate((path, np.empty_like(path)))
        path[size : size + way.shape[0]] = way
        size += way.shape[0]
        at[i] = size - 1
    return path[:size].copy(), at, starts


@njit(cache=True, nogil=True)
def thin(x: NDArray[Any], y: NDArray[Any], thin_m: float) -> NDArray[np.int64]:
    """Fix (n,) i64 that speaks for each: itself, or the last that did where it is nearer to that than thin_m.

    The last of all, if it is elsewhere, speaks for itself: it says where the trace ends. x, y (n,) f64 m.
    """
    n = x.shape[0]
    speaker = np.zeros(n, np.int64)
    last = 0
    for i in range(1, n):
        moved = np.hypot(x[i] - x[last], y[i] - y[last])
        if moved >= thin_m or (i == n - 1 and moved > 0.0):
            last = i
        speaker[i] = last
    return speaker
