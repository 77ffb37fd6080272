"""H3 over arrays."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo_policing.errors import InvalidInput
from geo_policing.kernels import h3_cells

#: Resolution of the ``cell`` column of the history: about 15,000 m² a cell.
CELL_RESOLUTION = 10
#: Resolution of the blocks by which the history keeps movement: about 0.7 km². A way belongs to each block
#: that it leads through; smaller ones would have more rows twice: 7 % now, 20 % at the next resolution.
BLOCK_RESOLUTION = 8


def cells(lon: ArrayLike, lat: ArrayLike, resolution: int = CELL_RESOLUTION) -> NDArray[np.uint64]:
    """H3 cells of points.

    Parameters
    ----------
    lon, lat : (n,) array_like
        Degrees WGS 84.
    resolution : int
        0 to 15.

    Returns
    -------
    (n,) uint64
        Cells, equal to ``h3.latlng_to_cell``; 0 where a coordinate is not finite.
    """
    if not 0 <= resolution <= 15:
        raise InvalidInput(
            f"H3 resolution {resolution} is not in 0..15", field="resolution", value=resolution
        )
    lon_ = np.atleast_1d(np.asarray(lon, np.float64))
    lat_ = np.atleast_1d(np.asarray(lat, np.float64))
    if lon_.shape != lat_.shape:
        raise InvalidInput(f"{lon_.shape[0]} longitudes but {lat_.shape[0]} latitudes", field="lon,lat")
    return h3_cells.lonlat_to_cell(lon_, lat_, resolution)
