"""GCJ-02 and BD-09, the datums of Chinese web maps, to and from WGS 84.

Data in them drawn on a WGS 84 map is off by 300 to 700 m; convert at the door. Neither is applied outside the
box in `kernels.gcj02.applies`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo_policing.kernels import gcj02

Array = NDArray[np.float64]

# BD-09 turns and stretches GCJ-02 about the origin, by an amount that varies along both axes.
_TURN = np.pi * 3000.0 / 180.0
_SHIFT = np.array([0.0065, 0.0060])


def _arrays(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    return np.array(lon, np.float64, ndmin=1), np.array(lat, np.float64, ndmin=1)


def gcj02_from_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    """GCJ-02 lon, lat (n,) of WGS 84 lon, lat (n,), degrees."""
    return gcj02.from_wgs84(*_arrays(lon, lat))


def wgs84_from_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    """WGS 84 lon, lat (n,) of GCJ-02 lon, lat (n,), degrees; the exact inverse."""
    return gcj02.to_wgs84(*_arrays(lon, lat))


def bd09_from_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    """BD-09 lon, lat (n,) of WGS 84 lon, lat (n,), degrees."""
    lon_, lat_ = _arrays(lon, lat)
    x, y = gcj02.from_wgs84(lon_, lat_)
    return _where_shifted((x != lon_) | (y != lat_), _bd09(x, y), (lon_, lat_))


def wgs84_from_bd09(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    """WGS 84 lon, lat (n,) of BD-09 lon, lat (n,), degrees; the exact inverse, by fixed-point iteration."""
    lon_, lat_ = _arrays(lon, lat)
    x, y = lon_ - _SHIFT[0], lat_ - _SHIFT[1]
    for _ in range(8):
        there_x, there_y = _bd09(x, y)
        x, y = x + lon_ - there_x, y + lat_ - there_y
    found_lon, found_lat = gcj02.to_wgs84(x, y)
    return _where_shifted((found_lon != x) | (found_lat != y), (found_lon, found_lat), (lon_, lat_))


def _where_shifted(
    shifted: NDArray[np.bool_], there: tuple[Array, Array], here: tuple[Array, Array]
) -> tuple[Array, Array]:
    """Leave alone what GCJ-02 leaves alone: it lies outside the box."""
    return np.where(shifted, there[0], here[0]), np.where(shifted, there[1], here[1])


def _bd09(x: Array, y: Array) -> tuple[Array, Array]:
    """BD-09 of GCJ-02."""
    radius = np.hypot(x, y) + 0.000_02 * np.sin(y * _TURN)
    angle = np.arctan2(y, x) + 0.000_003 * np.cos(x * _TURN)
    return radius * np.cos(angle) + _SHIFT[0], radius * np.sin(angle) + _SHIFT[1]
