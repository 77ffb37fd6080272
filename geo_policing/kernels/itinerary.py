"""The fixes of one device as stays, trips between them and gaps of silence."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.cell_visits import ERRORS_M, MAX_SPEED_MPS, distance_m

STAY, TRIP, GAP = 0, 1, 2


@njit(cache=True, nogil=True)
def _too_fast(elapsed_us: int, metres: float) -> bool:
    return metres > MAX_SPEED_MPS * elapsed_us * 1e-6 + ERRORS_M


@njit(cache=True, nogil=True)
def leaps(time: NDArray[np.int64], lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which fixes are too fast from the one before and to the one after, which are not from each other.

    Too fast: metres > speed * elapsed + errors; never two in a row.
    time (n,) i64 us, lon, lat (n,) f64 degrees, by time -> (n,) bool.
    """
    n = time.shape[0]
    out = np.zeros(n, np.bool_)
    for i in range(1, n - 1):
        if out[i - 1]:
            continue
        there = distance_m(lon[i - 1], lat[i - 1], lon[i], lat[i])
        back = distance_m(lon[i], lat[i], lon[i + 1], lat[i + 1])
        past = distance_m(lon[i - 1], lat[i - 1], lon[i + 1], lat[i + 1])
        out[i] = (
            _too_fast(time[i] - time[i - 1], there)
            and _too_fast(time[i + 1] - time[i], back)
            and not _too_fast(time[i + 1] - time[i - 1], past)
        )
    return out


@njit(cache=True, nogil=True)
def merged(
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    radius_m: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Make one of stays that follow each other from fix to fix and whose middles are within a radius.

    first, last (s,) i64: rows of the first and the last fix of each; lon, lat (s,) f64 degrees: the mean of
    its fixes. A stay is compared with all of those before it that have become one.
    -> the same of the stays that are left, (r,).
    """
    out_first, out_last = first.copy(), last.copy()
    out_lon, out_lat = lon.copy(), lat.copy()
    r = 0
    for s in range(1, first.shape[0]):
        near = distance_m(out_lon[r], out_lat[r], lon[s], lat[s]) <= radius_m
        if first[s] == out_last[r] + 1 and near:
            before, more = out_last[r] - out_first[r] + 1, last[s] - first[s] + 1
            out_lon[r] = (out_lon[r] * before + lon[s] * more) / (before + more)
            out_lat[r] = (out_lat[r] * before + lat[s] * more) / (before + more)
            out_last[r] = last[s]
        else:
            r += 1
            out_first[r], out_last[r], out_lon[r], out_lat[r] = first[s], last[s], lon[s], lat[s]
    r = min(r + 1, first.shape[0])
    return out_first[:r], out_last[:r], out_lon[:r], out_lat[:r]


@njit(cache=True, nogil=True)
def length_m(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> float:
    """Metres from place to place, lon, lat (n,) f64 degrees."""
    total = 0.0
    for i in range(lon.shape[0] - 1):
        total += distance_m(lon[i], lat[i], lon[i + 1], lat[i + 1])
    return total


@njit(cache=True, nogil=True)
def legs(
    time: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64], gap_us: int
) -> NDArray[np.int64]:
    """Cut n fixes into legs, each from one of its fixes to another: (l, 3) i64 kind, first row, last row.

    time (n,) i64 us; first, last (s,) i64: rows of the stays, in order. From one fix to the next is of a stay
    where both are of the same; else a gap where it takes more than gap_us; else of a trip. Trips are as long
    as they can be. Each leg begins where the one before ends.
    """
    n = time.shape[0]
    out = np.empty((max(n - 1, 0), 3), np.int64)
    count = 0
    s = 0
    i = 0
    while i < n - 1:
        while s < first.shape[0] and last[s] <= i:
            s += 1
        if s < first.shape[0] and first[s] <= i:
            kind, until = STAY, last[s]
        else:
            kind, until = (GAP if time[i + 1] - time[i] > gap_us else TRIP), i + 1
        if kind == TRIP and count > 0 and out[count - 1, 0] == TRIP:
            out[count - 1, 2] = until
        else:
            out[count, 0], out[count, 1], out[count, 2] = kind, i, until
            count += 1
        i = until
    return out[:count]
