"""Slow, obvious twins of the kernels: what a reader can trust by eye."""

import heapq
import itertools
import math

import numpy as np


def distance_to_line(x, y, vertices):
    """Distance from a point to a polyline and how far along it, segment by segment."""
    best, at, along = math.inf, 0.0, 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(vertices):
        length = math.dist((x0, y0), (x1, y1))
        share = 0.0
        if length > 0:
            share = min(1.0, max(0.0, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length**2))
        distance = math.dist((x, y), (x0 + share * (x1 - x0), y0 + share * (y1 - y0)))
        if distance < best:
            best, at = distance, along + share * length
        along += length
    return best, at


def nearest_edges(x, y, lines, length_m, radius_m, k):
    """The k nearest of some lines within a radius: (edge, distance, offset scaled to length_m)."""
    found = []
    for edge, vertices in enumerate(lines):
        distance, at = distance_to_line(x, y, vertices)
        if distance <= radius_m:
            drawn = sum(math.dist(a, b) for a, b in itertools.pairwise(vertices))
            found.append((distance, edge, at / drawn * length_m[edge] if drawn > 0 else 0.0))
    return [(edge, distance, offset) for distance, edge, offset in sorted(found)[:k]]


def heading_deg(vertices, share):
    """Direction at a share of a polyline's length, degrees clockwise from north."""
    left = share * sum(math.dist(a, b) for a, b in itertools.pairwise(vertices))
    for (x0, y0), (x1, y1) in itertools.pairwise(vertices):
        step = math.dist((x0, y0), (x1, y1))
        if step > 0 and left <= step:
            break
        left -= step
    return math.degrees(math.atan2(x1 - x0, y1 - y0)) % 360


class Roads:
    """Edges by number between nodes by number, with what a turn costs."""

    def __init__(self, from_node, to_node, cost, reverse, forbidden, u_turn):
        self.from_node, self.to_node, self.cost = list(from_node), list(to_node), list(cost)
        self.reverse, self.u_turn = list(reverse), u_turn
        self.forbidden = {tuple(pair) for pair in forbidden}

    def turns(self, edge):
        """Edges that may follow, each with what the turn costs."""
        following = [f for f, node in enumerate(self.from_node) if node == self.to_node[edge]]
        for f in following:
            if (edge, f) not in self.forbidden:
                yield f, self.u_turn if f == self.reverse[edge] and len(following) > 1 else 0.0

    def cost_to(self, a, left, b):
        """Least cost from a place on edge a, `left` before its end, to the start of edge b."""
        best, waiting = {}, [(left, a)]
        while waiting:
            cost, edge = heapq.heappop(waiting)
            for f, turn in self.turns(edge):
                if cost + turn < best.get(f, math.inf):
                    best[f] = cost + turn
                    heapq.heappush(waiting, (best[f] + self.cost[f], f))
        return best.get(b, math.inf)

    def path_cost(self, path):
        """Cost of a path from the end of its first edge to the start of its last; infinite if it breaks."""
        turns = [dict(self.turns(a)).get(b, math.inf) for a, b in itertools.pairwise(path)]
        return sum(turns) + sum(self.cost[e] for e in path[1:-1])


def transition_logp(roads, a, a_m, b, b_m, way, step_m, model):
    """Log weight of going from a place on edge a to one on edge b, and whether that is a jump."""
    if a == b and b_m >= a_m - model["backward_m"]:
        route = max(0.0, b_m - a_m)
    else:
        to_start = roads.cost_to(a, roads.cost[a] - a_m, b)
        route = to_start + b_m if to_start <= 2 * way + 400 else math.inf
    beta = model["beta_m"] + model["beta_share"] * step_m
    weight = -abs(route - way) / beta
    jump = -model["jump_cost"] - way / (10 * beta)
    return (weight, False) if weight > jump else (jump, True)


def best_sequence(roads, x, y, emission, edge, offset, model):
    """Score of the best of all sequences, each fix at one of its candidates or taken for an outlier."""
    best = (-math.inf, None)
    for choice in itertools.product(range(-1, len(edge[0])), repeat=len(x)):
        if choice[0] < 0 or any(j >= 0 and edge[i][j] < 0 for i, j in enumerate(choice)):
            continue
        total, last = emission[0][choice[0]], 0
        for i, j in enumerate(choice[1:], 1):
            if j < 0:
                total -= model["hold_cost"]
                continue
            before = choice[last]
            way = math.dist((x[i], y[i]), (x[last], y[last]))
            step_m = math.dist((x[i], y[i]), (x[i - 1], y[i - 1]))
            weight, _ = transition_logp(
                *(roads, edge[last][before], offset[last][before], edge[i][j], offset[i][j]),
                *(way, step_m, model),
            )
            total += weight + emission[i][j]
            last = i
        best = max(best, (total, choice), key=lambda pair: pair[0])
    return best


def posterior(step):
    """Probability of each state by adding up every sequence; step (n, s, s), the first fix in step[0, 0]."""
    n, s, _ = step.shape
    weight = np.zeros((n, s))
    for sequence in itertools.product(range(s), repeat=n):
        logp = step[0, 0, sequence[0]] + sum(step[i, sequence[i - 1], sequence[i]] for i in range(1, n))
        for i, state in enumerate(sequence):
            weight[i, state] += math.exp(logp)
    return weight / weight.sum(axis=1, keepdims=True)


def speakers(x, y, thin_m):
    """Fix that speaks for each: the last one that is thin_m or more from the one that spoke before it."""
    out = [0]
    for i in range(1, len(x)):
        moved = math.dist((x[i], y[i]), (x[out[-1]], y[out[-1]]))
        ends_elsewhere = i == len(x) - 1 and moved > 0
        out.append(i if moved >= thin_m or ends_elsewhere else out[-1])
    return out


def reached(edge, offset, backward_m):
    """Whether each place is on the edge of the one before, and the farthest point reached on it."""
    same, far = [False], [offset[0]]
    for i in range(1, len(edge)):
        same.append(edge[i] == edge[i - 1] and offset[i] >= offset[i - 1] - backward_m)
        far.append(max(far[-1], offset[i]) if same[-1] else offset[i])
    return same, far
