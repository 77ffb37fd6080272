"""The hidden Markov model of map matching, in log space.

After P. Newson and J. Krumm, "Hidden Markov Map Matching Through Noise and Sparseness" (2009), with their
emission near the road. To their states, the candidates of a fix, are added held states: the fix was an
outlier and says nothing, the vehicle is where it was before. To their transitions, a jump: the network has a
gap there. So no trace is left without a path. Ways cost what `turning` and `way_search` say.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.way_search import Ways, scratch, search

#: Standard deviations beyond which a normal density falls too fast to be true of receivers.
FAR = 5.0

#: How a place was reached from the one before.
AHEAD, BACK, BY_WAY, JUMP, HELD = range(5)


class Model(NamedTuple):
    """What a transition weighs; see `MatcherParameters`."""

    hold_cost: float
    hold_share: float
    jump_cost: float
    beta_m: float
    beta_share: float
    detour_cost: float
    backward_m: float
    turn_back_m: float


@njit(cache=True, nogil=True)
def detour_logp(over_m: float, beta_m: float, most: float) -> float:
    """-x / (1 + x / most) with x = over / beta: a long detour is hardly less likely than a longer one.

    over_m is the cost of a way less the straight line; where it is negative, -x.
    """
    x = over_m / beta_m
    return -x / (1.0 + x / most) if x > 0.0 else -x


@njit(cache=True, nogil=True)
def jump_logp(straight_m: float, beta_m: float, model: Model) -> float:
    """-(jump_cost + g / (10 beta)): the network has a gap, the wider the less likely."""
    return -model.jump_cost - straight_m / (10.0 * beta_m)


@njit(cache=True, nogil=True)
def emission_logp(distance_m: NDArray[Any], sigma_m: NDArray[Any]) -> NDArray[np.float64]:
    """-z^2 / 2 with z = d / sigma, from z = FAR on its tangent, FAR (FAR / 2 - z), without the constant.

    distance_m (n, k) f64, sigma_m (n,) f64 -> (n, k) f64; -inf where the distance is.
    """
    n, k = distance_m.shape
    out = np.empty((n, k))
    for i in range(n):
        for j in range(k):
            z = distance_m[i, j] / sigma_m[i]
            out[i, j] = -0.5 * z * z if z < FAR else FAR * (0.5 * FAR - z)
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
def _along(a: int, a_m: float, b: int, b_m: float, straight_m: float, ways: Ways, model: Model) -> float:
    """Cost less straight line of going from a place to one on the same road, infinite where it is not.

    Ahead: how far route and straight line differ. Backward by backward_m or less is jitter of who stands
    still, a route of 0. On the other direction of the edge: turn_back_m and the way there.
    """
    if a == b and b_m >= a_m - model.backward_m:
        return abs(max(0.0, b_m - a_m) - straight_m)
    if ways.reverse[a] == b:
        return abs(ways.length_m[a] - b_m - a_m) + model.turn_back_m - straight_m
    return np.inf


@njit(cache=True, nogil=True)
def _search_limit(straight_m: float, beta_m: float, model: Model) -> float:
    """Cost from which on a jump is likelier than a way."""
    jump = -jump_logp(straight_m, beta_m, model)
    if jump >= model.detour_cost:
        return np.inf
    return straight_m + beta_m * jump / (1.0 - jump / model.detour_cost)


@njit(cache=True, nogil=True)
def _held_since(i: int, h: int, k: int, back: NDArray[Any]) -> int:
    """Fix that last said where state h of fix i is."""
    while i > 0 and h >= k:
        h = back[i, h]
        i -= 1
    return i


@njit(cache=True, nogil=True)
def forward(
    x: NDArray[Any],
    y: NDArray[Any],
    emission: NDArray[Any],
    candidate_edge: NDArray[Any],
    candidate_offset: NDArray[Any],
    ways: Ways,
    held: int,
    model: Model,
) -> tuple[Any, ...]:
    """Best scores and all transitions of a trace of n fixes with k candidates each; s = k + held states.

    x, y (n,) f64; emission (n, k) f64 of `emission_logp`; candidate_edge (n, k) i32, -1 none, and
    candidate_offset (n, k) f64.
    -> edge (n, s) i32 (-1 none), offset (n, s) f64, score (n, s) f64, back (n, s) i32, how (n, s) i8: AHEAD,
    BACK, BY_WAY, JUMP or HELD, step (n, s, s) f32: log weight of arriving in state j of fix i from state h of
    fix i - 1, emission included; step[0, 0] holds the emissions of the first fix.
    """
    n, k = candidate_edge.shape
    s = k + held
    edge = np.full((n, s), -1, np.int32)
    offset = np.zeros((n, s))
    score = np.full((n, s), -np.inf)
    back = np.full((n, s), -1, np.int32)
    how = np.zeros((n, s), np.int8)
    step = np.full((n, s, s), -np.inf, np.float32)
    on = scratch(ways.to_node.shape[0])
    stamp = 0
    for j in range(k):
        if candidate_edge[0, j] >= 0:
            edge[0, j], offset[0, j] = candidate_edge[0, j], candidate_offset[0, j]
            score[0, j] = step[0, 0, j] = emission[0, j]
    for i in range(1, n):
        for j in range(k):
            edge[i, j], offset[i, j] = candidate_edge[i, j], candidate_offset[i, j]
        for h in range(s):
            a = edge[i - 1, h]
            if a < 0:
                continue
            # A held state is where the vehicle was some fixes ago: the straight way is measured from there.
            since = _held_since(i - 1, h, k, back)
            straight = math.hypot(x[i] - x[since], y[i] - y[since])
            beta = model.beta_m + model.beta_share * straight
            jump = jump_logp(straight, beta, model)
            left = ways.length_m[a] - offset[i - 1, h]
            share = left / ways.length_m[a] if ways.length_m[a] > 0.0 else 0.0
            stamp += 1
            wanted = 0
            for j in range(k):
                if edge[i, j] >= 0 and on.target[edge[i, j]] != stamp:
                    on.target[edge[i, j]] = stamp
                    wanted += 1
            limit = _search_limit(straight, beta, model)
            if wanted > 0:
                search(a, share * ways.cost_m[a], limit, wanted, stamp, ways, on)
            for j in range(k):
                b = edge[i, j]
                if b < 0:
                    continue
                over = _along(a, offset[i - 1, h], b, offset[i, j], straight, ways, model)
                arrival = AHEAD if a == b else BACK
                if on.settled[b] == stamp:
                    share = offset[i, j] / ways.length_m[b] if ways.length_m[b] > 0.0 else 0.0
                    by_way = on.label[b] + share * ways.cost_m[b] - straight
                    if by_way < over:
                        over, arrival = by_way, BY_WAY
                weight = detour_logp(over, beta, model.detour_cost) if over < np.inf else -np.inf
                if not weight > jump:
                    weight, arrival = jump, JUMP
                weight += emission[i, j]
                step[i, h, j] = weight
                if score[i - 1, h] + weight > score[i, j]:
                    score[i, j] = score[i - 1, h] + weight
                    back[i, j] = h
                    how[i, j] = arrival
        # The best states of the fix before may hold.
        hold = -model.hold_cost - model.hold_share * math.hypot(x[i] - x[i - 1], y[i] - y[i - 1])
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
            score[i, slot] = score[i - 1, best] + hold
            back[i, slot] = best
            how[i, slot] = HELD
            step[i, best, slot] = hold
    return edge, offset, score, back, how, step


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
