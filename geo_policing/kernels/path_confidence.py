"""How sure each edge of a path is."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.map_matching import Links, linked
from geo_policing.kernels.node_tables import Table
from geo_policing.kernels.path_joining import between
from geo_policing.kernels.way_search import Ways

#: A transition this likely is not weighed against others, and others less likely than this are left out.
SURE, LEAST = 0.999, 0.001

#: What a posterior is worth, of `calibrated`: fitted on every second of 39 real drives at 15, 30 and 60 s
#: between fixes. Of another time between fixes than these, the nearest in this range, seconds, is taken.
SLOPE, LEVEL, BY_TIME = 0.56, 0.52, -0.80
SHORTEST_S, USUAL_S, LONGEST_S = 15.0, 30.0, 120.0
#: Nearer to 0 or 1 than this, a posterior is rounding.
ROUNDING = 1e-6


@njit(cache=True, nogil=True)
def calibrated(p: float, usual_s: float) -> float:
    """Share of stretches with the posterior p that are right, fixes usually usual_s apart.

        log(q / (1 - q)) = SLOPE log(p / (1 - p)) + LEVEL + BY_TIME log(usual_s / 30 s)

    After J. Platt, "Probabilistic outputs for support vector machines", 1999.
    """
    p = min(max(p, ROUNDING), 1.0 - ROUNDING)
    level = LEVEL + BY_TIME * math.log(min(max(usual_s, SHORTEST_S), LONGEST_S) / USUAL_S)
    return 1.0 / (1.0 + math.exp(-SLOPE * math.log(p / (1.0 - p)) - level))


@njit(cache=True, nogil=True)
def chained(first: int, last: int, chosen: NDArray[Any], of_state: NDArray[Any], links: Links) -> float:
    """Posterior probability of the states chosen from one fix to another, those between held.

        P(z[a..b]) = P(z[a], z[a + 1]) P(z[a + 1], z[a + 2]) / P(z[a + 1]) ...

    chosen (n,) i64; of_state (n, s), links of `map_matching.posterior`.
    """
    out = 1.0
    for i in range(first + 1, last + 1):
        out *= linked(i, chosen[i - 1], chosen[i], links)
        if i < last:
            out /= max(of_state[i, chosen[i]], 1e-12)
    return min(out, 1.0)


@njit(cache=True, nogil=True)
def _passes(e: int, a: int, b: int, inner: NDArray[Any]) -> bool:
    if e in (a, b):
        return True
    for k in range(inner.shape[0]):  # noqa: SIM110, numba has no generators here
        if inner[k] == e:
            return True
    return False


@njit(cache=True, nogil=True)
def of_edges(
    path: NDArray[Any],
    at: NDArray[Any],
    starts: NDArray[Any],
    used: NDArray[Any],
    chosen: NDArray[Any],
    edge: NDArray[Any],
    offset: NDArray[Any],
    of_state: NDArray[Any],
    links: Links,
    candidates: int,
    backward_m: float,
    usual_s: float,
    ways: Ways,
    table: Table,
) -> NDArray[np.float64]:
    """Probability that each edge of a path was driven where the path has it.

    For each transition that passes the edge, the sum of the probabilities of all transitions between the same
    fixes whose least way passes it too; of those, the greatest:

        max over i of  sum over h, j with the edge on the way of (h, j)  of  P(h, j | all fixes)

    and that `calibrated`. Of an edge that no transition passes, where a path is one place, the posterior.
    path (p,) i32, at (u,) i64, starts (u,) bool of `path_joining`; used (u,) i64, ascending, the fixes that
    have a place; chosen (n,) i64, edge (n, s) i32, offset (n, s) f64 m of `map_matching`; of_state (n, s) and
    links of its `posterior`; states from candidates on are held; usual_s, usual time between fixes.
    -> (p,) f64. A way that the table does not know counts for no edge but its ends.
    """
    out = np.zeros(path.shape[0])
    summed = np.empty(path.shape[0])
    passed = np.zeros(path.shape[0], np.bool_)
    none = np.empty(0, np.int32)
    for i in range(at.shape[0]):
        fix = used[i]
        of_place = of_state[fix, chosen[fix]]
        out[at[i]] = max(out[at[i]], of_place)
        if i == 0 or starts[i]:
            continue
        first, last = at[i - 1], at[i]
        likely = chained(used[i - 1], fix, chosen, of_state, links)
        summed[first : last + 1] = likely
        if likely < SURE and used[i - 1] == fix - 1:
            for h in range(candidates):
                if of_state[fix - 1, h] < LEAST:
                    continue
                a = edge[fix - 1, h]
                for j in range(candidates):
                    p = linked(fix, h, j, links)
                    if p < LEAST or (h == chosen[fix - 1] and j == chosen[fix]):
                        continue
                    b = edge[fix, j]
                    ahead = a == b and offset[fix, j] >= offset[fix - 1, h] - backward_m
                    inner = none
                    if not ahead and ways.reverse[a] != b and last > first:
                        _, inner = between(a, b, ways, table)
                    for k in range(first, last + 1):
                        if _passes(path[k], a, b, inner):
                            summed[k] += p
        for k in range(first, last + 1):
            out[k] = max(out[k], min(summed[k], 1.0))
            passed[k] = True
    for k in range(out.shape[0]):
        out[k] = calibrated(out[k], usual_s) if passed[k] else min(out[k], 1.0)
    return out
