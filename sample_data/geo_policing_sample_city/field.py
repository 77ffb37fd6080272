"""Which way streets run where: a smooth field of crosses, two directions at right angles in each place.

Directions are summed as doubled angles of four, so that a cross equals itself turned by 90 degrees
(Chen et al., "Interactive procedural street modeling", SIGGRAPH 2008, uses tensors to the same end).
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from geo_policing_sample_city.terrain import Array, Terrain

STEP_M = 50.0
#: How far the raster reaches beyond the middle, metres.
REACH_M = 13000.0


@dataclass(frozen=True, eq=False)
class Field:
    """Rasters of a `STEP_M` grid, row by row from the south; the first cell's middle is at x_0, y_0.

    Parameters
    ----------
    x_0, y_0 : float
        South-west corner.
    angle : (r, c) float64
        Direction of one arm of the cross, radians; the field turns by less than 45 degrees between cells
        but for a few points.
    density : (r, c) float64
        How built up it is.
    closed : (r, c) bool
        Water, hills, and outside of the urban area.
    """

    x_0: float
    y_0: float
    angle: Array
    density: Array
    closed: NDArray[np.bool_]

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of a place."""
        return round((y - self.y_0) / STEP_M), round((x - self.x_0) / STEP_M)

    def sample(self, raster: Array, x: Array, y: Array) -> Array:
        """Values of a raster at some places, between the cells."""
        rows, columns = (y - self.y_0) / STEP_M, (x - self.x_0) / STEP_M
        return np.asarray(map_coordinates(raster, [rows, columns], order=1, mode="nearest"))


def make_field(terrain: Terrain, rng: np.random.Generator) -> Field:
    """Lay the crosses: along the river, hills and the ring, turned a little in each district, some radial."""
    x_0, y_0 = terrain.x_0 - REACH_M, terrain.y_0 - REACH_M
    axis = np.arange(0.0, 2 * REACH_M + 1, STEP_M)
    x, y = np.meshgrid(x_0 + axis, y_0 + axis)
    flat = x.ravel(), y.ravel()
    total = np.zeros(x.shape, complex)

    river = shapely.contains_xy(terrain.river, *flat).reshape(x.shape)
    total += _along(river, 1500.0) * 1.6
    ring = shapely.contains_xy(shapely.Polygon(terrain.ring), *flat).reshape(x.shape)
    total += _along(ring, 600.0) * 0.7
    hills = shapely.contains_xy(terrain.hilly, *flat).reshape(x.shape)
    total += _along(hills, 450.0) * 2.0
    for i, (cx, cy, reach) in enumerate(terrain.centres):
        away = np.hypot(x - cx, y - cy)
        turn = rng.uniform(-0.45, 0.45)
        weight = 1.5 * np.exp(-((away / (1.5 * reach)) ** 2))
        if i == 2:  # one centre spreads like a fan
            total += weight * np.exp(4j * np.arctan2(y - cy, x - cx)) * np.minimum(1.0, away / 500)
        else:
            total += weight * np.exp(4j * turn)
    total += 0.25 * np.exp(4j * rng.uniform(-0.15, 0.15))
    noise = gaussian_filter(rng.normal(0, 1, x.shape), 30) * 100
    angle = np.angle(gaussian_filter(total.real, 4) + 1j * gaussian_filter(total.imag, 4)) / 4 + 0.1 * noise
    inside = shapely.contains_xy(terrain.urban_area, *flat).reshape(x.shape)
    density = terrain.density(*flat).reshape(x.shape)
    return Field(x_0, y_0, angle, density, river | hills | ~inside)


def _along(shape: NDArray[np.bool_], reach_m: float) -> NDArray[np.complex128]:
    """Crosses along the outline of a shape, fading away from it."""
    signed = (distance_transform_edt(~shape) - distance_transform_edt(shape)) * STEP_M
    smooth = gaussian_filter(signed, 3)
    slope_y, slope_x = np.gradient(smooth)
    weight = np.exp(-np.abs(signed) / reach_m)
    return np.asarray(weight * np.exp(4j * np.arctan2(slope_y, slope_x)))
