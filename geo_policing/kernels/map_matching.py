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

from geo_policing.kernels.node_tables import Table, block_of, cost_of, first_of, last_of, within
from geo_policing.kernels.prefetching import soon
from geo_policing.kernels.way_search import Ways, scratch, search

#: Standard deviations beyond which a normal density falls too fast to be true of receivers.
FAR = 5.0

#: A state less likely than the best of its fix by this much is not worth a search beyond the table.
BEAM = 12.0

#: What a jump costs beyond its constant, and a way can gain by being shorter than it should be.
SLACK = 8.0

#: Where in the table a way is: its ends are one node, or the table does not have it.
_NO_WAY, _MISSING = -2, -1

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


class Links(NamedTuple):
    """What the probability of a transition is the product of: ahead (n, s) f64, weight (n, s, s) f32, after.

    after (n, s) f64 is what follows, over the sum of all.
    """

    ahead: NDArray[Any]
    weight: NDArray[Any]
    after: NDArray[Any]


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
def _dearest(straight_m: float, beta_m: float, model: Model) -> float:
    """Cost from which on a jump is likelier than a way."""
    jump = -jump_logp(straight_m, beta_m, model)
    if jump >= model.detour_cost:
        return np.inf
    return straight_m + beta_m * jump / (1.0 - jump / model.detour_cost)


@njit(cache=True, nogil=True)
def _hold(
    i: int,
    k: int,
    cost: float,
    edge: NDArray[Any],
    offset: NDArray[Any],
    score: NDArray[Any],
    back: NDArray[Any],
    since: NDArray[Any],
) -> None:
    """Let the best states of fix i - 1 hold at fix i; of two as good the first."""
    s = edge.shape[1]
    last = -1
    for slot in range(k, s):
        best = -1
        for h in range(s):
            if edge[i - 1, h] < 0 or (best >= 0 and score[i - 1, h] <= score[i - 1, best]):
                continue
            if (
                last < 0
                or score[i - 1, h] < score[i - 1, last]
                or (score[i - 1, h] == score[i - 1, last] and h > last)
            ):
                best = h
        if best < 0:
            return
        last = best
        edge[i, slot] = edge[i - 1, best]
        offset[i, slot] = offset[i - 1, best]
        score[i, slot] = score[i - 1, best] - cost
        back[i, slot] = best
        since[i % 2, slot] = since[(i - 1) % 2, best] if best >= k else i - 1


@njit(cache=True, nogil=True)
def _look_up(
    leads_to: NDArray[Any],
    like: NDArray[Any],
    node: NDArray[Any],
    same: NDArray[Any],
    rank: NDArray[Any],
    table: Table,
    place: NDArray[Any],
) -> None:
    """Find where in the table the ways are from the nodes states lead to, to the first nodes of candidates.

    Only for the first of the states and candidates that have the same. In two rounds, each with hints to what
    the next one reads: so the processor waits for many lines of memory at once, not for one after the other.
    """
    nodes, last, target, way = table.node, table.last, table.target, table.way
    for h in range(like.shape[0]):
        if like[h] != h:
            continue
        u = leads_to[h]
        row = nodes[u]["row"]
        for j in range(node.shape[0]):
            if same[j] < j:
                continue
            place[h, j] = _NO_WAY
            if node[j] != u:
                place[h, j] = block_of(last, u, row, target.dtype.type(rank[j]))
                soon(target, place[h, j])
    for h in range(like.shape[0]):
        if like[h] != h:
            continue
        for j in range(node.shape[0]):
            if same[j] == j and place[h, j] >= 0:
                place[h, j] = within(target, place[h, j], target.dtype.type(rank[j]))
                soon(way, place[h, j])


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
    thorough: bool = False,
) -> tuple[Any, ...]:
    """Best scores and all transitions of a trace of n fixes with k candidates each; s = k + held states.

    x, y (n,) f64; emission (n, k) f64 of `emission_logp`; candidate_edge (n, k) i32, -1 none, and
    candidate_offset (n, k) f64.
    -> edge (n, s) i32 (-1 none), offset (n, s) f64, score (n, s) f64, back (n, s) i32, how (n, s) i8: AHEAD,
    BACK, BY_WAY, JUMP or HELD, step (n, s, s) f32: log weight of arriving in state j of fix i from state h of
    fix i - 1, emission included; step[0, 0] holds the emissions of the first fix.

    What is not in the table is searched for only where it could make a state the likelier, and one that is
    not BEAM behind the best; elsewhere step has the weight of a jump, which is less. Where thorough, it is
    searched for wherever it is not BEAM behind the best: who wants more than the best sequence needs that.
    From a state farther behind the best than a jump nothing is worked out.
    """
    n, k = candidate_edge.shape
    s = k + held
    edge = np.full((n, s), -1, np.int32)
    offset = np.zeros((n, s))
    score = np.full((n, s), -np.inf)
    back = np.full((n, s), -1, np.int32)
    how = np.full((n, s), HELD, np.int8)
    step = np.full((n, s, s), -np.inf, np.float32)
    # Looked up so often that they must not be taken out of their tuples each time.
    nodes, edges, turn_cost = table.node, table.edge, ways.turn_cost
    last, way = table.last, table.way
    # For each state before: the straight line, its scale, what is left of its edge; where no way is known
    # yet, the most that one could weigh. Of each candidate: its first node, the candidate before it that has
    # the same, so that it is looked up once, and what driving its edge up to there costs.
    straight, beta, left = np.empty(s), np.empty(s), np.empty(s)
    open_logp = np.empty((s, k))
    place = np.empty((s, k), np.int64)
    leads_to, like = np.empty(s, np.int64), np.empty(s, np.int64)
    since = np.zeros((2, s), np.int64)
    node, same, into = np.empty(k, np.int64), np.empty(k, np.int64), np.empty(k)
    rank, turns, leaving = np.empty(k, np.int64), np.empty(k, np.int64), np.empty(k, np.int64)
    out_slot = np.empty(k, np.int64)
    on = scratch(0)
    stamp = 0
    for j in range(k if n > 0 else 0):
        if candidate_edge[0, j] >= 0:
            edge[0, j], offset[0, j] = candidate_edge[0, j], candidate_offset[0, j]
            score[0, j] = step[0, 0, j] = emission[0, j]
    for i in range(1, n):
        count = 0
        while count < k and candidate_edge[i, count] >= 0:
            b = candidate_edge[i, count]
            edge[i, count], offset[i, count] = b, candidate_offset[i, count]
            beginning = edges[b]
            node[count] = beginning["from_node"]
            same[count] = 0
            while node[same[count]] != node[count]:
                same[count] += 1
            length_m = beginning["length_m"]
            into[count] = beginning["cost_m"] * offset[i, count] / length_m if length_m > 0.0 else 0.0
            out_slot[count] = beginning["out_slot"]
            meeting = nodes[node[count]]
            rank[count], leaving[count] = meeting["rank"], meeting["leaving"]
            turns[count] = meeting["turns"] + out_slot[count]
            soon(turn_cost, turns[count])
            # For the next fix, whose ways begin where this edge ends.
            soon(nodes, beginning["to_node"])
            soon(last, beginning["to_node"])
            soon(turn_cost, beginning["turns"])
            count += 1
        for j in range(k if i + 1 < n else 0):
            soon(edges, candidate_edge[i + 1, j])
        any_open = False
        top = -np.inf
        for h in range(s):
            top = max(top, score[i - 1, h])
        # A jump from the best state is likelier than any way from one this far behind it.
        behind = top - model.jump_cost - SLACK
        for h in range(s):
            like[h] = -1
            leads_to[h] = -1
            if edge[i - 1, h] >= 0 and score[i - 1, h] >= behind:
                # Held states, and candidates side by side, lead to the same node: it is looked up once.
                leads_to[h] = edges[edge[i - 1, h]]["to_node"]
                like[h] = 0
                while leads_to[like[h]] != leads_to[h]:
                    like[h] += 1
        _look_up(leads_to, like, node[:count], same, rank, table, place)
        for h in range(s):
            if like[h] < 0:
                continue
            a = edge[i - 1, h]
            # A held state is where the vehicle was some fixes ago: the straight way is measured from there.
            origin = i - 1 if h < k else since[(i - 1) % 2, h]
            dx, dy = x[i] - x[origin], y[i] - y[origin]
            straight_m = math.sqrt(dx * dx + dy * dy)
            beta_m = model.beta_m + model.beta_share * straight_m
            jump = jump_logp(straight_m, beta_m, model)
            a_m = offset[i - 1, h]
            ending = edges[a]
            length_m, a_turns, other = ending["length_m"], ending["turns"], ending["reverse"]
            rest = ending["cost_m"] * (1.0 - a_m / length_m) if length_m > 0.0 else 0.0
            straight[h], beta[h], left[h] = straight_m, beta_m, rest
            leaves = nodes[leads_to[h]]
            for j in range(count):
                open_logp[h, j] = -np.inf
                b = edge[i, j]
                b_m = offset[i, j]
                # Ahead: how far route and straight line differ. Backward by backward_m or less is jitter of
                # who stands still, a route of 0. On the other direction of the edge: turning back.
                over, arrival = np.inf, JUMP
                if a == b:
                    if b_m >= a_m - model.backward_m:
                        over, arrival = abs(max(0.0, b_m - a_m) - straight_m), AHEAD
                elif other == b:
                    over, arrival = abs(length_m - b_m - a_m) + model.turn_back_m - straight_m, BACK
                # On along the same edge there is no shorter way.
                if a != b or b_m < a_m:
                    at = place[like[h], same[j]]
                    known = True
                    if at == _NO_WAY:
                        cost = turn_cost[a_turns + out_slot[j]]
                    elif at == _MISSING:
                        cost = np.inf
                    else:
                        by = way[at]
                        cost = turn_cost[a_turns + first_of(by)] + cost_of(by)
                        cost += turn_cost[turns[j] + last_of(by) * leaving[j]]
                    if not cost < np.inf:
                        # What is not known is no less than this.
                        cost = 0.0
                        if at == _MISSING:
                            cost = leaves["complete_m"]
                        elif at != _NO_WAY:
                            cost = cost_of(way[at])
                        known = cost == np.inf
                    by_way = rest + cost + into[j] - straight_m
                    if by_way < over:
                        if known:
                            over, arrival = by_way, BY_WAY
                        else:
                            bound = detour_logp(by_way, beta_m, model.detour_cost)
                            if bound > jump:
                                open_logp[h, j] = bound
                                any_open = True
                weight = detour_logp(over, beta_m, model.detour_cost) if over < np.inf else -np.inf
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
                for j in range(count):
                    b = edge[i, j]
                    # Exact where it could matter: where the best way thinkable would be the best so far.
                    thinkable = score[i - 1, h] + open_logp[h, j] + emission[i, j]
                    if not thinkable > best - BEAM or not (thorough or thinkable > score[i, j]):
                        open_logp[h, j] = -np.inf
                    elif on.target[b] != stamp:
                        on.target[b] = stamp
                        wanted += 1
                if wanted == 0:
                    continue
                dearest = _dearest(straight[h], beta[h], model)
                search(edge[i - 1, h], left[h], dearest, wanted, stamp, ways, on)
                for j in range(count):
                    b = edge[i, j]
                    if not open_logp[h, j] > -np.inf or on.settled[b] != stamp:
                        continue
                    by_way = on.label[b] + into[j] - straight[h]
                    weight = detour_logp(by_way, beta[h], model.detour_cost) + emission[i, j]
                    if weight > step[i, h, j]:
                        step[i, h, j] = weight
                        if score[i - 1, h] + weight > score[i, j]:
                            score[i, j] = score[i - 1, h] + weight
                            back[i, j] = h
                            how[i, j] = BY_WAY
        # The best states of the fix before may hold.
        dx, dy = x[i] - x[i - 1], y[i] - y[i - 1]
        hold = model.hold_cost + model.hold_share * math.sqrt(dx * dx + dy * dy)
        _hold(i, k, hold, edge, offset, score, back, since)
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
def linked(i: int, h: int, j: int, links: Links) -> float:
    """Probability given all fixes of state h at fix i - 1 and j at fix i, i > 0.

        ahead[i - 1, h] weight[i, h, j] behind[i, j] / the sum of that over all h, j

    Rabiner, as for `posterior`, equation 37. Worked out where it is asked for: few are.
    """
    return float(links.ahead[i - 1, h] * links.weight[i, h, j] * links.after[i, j])


@njit(cache=True, nogil=True)
def posterior(step: NDArray[Any]) -> tuple[NDArray[np.float64], Links]:
    """Probability of each state given all fixes, and what `linked` makes that of transitions from.

    step (n, s, s) f32 of `forward` -> (n, s) f64 and Links.

    Forward and backward, scaled to 1 at each fix: L. R. Rabiner, "A tutorial on hidden Markov models", 1989.
    """
    n, s, _ = step.shape
    weight = np.zeros((n, s, s), np.float32)
    ahead, out = np.zeros((n, s)), np.zeros((n, s))
    scale, after = np.empty(n), np.empty((n, s))
    behind, earlier = np.ones(s), np.empty(s)
    for i in range(n):
        top = -np.inf
        for h in range(s):
            for j in range(s):
                top = max(top, step[i, h, j])
        total = 0.0
        for h in range(s):
            before = 1.0 if i == 0 else ahead[i - 1, h]
            if before == 0.0:
                continue
            for j in range(s):
                if step[i, h, j] > top - 80.0:
                    weight[i, h, j] = math.exp(step[i, h, j] - top)
                    ahead[i, j] += before * weight[i, h, j]
                    total += before * weight[i, h, j]
        scale[i] = total
        for j in range(s):
            ahead[i, j] /= total
    for i in range(n - 1, -1, -1):
        total, total_earlier = 0.0, 0.0
        for j in range(s):
            out[i, j] = ahead[i, j] * behind[j]
            total += out[i, j]
        for j in range(s):
            after[i, j] = behind[j] / (scale[i] * total)
        for h in range(s):
            out[i, h] /= total
            earlier[h] = 0.0
            if i > 0 and ahead[i - 1, h] > 0.0:
                for j in range(s):
                    earlier[h] += weight[i, h, j] * behind[j]
            total_earlier += earlier[h]
        for h in range(s):
            behind[h] = earlier[h] / total_earlier if i > 0 else 0.0
    return out, Links(ahead, weight, after)
