"""Points along polylines, close enough that none passes unseen between two of them."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def parts(dx: float, dy: float, step_m: float) -> int:
    """Equal parts no longer than step_m of a segment (dx, dy): max(1, ceil(|d| / step_m))."""
    return max(1, math.ceil(math.hypot(dx, dy) / step_m))


@njit(cache=True, nogil=True)
def samples(
    vertex_offset: NDArray[Any], vertex_x: NDArray[Any], vertex_y: NDArray[Any], step_m: float
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """All vertices of m polylines, and points between them at most step_m apart.

    vertex_offset (m + 1,) int; vertex_x, vertex_y (v,) f64 metres.
    -> edge (s,) i32 ascending; x, y (s,) f64 metres.
    """
    m = vertex_offset.shape[0] - 1
    size = 0
    for e in range(m):
        first, last = vertex_offset[e], vertex_offset[e + 1] - 1
        size += last >= first
        for v in range(first, last):
            size += parts(vertex_x[v + 1] - vertex_x[v], vertex_y[v + 1] - vertex_y[v], step_m)
    edge = np.empty(size, np.int32)
    x = np.empty(size)
    y = np.empty(size)
    i = 0
    for e in range(m):
        first, last = vertex_offset[e], vertex_offset[e + 1] - 1
        if last < first:
            continue
        edge[i], x[i], y[i] = e, vertex_x[first], vertex_y[first]
        i += 1
        for v in range(first, last):
            dx, dy = vertex_x[v + 1] - vertex_x[v], vertex_y[v + 1] - vertex_y[v]
            n = parts(dx, dy, step_m)
            for k in range(1, n + 1):
                edge[i], x[i], y[i] = e, vertex_x[v] + dx * k / n, vertex_y[v] + dy * k / n
                i += 1
    return edge, x, y
