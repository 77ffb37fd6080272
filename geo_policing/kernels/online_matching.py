"""The model of `map_matching` fed fix by fix, for many devices at once, each with a state of fixed size.

A device keeps its last used fixes, what each of their states came from, and the scores of the newest. Places
become final where all states that are still likely came from the same one: then no later fix can change them.
Or where they have waited long enough: then the likeliest of now is taken.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels import edge_candidates, edge_grid, map_matching, matching_step
from geo_policing.kernels.map_matching import HELD, SLACK, Model
from geo_policing.kernels.matching_step import Lattice
from geo_policing.kernels.node_tables import Table
from geo_policing.kernels.trace_matching import RADIUS_SIGMAS, Reading, concentrations, sigmas
from geo_policing.kernels.way_search import Ways, scratch

#: Times between fixes of which the median is the usual one of a device.
INTERVALS = 7


class Devices(NamedTuple):
    """State of d devices: s states of each of the last l fixes used.

    heard_s (d,) f64: time of the newest fix, -inf none; heard (d,) i64: fixes fed; intervals (d,) i64 and
    interval_s (d, INTERVALS) f32: times between fixes, how many so far and the last ones; spoken_x, spoken_y
    (d,) f64 m: the last fix that was not too near to the one before; on_roads (d,) bool: whether a road was
    near that one; origin_x, origin_y (d, 1 + held) f64 m: the last fix used, then of each held state the fix
    whose place it has; score (d, s) f64, of the newest.

    The ring: first (d,) i64, where its oldest fix is; kept, waiting (d,) i64, how many are in it and how many
    of them, the last, are not final; fix (d, l) i64 and time_s (d, l) f64; edge i32, offset_m f64, back i8,
    how i8, (d, l, s) as in `map_matching.forward`.
    """

    heard_s: NDArray[Any]
    heard: NDArray[Any]
    intervals: NDArray[Any]
    interval_s: NDArray[Any]
    spoken_x: NDArray[Any]
    spoken_y: NDArray[Any]
    on_roads: NDArray[Any]
    origin_x: NDArray[Any]
    origin_y: NDArray[Any]
    score: NDArray[Any]
    first: NDArray[Any]
    kept: NDArray[Any]
    waiting: NDArray[Any]
    fix: NDArray[Any]
    time_s: NDArray[Any]
    edge: NDArray[Any]
    offset_m: NDArray[Any]
    back: NDArray[Any]
    how: NDArray[Any]


class Final(NamedTuple):
    """Places that no later fix changes, u of them, those of a device in order.

    device (u,) i64; fix (u,) i64, number of the fix among those of its device, from 0; time_s (u,) f64; edge
    (u,) i32, -1 for an outlier; offset_m (u,) f64; how (u,) i8 of `map_matching`.
    """

    device: NDArray[Any]
    fix: NDArray[Any]
    time_s: NDArray[Any]
    edge: NDArray[Any]
    offset_m: NDArray[Any]
    how: NDArray[Any]


def devices(d: int, lag_fixes: int, reading: Reading) -> Devices:
    """Make the state of d devices of which nothing was heard."""
    size, s = lag_fixes + 1, reading.candidates + reading.held
    return Devices(
        heard_s=np.full(d, -np.inf),
        heard=np.zeros(d, np.int64),
        intervals=np.zeros(d, np.int64),
        interval_s=np.zeros((d, INTERVALS), np.float32),
        spoken_x=np.full(d, np.nan),
        spoken_y=np.full(d, np.nan),
        on_roads=np.zeros(d, np.bool_),
        origin_x=np.zeros((d, reading.held + 1)),
        origin_y=np.zeros((d, reading.held + 1)),
        score=np.full((d, s), -np.inf),
        first=np.zeros(d, np.int64),
        kept=np.zeros(d, np.int64),
        waiting=np.zeros(d, np.int64),
        fix=np.zeros((d, size), np.int64),
        time_s=np.zeros((d, size)),
        edge=np.full((d, size, s), -1, np.int32),
        offset_m=np.zeros((d, size, s)),
        back=np.full((d, size, s), -1, np.int8),
        how=np.full((d, size, s), HELD, np.int8),
    )


def grown(of: Devices, d: int, lag_fixes: int, reading: Reading) -> Devices:
    """Make room for d devices: those there were as they are, and of the others nothing was heard."""
    more = devices(d, lag_fixes, reading)
    for old, new in zip(of, more, strict=True):
        new[: len(old)] = old
    return more


@njit(cache=True, nogil=True)
def _final(rows: int) -> Final:
    return Final(
        np.empty(rows, np.int64),
        np.empty(rows, np.int64),
        np.empty(rows),
        np.empty(rows, np.int32),
        np.empty(rows),
        np.empty(rows, np.int8),
    )


@njit(cache=True, nogil=True)
def _cut(out: Final, size: int) -> Final:
    return Final(
        out.device[:size].copy(),
        out.fix[:size].copy(),
        out.time_s[:size].copy(),
        out.edge[:size].copy(),
        out.offset_m[:size].copy(),
        out.how[:size].copy(),
    )


@njit(cache=True, nogil=True)
def speaks(d: int, t_s: float, x: float, y: float, of: Devices, reading: Reading) -> bool:
    """Hear a fix of device d and tell whether it says something new, as thinning in `match_trace` does.

    The usual interval is the median of the last INTERVALS times between fixes that were not equal.
    """
    if t_s > of.heard_s[d] > -np.inf:
        of.interval_s[d, of.intervals[d] % INTERVALS] = t_s - of.heard_s[d]
        of.intervals[d] += 1
    of.heard_s[d] = t_s
    known = min(of.intervals[d], INTERVALS)
    usual_s = np.median(of.interval_s[d, :known]) if known > 0 else 0.0
    alike_m = max(reading.least_m, reading.thin_m * math.exp(-usual_s / reading.thin_s))
    if math.hypot(x - of.spoken_x[d], y - of.spoken_y[d]) < alike_m:
        return False
    of.spoken_x[d], of.spoken_y[d] = x, y
    return True


@njit(cache=True, nogil=True)
def _take(d: int, fix: int, t_s: float, now: Lattice, x: NDArray[Any], y: NDArray[Any], of: Devices) -> None:
    """Put the states of row 1 of a lattice behind the others of device d; x, y as `feed` gives them."""
    size, s = of.fix.shape[1], of.score.shape[1]
    held = of.origin_x.shape[1] - 1
    if of.kept[d] == size:
        of.first[d] = (of.first[d] + 1) % size
        of.kept[d] -= 1
    row = (of.first[d] + of.kept[d]) % size
    of.kept[d] += 1
    of.waiting[d] += 1
    of.fix[d, row], of.time_s[d, row] = fix, t_s
    top = now.score[1].max()
    for j in range(s):
        of.score[d, j] = now.score[1, j] - top
        of.edge[d, row, j], of.offset_m[d, row, j] = now.edge[1, j], now.offset[1, j]
        of.back[d, row, j], of.how[d, row, j] = now.back[1, j], now.how[1, j]
    of.origin_x[d, 0], of.origin_y[d, 0] = x[1], y[1]
    for j in range(held):
        origin = now.since[1, s - held + j]
        of.origin_x[d, 1 + j], of.origin_y[d, 1 + j] = x[origin], y[origin]


@njit(cache=True, nogil=True)
def settle(
    d: int,
    now_s: float,
    lag_s: float,
    lag_fixes: int,
    reading: Reading,
    model: Model,
    of: Devices,
    state: NDArray[Any],
    out: Final,
    size: int,
) -> int:
    """Write what is final of device d at now_s behind the first `size` rows of out, and count these.

    A place is final where all states came from it that are not farther behind the best than a jump, or where
    lag_fixes used fixes follow, or where the first of these came more than lag_s ago. state (l, s) i64 is
    scratch.
    """
    count, length, s = of.kept[d], of.fix.shape[1], of.score.shape[1]
    best = np.argmax(of.score[d])
    behind = of.score[d, best] - model.jump_cost - SLACK
    # Of each fix in the ring the state that each of the newest came from; the best sequence is column `best`.
    final = -1
    for r in range(count - 1, -1, -1):
        met = True
        for j in range(s):
            if of.score[d, j] < behind or of.score[d, j] == -np.inf:
                continue
            later = (of.first[d] + r + 1) % length
            state[r, j] = j if r == count - 1 else of.back[d, later, state[r + 1, j]]
        for j in range(s):
            if of.score[d, j] >= behind and of.score[d, j] > -np.inf and state[r, j] != state[r, best]:
                met = False
        # Who stands tells nothing new: the time to wait begins when the vehicle has moved on.
        waited = -np.inf
        if r < count - 1:
            waited = now_s - of.time_s[d, (of.first[d] + r + 1) % length]
        if final < 0 and (met or count - 1 - r >= lag_fixes or waited > lag_s):
            final = r
    for r in range(count - of.waiting[d], final + 1):
        row, chosen = (of.first[d] + r) % length, state[r, best]
        edge, offset_m, how = of.edge[d, row, chosen], of.offset_m[d, row, chosen], of.how[d, row, chosen]
        if chosen < reading.candidates:
            out.edge[size] = edge
        else:
            out.edge[size] = -1
        out.device[size], out.fix[size], out.time_s[size] = d, of.fix[d, row], of.time_s[d, row]
        out.offset_m[size], out.how[size] = offset_m, how
        size += 1
    if final >= 0:
        # What is said is said: who came from elsewhere is out.
        for j in range(s):
            if of.score[d, j] < behind or state[final, j] != state[final, best]:
                of.score[d, j] = -np.inf
    of.waiting[d] = min(of.waiting[d], count - 1 - final)
    # What is final is needed no more, but the newest, from which the next fix goes on.
    gone = min(final + 1, count - 1)
    of.first[d] = (of.first[d] + gone) % length
    of.kept[d] -= gone
    return size


@njit(cache=True, nogil=True)
def feed(
    device: NDArray[Any],
    t_s: NDArray[Any],
    x: NDArray[Any],
    y: NDArray[Any],
    speed_mps: NDArray[Any],
    course_deg: NDArray[Any],
    accuracy_m: NDArray[Any],
    lag_s: float,
    lag_fixes: int,
    grid: edge_grid.Grid,
    shapes: edge_grid.Shapes,
    ways: Ways,
    table: Table,
    reading: Reading,
    model: Model,
    of: Devices,
) -> Final:
    """Take n fixes of any devices, those of each in order of time, and tell what became final.

    device (n,) i64; the others as in `match_trace`. A fix older than one of its device before it is passed
    over.
    """
    n, k = device.shape[0], reading.candidates
    s = k + reading.held
    number = np.empty(n, np.int64)
    fresh, speaking = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    for i in range(n):
        d = device[i]
        number[i] = of.heard[d]
        of.heard[d] += 1
        fresh[i] = t_s[i] >= of.heard_s[d]
        speaking[i] = fresh[i] and speaks(d, t_s[i], x[i], y[i], of, reading)
    fix = np.flatnonzero(speaking)
    sigma_m = sigmas(accuracy_m[fix], reading)
    radius_m = np.minimum(np.maximum(reading.radius_m, RADIUS_SIGMAS * sigma_m), reading.wide_radius_m)
    candidate_edge, distance, candidate_offset = edge_grid.nearest(
        x[fix], y[fix], radius_m, reading.wide_radius_m, k, grid
    )
    emission = map_matching.emission_logp(distance, sigma_m)
    told, concentration = concentrations(speed_mps[fix], course_deg[fix], reading)
    if told:
        heading_deg = edge_candidates.headings(
            candidate_edge, candidate_offset, shapes.offset, shapes.x, shapes.y, shapes.length_m
        )
        emission += map_matching.course_logp(heading_deg, course_deg[fix], concentration)
    out = _final(n + of.waiting.sum())
    size, used = 0, -1
    # Row 0 is the last fix used, row 1 this one; behind them the fixes whose places the held states have.
    now, by = matching_step.lattice(2, s), matching_step.room(k, s)
    around_x, around_y = np.empty(2 + reading.held), np.empty(2 + reading.held)
    two_emission, two_edge, two_offset = np.empty((2, k)), np.empty((2, k), np.int32), np.empty((2, k))
    on, stamp = scratch(0), 0
    state = np.zeros((of.fix.shape[1], s), np.int64)
    for i in range(n):
        d = device[i]
        if not fresh[i]:
            continue
        used += speaking[i]
        if speaking[i]:
            of.on_roads[d] = candidate_edge[used, 0] >= 0
        if speaking[i] and candidate_edge[used, 0] >= 0:
            now.edge[1], now.score[1], now.back[1], now.how[1], now.step[1] = -1, -np.inf, -1, HELD, -np.inf
            around_x[1], around_y[1] = x[i], y[i]
            if of.kept[d] == 0:
                for j in range(k):
                    if candidate_edge[used, j] >= 0:
                        now.edge[1, j], now.offset[1, j] = candidate_edge[used, j], candidate_offset[used, j]
                        now.score[1, j] = emission[used, j]
                now.since[1] = 1
            else:
                row = (of.first[d] + of.kept[d] - 1) % of.fix.shape[1]
                now.edge[0], now.offset[0], now.score[0] = of.edge[d, row], of.offset_m[d, row], of.score[d]
                around_x[0], around_y[0] = of.origin_x[d, 0], of.origin_y[d, 0]
                for j in range(reading.held):
                    now.since[0, k + j] = 2 + j
                    around_x[2 + j], around_y[2 + j] = of.origin_x[d, 1 + j], of.origin_y[d, 1 + j]
                two_emission[1] = emission[used]
                two_edge[1], two_offset[1] = candidate_edge[used], candidate_offset[used]
                on, stamp = matching_step.advance(
                    1,
                    around_x,
                    around_y,
                    two_emission,
                    two_edge,
                    two_offset,
                    ways,
                    table,
                    model,
                    now,
                    by,
                    on,
                    stamp,
                )
            _take(d, number[i], t_s[i], now, around_x, around_y, of)
            size = settle(d, t_s[i], lag_s, lag_fixes, reading, model, of, state, out, size)
        elif of.waiting[d] > 1:
            second = (of.first[d] + of.kept[d] - of.waiting[d] + 1) % of.fix.shape[1]
            if t_s[i] - of.time_s[d, second] > lag_s:
                size = settle(d, t_s[i], lag_s, lag_fixes, reading, model, of, state, out, size)
    return _cut(out, size)


@njit(cache=True, nogil=True)
def likeliest(
    device: NDArray[Any], k: int, of: Devices
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Where devices (n,) i64 likeliest were at the last fix used of each: the best of k candidates.

    -> edge (n,) i32, -1 where the best is to hold, no road was near later, or nothing was heard; offset_m and
    time_s (n,) f64, NaN there.
    """
    n = device.shape[0]
    edge, offset_m, time_s = np.full(n, -1, np.int32), np.full(n, np.nan), np.full(n, np.nan)
    for i in range(n):
        d = device[i]
        if of.kept[d] == 0 or not of.on_roads[d]:
            continue
        row, best = (of.first[d] + of.kept[d] - 1) % of.fix.shape[1], np.argmax(of.score[d])
        if best < k:
            edge[i], offset_m[i] = of.edge[d, row, best], of.offset_m[d, row, best]
            time_s[i] = of.time_s[d, row]
    return edge, offset_m, time_s


@njit(cache=True, nogil=True)
def finish(device: NDArray[Any], reading: Reading, model: Model, of: Devices) -> Final:
    """Tell all that waits of devices (n,) i64, and forget them but for how many fixes were fed."""
    out = _final(of.waiting.sum())
    state = np.zeros((of.fix.shape[1], of.score.shape[1]), np.int64)
    size = 0
    for d in device:
        if of.waiting[d] > 0:
            size = settle(d, np.inf, 0.0, 0, reading, model, of, state, out, size)
        of.heard_s[d], of.intervals[d], of.kept[d], of.waiting[d] = -np.inf, 0, 0, 0
        of.spoken_x[d], of.spoken_y[d] = np.nan, np.nan
    return _cut(out, size)
