"""Slow twins of the kernels below the road network, to be trusted by eye."""

import itertools
import math

import h3
import numpy as np


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
