"""The ground: the urban area, the river from south to north, and how dense the city is where."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon, affinity

from geo_policing.geodesy import LocalPlane

Array = NDArray[np.float64]
AREA_M2 = 310e6


@dataclass(frozen=True, eq=False)
class Terrain:
    """All in metres of the plane.

    Parameters
    ----------
    plane : LocalPlane
        CGCS2000 / 3-degree Gauss-Kruger CM 114E.
    urban_area, river : Polygon
        The river crosses the whole area.
    centres : (k, 3) float64
        x, y and reach of each centre.
    bends : (j, 3) float64
        Amplitude (m), wave number (1/m) and phase of each meander.
    x_0, y_0 : float
        The middle.
    """

    plane: LocalPlane
    urban_area: Polygon
    river: Polygon
    centres: Array
    bends: Array
    x_0: float
    y_0: float

    def river_x(self, y: Array) -> Array:
        """Middle of the river at each northing."""
        return _middle(self.bends, self.x_0, y - self.y_0)

    def density(self, x: Array, y: Array) -> Array:
        """How built up it is, 0 to 1: the nearest centres count."""
        dx, dy = x[:, None] - self.centres[:, 0], y[:, None] - self.centres[:, 1]
        near = np.exp(-(dx**2 + dy**2) / (2 * self.centres[:, 2] ** 2))
        return np.asarray(1 - np.prod(1 - near, axis=1))


def make_terrain(rng: np.random.Generator) -> Terrain:
    """Invent the ground around 27.83 N 113.13 E."""
    plane = LocalPlane.gauss_kruger_114()
    x, y = (float(v[0]) for v in plane.forward(113.13, 27.83))
    bends = np.column_stack(
        [[900.0, 350.0], rng.uniform([2.6e-4, 7e-4], [3.4e-4, 9e-4]), rng.uniform(0, 2 * np.pi, 2)]
    )
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    radius = 1.0 + sum(rng.uniform(0.01, 0.05) * np.cos(k * angle + rng.uniform(0, 7)) for k in range(2, 8))
    outline = Polygon(
        np.column_stack([x + 9500 * radius * np.cos(angle), y + 10500 * radius * np.sin(angle)])
    )
    scale = float(np.sqrt(AREA_M2 / outline.area))
    outline = affinity.scale(outline, scale, scale, origin=(x, y))
    along = np.arange(-16000.0, 16001.0, 100.0)
    middle = _middle(bends, x, along)
    half = 375 + 60 * np.sin(along / 2300 + bends[0, 2])
    bank = np.concatenate(
        [np.column_stack([middle - half, y + along]), np.column_stack([middle + half, y + along])[::-1]]
    )
    river = Polygon(bank)
    place = np.array([[-3300, -500], [2600, -1200], [3600, 3400], [-2600, 4800], [1500, -6200]], float)
    place += rng.normal(0, 400, place.shape)
    reach = rng.uniform(1500, 2600, len(place))
    return Terrain(plane, outline, river, np.column_stack([place + np.array([x, y]), reach]), bends, x, y)


def _middle(bends: Array, x_0: float, along: Array) -> Array:
    waves = bends[:, 0] * np.sin(along[..., None] * bends[:, 1] + bends[:, 2])
    return np.asarray(x_0 + waves.sum(axis=-1))
