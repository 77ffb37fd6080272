"""The ground: the urban area, the river from south to north, hills, and how dense the city is where."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon, affinity

from geo_policing.geodesy import LocalPlane

Array = NDArray[np.float64]
AREA_M2 = 310e6
#: Middles of the centres from the middle of the city, metres; the second one is the old centre.
CENTRES = ((-3400, -300), (2400, -1500), (4300, 2300), (-2900, 4300), (1900, 5400), (-1900, -5600))
#: Small towns outside the ring.
TOWNS = ((-8300, 900), (5600, -6300), (7800, 4700), (-4600, -7300), (-5600, 7000))
#: Hills: direction from the middle (degrees), distance (shares of the ring's, then metres added), radius (m).
HILLS = ((48.0, 1.0, 0.0, 1150.0), (-28.0, 0.62, 0.0, 780.0), (148.0, 0.93, 1500.0, 1300.0))
#: Which hill the expressway and which an arterial passes under.
EXPRESSWAY_HILL, ARTERIAL_HILL = 0, 1


@dataclass(frozen=True, eq=False)
class Terrain:
    """All in metres of the plane.

    Parameters
    ----------
    plane : LocalPlane
        CGCS2000 / 3-degree Gauss-Kruger CM 114E.
    urban_area, river : Polygon
        The river crosses the whole area.
    hills : tuple of Polygon
        Nothing is built there; `EXPRESSWAY_HILL` and `ARTERIAL_HILL` are passed under.
    centres : (k, 3) float64
        x, y and reach of each centre; the second one is the old centre, the last ones small towns.
    bends : (j, 3) float64
        Amplitude (m), wave number (1/m) and phase of each meander.
    ring : (n, 2) float64
        Middle of the expressway around the city, closed: the last point is the first.
    x_0, y_0 : float
        The middle.
    """

    plane: LocalPlane
    urban_area: Polygon
    river: Polygon
    hills: tuple[Polygon, ...]
    centres: Array
    bends: Array
    ring: Array
    x_0: float
    y_0: float

    def river_x(self, y: Array) -> Array:
        """Middle of the river at each northing."""
        return _middle(self.bends, self.x_0, y - self.y_0)

    def bank(self, side: int, away_m: float) -> Array:
        """(n, 2) points along the river, from the south, ``away_m`` from its bank; side -1 west, 1 east."""
        along = np.arange(-17000.0, 17001.0, 50.0)
        return _beside(
            self.bends, self.x_0, self.y_0, along, side * (_half_width(self.bends, along) + away_m)
        )

    def density(self, x: Array, y: Array) -> Array:
        """How built up it is, 0 to 1: more near centres, little outside the ring."""
        dx, dy = x[:, None] - self.centres[:, 0], y[:, None] - self.centres[:, 1]
        near = 0.85 * np.exp(-(dx**2 + dy**2) / (2 * self.centres[:, 2] ** 2))
        share = np.hypot(x - self.x_0, y - self.y_0) / self.ring_radius(
            np.arctan2(y - self.y_0, x - self.x_0)
        )
        base = 0.5 / (1 + np.exp((share - 0.98) / 0.12))
        return np.asarray(1 - (1 - base) * np.prod(1 - near, axis=1))

    def ring_radius(self, angle: Array) -> Array:
        """Distance of the ring from the middle in each direction (radians)."""
        own = self.ring - np.array([self.x_0, self.y_0])
        turn = np.arctan2(own[:-1, 1], own[:-1, 0])
        order = np.argsort(turn)
        return np.interp(angle, turn[order], np.hypot(*own[:-1].T)[order], period=2 * np.pi)

    @cached_property
    def hilly(self) -> Any:
        """All hills as one shape."""
        return shapely.union_all(list(self.hills))


def make_terrain(rng: np.random.Generator) -> Terrain:
    """Invent the ground around 27.83 N 113.13 E."""
    plane = LocalPlane.gauss_kruger_114()
    x, y = (float(v[0]) for v in plane.forward(113.13, 27.83))
    amplitude, low, high = [1250.0, 420.0], [2.7e-4, 7e-4], [3.3e-4, 9e-4]
    bends = np.column_stack([amplitude, rng.uniform(low, high), rng.uniform(0, 2 * np.pi, 2)])
    bends[:, 2] = np.array([0.4, 0.0]) + rng.uniform(-0.5, 0.5, 2)
    outline = _blob(x, y, 1.0, rng, lobes=range(2, 8), swing=0.055)
    outline = affinity.scale(outline, 9500, 10500, origin=(x, y))
    scale = float(np.sqrt(AREA_M2 / outline.area))
    outline = affinity.scale(outline, scale, scale, origin=(x, y))
    along = np.arange(-17000.0, 17001.0, 50.0)
    half = _half_width(bends, along)
    banks = [_beside(bends, x, y, along, side * half) for side in (-1, 1)]
    river = Polygon(np.concatenate([banks[0], banks[1][::-1]]))
    place = np.array(CENTRES, float) + rng.normal(0, 250, (len(CENTRES), 2))
    reach = np.array([1500, 1900, 1300, 1100, 1100, 1000]) * rng.uniform(0.9, 1.15, len(CENTRES))
    towns = np.array(TOWNS, float) + rng.normal(0, 350, (len(TOWNS), 2))
    place, reach = np.concatenate([place, towns]), np.append(reach, rng.uniform(480, 720, len(TOWNS)))
    ring = _ring(x, y, rng)
    terrain = Terrain(
        plane, outline, river, (), np.column_stack([place + np.array([x, y]), reach]), bends, ring, x, y
    )
    hills = []
    for degrees, share, more, radius in HILLS:
        angle = np.radians(degrees + rng.uniform(-6, 6))
        away = float(terrain.ring_radius(np.array([angle]))[0]) * share + more
        hills.append(
            _blob(x + away * np.cos(angle), y + away * np.sin(angle), radius, rng, range(2, 6), 0.11)
        )
    return Terrain(plane, outline, river, tuple(hills), terrain.centres, bends, ring, x, y)


def _ring(x: float, y: float, rng: np.random.Generator) -> Array:
    """Bend a circle a little, smoothly."""
    angle = np.linspace(0, 2 * np.pi, 721)
    wave = np.zeros(len(angle))
    for lobes, low, high in ((2, 0.03, 0.07), (3, 0.02, 0.05), (4, 0.01, 0.03)):
        wave += rng.uniform(low, high) * np.cos(lobes * angle + rng.uniform(0, 7))
    radius = 6700 * (1 + wave)
    return np.column_stack([x + radius * np.cos(angle), y + 1.06 * radius * np.sin(angle)])


def _blob(x: float, y: float, radius: float, rng: np.random.Generator, lobes: range, swing: float) -> Polygon:
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    wave = sum(rng.uniform(0.2, 1) * swing * np.cos(k * angle + rng.uniform(0, 7)) for k in lobes)
    r = radius * (1.0 + wave)
    return Polygon(np.column_stack([x + r * np.cos(angle), y + r * np.sin(angle)]))


def _half_width(bends: Array, along: Array) -> Array:
    return np.asarray(350 + 50 * np.sin(along / 2300 + bends[0, 2]))


def _beside(bends: Array, x_0: float, y_0: float, along: Array, aside: Array) -> Array:
    """Points beside the middle of the river, to the east where ``aside`` is positive."""
    middle = _middle(bends, x_0, along)
    slope = np.gradient(middle, along)
    unit = np.hypot(1.0, slope)
    return np.column_stack([middle + aside / unit, y_0 + along - aside * slope / unit])


def _middle(bends: Array, x_0: float, along: Array) -> Array:
    waves = bends[:, 0] * np.sin(along[..., None] * bends[:, 1] + bends[:, 2])
    return np.asarray(x_0 + waves.sum(axis=-1))
