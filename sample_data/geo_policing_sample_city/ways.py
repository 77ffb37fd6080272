"""Ways: what a traveller may follow, and the turns from one to the next.

Every directed edge is a way. A one-way street has a second one against its direction: people on foot take it
freely, e-bikes now and then, cars never.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo_policing.roads.network import Access, EdgeFlag, RoadClass, RoadNetwork

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]

STRAIGHT, RIGHT, LEFT, BACK = range(4)
MAJOR = (RoadClass.ARTERIAL, RoadClass.SECONDARY)


@dataclass(frozen=True, eq=False)
class Ways:
    """w ways and t turns between them, over a road network of m edges.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    edge : (w,) int32
        Edge of each way; the first m ways are the edges in their order.
    start, end : (w,) int32
        Nodes, in the direction of travel.
    opposite : (w,) int32
        The way back along the same street, -1 where there is none.
    turn_offset : (w + 1,) int64
        Turns from way i are ``turn_offset[i]:turn_offset[i + 1]``.
    turn_to : (t,) int32
        The way turned into.
    turn_kind : (t,) int8
        STRAIGHT, RIGHT, LEFT or BACK.
    turn_deg : (t,) float64
        Change of course, clockwise.
    turn_banned : (t,) bool
        Forbidden to vehicles.
    cycle_s, phase_s, green_s : (w,) float64
        Traffic light at the end of each way: its cycle (0 where there is none), where in it the simulation
        begins, and for how long from its begin the light is green.
    """

    network: RoadNetwork
    edge: Ints
    start: Ints
    end: Ints
    opposite: Ints
    turn_offset: NDArray[np.int64]
    turn_to: Ints
    turn_kind: NDArray[np.int8]
    turn_deg: Floats
    turn_banned: Bools
    cycle_s: Floats
    phase_s: Floats
    green_s: Floats

    def __len__(self) -> int:
        """Return the number of ways."""
        return len(self.edge)

    @cached_property
    def backward(self) -> Bools:
        """(w,) whether a way runs against its edge."""
        return np.arange(len(self)) >= self.network.n_edges

    @cached_property
    def length_m(self) -> Floats:
        """(w,) lengths."""
        return self.network.length_m[self.edge]

    @cached_property
    def road_class(self) -> NDArray[np.uint8]:
        """(w,) `RoadClass`."""
        return self.network.road_class[self.edge]

    @cached_property
    def tunnel(self) -> Bools:
        """(w,) whether a way is in a tunnel."""
        return (self.network.flags[self.edge] & EdgeFlag.TUNNEL) > 0

    @cached_property
    def middle(self) -> tuple[Floats, Floats]:
        """X and y of the middle of each way, (w,) each."""
        x, y, _ = self.locate(np.arange(len(self), dtype=np.int32), self.length_m / 2)
        return x, y

    def usable(self, mode: Access) -> Bools:
        """(w,) ways open to cars, bicycles or people on foot, from all of which all others can be reached."""
        usable = (self.network.access[self.edge] & mode) > 0
        if mode == Access.CAR:
            usable &= ~self.backward
        before = np.repeat(np.arange(len(self)), np.diff(self.turn_offset))
        open_turn = usable[before] & usable[self.turn_to] & (~self.turn_banned | (mode == Access.FOOT))
        graph = coo_array(
            (np.ones(open_turn.sum()), (before[open_turn], self.turn_to[open_turn])), shape=(len(self),) * 2
        )
        _, label = connected_components(graph, connection="strong")
        return usable & (label == np.bincount(label[usable]).argmax())

    def locate(self, way: Ints, offset_m: Floats) -> tuple[Floats, Floats, Floats]:
        """X, y in the plane and course in degrees of points on ways, (n,) each."""
        edge = self.edge[way]
        backward = self.backward[way]
        along = np.where(backward, self.length_m[way] - offset_m, offset_m)
        n = self.network
        x, y, course = _locate(edge, along, n.vertex_offset, n.vertex_x, n.vertex_y)
        return x, y, (course + 180.0 * backward) % 360.0


def make_ways(network: RoadNetwork, rng: np.random.Generator) -> Ways:
    """Turn a road network into what travellers see; the traffic lights are invented."""
    m = network.n_edges
    oneway = np.flatnonzero((network.reverse < 0) & ((network.access & (Access.BICYCLE | Access.FOOT)) > 0))
    edge = np.concatenate([np.arange(m), oneway]).astype(np.int32)
    start = np.concatenate([network.from_node, network.to_node[oneway]])
    end = np.concatenate([network.to_node, network.from_node[oneway]])
    opposite = np.concatenate([network.reverse, oneway.astype(np.int32)])
    opposite[oneway] = np.arange(m, m + len(oneway))
    first, last = _courses(network, edge)
    turn_offset, turn_from, turn_to = _turns(start, end, network.n_nodes)
    turn_deg = (first[turn_to] - last[turn_from] + 180.0) % 360.0 - 180.0
    kind = np.select(
        [(turn_to == opposite[turn_from]) | (np.abs(turn_deg) > 160), turn_deg > 35, turn_deg < -35],
        [BACK, RIGHT, LEFT],
        STRAIGHT,
    ).astype(np.int8)
    pair = edge[turn_from].astype(np.int64) * m + edge[turn_to]
    banned = np.isin(pair, network.forbidden_turn.astype(np.int64) @ np.array([m, 1]))
    cycle, phase, green = _lights(network, edge, end, last, rng)
    return Ways(
        network=network,
        edge=edge,
        start=start,
        end=end,
        opposite=opposite,
        turn_offset=turn_offset,
        turn_to=turn_to,
        turn_kind=kind,
        turn_deg=turn_deg,
        turn_banned=banned,
        cycle_s=cycle,
        phase_s=phase,
        green_s=green,
    )


def _courses(network: RoadNetwork, edge: Ints) -> tuple[Floats, Floats]:
    """Course at the begin and at the end of each way."""
    m = network.n_edges
    a, b = network.vertex_offset[:-1], network.vertex_offset[1:] - 1
    x, y = network.vertex_x, network.vertex_y
    first = np.degrees(np.arctan2(x[a + 1] - x[a], y[a + 1] - y[a]))
    last = np.degrees(np.arctan2(x[b] - x[b - 1], y[b] - y[b - 1]))
    back = edge[m:]
    return np.concatenate([first, last[back] + 180.0]), np.concatenate([last, first[back] + 180.0])


def _turns(start: Ints, end: Ints, n_nodes: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Ints]:
    """Offsets by way, the way left and the way entered, for every way that leaves the end of another."""
    leaving = np.argsort(start, kind="stable").astype(np.int32)
    out_offset = np.concatenate([[0], np.cumsum(np.bincount(start, minlength=n_nodes))])
    degree = np.diff(out_offset)[end]
    turn_offset = np.concatenate([[0], np.cumsum(degree)])
    turn_from = np.repeat(np.arange(len(end)), degree)
    within = np.arange(turn_offset[-1]) - turn_offset[turn_from]
    return turn_offset, turn_from, leaving[out_offset[end[turn_from]] + within]


def _lights(
    network: RoadNetwork, edge: Ints, end: Ints, course_deg: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Light the junctions of major roads; who comes across has green when the others wait."""
    major = np.isin(network.road_class, MAJOR)
    arms = np.bincount(network.from_node[major], minlength=network.n_nodes)
    lit = (arms >= 3) | ((arms == 2) & (rng.random(network.n_nodes) < 0.25))
    cycle = np.where(lit, rng.choice([60.0, 80.0, 90.0, 120.0], network.n_nodes), 0.0)
    begin = rng.uniform(0.0, 1.0, network.n_nodes) * cycle
    share = rng.uniform(0.4, 0.6, network.n_nodes)
    bend = rng.uniform(0.0, 90.0, network.n_nodes)
    across = ((course_deg + bend[end]) // 90.0) % 2 == 1
    green = np.where(across, 1.0 - share[end], share[end]) * cycle[end] - 3.0
    phase = begin[end] + np.where(across, (1.0 - share[end]) * cycle[end], 0.0)
    unlit = ~np.isin(network.road_class[edge], MAJOR) & (arms[end] == 2)
    return np.where(unlit, 0.0, cycle[end]), phase, np.maximum(green, 0.0)


def _locate_loop(
    edge: NDArray[Any],
    along_m: NDArray[Any],
    vertex_offset: NDArray[Any],
    vertex_x: NDArray[Any],
    vertex_y: NDArray[Any],
) -> tuple[Any, Any, Any]:
    """X, y and course (n,) f64 of points at along_m (n,) of edges (n,)."""
    n = edge.shape[0]
    x, y, course = np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        first, last = vertex_offset[edge[i]], vertex_offset[edge[i] + 1] - 1
        left = along_m[i]
        v = first
        while True:
            dx, dy = vertex_x[v + 1] - vertex_x[v], vertex_y[v + 1] - vertex_y[v]
            step = np.sqrt(dx * dx + dy * dy)
            if left <= step or v + 1 == last:
                break
            left -= step
            v += 1
        share = min(max(left / step, 0.0), 1.0) if step > 0 else 0.0
        x[i], y[i] = vertex_x[v] + share * dx, vertex_y[v] + share * dy
        course[i] = np.degrees(np.arctan2(dx, dy)) % 360.0
    return x, y, course


_locate = njit(cache=True, nogil=True)(_locate_loop)
