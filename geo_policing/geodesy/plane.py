"""The local plane: metres east and north, conformal, for one city."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo_policing.kernels import transverse_mercator

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LocalPlane:
    """A transverse Mercator plane with scale 1 on its central meridian.

    Parameters
    ----------
    lon_0 : float
        Central meridian, degrees.
    x_0, y_0 : float
        False easting and northing, metres, added to the distance from the meridian and the equator.
    """

    lon_0: float
    x_0: float = 0.0
    y_0: float = 0.0

    @classmethod
    def around(cls, lon: float, lat: float) -> Self:
        """Plane whose origin is a given point, so that a city around it has small numbers."""
        _, y = transverse_mercator.forward_point(lon, lat, lon)
        return cls(lon, 0.0, -y)

    @classmethod
    def gauss_kruger_114(cls) -> Self:
        """CGCS2000 / 3-degree Gauss-Kruger CM 114E, EPSG:4547."""
        return cls(114.0, 500_000.0, 0.0)

    def forward(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
        """X east, y north in metres, (n,) f64, of lon, lat in degrees, (n,)."""
        lon_ = np.atleast_1d(np.asarray(lon, np.float64))
        lat_ = np.atleast_1d(np.asarray(lat, np.float64))
        return transverse_mercator.forward(lon_, lat_, self.lon_0, self.x_0, self.y_0)

    def inverse(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """lon, lat in degrees, (n,) f64, of x, y in metres, (n,)."""
        x_ = np.atleast_1d(np.asarray(x, np.float64))
        y_ = np.atleast_1d(np.asarray(y, np.float64))
        return transverse_mercator.inverse(x_, y_, self.lon_0, self.x_0, self.y_0)
