"""One identity's fixes as the fewest movements that could have made them, greedily."""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.road_times import Roads, least

_EARTH_M = 6_371_008.8


class Limits(NamedTuple):
    """apart_m: what is nearer is one place; tolerance_s of clocks; haste times the speeds; top_mps of all."""

    apart_m: float
    tolerance_s: float
    haste: float
    top_mps: float


@njit(cache=True, nogil=True)
def great_circle_m(lon_a: float, lat_a: float, lon_b: float, lat_b: float) -> float:
    """Metres between two places on the sphere: 2 R asin sqrt(hav(dlat) + cos cos hav(dlon)), degrees in."""
    up = math.sin(0.5 * math.radians(lat_b - lat_a))
    over = math.sin(0.5 * math.radians(lon_b - lon_a))
    h = up * up + math.cos(math.radians(lat_a)) * math.cos(math.radians(lat_b)) * over * over
    return 2.0 * _EARTH_M * math.asin(math.sqrt(min(1.0, h)))


@njit(cache=True, nogil=True)
def possible(
    i: int,
    j: int,
    time: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    radius_m: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    limits: Limits,
    roads: Roads,
) -> bool:
    """Whether somebody at fix i can have been at fix j: needed <= |t_j - t_i| + tolerance.

    apart = distance - radius_i - radius_j; nothing is needed up to apart_m. needed is the larger of
    apart / (haste top) and least / haste, the latter where both are on the roads and a way leads there.
    """
    apart = great_circle_m(lon[i], lat[i], lon[j], lat[j]) - radius_m[i] - radius_m[j]
    if apart <= limits.apart_m:
        return True
    reach_s = (abs(time[j] - time[i]) * 1e-6 + limits.tolerance_s) * limits.haste
    if apart > limits.top_mps * reach_s:
        return False
    by_road = least(x[i], y[i], radius_m[i], x[j], y[j], radius_m[j], roads)
    return by_road <= reach_s or by_road == math.inf


@njit(cache=True, nogil=True)
def strands(
    time: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    radius_m: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    limits: Limits,
    roads: Roads,
    halt: NDArray[np.uint8],
) -> tuple[Any, Any]:
    """Put each fix, in order of time, on the nearest strand that it is possible after, or on a new one.

    As near is what is as near to the metre; then the strand that began first.
    time (n,) i64 us; lon, lat, radius_m (n,) f64 degrees and metres; x, y (n,) f64 m in the roads' plane.
    halt (1,) u8: what is found is of no use, and it returns, when another thread makes it other than 0.
    -> strand (n,) i32, and broken (n,) bool: it is not possible after the fix before it.
    """
    n = time.shape[0]
    strand = np.empty(n, np.int32)
    broken = np.zeros(n, np.bool_)
    last = np.empty(n, np.int64)
    count = 0
    for i in range(n):
        if halt[0] != 0:
            break
        chosen = -1
        far = -1.0
        tried = -1
        while True:  # the nearest first, which is mostly the one: roads are searched for few
            nearest = math.inf
            number = -1
            for s in range(count):
                d = math.floor(great_circle_m(lon[last[s]], lat[last[s]], lon[i], lat[i]))
                if (d > far or (d == far and s > tried)) and d < nearest:
                    nearest, number = d, s
            if number < 0:
                break
            if possible(last[number], i, time, lon, lat, radius_m, x, y, limits, roads):
                chosen = number
                break
            far, tried = nearest, number
        if i > 0 and (chosen < 0 or last[chosen] != i - 1):
            broken[i] = not possible(i - 1, i, time, lon, lat, radius_m, x, y, limits, roads)
        if chosen < 0:
            chosen = count
            count += 1
        strand[i] = chosen
        last[chosen] = i
    return strand, broken
