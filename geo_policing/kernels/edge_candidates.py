"""Points and directions of polylines at places on them."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def headings(
    edge: NDArray[Any],
    offset_m: NDArray[Any],
    vertex_offset: NDArray[Any],
    vertex_x: NDArray[Any],
    vertex_y: NDArray[Any],
    length_m: NDArray[Any],
) -> NDArray[np.float64]:
    """Direction of an edge at a place on it, degrees clockwise from north; NaN for edge -1 and for points.

    edge (n, k) i32; offset_m (n, k) f64 of `nearest` -> (n, k) f64. Between two segments it is the first's.
    """
    n, k = edge.shape
    out = np.full((n, k), np.nan)
    for i in range(n):
        for j in range(k):
            e = edge[i, j]
            if e < 0:
                continue
            first, last = vertex_offset[e], vertex_offset[e + 1] - 1
            drawn = 0.0
            for v in range(first, last):
                drawn += math.hypot(vertex_x[v + 1] - vertex_x[v], vertex_y[v + 1] - vertex_y[v])
            left = offset_m[i, j] / length_m[e] * drawn if length_m[e] > 0.0 else 0.0
            for v in range(first, last):
                dx, dy = vertex_x[v + 1] - vertex_x[v], vertex_y[v + 1] - vertex_y[v]
                step = math.hypot(dx, dy)
                if step > 0.0:
                    out[i, j] = math.degrees(math.atan2(dx, dy)) % 360.0
                    if left <= step:
                        break
                left -= step
    return out


@njit(cache=True, nogil=True)
def points(
    edge: NDArray[Any],
    offset_m: NDArray[Any],
    vertex_offset: NDArray[Any],
    vertex_x: NDArray[Any],
    vertex_y: NDArray[Any],
    along: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x, y of an edge at a place on it; NaN for edge -1. Beyond an end it is that end.

    edge (n,) i32; offset_m (n,) f64; along (v,) f64 of `edge_grid.along` -> x, y (n,) f64.
    """
    n = edge.shape[0]
    x, y = np.full(n, np.nan), np.full(n, np.nan)
    for i in range(n):
        e = edge[i]
        if e < 0:
            continue
        first, last = vertex_offset[e], vertex_offset[e + 1] - 1
        v = first
        while v < last - 1 and along[v + 1] < offset_m[i]:
            v += 1
        share, w = 0.0, min(v + 1, last)
        if along[w] > along[v]:
            share = min(max((offset_m[i] - along[v]) / (along[w] - along[v]), 0.0), 1.0)
        x[i] = vertex_x[v] + share * (vertex_x[w] - vertex_x[v])
        y[i] = vertex_y[v] + share * (vertex_y[w] - vertex_y[v])
    return x, y
