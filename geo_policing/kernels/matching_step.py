"""One step of `map_matching.forward` by itself, for traces that come in fix by fix.

It is written out here once more because `forward` is a third slower when it calls it. The tests compare what
both say of the same fixes.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.map_matching import (
    _MISSING,
    _NO_WAY,
    AHEAD,
    BACK,
    BEAM,
    BY_WAY,
    HELD,
    JUMP,
    SLACK,
    Model,
    _dearest,
    _hold,
    detour_logp,
    jump_logp,
)
from geo_policing.kernels.node_tables import Table, cost_of, find, first_of, last_of
from geo_policing.kernels.way_search import Scratch, Ways, scratch, search


class Lattice(NamedTuple):
    """States of fixes and how they were reached, as `map_matching.forward` returns them, s a fix.

    edge (n, s) i32, offset (n, s) f64, score (n, s) f64, back (n, s) i32, how (n, s) i8, step (n, s, s) f32.
    since (2, s) i64, by turns of this fix and the one before: of a held state, the fix whose place it has.
    """

    edge: NDArray[Any]
    offset: NDArray[Any]
    score: NDArray[Any]
    back: NDArray[Any]
    how: NDArray[Any]
    step: NDArray[Any]
    since: NDArray[Any]


@njit(cache=True, nogil=True)
def lattice(n: int, s: int) -> Lattice:
    """Make one of n fixes with s states each, with nothing reached."""
    return Lattice(
        np.full((n, s), -1, np.int32),
        np.zeros((n, s)),
        np.full((n, s), -np.inf),
        np.full((n, s), -1, np.int32),
        np.full((n, s), HELD, np.int8),
        np.full((n, s, s), -np.inf, np.float32),
        np.zeros((2, s), np.int64),
    )


class Room(NamedTuple):
    """What `advance` writes on; it says what each is."""

    straight: NDArray[Any]
    beta: NDArray[Any]
    left: NDArray[Any]
    open_logp: NDArray[Any]
    place: NDArray[Any]
    node: NDArray[Any]
    same: NDArray[Any]
    into: NDArray[Any]
    turns: NDArray[Any]
    leaving: NDArray[Any]
    out_slot: NDArray[Any]


@njit(cache=True, nogil=True)
def room(k: int, s: int) -> Room:
    """Make room for k candidates and s states."""
    return Room(
        np.empty(s),
        np.empty(s),
        np.empty(s),
        np.empty((s, k)),
        np.empty((s, k), np.int64),
        np.empty(k, np.int64),
        np.empty(k, np.int64),
        np.empty(k),
        np.empty(k, np.int64),
        np.empty(k, np.int64),
        np.empty(k, np.int64),
    )


@njit(cache=True, nogil=True)
def advance(
    i: int,
    x: NDArray[Any],
    y: NDArray[Any],
    emission: NDArray[Any],
    candidate_edge: NDArray[Any],
    candidate_offset: NDArray[Any],
    ways: Ways,
    table: Table,
    model: Model,
    to: Lattice,
    by: Room,
    on: Scratch,
    stamp: int,
) -> tuple[Scratch, int]:
    """One step of `map_matching.forward`, from fix i - 1 to fix i of a lattice.

    What it returns, scratch for searches and the last stamp on it, the next step takes.
    """
    k = candidate_edge.shape[1]
    edge, offset, score, back, how, step, since = to
    s = edge.shape[1]
    # Looked up so often that they must not be taken out of their tuples each time.
    nodes, edges, turn_cost = table.node, table.edge, ways.turn_cost
    way = table.way
    # For each state before: the straight line, its scale, what is left of its edge; where no way is known
    # yet, the most that one could weigh. Of each candidate: its first node, the candidate before it that has
    # the same, so that it is looked up once, and what driving its edge up to there costs.
    straight, beta, left, open_logp, place, node, same, into, turns, leaving, out_slot = by
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
        leaving[count] = meeting["leaving"]
        turns[count] = meeting["turns"] + out_slot[count]
        count += 1
    any_open = False
    top = -np.inf
    for h in range(s):
        top = max(top, score[i - 1, h])
    # A jump from the best state is likelier than any way from one this far behind it.
    behind = top - model.jump_cost - SLACK
    for h in range(s):
        a = edge[i - 1, h]
        if a < 0 or score[i - 1, h] < behind:
            continue
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
        u = ending["to_node"]
        leaves = nodes[u]
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
            if same[j] < j:
                place[h, j] = place[h, same[j]]
            elif u == node[j]:
                place[h, j] = _NO_WAY
            else:
                place[h, j] = find(u, node[j], table)
            # On along the same edge there is no shorter way.
            if a != b or b_m < a_m:
                at = place[h, j]
                known = True
                if at == _NO_WAY:
                    cost = turn_cost[a_turns + out_slot[j]]
                elif at == _MISSING:
                    cost = np.inf
                else:
                    least = way[at]
                    cost = turn_cost[a_turns + first_of(least)] + cost_of(least)
                    cost += turn_cost[turns[j] + last_of(least) * leaving[j]]
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
                if not thinkable > max(score[i, j], best - BEAM):
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
    return on, stamp
