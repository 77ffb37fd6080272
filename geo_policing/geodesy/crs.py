"""Coordinates of any system to WGS 84, and what is wrong when they end up in the wrong place."""

import math

import numpy as np
import pyproj
from numpy.typing import ArrayLike, NDArray
from pyproj.exceptions import CRSError, ProjError

from geo_policing.errors import InvalidCoordinates
from geo_policing.geodesy.gcj02 import wgs84_from_bd09, wgs84_from_gcj02
from geo_policing.model import BoundingBox

Array = NDArray[np.float64]

_REMEDY = "give an EPSG code like EPSG:4547, a WKT, gcj02 or bd09"
_SHIFTED = {"gcj02": wgs84_from_gcj02, "bd09": wgs84_from_bd09}
#: Where GCJ-02 and BD-09 are applied, as `kernels.gcj02.applies` has it.
_CHINA = BoundingBox(72.004, 0.8293, 137.8347, 55.8271)
_MARGIN = 2.0
"""Degrees by which data may leave the area that a system was made for."""


def to_wgs84(
    x: ArrayLike, y: ArrayLike, crs: str | int, *, expect: BoundingBox | None = None
) -> tuple[Array, Array]:
    """Convert coordinates, all or none.

    Parameters
    ----------
    x, y : (n,) array_like
        Easting and northing, or longitude and latitude, always in this order.
    crs : str or int
        EPSG code, WKT or anything else that PROJ knows; ``gcj02`` or ``bd09``.
    expect : BoundingBox, optional
        Where the points must lie; the area that the system was made for when not given.

    Returns
    -------
    lon, lat : (n,) float64
        Degrees WGS 84.

    Raises
    ------
    InvalidCoordinates
        If the system is unknown, or a point is not finite, off the earth or outside what is expected.
    """
    lon, lat = transform(x, y, crs)
    x_, y_ = np.atleast_1d(np.asarray(x, np.float64)), np.atleast_1d(np.asarray(y, np.float64))
    astray = np.flatnonzero(~plausible(lon, lat, crs, expect))
    if len(astray):
        i = int(astray[0])
        raise InvalidCoordinates(
            f"point {i}: {explain(float(x_[i]), float(y_[i]), crs, expect)}",
            field="x,y",
            value=(float(x_[i]), float(y_[i])),
        )
    return lon, lat


def transform(x: ArrayLike, y: ArrayLike, crs: str | int) -> tuple[Array, Array]:
    """Convert coordinates as `to_wgs84` does; NaN where one has no place on the earth."""
    x_, y_ = np.atleast_1d(np.asarray(x, np.float64)), np.atleast_1d(np.asarray(y, np.float64))
    if x_.shape != y_.shape:
        raise InvalidCoordinates(f"{x_.size} x but {y_.size} y; give as many of each", field="x,y")
    shifted = _SHIFTED.get(_name(crs))
    if shifted is not None:
        lon, lat = shifted(x_, y_)
    else:
        transformer = pyproj.Transformer.from_crs(find(crs), "EPSG:4326", always_xy=True)
        try:
            lon, lat = transformer.transform(x_, y_)
        except ProjError as error:
            raise InvalidCoordinates(
                f"crs {crs!r} cannot be converted to WGS 84: {error}; {_REMEDY}", field="crs", value=crs
            ) from None
    with np.errstate(invalid="ignore"):
        good = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)
    return np.where(good, lon, np.nan), np.where(good, lat, np.nan)


def find(crs: str | int) -> pyproj.CRS:
    """System of coordinates on the earth's surface that a code, a WKT or a PROJ string names.

    Raises
    ------
    InvalidCoordinates
        If PROJ does not know it, or it is not one of longitude and latitude or of a map plane.
    """
    text = str(crs).strip()
    try:
        found = pyproj.CRS.from_user_input(int(text) if text.isdigit() else text)
    except CRSError:
        raise InvalidCoordinates(f"crs {crs!r} is unknown; {_REMEDY}", field="crs", value=crs) from None
    if not (found.is_geographic or found.is_projected):
        raise InvalidCoordinates(
            f"crs {crs!r} ({found.name}) is neither of longitude and latitude nor of a map plane; {_REMEDY}",
            field="crs",
            value=crs,
        )
    return found


def plausible(lon: Array, lat: Array, crs: str | int, expect: BoundingBox | None = None) -> NDArray[np.bool_]:
    """Which converted points, (n,) degrees, lie where they may; NaN and exactly 0, 0 never do."""
    box = expect or _area(crs)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(lon) & np.isfinite(lat) & ~((lon == 0.0) & (lat == 0.0))
        if box is not None:
            good &= (lon >= box.west) & (lon <= box.east) & (lat >= box.south) & (lat <= box.north)
    return good


def explain(x: float, y: float, crs: str | int, expect: BoundingBox | None = None) -> str:
    """Why a point is not plausible, and what to do, in one line."""
    degrees = _name(crs) in _SHIFTED or find(crs).is_geographic
    if not (math.isfinite(x) and math.isfinite(y)):
        why = " is not a pair of finite numbers; correct it or leave it out"
    elif x == 0.0 and y == 0.0:
        why = " is what receivers and forms write for 'no position'; leave it out or correct it"
    elif _fits(y, x, crs, expect):
        why = ": the axes look swapped; exchange the columns of lon (x) and lat (y)"
    elif degrees and (abs(x) > 180.0 or abs(y) > 90.0):
        why = " is off the earth; if these are metres name their system, like EPSG:4547"
    elif not degrees and abs(x) <= 180.0 and abs(y) <= 90.0:
        why = " looks like degrees, the system is in metres; use EPSG:4326, gcj02 or bd09"
    else:
        why = _where(x, y, crs, expect)
    return f"x {x:.10g}, y {y:.10g} in {crs}{why}"


def _where(x: float, y: float, crs: str | int, expect: BoundingBox | None) -> str:
    lon, lat = transform(x, y, crs)
    if math.isnan(lon[0]):
        return " has no place on the earth; name the system the numbers are in"
    box = expect or _area(crs)
    away = ""
    if box is not None:
        away = f", outside {box.west:g},{box.south:g},{box.east:g},{box.north:g}"
        away += " where it is expected" if expect else " that the system is for"
    return f" is lon {lon[0]:.5f}, lat {lat[0]:.5f}{away}; correct it or the crs"


def _fits(x: float, y: float, crs: str | int, expect: BoundingBox | None) -> bool:
    lon, lat = transform(x, y, crs)
    return bool(plausible(lon, lat, crs, expect)[0])


def _name(crs: str | int) -> str:
    return str(crs).strip().lower().replace("-", "").replace("_", "")


def _area(crs: str | int) -> BoundingBox | None:
    """Area that a system was made for, widened; None when it is unknown or crosses the antimeridian."""
    if _name(crs) in _SHIFTED:
        return _CHINA
    area = find(crs).area_of_use
    if area is None or area.west >= area.east:
        return None
    return BoundingBox(
        max(-180.0, area.west - _MARGIN),
        max(-90.0, area.south - _MARGIN),
        min(180.0, area.east + _MARGIN),
        min(90.0, area.north + _MARGIN),
    )
