"""When the edges of a path were entered, and which stretches of it nobody saw."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def entered(
    path: NDArray[Any],
    at: NDArray[Any],
    starts: NDArray[Any],
    left_m: NDArray[Any],
    t_s: NDArray[Any],
    usual_s: NDArray[Any],
    length_m: NDArray[Any],
) -> NDArray[np.float64]:
    """When each edge was entered: time between fixes is shared out by what each stretch usually takes.

    path (p,) i32 edges of all paths one after the other; of each of u places at (u,) i64, which of them it is
    on, starts (u,) bool, whether a path starts there, left_m (u,) f64, how far along its edge it has come,
    t_s (u,) f64, when; usual_s, length_m (m,) f64 of each edge. -> (p,) f64 in the time of t_s; of the first
    edge of a path, when it starts.
    """
    u = at.shape[0]
    out = np.empty(path.shape[0])
    along = np.empty(u)
    first = 0
    while first < u:
        last = first + 1
        while last < u and not starts[last]:
            last += 1
        # Where the places are in the usual time since the start of the first edge; jitter stays where it was.
        so_far, i, furthest = 0.0, first, -np.inf
        for k in range(at[first], at[last - 1] + 1):
            e = path[k]
            while i < last and at[i] == k:
                share = left_m[i] / max(length_m[e], 1e-9)
                furthest = max(furthest, so_far + share * usual_s[e])
                along[i] = furthest
                i += 1
            so_far += usual_s[e]
        so_far, i = 0.0, first
        for k in range(at[first], at[last - 1] + 1):
            while i + 1 < last and along[i + 1] <= so_far:
                i += 1
            out[k] = t_s[i]
            if so_far > along[i] and i + 1 < last:
                share = (so_far - along[i]) / (along[i + 1] - along[i])
                out[k] += share * (t_s[i + 1] - t_s[i])
            so_far += usual_s[path[k]]
        first = last
    return out


@njit(cache=True, nogil=True)
def usual_interval(t_s: NDArray[Any]) -> float:
    """Median of the times between fixes that are not equal, seconds; 0 where there is none. t_s (n,) f64."""
    intervals = np.empty(t_s.shape[0])
    count = 0
    for i in range(1, t_s.shape[0]):
        if t_s[i] > t_s[i - 1]:
            intervals[count] = t_s[i] - t_s[i - 1]
            count += 1
    return float(np.median(intervals[:count])) if count > 0 else 0.0


@njit(cache=True, nogil=True)
def unseen(
    t_s: NDArray[Any],
    speaker: NDArray[Any],
    fix: NDArray[Any],
    x: NDArray[Any],
    y: NDArray[Any],
    silent_s: float,
    gap_m: float,
    fastest_mps: float,
) -> NDArray[np.bool_]:
    """Whether before each of u places a stretch was passed that no fix supports; of the first, no.

    Such a stretch is at least gap_m across, and has outliers or fixes away from roads on it, or a time
    without any fix longer than silent_s, or is too long to be driven in its time.
    t_s (n,) f64 times of all fixes; speaker (n,) i64, the fix that speaks for each, of `path_joining.thin`;
    fix (u,) i64, ascending, the fixes that have a place, with where they were received, x, y (u,) f64 m.
    -> (u,) bool.
    """
    u = fix.shape[0]
    out = np.zeros(u, np.bool_)
    for i in range(1, u):
        dx, dy = x[i] - x[i - 1], y[i] - y[i - 1]
        across_m = np.sqrt(dx * dx + dy * dy)
        if across_m < gap_m:
            continue
        strange = across_m > fastest_mps * (t_s[fix[i]] - t_s[fix[i - 1]])
        heard_s = t_s[fix[i - 1]]
        for f in range(fix[i - 1] + 1, fix[i] + 1):
            if speaker[f] != fix[i - 1] and speaker[f] != fix[i]:
                strange = True
            else:
                strange = strange or t_s[f] - heard_s > silent_s
                heard_s = t_s[f]
        out[i] = strange
    return out
