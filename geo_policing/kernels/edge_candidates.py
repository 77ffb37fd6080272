"""Points projected to the polylines of edges."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def project(
    x: float, y: float, first: int, last: int, vertex_x: NDArray[Any], vertex_y: NDArray[Any]
) -> tuple[float, float]:
    """Distance from (x, y) to the polyline of vertices first to last, and how far along it; metres."""
    best = math.inf
    at = 0.0
    along = 0.0
    for v in range(first, last):
        dx = vertex_x[v + 1] - vertex_x[v]
        dy = vertex_y[v + 1] - vertex_y[v]
        length2 = dx * dx + dy * dy
        share = 0.0
        if length2 > 0.0:
            share = ((x - vertex_x[v]) * dx + (y - vertex_y[v]) * dy) / length2
            share = min(1.0, max(0.0, share))
        distance = math.hypot(x - vertex_x[v] - share * dx, y - vertex_y[v] - share * dy)
        length = math.sqrt(length2)
        if distance < best:
            best = distance
            at = along + share * length
        along += length
    return best, at


@njit(cache=True, nogil=True)
def nearest(
    x: NDArray[Any],
    y: NDArray[Any],
    group: NDArray[Any],
    group_offset: NDArray[Any],
    group_edge: NDArray[Any],
    vertex_offset: NDArray[Any],
    vertex_x: NDArray[Any],
    vertex_y: NDArray[Any],
    length_m: NDArray[Any],
    radius_m: float,
    k: int,
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Find the k nearest edges within a radius of each point, of the edges of its group.

    x, y (n,) f64 metres; group (n,) int: edges of point i are
    group_edge[group_offset[group[i]]:group_offset[group[i] + 1]].
    -> edge (n, k) i32, -1 where there are fewer; distance (n, k) f64; offset along the edge (n, k) f64,
    scaled so that the whole edge is its length_m.
    """
    n = x.shape[0]
    edge = np.full((n, k), -1, np.int32)
    distance = np.full((n, k), np.inf)
    offset = np.zeros((n, k))
    for i in range(n):
        for j in range(group_offset[group[i]], group_offset[group[i] + 1]):
            e = group_edge[j]
            first, last = vertex_offset[e], vertex_offset[e + 1] - 1
            d, at = project(x[i], y[i], first, last, vertex_x, vertex_y)
            if d > radius_m or d >= distance[i, k - 1]:
                continue
            drawn = 0.0
            for v in range(first, last):
                drawn += math.hypot(vertex_x[v + 1] - vertex_x[v], vertex_y[v + 1] - vertex_y[v])
            slot = k - 1
            while slot > 0 and distance[i, slot - 1] > d:
                distance[i, slot] = distance[i, slot - 1]
                offset[i, slot] = offset[i, slot - 1]
                edge[i, slot] = edge[i, slot - 1]
                slot -= 1
            edge[i, slot] = e
            distance[i, slot] = d
            offset[i, slot] = at / drawn * length_m[e] if drawn > 0.0 else 0.0
    return edge, distance, offset


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
