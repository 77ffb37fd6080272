"""Slow twins of the kernels below the road network, to be trusted by eye."""

import itertools
import math

import h3
import numpy as np

from tests.naive import nearest_edges


def samples(vertex_offset, vertex_x, vertex_y, step_m):
    """(edge, x, y) of all vertices and of points between them at most step_m apart."""
    found = []
    for edge, (first, end) in enumerate(itertools.pairwise(vertex_offset.tolist())):
        line = list(zip(vertex_x[first:end].tolist(), vertex_y[first:end].tolist(), strict=True))
        found += [(edge, *line[0])] if line else []
        for (ax, ay), (bx, by) in itertools.pairwise(line):
            n = max(1, math.ceil(math.dist((ax, ay), (bx, by)) / step_m))
            found += [(edge, ax + (bx - ax) * k / n, ay + (by - ay) * k / n) for k in range(1, n + 1)]
    return found


def edges_by_cell(plane, vertex_offset, vertex_x, vertex_y, step_m, resolution):
    """H3 cell -> edges with a sample in it."""
    found = {}
    for edge, x, y in samples(vertex_offset, vertex_x, vertex_y, step_m):
        lon, lat = plane.inverse(x, y)
        cell = h3.str_to_int(h3.latlng_to_cell(float(lat[0]), float(lon[0]), resolution))
        found.setdefault(cell, set()).add(edge)
    return found


def reverse_edges(from_node, to_node, vertex_offset, vertex_x, vertex_y, tolerance_m):
    """Each edge with the first later one, not yet paired, that runs back along it; -1 without one."""
    lines = [
        np.column_stack([vertex_x[a:b], vertex_y[a:b]]) for a, b in itertools.pairwise(vertex_offset.tolist())
    ]
    reverse = [-1] * len(lines)
    for e, f in itertools.combinations(range(len(lines)), 2):
        if (
            reverse[e] == reverse[f] == -1
            and (from_node[e], to_node[e]) == (to_node[f], from_node[f])
            and lines[e].shape == lines[f].shape
            and np.abs(lines[e] - lines[f][::-1]).max() <= tolerance_m
        ):
            reverse[e], reverse[f] = f, e
    return reverse


def edge_costs(network, start, start_cost, cost, open_edge, u_turn):
    """Edge -> least cost at its start, by relaxing every legal turn until nothing gets cheaper."""
    barred = set(map(tuple, network.forbidden_turn.tolist()))
    leaving = {}
    for f in np.flatnonzero(open_edge).tolist():
        leaving.setdefault(int(network.from_node[f]), []).append(f)

    def turns(e):
        out = leaving.get(int(network.to_node[e]), [])
        for f in out:
            if (e, f) not in barred:
                yield f, u_turn if f == network.reverse[e] and len(out) > 1 else 0.0

    best = {f: start_cost + extra for f, extra in turns(start)}
    changed = True
    while changed:
        changed = False
        for e in list(best):
            for f, extra in turns(e):
                total = best[e] + cost[e] + extra
                if total < best.get(f, math.inf) - 1e-12:
                    best[f] = total
                    changed = True
    return best


def least_time(network, is_open, start, end):
    """Seconds from any of some stretches (edge, from_m, to_m) to any of others, relaxing every edge."""
    length, speed = network.length_m.tolist(), network.speed_mps.tolist()
    seconds = [m / v for m, v in zip(length, speed, strict=True)]

    def share(e, at_m):
        return at_m / length[e] if length[e] > 0 else 0.0

    at = {}
    for e, _, to_m in start:
        node = int(network.to_node[e])
        at[node] = min(at.get(node, math.inf), (1 - share(e, to_m)) * seconds[e])
    edges = [
        (int(network.from_node[e]), int(network.to_node[e]), seconds[e])
        for e in np.flatnonzero(is_open).tolist()
    ]
    changed = True
    while changed:
        changed = False
        for here, there, takes in edges:
            if here in at and at[here] + takes < at.get(there, math.inf) - 1e-12:
                at[there] = at[here] + takes
                changed = True
    ways = [at.get(int(network.from_node[e]), math.inf) + share(e, m) * seconds[e] for e, m, _ in end]
    for e, from_a, to_a in start:
        for f, from_b, to_b in end:
            if e == f and from_a <= to_b:
                ways.append(max(0.0, share(e, from_b) - share(e, to_a)) * seconds[e])
    return min(ways, default=math.inf)


def arrivals(network, is_open, start):
    """Seconds from any of some stretches (edge, from_m, to_m) to the beginning of each open edge."""
    found = []
    for f in range(network.n_edges):
        on_it = any(e == f for e, _, _ in start)
        found.append(0.0 if on_it else least_time(network, is_open, start, [(f, 0.0, 0.0)]))
    return [s if is_open[f] else math.inf for f, s in enumerate(found)]


def stretches(network, is_open, lon, lat, radius_m, wide_m, k):
    """(edge, from_m, to_m) near a place: the k nearest open edges, a radius to both sides, all of a loop."""
    x, y = (float(v[0]) for v in network.plane.forward(lon, lat))
    lines = [network.vertices(e).tolist() if is_open[e] else [(1e9, 1e9)] * 2 for e in range(network.n_edges)]
    near = nearest_edges(x, y, lines, network.length_m.tolist(), radius_m, k)
    near = near or nearest_edges(x, y, lines, network.length_m.tolist(), wide_m, k)
    found = []
    for e, _, o in near:
        length = float(network.length_m[e])
        loop = network.from_node[e] == network.to_node[e]
        found.append((e, 0.0, length) if loop else (e, max(o - radius_m, 0.0), min(o + radius_m, length)))
    return found
