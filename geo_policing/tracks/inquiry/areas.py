"""Areas and lines as JSON says them: every fault by its place, before anything is computed of them."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from geo_policing.errors import InvalidGeometry, InvalidInput
from geo_policing.geodesy import LocalPlane
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.evidence import edge_number
from geo_policing.tracks.searches import Area, DrawnPath

#: Corners of one area or line.
MOST_CORNERS = 5_000
#: H3 cells of one area.
MOST_CELLS = 5_000
#: The main urban area of the city that this is modelled on has 310 km².
MOST_KM2 = 2_000.0
#: Edges of a stretch of road or of a path.
MOST_EDGES = 2_000

Roads = Callable[[], RoadNetwork]

_AREAS = (
    "a GeoJSON Polygon or MultiPolygon, a Point with radius_m in metres for a circle, a LineString with "
    'width_m in metres for a stretch of road, {"edges": [...], "width_m": ...} for one along edges, or '
    '{"cells": [...]} with H3 cells'
)


def area_of(given: Any, field: str = "area", roads: Roads | None = None) -> Area:
    """Return the area that JSON tells: of a polygon, a circle, a stretch of road, cells, or a Feature of one.

    Parameters
    ----------
    given : dict
        A GeoJSON Polygon, MultiPolygon, Point with ``radius_m`` or LineString with ``width_m`` (RFC 7946), a
        Feature of one of these with the metres in its properties; an object with ``cells``; or one with
        ``edges`` of the roads, in order, ``width_m`` and, for a part of them, ``from_m`` and ``to_m``.
    field : str
        What messages call it.
    roads : callable, optional
        Returns the roads, for stretches along their edges.

    Raises
    ------
    InvalidGeometry
        If it is none of these, is empty, crosses itself, or is larger than any city: where, and what to do.
    """
    given, about = _geometry(given, field)
    kind = given.get("type")
    if "cells" in given:
        area = _of_cells(given["cells"], f"{field}.cells")
    elif "edges" in given:
        area = _along_edges(given, field, roads)
    elif kind == "Point":
        radius_m = _metres(given, about, "radius_m", field)
        lon, lat = _position(given.get("coordinates"), f"{field}.coordinates")
        area = _named(field, lambda: Area.circle(lon, lat, radius_m))
    elif kind == "LineString":
        width_m = _metres(given, about, "width_m", field)
        line = np.array(line_of(given, field))
        area = _named(field, lambda: Area.along(DrawnPath([line]), width_m))
    elif kind in ("Polygon", "MultiPolygon"):
        polygons = [given.get("coordinates")] if kind == "Polygon" else given.get("coordinates")
        _check_polygons(polygons, f"{field}.coordinates")
        area = _named(
            field, lambda: Area.from_geojson({"type": kind, "coordinates": given.get("coordinates")})
        )
    else:
        raise InvalidGeometry(f"{field} is of type {_short(kind)}; give {_AREAS}", field=field)
    _check_size(area, field)
    return area


def line_of(given: Any, field: str = "line") -> list[tuple[float, float]]:
    """Return the positions of a GeoJSON LineString, or of a Feature of one.

    Raises
    ------
    InvalidGeometry
        If it is none, has fewer than two positions, or one that equals the next.
    """
    given, _ = _geometry(given, field)
    if given.get("type") != "LineString":
        raise InvalidGeometry(
            f"{field} is of type {_short(given.get('type'))}; give a GeoJSON LineString", field=field
        )
    places = given.get("coordinates")
    if not isinstance(places, list) or not 2 <= len(places) <= MOST_CORNERS:
        raise InvalidGeometry(
            f"{field}.coordinates is no list of 2 to {MOST_CORNERS} positions; write [lon, lat] of each",
            field=f"{field}.coordinates",
        )
    line = [_position(place, f"{field}.coordinates.{n}") for n, place in enumerate(places)]
    for n, (one, other) in enumerate(pairwise(line)):
        if one == other:
            raise InvalidGeometry(
                f"{field}.coordinates.{n} is the same position as the next; leave one of them out",
                field=f"{field}.coordinates",
            )
    return line


def edges_of(given: Any, field: str, roads: Roads | None) -> DrawnPath:
    """Return the path along edges of the roads by their ids, in order.

    Raises
    ------
    InvalidGeometry
        If they are no list of ids.
    InvalidInput
        If one is not in the network.
    """
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_EDGES:
        raise InvalidGeometry(f"{field} is no list of 1 to {MOST_EDGES} ids of edges", field=field)
    if roads is None:
        raise InvalidGeometry(f"{field}: there are no roads here; draw it", field=field)
    network = roads()
    number: dict[str, int | None] = {}
    for n, name in enumerate(given):
        if not isinstance(name, str) or not name:
            raise InvalidGeometry(
                f"{field}.{n} is no id of an edge; write it in quotes", field=f"{field}.{n}"
            )
        if name not in number:
            number[name] = edge_number(network, name)
    return DrawnPath.of_edges(network, [edge for name in given if (edge := number[name]) is not None])


def _along_edges(given: dict[str, Any], field: str, roads: Roads | None) -> Area:
    """Return a stretch of road along edges, or a part of it."""
    named = given | {"type": "stretch"}
    width_m = _metres(named, {}, "width_m", field)
    from_m = _metres(named, {"from_m": 0.0}, "from_m", field)
    to_m = _metres(named, {"to_m": math.inf}, "to_m", field)
    path = edges_of(given["edges"], f"{field}.edges", roads)
    return _named(field, lambda: Area.along(path, width_m, from_m=from_m, to_m=to_m))


def _metres(given: dict[str, Any], about: dict[str, Any], name: str, field: str) -> float:
    """Return how wide a point or a line is meant, of the geometry or of the properties beside it."""
    metres = given.get(name, about.get(name))
    try:
        if not isinstance(metres, bool) and isinstance(metres, int | float):
            return float(metres)
    except OverflowError:  # a whole number may have a thousand digits
        pass
    raise InvalidGeometry(
        f"{field} is a {given['type']} without a {name} that is a number of metres; give {_AREAS}",
        field=f"{field}.{name}",
        value=_short(metres) if isinstance(metres, str) else None,
    )


def _geometry(given: Any, field: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a geometry and the properties beside it, of a Feature or bare."""
    about: Any = {}
    if isinstance(given, dict) and given.get("type") == "Feature":
        about, given = given.get("properties") or {}, given.get("geometry")
    if not isinstance(given, dict) or not isinstance(about, dict):
        raise InvalidGeometry(f"{field} is no GeoJSON geometry; give {_AREAS}", field=field)
    return given, about


def _check_polygons(polygons: Any, field: str) -> None:
    if not isinstance(polygons, list) or not polygons:
        raise InvalidGeometry(f"{field} is empty; give the rings of the area", field=field)
    corners = 0
    for polygon in polygons:
        if not isinstance(polygon, list) or not polygon:
            raise InvalidGeometry(f"{field} has a polygon without rings; give its rings", field=field)
        for n, ring in enumerate(polygon):
            if not isinstance(ring, list) or len(ring) < 4:
                raise InvalidGeometry(
                    f"{field}: ring {n} has fewer than 4 positions; a ring repeats its first one at its end",
                    field=field,
                )
            corners += len(ring)
            if corners > MOST_CORNERS:
                raise InvalidGeometry(
                    f"{field} has more than {MOST_CORNERS} positions; simplify the area", field=field
                )
            places = [_position(place, f"{field}.{n}.{k}") for k, place in enumerate(ring)]
            if places[0] != places[-1]:
                raise InvalidGeometry(
                    f"{field}: ring {n} is not closed; repeat its first position at its end", field=field
                )


def _position(place: Any, field: str) -> tuple[float, float]:
    good = isinstance(place, list) and 2 <= len(place) <= 4
    if not good or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in place):
        raise InvalidGeometry(f"{field} is no position; write [lon, lat] in degrees", field=field)
    lon, lat = place[:2]
    # Compared before anything is made a float of it: a whole number may have a thousand digits.
    if not (-180 <= lon <= 180 and -90 <= lat <= 90 and math.isfinite(lon) and math.isfinite(lat)):
        raise InvalidGeometry(
            f"{field} is off the earth; write [lon, lat] in degrees, lon first", field=field
        )
    return float(lon), float(lat)


def _of_cells(cells: Any, field: str) -> Area:
    if not isinstance(cells, list) or not 1 <= len(cells) <= MOST_CELLS:
        raise InvalidGeometry(f"{field} is no list of 1 to {MOST_CELLS} H3 cells", field=field)
    for n, cell in enumerate(cells):
        # Longer than 64 bits is an overflow in h3, not a cell that is none.
        if not isinstance(cell, str) or len(cell) > 16:
            raise InvalidGeometry(
                f"{field}.{n} is no H3 cell; write its index, like 8a40d8b2d28ffff", field=f"{field}.{n}"
            )
    return _named(field, lambda: Area.of_cells(cells))


def _check_size(area: Area, field: str) -> None:
    """Refuse what is larger than any city before its cells are counted one by one."""
    west, south, east, north = area.shape.bounds
    plane = LocalPlane.around(0.5 * (west + east), 0.5 * (south + north))

    def forward(at: Any) -> Any:
        return np.column_stack(plane.forward(at[:, 0], at[:, 1]))

    wide = max(east - west, north - south) > 5.0
    km2 = math.inf if wide else float(shapely.transform(area.shape, forward).area) / 1e6
    if not km2 <= MOST_KM2:
        size = "more than 5 degrees across" if wide else f"{km2:.0f} km² large"
        raise InvalidGeometry(f"{field} is {size}; ask for at most {MOST_KM2:.0f} km² at once", field=field)


def _named(field: str, make: Any) -> Area:
    """Make an area; what is wrong with it is told by the field of the question."""
    try:
        made: Area = make()
    except InvalidInput as error:
        raise InvalidGeometry(f"{field}: {error}", field=field, value=error.value) from None
    return made


def _short(kind: Any) -> str:
    return repr(kind)[:40] if isinstance(kind, str) else "none"
