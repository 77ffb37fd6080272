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

from geo_policing.kernels.node_tables import UNIT_M, Table, cost_between, find, turn_between
from geo_policing.kernels.way_search import Ways, scratch, search

#: Standard deviations beyond which a normal density falls too fast to be true of receivers.
FAR = 5.0

#: A state less likely than the best of its fix by this much is not worth a search beyond the table.
BEAM = 12.0

#: What a jump costs beyond its constant, and a way can gain by being shorter than it should be.
SLACK = 8.0

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
def _dearest(straight_m: float, beta_m: float, model: Model) -> float:
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


#: What stands for the place of a way: not looked up, the ends are one node, the table does not have it.
_UNKNOWN, _NO_WAY, _MISSING = -3, -2, -1


@njit(cache=True, nogil=True)
def _find_all(
    i: int, h: int, k: int, edge: NDArray[Any], ways: Ways, table: Table, place: NDArray[Any]
) -> None:
    """Where in the table the ways are from state h of fix i - 1 to the k candidates of fix i: place[h].

    Candidates share nodes, and so do states: each pair of nodes is looked up once.
    """
    u = ways.to_node[edge[i - 1, h]]
    for g in range(h):
        if place[g, 0] != _UNKNOWN and ways.to_node[edge[i - 1, g]] == u:
            place[h] = place[g]
            return
    for j in range(k):
        place[h, j] = _MISSING
        if edge[i, j] < 0:
            continue
        v = ways.from_node[edge[i, j]]
        known = 0
        while known < j and (edge[i, known] < 0 or ways.from_node[edge[i, known]] != v):
            known += 1
        if known < j:
            place[h, j] = place[h, known]
        else:
            place[h, j] = _NO_WAY if u == v else find(u, v, table)


@njit(cache=True, nogil=True)
def _looked_up(a: int, b: int, place: int, ways: Ways, table: Table) -> tuple[float, bool]:
    """Cost from the end of edge a to the start of edge b, and whether it is known; else none is less."""
    if place == _NO_WAY:
        cost = turn_between(a, b, ways)
        return (cost, True) if cost < np.inf else (0.0, False)
    if place == _MISSING:
        complete = table.complete_m[ways.to_node[a]]
        return complete, complete == np.inf
    cost = cost_between(a, b, place, table, ways)
    return (cost, True) if cost < np.inf else (table.cost[place] * UNIT_M, False)


@njit(cache=True, nogil=True)
def _hold(
    i: int,
    k: int,
    cost: float,
    edge: NDArray[Any],
    offset: NDArray[Any],
    score: NDArray[Any],
    back: NDArray[Any],
) -> None:
    """Let the best states of fix i - 1 hold at fix i."""
    s = edge.shape[1]
    taken = np.zeros(s, np.bool_)
    for slot in range(k, s):
        best = -1
        for h in range(s):
            if edge[i - 1, h] >= 0 and not taken[h] and (best < 0 or score[i - 1, h] > score[i - 1, best]):
                best = h
        if best < 0:
            return
        taken[best] = True
        edge[i, slot] = edge[i - 1, best]
        offset[i, slot] = offset[i - 1, best]
        score[i, slot] = score[i - 1, best] - cost
        back[i, slot] = best


@njit(cache=True, nogil=True)
def forward(
    x: NDArray[Any],
    y: NDArray[Any],
    emission: NDArray[Any],
    candidate_edge: NDArray[Any],
    candidate_offset: NDArray[Any],
    ways: Ways,
    table: Table,
    held: int,
    model: Model,
) -> tuple[Any, ...]:
    """Best scores and all transitions of a trace of n fixes with k candidates each; s = k + held states.

    x, y (n,) f64; emission (n, k) f64 of `emission_logp`; candidate_edge (n, k) i32, -1 none, and
    candidate_offset (n, k) f64.
    -> edge (n, s) i32 (-1 none), offset (n, s) f64, score (n, s) f64, back (n, s) i32, how (n, s) i8: AHEAD,
    BACK, BY_WAY, JUMP or HELD, step (n, s, s) f32: log weight of arriving in state j of fix i from state h of
    fix i - 1, emission included; step[0, 0] holds the emissions of the first fix.

    What is not in the table is searched for only where it could make a state the likelier, and one that is
    not BEAM behind the best; elsewhere step has the weight of a jump, which is less. From a state farther
    behind the best than a jump nothing is worked out.
    """
    n, k = candidate_edge.shape
    s = k + held
    edge = np.full((n, s), -1, np.int32)
    offset = np.zeros((n, s))
    score = np.full((n, s), -np.inf)
    back = np.full((n, s), -1, np.int32)
    how = np.full((n, s), HELD, np.int8)
    step = np.full((n, s, s), -np.inf, np.float32)
    # For each state before: the straight line, its scale, what is left of its edge; where no way is known
    # yet, the most that one could weigh.
    straight, beta, left = np.empty(s), np.empty(s), np.empty(s)
    open_logp = np.empty((s, k))
    place = np.empty((s, k), np.int64)
    on = scratch(0)
    stamp = 0
    for j in range(k):
        if candidate_edge[0, j] >= 0:
            edge[0, j], offset[0, j] = candidate_edge[0, j], candidate_offset[0, j]
            score[0, j] = step[0, 0, j] = emission[0, j]
    for i in range(1, n):
        for j in range(k):
            edge[i, j], offset[i, j] = candidate_edge[i, j], candidate_offset[i, j]
        any_open = False
        # A jump from the best state is likelier than any way from one this far behind it.
        behind = score[i - 1].max() - model.jump_cost - SLACK
        place[:] = _UNKNOWN
        for h in range(s):
            a = edge[i - 1, h]
            if a < 0 or score[i - 1, h] < behind:
                continue
            # A held state is where the vehicle was some fixes ago: the straight way is measured from there.
            since = _held_since(i - 1, h, k, back)
            straight[h] = math.hypot(x[i] - x[since], y[i] - y[since])
            beta[h] = model.beta_m + model.beta_share * straight[h]
            jump = jump_logp(straight[h], beta[h], model)
            left[h] = 0.0
            if ways.length_m[a] > 0.0:
                left[h] = ways.cost_m[a] * (1.0 - offset[i - 1, h] / ways.length_m[a])
            _find_all(i, h, k, edge, ways, table, place)
            for j in range(k):
                open_logp[h, j] = -np.inf
                b = edge[i, j]
                if b < 0:
                    continue
                over = _along(a, offset[i - 1, h], b, offset[i, j], straight[h], ways, model)
                arrival = AHEAD if a == b else BACK
                # On along the same edge there is no shorter way.
                if a != b or offset[i, j] < offset[i - 1, h]:
                    cost, known = _looked_up(a, b, place[h, j], ways, table)
                    into = ways.cost_m[b] * offset[i, j] / ways.length_m[b] if ways.length_m[b] > 0.0 else 0.0
                    by_way = left[h] + cost + into - straight[h]
                    if by_way < over:
                        if known:
                            over, arrival = by_way, BY_WAY
                        else:
                            bound = detour_logp(by_way, beta[h], model.detour_cost)
                            if bound > jump:
                                open_logp[h, j] = bound
                                any_open = True
                weight = detour_logp(over, beta[h], model.detour_cost) if over < np.inf else -np.inf
                if not weight > jump:
                    weight, arrival = jump, JUMP
                weight += emission[i, j]
                step[i, h, j] = weight
                if score[i - 1, h] + weight > score[i, j]:
                    score[i, j] = score[i - 1, h] + weight
                    back[i, j] = h
                    how[i, j] = arrival
        if any_open:
            if on.target.shape[0] == 0:
                on = scratch(ways.to_node.shape[0])
            for h in np.argsort(-score[i - 1]):
                if edge[i - 1, h] < 0 or score[i - 1, h] < behind:
                    continue
                best = score[i, :k].max()
                stamp += 1
                wanted = 0
                for j in range(k):
                    b = edge[i, j]
                    # Exact where it could matter: where the best way thinkable would be the best so far.
                    thinkable = score[i - 1, h] + open_logp[h, j] + emission[i, j]
                    if b < 0 or not thinkable > max(score[i, j], best - BEAM):
                        open_logp[h, j] = -np.inf
                    elif on.target[b] != stamp:
                        on.target[b] = stamp
                        wanted += 1
                if wanted == 0:
                    continue
                dearest = _dearest(straight[h], beta[h], model)
                search(edge[i - 1, h], left[h], dearest, wanted, stamp, ways, on)
                for j in range(k):
                    b = edge[i, j]
                    if not open_logp[h, j] > -np.inf or on.settled[b] != stamp:
                        continue
                    into = ways.cost_m[b] * offset[i, j] / ways.length_m[b] if ways.length_m[b] > 0.0 else 0.0
                    by_way = on.label[b] + into - straight[h]
                    weight = detour_logp(by_way, beta[h], model.detour_cost) + emission[i, j]
                    if weight > step[i, h, j]:
                        step[i, h, j] = weight
                        if score[i - 1, h] + weight > score[i, j]:
                            score[i, j] = score[i - 1, h] + weight
                            back[i, j] = h
                            how[i, j] = BY_WAY
        # The best states of the fix before may hold.
        hold = model.hold_cost + model.hold_share * math.hypot(x[i] - x[i - 1], y[i] - y[i - 1])
        _hold(i, k, hold, edge, offset, score, back)
        for slot in range(k, s):
            if edge[i, slot] >= 0:
                step[i, back[i, slot], slot] = -hold
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
def posterior(step: NDArray[Any]) -> NDArray[np.float64]:
    """Probability of each state given all fixes. step (n, s, s) of `forward` -> (n, s) f64.

    Forward and backward, scaled to 1 at each fix: L. R. Rabiner, "A tutorial on hidden Markov models", 1989.
    """
    n, s, _ = step.shape
    weight = np.zeros((n, s, s), np.float32)
    ahead = np.zeros((n, s))
    for i in range(n):
        top = step[i].max()
        for h in range(s):
            for j in range(s):
                if step[i, h, j] > top - 80.0:
                    weight[i, h, j] = math.exp(step[i, h, j] - top)
        total = 0.0
        for h in range(s):
            before = 1.0 if i == 0 else ahead[i - 1, h]
            if before > 0.0:
                for j in range(s):
                    ahead[i, j] += before * weight[i, h, j]
        for j in range(s):
            total += ahead[i, j]
        for j in range(s):
            ahead[i, j] /= total
    behind, out = np.ones(s), np.zeros((n, s))
    for i in range(n - 1, -1, -1):
        total = 0.0
        for j in range(s):
            out[i, j] = ahead[i, j] * behind[j]
            total += out[i, j]
        for j in range(s):
            out[i, j] /= total
        earlier, total = np.zeros(s), 0.0
        for h in range(s):
            for j in range(s):
                earlier[h] += weight[i, h, j] * behind[j]
            total += earlier[h]
        for h in range(s):
            behind[h] = earlier[h] / total
    return out
