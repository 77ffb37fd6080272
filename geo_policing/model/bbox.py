"""Bounding boxes as RFC 7946 and OGC API write them: west, south, east, north."""

import math
from dataclasses import dataclass
from typing import Self

from geo_policing.errors import InvalidBoundingBox


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """A box of longitudes and latitudes in degrees, edges included. Boxes do not cross the antimeridian."""

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        """Refuse numbers that are not finite, off the earth, or in the wrong order."""
        values = (self.west, self.south, self.east, self.north)
        shown = ",".join(f"{v:g}" for v in values)
        if not all(math.isfinite(v) for v in values):
            raise InvalidBoundingBox(
                f"bbox {shown} has a number that is not finite; give west,south,east,north",
                field="bbox",
                value=shown,
            )
        if not (-180 <= self.west <= 180 and -180 <= self.east <= 180):
            raise InvalidBoundingBox(
                f"bbox {shown}: longitudes lie in -180..180; the order is west,south,east,north",
                field="bbox",
                value=shown,
            )
        if not (-90 <= self.south <= 90 and -90 <= self.north <= 90):
            raise InvalidBoundingBox(
                f"bbox {shown}: latitudes lie in -90..90; the order is west,south,east,north",
                field="bbox",
                value=shown,
            )
        if self.west >= self.east or self.south >= self.north:
            raise InvalidBoundingBox(
                f"bbox {shown} has swapped or equal corners; the order is west,south,east,north",
                field="bbox",
                value=shown,
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``west,south,east,north`` in degrees.

        Raises
        ------
        InvalidBoundingBox
            If there are not four numbers, or they make no box.
        """
        try:
            west, south, east, north = (float(part) for part in text.split(","))
        except ValueError:
            raise InvalidBoundingBox(
                f"bbox {text!r} is not four numbers west,south,east,north in degrees, "
                "like 113.0,27.7,113.3,28.0",
                field="bbox",
                value=text,
            ) from None
        return cls(west, south, east, north)

    def contains(self, lon: float, lat: float) -> bool:
        """Whether a point lies in the box or on its edge."""
        return self.west <= lon <= self.east and self.south <= lat <= self.north
