"""Coordinates of rows to WGS 84, and what to say when the whole file is in another system than was said."""

import math

import numpy as np
from numpy.typing import NDArray
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_crs_info
from pyproj.enums import PJType

from geo_policing.errors import InvalidCoordinates
from geo_policing.geodesy import crs as systems
from geo_policing.model import BoundingBox

Array = NDArray[np.float64]

_EXPLAINED = 50  # rows that are explained one by one; the rest have a reason in general
_SAMPLE = 200
_FIT = 0.95
_FOOT_M = 1200 / 3937  # the US survey foot; the international differs by 2e-6


def locate(
    x: Array, y: Array, crs: str | int, within: BoundingBox | None
) -> tuple[Array, Array, dict[int, str]]:
    """Convert coordinates; what is not plausible is refused row by row, or all of it if it is the most.

    Parameters
    ----------
    x, y : (n,) float64
        Easting and northing, or longitude and latitude; NaN where there is none.
    crs : str or int
        Their system, as `geodesy.crs` takes it.
    within : BoundingBox, optional
        Where incidents may lie; the area that the system was made for when not given.

    Returns
    -------
    lon, lat : (n,) float64
        Degrees WGS 84.
    flaws : dict of int to str
        Why a row, by its position, has no place; rows without numbers are left to the caller.

    Raises
    ------
    InvalidCoordinates
        If the system is unknown, or more than half of the rows lie where they cannot.
    """
    lon, lat = systems.transform(x, y, crs)
    given = np.isfinite(x) & np.isfinite(y)
    counted = given & ~((x == 0.0) & (y == 0.0))
    # Single rows may lie somewhat beyond the area of a system; not the most of a file.
    plausible = systems.plausible(lon, lat, crs, within)
    astray = np.flatnonzero(counted & ~(plausible & _inside(lon, lat, within or _area(crs))))
    if 2 * len(astray) > int(counted.sum()):
        some = astray[:_SAMPLE]
        raise InvalidCoordinates(
            f"{len(astray):,} of {int(counted.sum()):,} places are not where they can be: "
            + _diagnosis(x[some], y[some], crs, within),
            field="crs",
            value=crs,
        )
    # A pole is what some programs write for a place that is not known.
    good = plausible & ~(np.abs(lat) == 90.0)
    flaws = {}
    for rank, i in enumerate(np.flatnonzero(given & ~good).tolist()):
        if abs(lat[i]) == 90.0:
            flaws[i] = f"lon,lat: {x[i]:.10g}, {y[i]:.10g} is a pole, written for a place that is not known"
        elif rank < _EXPLAINED:
            flaws[i] = f"lon,lat: {systems.explain(float(x[i]), float(y[i]), crs, within)}"
        else:
            flaws[i] = f"lon,lat: x {x[i]:.10g}, y {y[i]:.10g} in {crs} is not where it can be"
    return lon, lat, flaws


def _diagnosis(x: Array, y: Array, crs: str | int, within: BoundingBox | None) -> str:
    """Where the numbers would lie, and which other reading of them lies where it can."""
    box = within or _area(crs)
    readings = []
    if _fits(y, x, crs, box):
        readings.append("with the columns of lon (x) and lat (y) exchanged")
    if _is_projected(crs):
        if np.abs(x).max() <= 180.0 and _fits(x, y, "EPSG:4326", box):
            readings.append("as degrees, EPSG:4326, gcj02 or bd09")
        readings += [f"in {name}" for name in _siblings(x, y, crs, within)]
        for unit, factor in (("feet", _FOOT_M), ("metres", 1 / _FOOT_M)):
            if not readings and _fits(x * factor, y * factor, crs, box):
                readings.append(f"when taken for {unit}; use the system in {unit} or convert the columns")
    lon, lat = (float(values[0]) for values in systems.transform(x[:1], y[:1], crs))
    if readings:
        where = "off the earth" if math.isnan(lon) else f"lon {lon:.5f}, lat {lat:.5f}"
        return f"x {x[0]:.10g}, y {y[0]:.10g} in {crs} is {where}; they fit {', or '.join(readings)}"
    if box is None or not systems.plausible(np.array([lon]), np.array([lat]), crs, within)[0]:
        return systems.explain(float(x[0]), float(y[0]), crs, within)
    return (
        f"x {x[0]:.10g}, y {y[0]:.10g} in {crs} is lon {lon:.5f}, lat {lat:.5f}, outside "
        f"{box.west:g},{box.south:g},{box.east:g},{box.north:g} that the system is for; correct the crs, "
        "or say where incidents may lie with --within"
    )


def _inside(lon: Array, lat: Array, box: BoundingBox | None) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        good = np.isfinite(lon) & (np.abs(lat) < 90.0)
        if box is not None:
            good &= (lon >= box.west) & (lon <= box.east) & (lat >= box.south) & (lat <= box.north)
    return good


def _fits(x: Array, y: Array, crs: str | int, box: BoundingBox | None) -> bool:
    lon, lat = systems.transform(x, y, crs)
    good = systems.plausible(lon, lat, crs, box) & _inside(lon, lat, box)
    return bool(good.mean() >= _FIT)


def _is_projected(crs: str | int) -> bool:
    try:
        return systems.find(crs).is_projected
    except InvalidCoordinates:
        return False  # gcj02 and bd09, which PROJ does not know


def _area(crs: str | int) -> BoundingBox | None:
    """Area that a projected system was made for; None when it is unknown or crosses the antimeridian."""
    area = systems.find(crs).area_of_use if _is_projected(crs) else None
    if area is None or area.west >= area.east:
        return None
    return BoundingBox(area.west, area.south, area.east, area.north)


def _siblings(x: Array, y: Array, crs: str | int, within: BoundingBox | None) -> list[str]:
    """At most two projected systems of the same datum: other zones, and the same zone in feet."""
    box = within or _area(crs)
    if box is None:
        return []
    given = systems.find(crs)
    family = given.name.partition(" / ")[0] + " / "
    wide = 3.0 if within is not None else 0.0  # what is near the edge of a zone may be in its neighbour's
    around = AreaOfInterest(max(box.west - wide, -180.0), box.south, min(box.east + wide, 180.0), box.north)
    fitting: list[tuple[float, str]] = []
    for found in query_crs_info("EPSG", [PJType.PROJECTED_CRS], around):
        use = found.area_of_use
        if not found.name.startswith(family) or found.name == given.name or use is None:
            continue
        code = f"EPSG:{found.code}"
        lon, lat = systems.transform(x, y, code)
        inside = _inside(lon, lat, within or _area(code))
        if inside.mean() >= _FIT:
            size = (use.east - use.west) * (use.north - use.south)
            fitting.append((size, f"{code} ({found.name})"))
    return [text for _, text in sorted(fitting)[:2]]
