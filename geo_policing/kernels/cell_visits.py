"""Which H3 cells a movement crosses, and from when to when.

Between two fixes that belong together the movement is a straight line at constant speed. Away from the
twelve pentagons a cell is convex where H3 draws it (H3 documentation, "Core library / Coordinate systems":
hexagons of the gnomonic plane of a face), so a line whose ends lie in one cell lies in it as a whole; where
the ends differ the line is halved until what is left is no longer than `TOLERANCE_M`. A cell cut along
less than that may be missed; who asks by area therefore asks for the cells within that distance of it.
"""

import math
from typing import Any

import h3
import numpy as np
from numba import config, njit
from numpy.typing import NDArray

from geo_policing.kernels.h3_cells import _lat_lng_to_cell

#: Where a line changes from one cell to the next is known to so many metres.
TOLERANCE_M = 1.0
#: Fixes further apart than this tell nothing of the way between them.
MAX_GAP_US = 120_000_000
#: Nor do fixes that would need a higher speed, beyond the errors of both positions.
MAX_SPEED_MPS = 100.0
ERRORS_M = 200.0

_METRES_A_DEGREE = 111_320.0


@njit(cache=True, nogil=True)
def distance_m(lon_a: float, lat_a: float, lon_b: float, lat_b: float) -> float:
    """Metres between two points of one city, degrees in: the plane of their middle latitude."""
    north = (lat_b - lat_a) * _METRES_A_DEGREE
    east = (lon_b - lon_a) * _METRES_A_DEGREE * math.cos(math.radians(0.5 * (lat_a + lat_b)))
    return math.hypot(north, east)


@njit(cache=True, nogil=True)
def joined(elapsed_us: int, metres: float) -> bool:
    """Whether the movement between two fixes is known: elapsed <= gap, metres <= speed * elapsed + errors."""
    return elapsed_us <= MAX_GAP_US and metres <= MAX_SPEED_MPS * elapsed_us * 1e-6 + ERRORS_M


if config.DISABLE_JIT:  # there is no compiled code to call H3's C symbol from

    def _cell_at(lon: float, lat: float, resolution: int, point: Any, cell: Any) -> int:  # noqa: ARG001
        return h3.str_to_int(h3.latlng_to_cell(lat, lon, resolution))

else:

    @njit(cache=True, nogil=True)
    def _cell_at(
        lon: float, lat: float, resolution: int, point: NDArray[np.float64], cell: NDArray[np.uint64]
    ) -> Any:
        point[0] = math.radians(lat)
        point[1] = math.radians(lon)
        cell[0] = 0
        _lat_lng_to_cell(point.ctypes.data, np.int32(resolution), cell.ctypes.data)
        return cell[0]


@njit(cache=True, nogil=True)
def _grown(values: Any, size: int) -> Any:
    out = np.empty(size, values.dtype)
    out[: values.shape[0]] = values
    return out


@njit(cache=True, nogil=True)
def crossed(
    device: NDArray[Any],
    time: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    cell: NDArray[np.uint64],
    mine: NDArray[np.bool_],
    resolution: int,
) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Visits as `visits` says, and the fixes by which the movement through each cell goes.

    -> what `visits` gives, and begin, end (v,) i64: the device was in the cell on the ways from row begin to
    row end of the fixes; these two may lie outside of it.
    """
    n = time.shape[0]
    size = n + 16
    out_device = np.empty(size, np.int32)
    out_cell = np.empty(size, np.uint64)
    out_first = np.empty(size, np.int64)
    out_last = np.empty(size, np.int64)
    out_begin = np.empty(size, np.int64)
    out_end = np.empty(size, np.int64)
    v = -1  # the visit that is being made, the last one that is out
    is_open = False
    point = np.empty(2, np.float64)
    found = np.zeros(1, np.uint64)
    share = np.empty(64, np.float64)
    ahead = np.empty(64, np.uint64)
    for i in range(n):
        metres = 0.0
        linked = False
        if i > 0 and device[i] == device[i - 1] and (mine[i] or mine[i - 1]):
            metres = distance_m(lon[i - 1], lat[i - 1], lon[i], lat[i])
            linked = joined(time[i] - time[i - 1], metres)
        if not linked:
            is_open = False
        at = i - 1 if linked else i
        if not is_open and (linked or mine[i]):
            v += 1
            if v >= size:
                size *= 2
                out_device = _grown(out_device, size)
                out_cell = _grown(out_cell, size)
                out_first = _grown(out_first, size)
                out_last = _grown(out_last, size)
                out_begin = _grown(out_begin, size)
                out_end = _grown(out_end, size)
            out_device[v], out_cell[v], out_first[v], out_last[v] = device[at], cell[at], time[at], time[at]
            out_begin[v], out_end[v] = at, at
            is_open = True
        if not linked:
            continue
        elapsed = time[i] - time[i - 1]
        low = 0.0
        depth = 1
        share[0] = 1.0
        ahead[0] = cell[i]
        while depth > 0:
            high = share[depth - 1]
            if ahead[depth - 1] == out_cell[v]:
                out_last[v] = max(out_last[v], time[i - 1] + math.ceil(high * elapsed))
                out_end[v] = i
                low = high
                depth -= 1
            elif (high - low) * metres <= TOLERANCE_M or depth == 64:
                out_last[v] = max(out_last[v], time[i - 1] + math.ceil(high * elapsed))
                out_end[v] = i
                v += 1
                if v >= size:
                    size *= 2
                    out_device = _grown(out_device, size)
                    out_cell = _grown(out_cell, size)
                    out_first = _grown(out_first, size)
                    out_last = _grown(out_last, size)
                    out_begin = _grown(out_begin, size)
                    out_end = _grown(out_end, size)
                out_device[v] = device[i]
                out_begin[v], out_end[v] = i - 1, i
                out_cell[v] = ahead[depth - 1]
                out_first[v] = time[i - 1] + math.floor(low * elapsed)
                out_last[v] = time[i - 1] + math.ceil(high * elapsed)
                low = high
                depth -= 1
            else:
                middle = 0.5 * (low + high)
                share[depth] = middle
                ahead[depth] = _cell_at(
                    lon[i - 1] + middle * (lon[i] - lon[i - 1]),
                    lat[i - 1] + middle * (lat[i] - lat[i - 1]),
                    resolution,
                    point,
                    found,
                )
                depth += 1
    v += 1
    return out_device[:v], out_cell[:v], out_first[:v], out_last[:v], out_begin[:v], out_end[:v]


@njit(cache=True, nogil=True)
def visits(
    device: NDArray[Any],
    time: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    cell: NDArray[np.uint64],
    mine: NDArray[np.bool_],
    resolution: int,
) -> tuple[NDArray[np.int32], NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Visits of the movement through n fixes, sorted by device and time.

    device (n,) int codes; time (n,) i64 us; lon, lat (n,) f64 degrees; cell (n,) u64 at the resolution, of
    each fix; mine (n,) bool: a movement counts when one of its two fixes is mine, a lone fix when it is.
    -> device (v,) i32, cell (v,) u64, first, last (v,) i64 us: a device was in a cell from first to last;
    in the order of the fixes, and at the change from one cell to the next both count.
    """
    out_device, out_cell, first, last, _, _ = crossed(device, time, lon, lat, cell, mine, resolution)
    return out_device, out_cell, first, last
