"""Areas: polygons with holes, one or more, circles, stretches of road, H3 cells; exact at the border."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import h3
import numpy as np
import shapely
import shapely.ops
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo_policing.errors import InvalidGeometry, InvalidInput
from geo_policing.geodesy import LocalPlane
from geo_policing.geodesy.cells import BLOCK_RESOLUTION, CELL_RESOLUTION
from geo_policing.kernels.cell_visits import TOLERANCE_M
from geo_policing.tracks.searches.drawn import DrawnPath
from geo_policing.tracks.searches.history import check_number

_CORNERS = 360  # of a circle: 4 mm off at 100 m
_METRES_A_DEGREE = 111_320.0
_MAX_CELLS = 200_000


@dataclass(frozen=True)
class Area:
    """A closed area: its border belongs to it. Straight between its corners in longitude and latitude.

    Parameters
    ----------
    shape : shapely geometry
        A valid Polygon or MultiPolygon in degrees that is not empty.

    Raises
    ------
    InvalidGeometry
        If it is empty, crosses itself, is no area, or lies off the earth.
    """

    shape: BaseGeometry

    def __post_init__(self) -> None:
        """Refuse what encloses nothing or is not clear."""
        if self.shape.is_empty or self.shape.geom_type not in {"Polygon", "MultiPolygon"}:
            raise InvalidGeometry(
                f"an area is a Polygon or MultiPolygon that is not empty, not {self.shape.geom_type}",
                field="area",
            )
        if not shapely.is_valid(self.shape):
            raise InvalidGeometry(
                f"the area is not valid: {shapely.is_valid_reason(self.shape)}", field="area"
            )
        west, south, east, north = self.shape.bounds
        if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
            raise InvalidGeometry("the area is off the earth; degrees, longitude first", field="area")

    @classmethod
    def from_geojson(cls, geometry: dict[str, Any]) -> Self:
        """Make an area of an RFC 7946 geometry.

        Raises
        ------
        InvalidGeometry
            If it is none, or no area.
        """
        try:
            shape = shapely.geometry.shape(geometry)
        except (
            shapely.errors.ShapelyError,
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            IndexError,
        ) as error:
            raise InvalidGeometry(f"the area is no GeoJSON geometry: {error}", field="area") from None
        return cls(shape)

    @classmethod
    def circle(cls, lon: float, lat: float, radius_m: float) -> Self:
        """Make a circle: a regular polygon of 360 corners at the radius, in metres of the local plane."""
        if not 0 < radius_m <= 100_000:
            raise InvalidInput(
                f"radius {radius_m} m is not above 0 and at most 100000", field="radius_m", value=radius_m
            )
        if not (-180 <= lon <= 180 and -85 <= lat <= 85):
            raise InvalidGeometry(
                f"the middle {lon}, {lat} of the circle is off the earth or at a pole; degrees, lon first",
                field="area",
            )
        plane = LocalPlane.around(lon, lat)
        angle = np.arange(_CORNERS) * (2 * np.pi / _CORNERS)
        x, y = plane.inverse(radius_m * np.cos(angle), radius_m * np.sin(angle))
        return cls(shapely.Polygon(np.column_stack([x, y])))

    @classmethod
    def along(cls, path: DrawnPath, width_m: float, *, from_m: float = 0.0, to_m: float = math.inf) -> Self:
        """Make a stretch of road, or of any path: everything within half a width of it.

        In metres of the path's plane. It ends square to the path where the stretch ends, and is round around
        bends.

        Parameters
        ----------
        path : DrawnPath
            As `DrawnPath.of_edges` makes it of roads; at most 200 km.
        width_m : float
            1 to 1000 metres.
        from_m, to_m : float
            The stretch: metres along the path, its parts one after the other; all of it by default.

        Raises
        ------
        InvalidInput
            If the width is out of range.
        InvalidGeometry
            If the stretch has no length.
        """
        check_number("width_m", width_m, 1, 1000)
        plane, lines = path.lines()
        stretches, before_m = [], 0.0
        for line in lines:
            low, high = max(from_m - before_m, 0.0), min(to_m - before_m, line.length)
            if low < high:
                stretches.append(shapely.ops.substring(line, low, high))
            before_m += line.length
        if not stretches:
            raise InvalidGeometry(
                f"the stretch from {from_m:g} to {to_m:g} m of a path of {before_m:.0f} m has no length",
                field="area",
            )
        bands = shapely.buffer(stretches, width_m / 2, quad_segs=_CORNERS // 4, cap_style="flat")
        band = shapely.union_all(bands)
        return cls(shapely.transform(band, lambda xy: np.column_stack(plane.inverse(xy[:, 0], xy[:, 1]))))

    @classmethod
    def of_cells(cls, cells: Iterable[str]) -> Self:
        """Make an area of H3 cells of any resolution, together."""
        try:
            rings = [[(lon, lat) for lat, lon in h3.cell_to_boundary(cell)] for cell in cells]
        except (h3.H3BaseException, ValueError, TypeError) as error:
            raise InvalidGeometry(f"the area has an H3 cell that is none: {error}", field="area") from None
        return cls(shapely.union_all([shapely.Polygon(ring) for ring in rings]))

    @cached_property
    def edges(self) -> NDArray[np.float64]:
        """x0, y0, x1, y1 of all edges of all rings, (e, 4) degrees."""
        found = []
        for polygon in shapely.get_parts(self.shape):
            for ring in (polygon.exterior, *polygon.interiors):
                at = shapely.get_coordinates(ring)
                found.append(np.hstack([at[:-1], at[1:]]))
        return np.ascontiguousarray(np.concatenate(found))

    @cached_property
    def cells(self) -> NDArray[np.uint64]:
        """H3 cells that the area, widened by what visits may miss, touches.

        Raises
        ------
        InvalidGeometry
            If it is larger than any city.
        """
        return covering(self.shape)

    @cached_property
    def blocks(self) -> NDArray[np.uint64]:
        """H3 cells of resolution 8 that the area, widened likewise, touches."""
        return covering(self.shape, BLOCK_RESOLUTION)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north, degrees."""
        west, south, east, north = self.shape.bounds
        return west, south, east, north


def covering(shape: BaseGeometry, resolution: int = CELL_RESOLUTION) -> NDArray[np.uint64]:
    """Return the H3 cells within 2 m of a shape: what a visit may miss of a cell is shorter than that."""
    west, south, east, north = shape.bounds
    if (east - west) * (north - south) > 4:
        raise InvalidGeometry("the area is larger than 4 square degrees; ask for a smaller one", field="area")
    # Refused before they are counted: a cell is 15,000 m² on the average, 12,000 in China.
    if shape.area * np.cos(np.radians((south + north) / 2)) * _METRES_A_DEGREE**2 > _MAX_CELLS * 20_000:
        raise InvalidGeometry("the area is larger than 4,000 km²; ask for a smaller one", field="area")
    # A degree of longitude is shorter than one of latitude: this much of it is at least as wide as meant.
    wide = 2 * TOLERANCE_M / (_METRES_A_DEGREE * np.cos(np.radians(min(max(abs(south), abs(north)), 85.0))))
    buffered = shapely.buffer(shape, wide, quad_segs=2)
    found: set[str] = set()
    for part in shapely.get_parts(buffered):
        polygon = h3.LatLngPoly(
            [(lat, lon) for lon, lat in part.exterior.coords[:-1]],
            *([(lat, lon) for lon, lat in ring.coords[:-1]] for ring in part.interiors),
        )
        found.update(h3.polygon_to_cells_experimental(polygon, resolution, contain="overlap"))
    if len(found) > _MAX_CELLS:
        raise InvalidGeometry(f"the area has {len(found)} cells; ask for a smaller one", field="area")
    return np.sort(np.array([h3.str_to_int(cell) for cell in found], np.uint64))
