"""A random town, and a model of driving in it."""

import itertools

import numpy as np

from geo_policing.kernels import edge_grid, map_matching, node_tables, turning, way_search
from tests import naive

MODEL = {
    "hold_cost": 3.0,
    "hold_share": 0.01,
    "jump_cost": 12.0,
    "beta_m": 8.0,
    "beta_share": 0.05,
    "detour_cost": 60.0,
    "backward_m": 40.0,
    "turn_back_m": 90.0,
    "right_angle_m": 11.0,
    "crossing_m": 5.0,
    "u_turn_m": 60.0,
}
HOW = ["ahead", "back", "by way", "jump", "held"]


def model_of(parameters):
    """What the kernels take of it."""
    return map_matching.Model(**{name: parameters[name] for name in map_matching.Model._fields})


def mapped(*arrays):
    """Views as the matcher gives them to the kernels: for any other kind they would be compiled once more."""
    views = [array.view() for array in arrays]
    for view in views:
        view.flags.writeable = False
    return views


class Town:
    """A random town as arrays: streets between crossings, most two-way, some turns forbidden."""

    def __init__(self, rng, n_nodes=7, n_streets=11):
        self.x, self.y = rng.uniform(0.0, 600.0, (2, n_nodes))
        ends, reverse = [], []
        for a, b in rng.permutation(list(itertools.combinations(range(n_nodes), 2)))[:n_streets]:
            ends.append((a, b))
            if rng.random() < 0.3:
                reverse.append(-1)
            else:
                ends.append((b, a))
                reverse += [len(ends) - 1, len(ends) - 2]
        self.from_node, self.to_node = np.ascontiguousarray(np.array(ends, np.int32).T)
        self.reverse = np.array(reverse, np.int32)
        m = len(ends)
        middle = {}  # both directions of a street bend at the same place
        self.lines = []
        for a, b in ends:
            pair = (min(a, b), max(a, b))
            bend = middle.setdefault(pair, rng.normal(0.0, 30.0, 2))
            ends_xy = np.array([[self.x[a], self.y[a]], [self.x[b], self.y[b]]])
            self.lines.append(np.array([ends_xy[0], ends_xy.mean(0) + bend, ends_xy[1]]))
        self.drawn_m = np.array([np.hypot(*np.diff(line, axis=0).T).sum() for line in self.lines])
        self.length_m = self.drawn_m * rng.uniform(0.95, 1.05, m)
        self.vertex_offset = np.arange(m + 1) * 3
        self.vertex_x, self.vertex_y = np.ascontiguousarray(np.concatenate(self.lines).T)
        self.out_edge = np.argsort(self.from_node, kind="stable").astype(np.int32)
        self.out_offset = np.concatenate(
            [[0], np.cumsum(np.bincount(self.from_node, minlength=n_nodes))]
        ).astype(np.int32)
        turns = [(a, b) for a in range(m) for b in range(m) if self.to_node[a] == self.from_node[b]]
        forbidden = rng.permutation(turns)[: len(turns) // 8]
        self.turn = forbidden[np.lexsort(forbidden.T[::-1])].astype(np.int32)
        self.cost_m = self.length_m * rng.uniform(0.8, 1.2, m)
        self.directions = [naive.directions(line.tolist()) for line in self.lines]
        self.roads = naive.Roads(
            *(self.from_node, self.to_node, self.length_m, self.cost_m, self.reverse),
            *(self.turn.tolist(), self.directions, MODEL),
        )
        self.adjacency = (self.to_node, self.out_offset, self.out_edge, self.reverse)
        ends = turning.end_headings(*mapped(self.vertex_offset, self.vertex_x, self.vertex_y))
        turns = turning.turn_costs(
            *(*mapped(*self.adjacency, self.turn), *ends),
            *(MODEL["right_angle_m"], MODEL["crossing_m"], MODEL["u_turn_m"]),
        )
        slots = way_search.out_slots(m, *mapped(self.out_offset, self.out_edge))
        self.ways = way_search.Ways(
            *mapped(self.from_node, self.to_node, self.length_m, self.cost_m, *self.adjacency[1:]),
            *mapped(*turns, slots),
        )

    @property
    def geometry(self):
        return mapped(self.vertex_offset, self.vertex_x, self.vertex_y, self.length_m)

    def drawn(self, cell_m=50.0):
        """The grid of edges, and their shapes."""
        along, usable = edge_grid.along(*self.geometry), np.full(len(self.lines), True)
        rest = mapped(along, self.length_m, self.reverse, usable)
        shapes = edge_grid.Shapes(*self.geometry[:3], *rest)
        grid = edge_grid.build(shapes, cell_m)
        return edge_grid.Grid(*grid[:5], *mapped(*grid[5:])), shapes

    def candidates(self, x, y, radius_m, k, wide_m=0.0, cell_m=50.0):
        return edge_grid.nearest(x, y, np.full(len(x), radius_m), wide_m, k, self.drawn(cell_m)[0])

    def table(self, most):
        ranks = node_tables.morton_ranks(self.x, self.y)
        return node_tables.Table(*mapped(*node_tables.build(self.ways, ranks, most)))
