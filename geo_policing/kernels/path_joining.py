"""Places chosen on edges to the path that leads over them."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.map_matching import AHEAD, BACK, BY_WAY
from geo_policing.kernels.node_tables import Table, cost_between, find, last_of, turn_between
from geo_policing.kernels.way_search import Ways, scratch, search


@njit(cache=True, nogil=True)
def walk_back(a: int, b: int, before: NDArray[Any]) -> NDArray[np.int32]:
    """Edges (e,) i32 from a to b, both included, by the edge each was reached from.

    before (m,) i32 of `search`. At least two, as b is reached by a turn.
    """
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
def _longer(path: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    while path.shape[0] < size:
        path = np.concatenate((path, np.empty_like(path)))
    return path


@njit(cache=True, nogil=True)
def _walk_table(
    u: int,
    v: int,
    at: int,
    table: Table,
    way: NDArray[np.int32],
) -> tuple[NDArray[np.int32], int]:
    """Edges of the way from node u to node v at that place of the table, last first, and how many."""
    packed, in_offset, in_edge, edges = table.way, table.in_offset, table.in_edge, table.edge
    size = 0
    while v != u:
        way = _longer(way, size + 1)
        e = in_edge[in_offset[v] + last_of(packed[at])]
        way[size] = e
        size += 1
        v = edges[e]["from_node"]
        if v != u:
            at = find(u, v, table)
    return way, size


@njit(cache=True, nogil=True)
def between(a: int, b: int, ways: Ways, table: Table) -> tuple[bool, NDArray[np.int32]]:
    """Whether the table knows the way from edge a to edge b, and the edges between them."""
    u, v = ways.to_node[a], ways.from_node[b]
    if u == v:
        return turn_between(a, b, ways) < np.inf, np.empty(0, np.int32)
    at = find(u, v, table)
    if at < 0 or not cost_between(a, b, at, table, ways) < np.inf:
        return False, np.empty(0, np.int32)
    way, size = _walk_table(u, v, at, table, np.empty(16, np.int32))
    return True, way[:size][::-1].copy()


@njit(cache=True, nogil=True)
def join(
    edge: NDArray[Any],
    offset: NDArray[Any],
    how: NDArray[Any],
    new: NDArray[Any],
    ways: Ways,
    table: Table,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Least ways over the places chosen: edge (n,) i32, offset (n,) f64 m, how (n,) i8 of `map_matching`.

    new (n,) bool starts another path there if the vehicle moved. So does turning back within an edge: the
    path before it ends, and the new one begins, at the farthest place reached.
    -> edges of all paths (p,) i32 one after the other; at (n,) i64, which of them each place is on; starts
    (n,) bool: first of all, new, turned back, jumped, or no road leads there; entered (n,) f64 m, where the
    path comes to the place from if it starts there; left (n,) f64 m, how far along its edge it has come then:
    going back along an edge is jitter, it stays where it was.
    """
    n = edge.shape[0]
    path = np.empty(2 * n + 16, np.int32)
    at = np.zeros(n, np.int64)
    starts = np.zeros(n, np.bool_)
    entered, left = offset.copy(), offset.copy()
    to_node, from_node, length_m = ways.to_node, ways.from_node, ways.length_m
    way = np.empty(64, np.int32)
    on = scratch(0)
    size = 0
    for i in range(n):
        b = edge[i]
        starts[i] = True
        if i > 0 and how[i] == AHEAD:
            left[i] = max(left[i - 1], offset[i])
            entered[i] = left[i]
            if not new[i] or left[i] == left[i - 1]:
                at[i] = at[i - 1]
                starts[i] = False
                continue
        elif i > 0 and how[i] == BACK:
            length = length_m[edge[i - 1]]
            turn = min(length, max(left[i - 1], length - offset[i]))
            left[i - 1] = turn
            entered[i] = min(length_m[b], length - turn)
            left[i] = max(offset[i], entered[i])
        elif i > 0 and how[i] == BY_WAY and not new[i]:
            a = edge[i - 1]
            u, v = to_node[a], from_node[b]
            inner = 0
            if u == v:
                found = turn_between(a, b, ways) < np.inf
            else:
                at_way = find(u, v, table)
                found = at_way >= 0 and cost_between(a, b, at_way, table, ways) < np.inf
                if found:
                    way, inner = _walk_table(u, v, at_way, table, way)
            if found:
                path = _longer(path, size + inner)
                for back in range(inner):
                    path[size + back] = way[inner - 1 - back]
            else:
                if on.target.shape[0] == 0:
                    on = scratch(to_node.shape[0])
                on.target[b] = i
                # Where on its edge the search starts adds the same to every path.
                search(a, 0.0, np.inf, 1, i, ways, on)
                found = on.settled[b] == i
                if found:
                    searched = walk_back(a, b, on.before)[1:-1]
                    inner = searched.shape[0]
                    path = _longer(path, size + inner)
                    path[size : size + inner] = searched
            if found:
                size += inner
                starts[i] = False
        path = _longer(path, size + 1)
        path[size] = b
        at[i] = size
        size += 1
    return path[:size].copy(), at, starts, entered, left


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
