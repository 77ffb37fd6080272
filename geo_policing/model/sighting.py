"""Sightings: somebody or some camera says that something was somewhere, or was not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

import shapely
from h3.api import basic_str as h3

from geo_policing.errors import InvalidGeometry, InvalidInput

Area = shapely.Polygon | shapely.MultiPolygon


class SightingKind(StrEnum):
    """Where a sighting comes from."""

    CAMERA = "camera"
    WITNESS = "witness"
    PHONE = "phone"
    GNSS = "gnss"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Sighting:
    """An observation of a suspect vehicle or person by somebody other than its own receiver.

    Of where there are four kinds: a point with its accuracy; the same on a directed edge, for a camera; an
    area (`in_area`); an H3 cell (`in_cell`). When is an instant, or some moment of an interval.

    Parameters
    ----------
    time : datetime
        When, with its UTC offset; the earliest moment of an interval.
    lon, lat : float
        Where, degrees WGS 84; of an area or a cell a point in its middle.
    accuracy_m : float
        1 sigma of the position, metres; of an area or a cell how far it reaches from the point.
    probability : float
        How likely it is that this was the suspect, 0 to 1.
    observer : str
        Id of the camera or name of the witness.
    edge : str
        Id of the directed edge that was driven, where the observer knows it; empty otherwise.
    kind : SightingKind
        Where it comes from.
    until : datetime, optional
        The latest moment, where only an interval is known; an instant otherwise.
    area : Polygon or MultiPolygon, optional
        Degrees; it was somewhere on the roads within, everywhere as likely.
    cell : str
        The H3 cell that it was in, everywhere on its roads as likely; empty otherwise.

    Raises
    ------
    InvalidInput
        If a time has no offset, the interval is empty or reversed, the position is off the earth, the
        accuracy not above 0 or the probability not 0 to 1, or if there is an area and a cell.
    """

    time: datetime
    lon: float
    lat: float
    accuracy_m: float = 20.0
    probability: float = 1.0
    observer: str = ""
    edge: str = ""
    kind: SightingKind = SightingKind.OTHER
    until: datetime | None = None
    area: Area | None = None
    cell: str = ""

    @classmethod
    def in_area(cls, time: datetime, area: Mapping[str, Any] | Area, **more: Any) -> Self:
        """Make a sighting somewhere in a GeoJSON Polygon or MultiPolygon, WGS 84.

        Raises
        ------
        InvalidGeometry
            If it is no such geometry, is empty, crosses itself or leaves the earth.
        """
        shape = area_of(area)
        lon, lat, reach_m = _middle(shape)
        return cls(time, lon, lat, reach_m, area=shape, **more)

    @classmethod
    def in_cell(cls, time: datetime, cell: str, **more: Any) -> Self:
        """Make a sighting somewhere in an H3 cell.

        Raises
        ------
        InvalidInput
            If it is no cell.
        """
        # Longer than 64 bits is an overflow there, not a cell that is none.
        if len(cell) > 16 or not h3.is_valid_cell(cell):
            raise InvalidInput(
                f"cell {cell!r} is no H3 cell; write its index, like 8a40d8b2d28ffff",
                field="cell",
                value=cell,
            )
        ring = shapely.Polygon([(lon, lat) for lat, lon in h3.cell_to_boundary(cell)])
        lon, lat, reach_m = _middle(ring)
        return cls(time, lon, lat, reach_m, cell=cell, **more)

    @property
    def last(self) -> datetime:
        """The latest moment that it can have been."""
        return self.time if self.until is None else self.until

    @property
    def reach_m(self) -> float:
        """How far from its point it can have been, metres: six times the accuracy, or its area's end."""
        return self.accuracy_m if self.area is not None or self.cell else 6.0 * self.accuracy_m

    def __post_init__(self) -> None:
        _check_time("time", self.time)
        if self.until is not None:
            _check_time("until", self.until)
            if self.until <= self.time:
                raise InvalidInput(
                    f"until {self.until.isoformat()} is not after time {self.time.isoformat()}; exchange "
                    "them, or leave until out for an instant",
                    field="until",
                    value=self.until.isoformat(),
                )
        _check_place(self.lon, self.lat)
        if self.area is not None and self.cell:
            raise InvalidInput("an area and a cell are given; leave one of them out", field="cell")
        if not 0.0 < self.accuracy_m < math.inf:
            raise InvalidInput(
                f"accuracy_m {self.accuracy_m} is no distance; give metres above 0",
                field="accuracy_m",
                value=self.accuracy_m,
            )
        if not 0.0 <= self.probability <= 1.0:
            raise InvalidInput(
                f"probability {self.probability} is not from 0 to 1; write 0.8 for 80 %",
                field="probability",
                value=self.probability,
            )


@dataclass(frozen=True, slots=True)
class Watch:
    """A place that was watched, where the suspect was not seen.

    Parameters
    ----------
    start, end : datetime
        From when until when, with their UTC offsets.
    lon, lat : float
        Where, degrees WGS 84.
    radius_m : float
        How far the observer sees.
    detection : float
        How likely it is that the suspect would have been seen when passing, 0 to 1.
    observer : str
        Id of the camera or name of the officer.
    edge : str
        Id of the only directed edge that is watched; empty for all near enough.
    area : Polygon or MultiPolygon, optional
        Degrees; what is watched instead of the circle.

    Raises
    ------
    InvalidInput
        If a time has no offset, the end is not after the start, the position is off the earth, the radius not
        above 0 or the detection not 0 to 1.
    """

    start: datetime
    end: datetime
    lon: float
    lat: float
    radius_m: float = 30.0
    detection: float = 0.9
    observer: str = ""
    edge: str = ""
    area: Area | None = None

    @classmethod
    def of_area(cls, start: datetime, end: datetime, area: Mapping[str, Any] | Area, **more: Any) -> Self:
        """Make a watch over a GeoJSON Polygon or MultiPolygon, WGS 84.

        Raises
        ------
        InvalidGeometry
            If it is no such geometry, is empty, crosses itself or leaves the earth.
        """
        shape = area_of(area)
        lon, lat, reach_m = _middle(shape)
        return cls(start, end, lon, lat, reach_m, area=shape, **more)

    def __post_init__(self) -> None:
        _check_time("start", self.start)
        _check_time("end", self.end)
        if self.end <= self.start:
            raise InvalidInput(
                f"the watch ends at {self.end.isoformat()}, not after its start {self.start.isoformat()}; "
                "exchange or correct them",
                field="end",
                value=self.end,
            )
        _check_place(self.lon, self.lat)
        if not 0.0 < self.radius_m < math.inf:
            raise InvalidInput(
                f"radius_m {self.radius_m} is no distance; give metres above 0",
                field="radius_m",
                value=self.radius_m,
            )
        if not 0.0 <= self.detection <= 1.0:
            raise InvalidInput(
                f"detection {self.detection} is not from 0 to 1; write 0.8 for 80 %",
                field="detection",
                value=self.detection,
            )


def area_of(area: Mapping[str, Any] | Area) -> Area:
    """Return the area that a GeoJSON geometry or a shape is.

    Raises
    ------
    InvalidGeometry
        If it is no Polygon or MultiPolygon, is empty, crosses itself or leaves the earth.
    """
    remedy = "give a GeoJSON Polygon or MultiPolygon of lon, lat in degrees WGS 84"
    try:
        shape = shapely.geometry.shape(dict(area)) if isinstance(area, Mapping) else area
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
        shapely.errors.GEOSException,
    ) as error:
        raise InvalidGeometry(f"the area cannot be read ({error}); {remedy}", field="area") from None
    if not isinstance(shape, Area):
        raise InvalidGeometry(
            f"the area is a {getattr(shape, 'geom_type', type(shape).__name__)}; {remedy}", field="area"
        )
    if shape.is_empty:
        raise InvalidGeometry(f"the area is empty; {remedy}", field="area")
    if not shape.is_valid:
        raise InvalidGeometry(
            f"the area is not valid ({shapely.is_valid_reason(shape)}); draw its border without crossings",
            field="area",
        )
    west, south, east, north = shape.bounds
    _check_place(west, south)
    _check_place(east, north)
    return shape


def _middle(shape: Area) -> tuple[float, float, float]:
    """lon, lat of the middle of a shape, and how far its border reaches from there in metres."""
    middle = shape.centroid
    lon, lat = shapely.get_coordinates(shape).T
    east = (lon - middle.x) * math.cos(math.radians(middle.y))
    away = max(math.hypot(x, y) for x, y in zip(east, lat - middle.y, strict=True))
    # A sphere of 6,371 km; one per cent more covers what the ellipsoid makes of it.
    return middle.x, middle.y, 1.01 * math.radians(away) * 6_371_000.0


def _check_time(field: str, time: datetime) -> None:
    if time.tzinfo is None:
        raise InvalidInput(
            f"{field} {time.isoformat()} has no UTC offset; give one, like +08:00", field=field, value=time
        )


def _check_place(lon: float, lat: float) -> None:
    if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
        raise InvalidInput(
            f"lon {lon}, lat {lat} is not on the earth; give degrees WGS 84",
            field="lon,lat",
            value=(lon, lat),
        )
