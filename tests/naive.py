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


def point_at(vertices, share):
    """The point at a share of a polyline's length."""
    left = share * sum(math.dist(a, b) for a, b in itertools.pairwise(vertices))
    for (x0, y0), (x1, y1) in itertools.pairwise(vertices):
        step = math.dist((x0, y0), (x1, y1))
        if step > 0 and left <= step:
            return x0 + left / step * (x1 - x0), y0 + left / step * (y1 - y0)
        left -= step
    return vertices[-1]


def bend(a, b):
    """Angle between two directions in radians, 0 to pi."""
    return abs(math.remainder(b - a, 2 * math.pi))


def directions(vertices):
    """Direction in which a polyline starts and in which it ends, radians; points on it do not count."""
    steps = [(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in itertools.pairwise(vertices)]
    steps = [step for step in steps if step != (0.0, 0.0)] or [(1.0, 0.0)]
    return math.atan2(steps[0][1], steps[0][0]), math.atan2(steps[-1][1], steps[-1][0])


class Roads:
    """Edges by number between nodes by number, with what driving and turning cost."""

    def __init__(self, from_node, to_node, length, cost, reverse, forbidden, directions, model):
        self.from_node, self.to_node, self.cost = list(from_node), list(to_node), list(cost)
        self.length, self.reverse, self.directions, self.model = (
            list(length),
            list(reverse),
            directions,
            model,
        )
        self.forbidden = {tuple(pair) for pair in forbidden}

    def turns(self, edge):
        """Edges that may follow, each with what the turn costs."""
        following = [f for f, node in enumerate(self.from_node) if node == self.to_node[edge]]
        for f in following:
            if (edge, f) in self.forbidden:
                continue
            if f == self.reverse[edge]:
                yield f, self.model["u_turn_m"] if len(following) > 1 else 0.0
                continue
            angle = bend(self.directions[edge][1], self.directions[f][0])
            crossing = self.model["crossing_m"] if len(following) > 2 else 0.0
            yield f, self.model["right_angle_m"] * angle / (math.pi / 2) + crossing

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

    def through_lengths(self, straight):
        """Length of the road each edge is part of, followed straight on where both edges agree to."""
        m = len(self.cost)
        angle = {
            (e, f): bend(self.directions[e][1], self.directions[f][0])
            for e in range(m)
            for f in range(m)
            if self.to_node[e] == self.from_node[f] and f != self.reverse[e]
        }
        onward = {}
        for e in range(m):
            least = min(((d, f) for (g, f), d in angle.items() if g == e), default=(math.inf, -1))
            if least[0] < straight:
                onward[e] = least[1]
        parts = [{e} for e in range(m)]
        for f in range(m):
            coming = [(angle[e, f], e) for e in onward if onward[e] == f]
            if coming:
                e = min(coming)[1]
                whole = next(part for part in parts if e in part) | next(part for part in parts if f in part)
                parts = [part for part in parts if not part & whole] + [whole]
        return [sum(self.length[f] for f in next(p for p in parts if e in p)) for e in range(m)]


def routes(roads, a, left, b, count, dearer):
    """Least paths from edge a to edge b, each found with the inner edges of those before it made dearer."""
    found, usual = [], list(roads.cost)
    for _ in range(count):
        best, waiting = {}, [(left, [a])]
        while waiting:
            cost, path = heapq.heappop(waiting)
            for f, turn in roads.turns(path[-1]):
                if cost + turn < best.get(f, (math.inf,))[0]:
                    best[f] = (cost + turn, [*path, f])
                    heapq.heappush(waiting, (cost + turn + roads.cost[f], [*path, f]))
        if b in best:
            for e in set(best[b][1][1:-1]):
                roads.cost[e] *= dearer
            if best[b][1] not in found:
                found.append(best[b][1])
    roads.cost = usual
    return found


def transition_logp(roads, a, a_m, b, b_m, way, model):
    """Log weight of going from a place on edge a to one on edge b, and how: ahead, back, by way or jump."""
    length, ways = roads.length, [(math.inf, "jump")]
    if a == b and b_m >= a_m - model["backward_m"]:
        ways.append((abs(max(0.0, b_m - a_m) - way), "ahead"))
    elif roads.reverse[a] == b:
        ways.append((abs(length[a] - b_m - a_m) + model["turn_back_m"] - way, "back"))
    to_start = roads.cost_to(a, roads.cost[a] * (1 - a_m / length[a]), b)
    ways.append((to_start + roads.cost[b] * b_m / length[b] - way, "by way"))
    beta = model["beta_m"] + model["beta_share"] * way
    over, how = min(ways)
    weight = -math.inf
    if over < math.inf:
        x = over / beta
        weight = -x / (1 + x / model["detour_cost"]) if x > 0 else -x
    jump = -model["jump_cost"] - way / (10 * beta)
    return (weight, how) if weight > jump else (jump, "jump")


def best_sequence(roads, x, y, emission, edge, offset, model):
    """Score of the best of all sequences, each fix at one of its candidates or taken for an outlier."""
    best = (-math.inf, None)
    for choice in itertools.product(range(-1, len(edge[0])), repeat=len(x)):
        if choice[0] < 0 or any(j >= 0 and edge[i][j] < 0 for i, j in enumerate(choice)):
            continue
        total, last = emission[0][choice[0]], 0
        for i, j in enumerate(choice[1:], 1):
            if j < 0:
                step_m = math.dist((x[i], y[i]), (x[i - 1], y[i - 1]))
                total -= model["hold_cost"] + model["hold_share"] * step_m
                continue
            before = choice[last]
            way = math.dist((x[i], y[i]), (x[last], y[last]))
            weight, _ = transition_logp(
                *(roads, edge[last][before], offset[last][before], edge[i][j], offset[i][j], way, model)
            )
            total += weight + emission[i][j]
            last = i
        best = max(best, (total, choice), key=lambda pair: pair[0])
    return best


def sequences(step):
    """Every sequence of states with its weight; step (n, s, s), the first fix in step[0, 0]."""
    n, s, _ = step.shape
    for states in itertools.product(range(s), repeat=n):
        logp = step[0, 0, states[0]] + sum(step[i, states[i - 1], states[i]] for i in range(1, n))
        yield states, math.exp(logp)


def posterior(step):
    """Probability of each state, and of each transition, by adding up every sequence."""
    n, s, _ = step.shape
    state, pair, total = np.zeros((n, s)), np.zeros((n, s, s)), 0.0
    for states, weight in sequences(step):
        total += weight
        for i, j in enumerate(states):
            state[i, j] += weight
            if i > 0:
                pair[i, states[i - 1], j] += weight
    return state / total, pair / total


def speakers(x, y, thin_m):
    """Fix that speaks for each: the last one that is thin_m or more from the one that spoke before it."""
    out = [0]
    for i in range(1, len(x)):
        moved = math.dist((x[i], y[i]), (x[out[-1]], y[out[-1]]))
        ends_elsewhere = i == len(x) - 1 and moved > 0
        out.append(i if moved >= thin_m or ends_elsewhere else out[-1])
    return out


def entered(path, at, starts, left_m, t_s, usual_s, length_m):
    """When each edge of paths was entered, path by path, by interpolation over the usual time along it."""
    out = np.empty(len(path))
    bounds = [*np.flatnonzero(starts).tolist(), len(at)]
    for first, last in itertools.pairwise(bounds):
        on = np.arange(at[first], at[last - 1] + 1)
        usual = usual_s[path[on]]
        start = np.cumsum(usual) - usual
        k = at[first:last] - at[first]
        share = left_m[first:last] / length_m[path[at[first:last]]]
        along = np.maximum.accumulate(start[k] + share * usual[k])
        out[on] = np.interp(start, along, t_s[first:last])
    return out


def unseen(t_s, speaker, fix, x, y, silent_s, gap_m, fastest_mps):
    """Whether a stretch without support lies before each place: silence, outliers, or faster than anybody."""
    out = [False]
    for a, b, i in zip(fix[:-1], fix[1:], range(1, len(fix)), strict=True):
        way = math.dist((x[i], y[i]), (x[i - 1], y[i - 1]))
        heard = [t_s[f] for f in range(a, b + 1) if speaker[f] in (a, b)]
        silence = max(later - earlier for earlier, later in itertools.pairwise(heard))
        lost = any(speaker[f] not in (a, b) for f in range(a, b + 1))
        out.append(
            bool(way >= gap_m and (silence > silent_s or lost or way > fastest_mps * (t_s[b] - t_s[a])))
        )
    return out
