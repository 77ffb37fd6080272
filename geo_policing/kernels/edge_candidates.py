"""Directions of polylines at places on them."""

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
