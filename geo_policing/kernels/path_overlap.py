"""Which pieces of a path somebody drove, from the movement between fixes."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.cell_visits import distance_m, joined


@njit(cache=True, nogil=True)
def near_times(
    x0: float, y0: float, x1: float, y1: float, x: float, y: float, within_m: float
) -> tuple[float, float]:
    """Shares of the way from (x0, y0) to (x1, y1) between which it is within a distance of (x, y).

    The roots of |m(s) - q|^2 = d^2, cut to [0, 1]; the first is above the second where there are none.
    """
    vx, vy = x1 - x0, y1 - y0
    wx, wy = x - x0, y - y0
    a = vx * vx + vy * vy
    b = wx * vx + wy * vy
    c = wx * wx + wy * wy - within_m * within_m
    if a == 0.0:
        return (0.0, 1.0) if c <= 0.0 else (1.0, 0.0)
    root = b * b - a * c
    if root < 0.0:
        return 1.0, 0.0
    root = math.sqrt(root)
    return max(0.0, (b - root) / a), min(1.0, (b + root) / a)


@njit(cache=True, nogil=True)
def cells_of(
    x: NDArray[np.float64], y: NDArray[np.float64], cell_m: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], int, int]:
    """Points in square cells: which, ordered by cell (p,) i64; where each cell begins; rows and columns.

    Cells count from the least x and y, row by row.
    """
    columns = int((x.max() - x.min()) / cell_m) + 1
    rows = int((y.max() - y.min()) / cell_m) + 1
    key = np.empty(x.shape[0], np.int64)
    begin = np.zeros(rows * columns + 1, np.int64)
    for i in range(x.shape[0]):
        key[i] = int((y[i] - y.min()) / cell_m) * columns + int((x[i] - x.min()) / cell_m)
        begin[key[i] + 1] += 1
    return np.argsort(key, kind="mergesort"), np.cumsum(begin), rows, columns


@njit(cache=True, nogil=True)
def driven(
    time: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    piece_x: NDArray[np.float64],
    piece_y: NDArray[np.float64],
    heading_x: NDArray[np.float64],
    heading_y: NDArray[np.float64],
    piece_us: NDArray[np.int64],
    cells: tuple[NDArray[np.int64], NDArray[np.int64], int, int],
    cell_m: float,
    within_m: float,
    within_us: int,
    least_cosine: float,
    start_us: int,
    end_us: int,
) -> NDArray[np.int64]:
    """By which movement of one device each piece is driven first: (p, 2) i64, its fixes, -1 by none.

    time (n,) i64 us; lon, lat (n,) degrees, x, y (n,) metres: the device's fixes, by time. piece_x, piece_y
    (p,) m: middles of the pieces; heading_* (p,): unit vectors along the path; piece_us (p,) i64: when the
    path was there, (0,) if it has no times; cells: of the middles, `cells_of`.
    A piece is driven at an instant of [start, end) at which the movement is within_m of its middle; within_us
    of piece_us; in a direction whose cosine with the heading is at least least_cosine (-2: any, or none).
    """
    out = np.full((piece_x.shape[0], 2), -1, np.int64)
    order, begin, rows, columns = cells
    west, south = piece_x.min(), piece_y.min()
    timed = piece_us.shape[0] > 0
    n = time.shape[0]
    for i in range(n):
        j = i
        if i + 1 < n and joined(time[i + 1] - time[i], distance_m(lon[i], lat[i], lon[i + 1], lat[i + 1])):
            j = i + 1
        if time[j] < start_us or time[i] >= end_us:
            continue
        left = math.floor((min(x[i], x[j]) - within_m - west) / cell_m)
        right = math.floor((max(x[i], x[j]) + within_m - west) / cell_m)
        low = math.floor((min(y[i], y[j]) - within_m - south) / cell_m)
        high = math.floor((max(y[i], y[j]) + within_m - south) / cell_m)
        left, right = max(left, 0), min(right, columns - 1)
        if left > right:
            continue
        elapsed = float(time[j] - time[i])
        vx, vy = x[j] - x[i], y[j] - y[i]
        length = math.hypot(vx, vy)
        for row in range(max(low, 0), min(high, rows - 1) + 1):
            for k in range(begin[row * columns + left], begin[row * columns + right + 1]):
                p = order[k]
                if out[p, 0] >= 0:
                    continue
                if least_cosine > -2.0 and (
                    length == 0.0 or vx * heading_x[p] + vy * heading_y[p] < least_cosine * length
                ):
                    continue
                first, last = near_times(x[i], y[i], x[j], y[j], piece_x[p], piece_y[p], within_m)
                if first > last:
                    continue
                from_us, until_us = time[i] + first * elapsed, time[i] + last * elapsed
                if timed:
                    from_us = max(from_us, float(piece_us[p] - within_us))
                    until_us = min(until_us, float(piece_us[p] + within_us))
                from_us = max(from_us, float(start_us))
                if from_us <= until_us and from_us < end_us:
                    out[p, 0], out[p, 1] = i, j
    return out
