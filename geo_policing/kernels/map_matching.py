"""The hidden Markov model of map matching, in log space.

Emission and transition after P. Newson and J. Krumm, "Hidden Markov Map Matching Through Noise and
Sparseness" (2009): -(d/sigma)^2 / 2 and -|route - straight| / beta. To their states, the candidates of a
fix, are added held states: the fix was an outlier and says nothing, the vehicle is where it was before. To
their transitions, a jump: the network has a gap there. So no trace is left without a path.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.edge_search import search


@njit(cache=True, nogil=True)
def emission_logp(distance_m: NDArray[Any], sigma_m: NDArray[Any]) -> NDArray[np.float64]:
    """-(d / sigma)^2 / 2, without the constant. distance_m (n, k) f64, sigma_m (n,) f64 -> (n, k) f64."""
    n, k = distance_m.shape
    out = np.empty((n, k))
    for i in range(n):
        for j in range(k):
            out[i, j] = -0.5 * (distance_m[i, j] / sigma_m[i]) ** 2
    return out


@njit(cache=True, nogil=True)
def course_logp(
    heading_deg: NDArray[Any], course_deg: NDArray[Any], concentration: NDArray[Any]
) -> NDArray[np.float64]:
    """Von Mises density without the constant: kappa (cos(heading - course) - 1); 0 where unknown.

    heading_deg (n, k) f64, course_deg (n,) f64, concentration kappa (n,) f64 -> (n, k) f64.
    """
    n, k = heading_deg.shape
    out = np.zeros((n, k))
    for i in range(n):
        for j in range(k):
            angle = math.radians(heading_deg[i, j] - course_deg[i])
            if not math.isnan(angle) and concentration[i] > 0.0:
                out[i, j] = concentration[i] * (math.cos(angle) - 1.0)
    return out


@njit(cache=True, nogil=True)
def forward(
    x: NDArray[Any],
    y: NDArray[Any],
    emission: NDArray[Any],
    candidate_edge: NDArray[Any],
    candidate_offset: NDArray[Any],
    to_node: NDArray[Any],
    length_m: NDArray[Any],
    out_offset: NDArray[Any],
    out_edge: NDArray[Any],
    reverse: NDArray[Any],
    turn: NDArray[Any],
    held: int,
    hold_cost: float,
    jump_cost: float,
    beta_m: float,
    beta_share: float,
    backward_m: float,
    u_turn_m: float,
) -> tuple[Any, ...]:
    """Best scores and all transitions of a trace of n fixes with k candidates each; s = k + held states.

    x, y (n,) f64; emission (n, k) f64 of `emission_logp`; candidate_edge (n, k) i32, -1 none, and
    candidate_offset (n, k) f64.
    -> edge (n, s) i32 (-1 none), offset (n, s) f64, score (n, s) f64, back (n, s) i32, jumped (n, s) bool,
    step (n, s, s) f32: log weight of arriving in state j of fix i from state h of fix i - 1, emission
    included; step[0, 0] holds the emissions of the first fix.
    """
    n, k = candidate_edge.shape
    s = k + held
    m = to_node.shape[0]
    edge = np.full((n, s), -1, np.int32)
    offset = np.zeros((n, s))
    score = np.full((n, s), -np.inf)
    back = np.full((n, s), -1, np.int32)
    jumped = np.zeros((n, s), np.bool_)
    step = np.full((n, s, s), -np.inf, np.float32)
    target = np.zeros(m, np.int64)
    seen = np.zeros(m, np.int64)
    settled = np.zeros(m, np.int64)
    label = np.zeros(m)
    before = np.zeros(m, np.int32)
    heap_cost = np.empty(4 * m + 16)
    heap_edge = np.empty(4 * m + 16, np.int32)
    stamp = 0
    for i in range(n):
        for j in range(k):
            edge[i, j] = candidate_edge[i, j]
            offset[i, j] = candidate_offset[i, j]
        if i == 0:
            for j in range(k):
                if edge[0, j] >= 0:
                    score[0, j] = emission[0, j]
                    step[0, 0, j] = emission[0, j]
            continue
        straight = math.hypot(x[i] - x[i - 1], y[i] - y[i - 1])
        beta = beta_m + beta_share * straight
        for h in range(s):
            if edge[i - 1, h] < 0:
                continue
            # A held state is where the vehicle was some fixes ago: the straight way is measured from there.
            a = edge[i - 1, h]
            way = straight
            if h >= k:
                back_to = i - 1
                state = h
                while back_to > 0 and state >= k:
                    state = back[back_to, state]
                    back_to -= 1
                way = math.hypot(x[i] - x[back_to], y[i] - y[back_to])
            stamp += 1
            wanted = 0
            for j in range(k):
                if edge[i, j] >= 0 and target[edge[i, j]] != stamp:
                    target[edge[i, j]] = stamp
                    wanted += 1
            if wanted > 0:
                search(
                    a,
                    length_m[a] - offset[i - 1, h],
                    2.0 * way + 400.0,
                    wanted,
                    stamp,
                    to_node,
                    length_m,
                    out_offset,
                    out_edge,
                    reverse,
                    turn,
                    u_turn_m,
                    target,
                    seen,
                    settled,
                    label,
                    before,
                    heap_cost,
                    heap_edge,
                )
            for j in range(k):
                b = edge[i, j]
                if b < 0:
                    continue
                route = np.inf
                if a == b and offset[i, j] >= offset[i - 1, h] - backward_m:
                    route = max(0.0, offset[i, j] - offset[i - 1, h])
                elif settled[b] == stamp:
                    route = label[b] + offset[i, j]
                weight = -abs(route - way) / beta
                jump = -jump_cost - way / (10.0 * beta)
                is_jump = not weight > jump
                if is_jump:
                    weight = jump
                weight += emission[i, j]
                step[i, h, j] = weight
                if score[i - 1, h] + weight > score[i, j]:
                    score[i, j] = score[i - 1, h] + weight
                    back[i, j] = h
                    jumped[i, j] = is_jump
        # The best states of the fix before may hold.
        taken = np.zeros(s, np.bool_)
        for slot in range(k, s):
            best = -1
            for h in range(s):
                if (
                    edge[i - 1, h] >= 0
                    and not taken[h]
                    and (best < 0 or score[i - 1, h] > score[i - 1, best])
                ):
                    best = h
            if best < 0:
                break
            taken[best] = True
            edge[i, slot] = edge[i - 1, best]
            offset[i, slot] = offset[i - 1, best]
            score[i, slot] = score[i - 1, best] - hold_cost
            back[i, slot] = best
            step[i, best, slot] = -hold_cost
    return edge, offset, score, back, jumped, step


@njit(cache=True, nogil=True)
def trace_back(score: NDArray[Any], back: NDArray[Any]) -> NDArray[np.int64]:
    """States (n,) i64 of the best sequence; score (n, s) f64 and back (n, s) i32 of `forward`."""
    n = score.shape[0]
    chosen = np.empty(n, np.int64)
    chosen[n - 1] = np.argmax(score[n - 1])
    for i in range(n - 1, 0, -1):
        chosen[i - 1] = back[i, chosen[i]]
    return chosen


@njit(cache=True, nogil=True)
def _log_sum(values: NDArray[Any]) -> float:
    top = values.max()
    if top == -np.inf:
        return -np.inf
    total = 0.0
    for value in values:
        total += math.exp(value - top)
    return top + math.log(total)


@njit(cache=True, nogil=True)
def posterior(step: NDArray[Any]) -> NDArray[np.float64]:
    """Probability of each state given all fixes. step (n, s, s) of `forward` -> (n, s) f64."""
    n, s, _ = step.shape
    ahead = np.full((n, s), -np.inf)
    behind = np.zeros((n, s))
    ahead[0] = step[0, 0]
    for i in range(1, n):
        for j in range(s):
            ahead[i, j] = _log_sum(ahead[i - 1] + step[i, :, j])
    for i in range(n - 2, -1, -1):
        for h in range(s):
            behind[i, h] = _log_sum(behind[i + 1] + step[i + 1, h, :])
    out = np.zeros((n, s))
    for i in range(n):
        total = _log_sum(ahead[i] + behind[i])
        for j in range(s):
            out[i, j] = math.exp(ahead[i, j] + behind[i, j] - total)
    return out
