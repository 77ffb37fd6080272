"""When a movement is in an area, exact at its border."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.cell_visits import _grown, distance_m, joined


@njit(cache=True, nogil=True)
def inside(x: float, y: float, edge: NDArray[np.float64]) -> bool:
    """Whether a point is in the area or on its border: odd number of edges to its right, or on one of them.

    edge (e, 4) f64: x0, y0, x1, y1 of all edges of all rings, holes as well.
    """
    odd = False
    for k in range(edge.shape[0]):
        x0, y0, x1, y1 = edge[k, 0], edge[k, 1], edge[k, 2], edge[k, 3]
        cross = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
        if cross == 0.0 and min(x0, x1) <= x <= max(x0, x1) and min(y0, y1) <= y <= max(y0, y1):
            return True
        if (y0 > y) != (y1 > y) and (cross > 0.0) == (y1 > y0):
            odd = not odd
    return odd


@njit(cache=True, nogil=True)
def crossings(
    ax: float, ay: float, bx: float, by: float, edge: NDArray[np.float64], share: NDArray[np.float64]
) -> int:
    """Where the way from a to b meets edges: shares of the way in share (2 e,) f64, unsorted -> how many."""
    n = 0
    dx, dy = bx - ax, by - ay
    for k in range(edge.shape[0]):
        ex, ey = edge[k, 2] - edge[k, 0], edge[k, 3] - edge[k, 1]
        wx, wy = edge[k, 0] - ax, edge[k, 1] - ay
        across = dx * ey - dy * ex
        if across != 0.0:
            u = (wx * ey - wy * ex) / across
            v = (wx * dy - wy * dx) / across
            if 0.0 <= u <= 1.0 and 0.0 <= v <= 1.0:
                share[n] = u
                n += 1
        elif dx * wy - dy * wx == 0.0 and (dx != 0.0 or dy != 0.0):  # along the edge: both of its ends
            for px, py in ((wx, wy), (wx + ex, wy + ey)):
                u = (px * dx + py * dy) / (dx * dx + dy * dy)
                if 0.0 <= u <= 1.0:
                    share[n] = u
                    n += 1
    return n


@njit(cache=True, nogil=True)
def presences(
    device: NDArray[np.int32],
    time: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    onward: NDArray[np.bool_],
    edge: NDArray[np.float64],
    start_us: int,
    end_us: int,
    halt: NDArray[np.uint8],
) -> tuple[Any, Any, Any, Any, Any]:
    """Maximal times [enter, leave] of each device in the area within [start, end).

    device, time, lon, lat (n,): fixes sorted by device and time; onward (n,) bool: whether the device's next
    fix is the next row; edge (e, 4) f64 degrees.
    halt (1,) u8: what is found is of no use, and it returns, when another thread makes it other than 0.
    -> device (p,) i32, enter, leave (p,) f64 us, and the fixes between which it was: first, last (p,) i64.
    """
    n = time.shape[0]
    size = 64
    out_device = np.empty(size, np.int32)
    out_enter = np.empty(size, np.float64)
    out_leave = np.empty(size, np.float64)
    out_first = np.empty(size, np.int64)
    out_last = np.empty(size, np.int64)
    p = 0
    west, east = edge[:, 0].min(), edge[:, 0].max()
    south, north = edge[:, 1].min(), edge[:, 1].max()
    share = np.empty(2 * edge.shape[0] + 2, np.float64)
    settled = -1  # the fix of which is known whether it is inside
    is_inside = False
    for i in range(n):
        if halt[0] != 0:
            break
        is_way = (
            i + 1 < n
            and onward[i]
            and device[i + 1] == device[i]
            and max(lon[i], lon[i + 1]) >= west
            and min(lon[i], lon[i + 1]) <= east
            and joined(time[i + 1] - time[i], distance_m(lon[i], lat[i], lon[i + 1], lat[i + 1]))
        )
        j = i + 1 if is_way else i
        if time[j] < start_us or time[i] >= end_us:
            continue
        if max(lon[i], lon[j]) < west or min(lon[i], lon[j]) > east:
            continue
        if max(lat[i], lat[j]) < south or min(lat[i], lat[j]) > north:
            continue
        elapsed = float(time[j] - time[i])
        low, high = 0.0, 1.0
        if elapsed > 0.0:
            low = max(low, (start_us - time[i]) / elapsed)
            high = min(high, (end_us - time[i]) / elapsed)
        elif not is_way:
            high = 0.0
        m = crossings(lon[i], lat[i], lon[j], lat[j], edge, share) if is_way else 0
        # A way that meets no edge is inside or outside as a whole, and so is the next one from its end.
        whole = is_way and m == 0 and low == 0.0 and high == 1.0
        if whole:
            if settled != i:
                is_inside = inside(lon[i], lat[i], edge)
            settled = j
            if not is_inside:
                continue
        share[m], share[m + 1] = low, high
        m += 2
        at = np.sort(share[:m]) if m > 2 else share[:2]
        for k in range(1 if whole else m):
            if at[k] < low or at[k] > high:
                continue
            for until in (k, k + 1):  # the place itself, then the way to the next
                if until >= m or at[until] > high or (until > k and at[until] == at[k]):
                    continue
                if whole and until == k:
                    continue
                middle = 0.5 * (at[k] + at[until])
                # A crossing lies on the border, whatever rounding says of its coordinates.
                met = whole or (until == k and low < at[k] < high)
                if not met and not inside(
                    lon[i] + middle * (lon[j] - lon[i]), lat[i] + middle * (lat[j] - lat[i]), edge
                ):
                    continue
                enter = time[i] + at[k] * elapsed
                leave = time[i] + at[until] * elapsed
                if enter >= end_us:
                    continue
                if (
                    p > 0
                    and out_device[p - 1] == device[i]
                    and enter <= out_leave[p - 1]
                    and i <= out_last[p - 1]
                ):
                    out_leave[p - 1] = max(out_leave[p - 1], leave)
                    out_last[p - 1] = max(out_last[p - 1], j)
                    continue
                if p >= size:
                    size *= 2
                    out_device = _grown(out_device, size)
                    out_enter = _grown(out_enter, size)
                    out_leave = _grown(out_leave, size)
                    out_first = _grown(out_first, size)
                    out_last = _grown(out_last, size)
                out_device[p], out_enter[p], out_leave[p] = device[i], enter, leave
                out_first[p], out_last[p] = i, j
                p += 1
    return out_device[:p], out_enter[:p], out_leave[:p], out_first[:p], out_last[:p]


@njit(cache=True, nogil=True)
def stays(
    time: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    radius_m: float,
    stay_us: int,
    halt: NDArray[np.uint8],
) -> tuple[Any, Any, Any, Any]:
    """Stays of one device: from a fix on, all those that follow within the radius of it, if that lasts.

    After Li et al., "Mining user similarity based on location history" (ACM GIS 2008), section 3.1: the first
    fix beyond the radius ends the stay; when none began, the next fix is tried.
    halt (1,) u8: as in `presences`.
    time (n,) i64 us, lon, lat (n,) f64 degrees, sorted by time -> first, last (s,) i64: rows of its first and
    last fix; lon, lat (s,) f64: the mean of its fixes.
    """
    n = time.shape[0]
    first = np.empty(n, np.int64)
    last = np.empty(n, np.int64)
    mean_lon = np.empty(n, np.float64)
    mean_lat = np.empty(n, np.float64)
    s = 0
    i = 0
    while i < n and halt[0] == 0:
        j = i + 1
        while j < n and distance_m(lon[i], lat[i], lon[j], lat[j]) <= radius_m:
            j += 1
        if time[j - 1] - time[i] >= stay_us:
            first[s], last[s] = i, j - 1
            mean_lon[s], mean_lat[s] = lon[i:j].mean(), lat[i:j].mean()
            s += 1
            i = j
        else:
            i += 1
    return first[:s], last[:s], mean_lon[:s], mean_lat[:s]


@njit(cache=True, nogil=True)
def shared_places(
    own_cell: NDArray[np.uint64],
    own_first: NDArray[np.int64],
    own_last: NDArray[np.int64],
    device: NDArray[np.int32],
    cell: NDArray[np.uint64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    devices: int,
    shifts: NDArray[np.int64],
    within_s: int,
    halt: NDArray[np.uint8],
) -> NDArray[np.int32]:
    """At how many places (cells) each device was within some seconds of one device, times shifted as given.

    own_* (o,) sorted by cell: stays of the one; device, cell, first, last (v,) sorted by device and cell:
    stays of the others; shifts (m,) i64 s are added to the others' times; halt (1,) u8: as in `presences`.
    -> (devices, m) i32: cells in which a stay [first, last] + shift and an own one are at most within_s
    apart.
    """
    m = shifts.shape[0]
    out = np.zeros((devices, m), np.int32)
    counted = np.zeros(m, np.bool_)
    for i in range(cell.shape[0]):
        if halt[0] != 0:
            break
        if i == 0 or device[i] != device[i - 1] or cell[i] != cell[i - 1]:
            counted[:] = False
        low = np.searchsorted(own_cell, cell[i])
        for k in range(low, own_cell.shape[0]):
            if own_cell[k] != cell[i]:
                break
            for shift in range(m):
                if counted[shift]:
                    continue
                d = shifts[shift]
                if first[i] + d - own_last[k] <= within_s and own_first[k] - last[i] - d <= within_s:
                    counted[shift] = True
                    out[device[i], shift] += 1
    return out


@njit(cache=True, nogil=True)
def poisson_tail_log10(count: int, mean: float) -> float:
    """log10 P(X >= count) of a Poisson variable, by the first terms of its tail; count >= mean is meant."""
    if count <= 0:
        return 0.0
    term = count * math.log(mean) - mean - math.lgamma(count + 1.0)
    total = 1.0
    ratio = 1.0
    for k in range(1, 200):
        ratio *= mean / (count + k)
        total += ratio
        if ratio < 1e-12 * total:
            break
    return min(0.0, (term + math.log(total)) / math.log(10.0))
