"""Directed edges that are the two directions of one road."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def runs_back(
    e: int,
    f: int,
    vertex_offset: NDArray[Any],
    vertex_x: NDArray[Any],
    vertex_y: NDArray[Any],
    tolerance_m: float,
) -> bool:
    """Whether f has the vertices of e in reverse, each within tolerance_m in x and in y."""
    count = vertex_offset[e + 1] - vertex_offset[e]
    if vertex_offset[f + 1] - vertex_offset[f] != count:
        return False
    for k in range(count):
        a, b = vertex_offset[e] + k, vertex_offset[f + 1] - 1 - k
        if not abs(vertex_x[a] - vertex_x[b]) <= tolerance_m:
            return False
        if not abs(vertex_y[a] - vertex_y[b]) <= tolerance_m:
            return False
    return True


@njit(cache=True, nogil=True)
def reverse_edges(
    order: NDArray[Any],
    from_node: NDArray[Any],
    to_node: NDArray[Any],
    vertex_offset: NDArray[Any],
    vertex_x: NDArray[Any],
    vertex_y: NDArray[Any],
    tolerance_m: float,
) -> NDArray[np.int32]:
    """Pair each edge with the first later one, not yet paired, that runs back along it.

    order (m,) int: edges sorted by their smaller node, their larger node and themselves.
    from_node, to_node (m,) int; vertex_offset (m + 1,) int; vertex_x, vertex_y (v,) f64 metres.
    -> (m,) i32, -1 where there is none.
    """
    m = order.shape[0]
    reverse = np.full(m, -1, np.int32)
    for i in range(m):
        e = order[i]
        if reverse[e] >= 0:
            continue
        low, high = min(from_node[e], to_node[e]), max(from_node[e], to_node[e])
        for j in range(i + 1, m):
            f = order[j]
            if min(from_node[f], to_node[f]) != low or max(from_node[f], to_node[f]) != high:
                break
            if reverse[f] >= 0 or from_node[f] != to_node[e] or to_node[f] != from_node[e]:
                continue
            if runs_back(e, f, vertex_offset, vertex_x, vertex_y, tolerance_m):
                reverse[e], reverse[f] = f, e
                break
    return reverse
