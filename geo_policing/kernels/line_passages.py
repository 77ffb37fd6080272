"""Who goes over a line from one side to the other, exact where it is touched, ended on or followed."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.cell_visits import _grown, distance_m, joined
from geo_policing.kernels.exact_cross import cross

#: The least share that differs from 0, and from 1, by what a number of 64 bits can hold.
_LEAST = 2.0**-53


@njit(cache=True, nogil=True)
def side_at(place: int, x: float, y: float, px: NDArray[np.float64], py: NDArray[np.float64]) -> int:
    """From which side comes who comes straight from (x, y) to a place on a line: 1 left, -1 right, 0 none.

    px, py (m + 1,) are its corners. place: a corner 0..m, or m + 1 + k for within edge k. At a corner the
    side is that of the angle between its two edges; beyond an end the last edge goes on straight.
    """
    m = px.shape[0] - 1
    if place > m:
        k = place - m - 1
        return int(np.sign(cross(px[k + 1] - px[k], py[k + 1] - py[k], x - px[k], y - py[k])))
    before, after = place - 1, place
    if px[0] == px[m] and py[0] == py[m]:  # a ring: its end is its beginning
        before, after = (m - 1 if before < 0 else before), (0 if after == m else after)
    if before < 0:
        before = after
    if after == m:
        after = before
    ax, ay = px[before + 1] - px[before], py[before + 1] - py[before]
    bx, by = px[after + 1] - px[after], py[after + 1] - py[after]
    wx, wy = x - px[place], y - py[place]
    first, second, turn = cross(ax, ay, wx, wy), cross(bx, by, wx, wy), cross(ax, ay, bx, by)
    if (second == 0.0 and bx * wx + by * wy > 0.0 and after != before) or (
        first == 0.0 and ax * wx + ay * wy < 0.0 and after != before
    ):
        return 0
    if turn > 0.0:
        return 1 if first > 0.0 and second > 0.0 else -1
    if turn < 0.0:
        return -1 if first < 0.0 and second < 0.0 else 1
    return int(np.sign(first))


@njit(cache=True, nogil=True)
def _contacts(
    ax: float,
    ay: float,
    bx: float,
    by: float,
    px: NDArray[np.float64],
    py: NDArray[np.float64],
    over: NDArray[np.float64],
    share: NDArray[np.float64],
    at: NDArray[np.float64],
    place: NDArray[np.int64],
) -> int:
    """Where the way from a to b is on the line: shares [from, to] in at (4 m + 4, 2), joined and in order.

    place (4 m + 4, 2): where on the line it comes and goes. over, share (m + 1,): scratch. -> how many.
    """
    m = px.shape[0] - 1
    dx, dy = bx - ax, by - ay
    square = dx * dx + dy * dy
    n = 0
    # On which side of the way each corner is decides for both of its edges alike: nothing slips between two.
    for j in range(m + 1):
        over[j] = cross(dx, dy, px[j] - ax, py[j] - ay)
        if px[j] == ax and py[j] == ay:
            over[j], share[j] = 0.0, 0.0
        elif px[j] == bx and py[j] == by:
            over[j], share[j] = 0.0, 1.0
        else:
            share[j] = ((px[j] - ax) * dx + (py[j] - ay) * dy) / square
        if over[j] == 0.0 and 0.0 <= share[j] <= 1.0:
            at[n, 0], at[n, 1] = share[j], share[j]
            place[n, 0], place[n, 1] = j, j
            n += 1
    for k in range(m):
        if over[k] == 0.0 and over[k + 1] == 0.0:
            first, last = (k, k + 1) if share[k] <= share[k + 1] else (k + 1, k)
            low, high = max(0.0, share[first]), min(1.0, share[last])
            if low > high:
                continue
            at[n, 0], at[n, 1] = low, high
            place[n, 0] = first if share[first] >= 0.0 else m + 1 + k
            place[n, 1] = last if share[last] <= 1.0 else m + 1 + k
            n += 1
        elif (over[k] > 0.0 and over[k + 1] < 0.0) or (over[k] < 0.0 and over[k + 1] > 0.0):
            ex, ey = px[k + 1] - px[k], py[k + 1] - py[k]
            before, after = cross(ex, ey, ax - px[k], ay - py[k]), cross(ex, ey, bx - px[k], by - py[k])
            if (before > 0.0 and after > 0.0) or (before < 0.0 and after < 0.0):
                continue
            u = 0.0 if before == 0.0 else 1.0 if after == 0.0 else before / (before - after)
            # 0 and 1 say that an end is on the line: who is only a hair beside it must not be rounded there.
            if before != 0.0 and after != 0.0:
                u = min(max(u, _LEAST), 1.0 - _LEAST)
            at[n, 0], at[n, 1] = u, u
            place[n, 0], place[n, 1] = m + 1 + k, m + 1 + k
            n += 1
    # In order, by insertion: there are hardly ever more than two.
    for i in range(1, n):
        low, high, come, go = at[i, 0], at[i, 1], place[i, 0], place[i, 1]
        j = i
        while j > 0 and at[j - 1, 0] > low:
            at[j, 0], at[j, 1], place[j, 0], place[j, 1] = (
                at[j - 1, 0],
                at[j - 1, 1],
                place[j - 1, 0],
                place[j - 1, 1],
            )
            j -= 1
        at[j, 0], at[j, 1], place[j, 0], place[j, 1] = low, high, come, go
    joint = 0
    for i in range(1, n):
        if at[i, 0] <= at[joint, 1]:
            if at[i, 1] > at[joint, 1]:
                at[joint, 1], place[joint, 1] = at[i, 1], place[i, 1]
        else:
            joint += 1
            at[joint, 0], at[joint, 1], place[joint, 0], place[joint, 1] = (
                at[i, 0],
                at[i, 1],
                place[i, 0],
                place[i, 1],
            )
    return joint + 1 if n else 0


@njit(cache=True, nogil=True)
def passages(
    device: NDArray[np.int32],
    time: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    px: NDArray[np.float64],
    py: NDArray[np.float64],
    start_us: int,
    end_us: int,
    halt: NDArray[np.uint8],
) -> tuple[Any, Any, Any, Any, Any]:
    """Where movements go over a line: they come to it from strictly one side and leave it on the other.

    device, time, lon, lat (n,): fixes sorted by device and time; px, py (m + 1,): its corners from start to
    end, which does not cross itself.
    halt (1,) u8: what is found is of no use, and it returns, when another thread makes it other than 0.
    -> device (p,) i32, at (p,) f64 us: when the line is reached, in [start, end); side (p,) i8: 1 from its
    left to its right, -1 the other way; and the fixes before and after, first, last (p,) i64.
    """
    n = time.shape[0]
    m = px.shape[0] - 1
    size = 64
    out_device = np.empty(size, np.int32)
    out_at = np.empty(size, np.float64)
    out_side = np.empty(size, np.int8)
    out_first = np.empty(size, np.int64)
    out_last = np.empty(size, np.int64)
    p = 0
    over, share = np.empty(m + 1), np.empty(m + 1)
    at, place = np.empty((4 * m + 4, 2)), np.empty((4 * m + 4, 2), np.int64)
    west, east, south, north = px.min(), px.max(), py.min(), py.max()
    is_on, came, came_us, came_fix = False, 0, 0.0, 0
    for i in range(n - 1):
        if halt[0] != 0:
            break
        if device[i + 1] != device[i] or not joined(
            time[i + 1] - time[i], distance_m(lon[i], lat[i], lon[i + 1], lat[i + 1])
        ):
            is_on = False
            continue
        ax, ay, bx, by = lon[i], lat[i], lon[i + 1], lat[i + 1]
        if ax == bx and ay == by:  # it stands, on the line or off it
            continue
        if max(ax, bx) < west or min(ax, bx) > east or max(ay, by) < south or min(ay, by) > north:
            is_on = False
            continue
        count = _contacts(ax, ay, bx, by, px, py, over, share, at, place)
        was_on, is_on = is_on, False
        for c in range(count):
            if at[c, 0] > 0.0:
                came = side_at(place[c, 0], ax, ay, px, py)
                came_us = time[i] + at[c, 0] * (time[i + 1] - time[i])
                came_fix = i
            elif not was_on:  # nobody knows from where it came
                came = 0
            if at[c, 1] == 1.0:
                is_on = True
                continue
            gone = side_at(place[c, 1], bx, by, px, py)
            if came * gone >= 0 or not start_us <= came_us < end_us:
                continue
            if p >= size:
                size *= 2
                out_device, out_at = _grown(out_device, size), _grown(out_at, size)
                out_side = _grown(out_side, size)
                out_first, out_last = _grown(out_first, size), _grown(out_last, size)
            out_device[p], out_at[p], out_side[p] = device[i], came_us, came
            out_first[p], out_last[p] = came_fix, i + 1
            p += 1
    return out_device[:p], out_at[:p], out_side[:p], out_first[:p], out_last[:p]
