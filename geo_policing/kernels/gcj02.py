"""GCJ-02, the obfuscated datum of Chinese web maps, over arrays, and its exact inverse.

The offset is the published formula as it has been known since 2011 (the "eviltransform" constants): a
Krasovsky ellipsoid, polynomials and sines of the distance from 105 E 35 N. The inverse has no closed form; it
is found by fixed-point iteration: the offset changes by less than 1 % of a step, but for the cusps of its
square roots at 105 E, where more rounds are needed.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_A = 6_378_245.0
_E2 = 0.006_693_421_622_965_943
#: Rounds of the inverse at most, and the step in degrees (1e-9 m) at which it has arrived.
_ROUNDS = 100
_ARRIVED = 1e-14


@njit(cache=True, nogil=True)
def applies(lon: float, lat: float) -> bool:
    """Whether the offset is applied: the box 72.004-137.8347 E, 0.8293-55.8271 N that the maps use."""
    return 72.004 <= lon <= 137.8347 and 0.8293 <= lat <= 55.8271


@njit(cache=True, nogil=True)
def offset(lon: float, lat: float) -> tuple[float, float]:
    """GCJ-02 minus WGS 84 at a WGS 84 point, degrees of lon and lat."""
    x = lon - 105.0
    y = lat - 35.0
    pi = math.pi
    common = (20.0 * math.sin(6.0 * x * pi) + 20.0 * math.sin(2.0 * x * pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + common
    north += (20.0 * math.sin(y * pi) + 40.0 * math.sin(y / 3.0 * pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * pi) + 320.0 * math.sin(y * pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + common
    east += (20.0 * math.sin(x * pi) + 40.0 * math.sin(x / 3.0 * pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * pi) + 300.0 * math.sin(x / 30.0 * pi)) * 2.0 / 3.0
    sin_lat = math.sin(math.radians(lat))
    w2 = 1.0 - _E2 * sin_lat * sin_lat
    w = math.sqrt(w2)
    d_lat = math.degrees(north / (_A * (1.0 - _E2) / (w2 * w)))
    d_lon = math.degrees(east / (_A / w * math.cos(math.radians(lat))))
    return d_lon, d_lat


@njit(cache=True, nogil=True)
def from_wgs84(lon: NDArray[Any], lat: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """lon, lat (n,) f64 WGS 84 -> lon, lat (n,) f64 GCJ-02, degrees; unchanged where it does not apply."""
    out_lon, out_lat = lon.copy(), lat.copy()
    for i in range(lon.shape[0]):
        if applies(lon[i], lat[i]):
            d_lon, d_lat = offset(lon[i], lat[i])
            out_lon[i] += d_lon
            out_lat[i] += d_lat
    return out_lon, out_lat


@njit(cache=True, nogil=True)
def to_wgs84(lon: NDArray[Any], lat: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """lon, lat (n,) f64 GCJ-02 -> lon, lat (n,) f64 WGS 84, degrees; unchanged where it does not apply."""
    out_lon, out_lat = lon.copy(), lat.copy()
    for i in range(lon.shape[0]):
        # The shift may carry a point over the edge of the box, 0.02 degrees at most.
        if 71.95 <= lon[i] <= 137.9 and 0.77 <= lat[i] <= 55.9:
            x, y = lon[i], lat[i]
            for _ in range(_ROUNDS):
                d_lon, d_lat = offset(x, y)
                step = abs(lon[i] - d_lon - x) + abs(lat[i] - d_lat - y)
                x, y = lon[i] - d_lon, lat[i] - d_lat
                if step < _ARRIVED:
                    break
            if applies(x, y):
                out_lon[i], out_lat[i] = x, y
    return out_lon, out_lat
