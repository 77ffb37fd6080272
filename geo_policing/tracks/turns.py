"""Which way on is taken at a node: how often, learned from angles and from how much traffic a road draws."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels import edge_candidates, shortest_trees, turning
from geo_policing.roads import Access, RoadNetwork
from geo_policing.tracks import threads

Array = NDArray[np.float64]

#: Where the classes of turning angle begin, degrees; straighter than the first has no weight of its own.
ANGLES_DEG = (10.0, 25.0, 45.0, 75.0, 110.0, 150.0)
#: What a turn is described by, in the order of the columns of `Turns.features`.
FEATURES = ("10-25", "25-45", "45-75", "75-110", "110-150", "150-180", "back", "straightest", "through")
#: Directions are taken over so many metres at the ends of edges.
HEADING_M = 15.0
#: Shortest ways to everywhere are counted from so many nodes, drawn with this seed.
SOURCES, SEED = 96, 0
#: A road goes on straight where it bends by less, radians.
STRAIGHT = np.radians(40.0)
#: Length of a road at which it is neither better nor worse than its length says, and how short and how long a
#: metre of a better and a worse one can feel.
THROUGH_M, FEELS = 1000.0, (0.6, 1.5)


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """Pairs of edges that follow each other: those from edge e are offset[e]:offset[e + 1].

    Parameters
    ----------
    offset : (m + 1,) int64
        Rows by the edge that is left.
    source, target : (t,) int32
        The edge that is left and the one that follows.
    features : (t, len(FEATURES)) float64
        What the weights are learned from.
    bend_deg : (t,) float64
        Angle between the end of the one and the start of the other.
    crossing, back : (t,) bool
        Where more than two edges leave; where it turns back, at no dead end.
    through_m : (m,) float64
        Length of the road that each edge is part of, followed straight on through crossings.
    """

    offset: NDArray[np.int64]
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    features: Array
    bend_deg: Array
    crossing: NDArray[np.bool_]
    back: NDArray[np.bool_]
    through_m: Array

    @classmethod
    def of(cls, network: RoadNetwork, access: Access | None = None) -> Self:
        """Find the turns that one of these travellers may drive; every one not forbidden for None."""
        m = network.n_edges
        open_ = np.ones(m, bool) if access is None else (network.access & int(access)) != 0
        fan = np.diff(network.out_offset)[network.to_node]
        source = np.repeat(np.arange(m, dtype=np.int32), fan)
        first = np.concatenate([[0], np.cumsum(fan)])
        at = np.arange(first[-1]) - first[source] + network.out_offset[network.to_node[source]]
        target = network.out_edge[at]
        keep = open_[source] & open_[target]
        if access != Access.FOOT and len(network.forbidden_turn):
            keep &= ~np.isin(
                source.astype(np.int64) * m + target,
                network.forbidden_turn[:, 0].astype(np.int64) * m + network.forbidden_turn[:, 1],
            )
        source, target = source[keep], target[keep]
        offset = np.zeros(m + 1, np.int64)
        np.cumsum(np.bincount(source, minlength=m), out=offset[1:])
        drawing = _read_only(network.vertex_offset, network.vertex_x, network.vertex_y)
        begins, ends = turning.end_headings(*drawing)
        roads = (network.to_node, network.length_m, network.out_offset, network.out_edge, network.reverse)
        leave = np.bincount(network.from_node[open_], minlength=network.n_nodes)[network.to_node[source]]
        turned = np.abs((begins[target] - ends[source] + np.pi) % (2.0 * np.pi) - np.pi)
        back = network.reverse[source] == target
        return cls(
            offset,
            source,
            target,
            _features(network, open_, source, target),
            bend_deg=np.where(back, 0.0, np.degrees(turned)),
            crossing=(leave > 2) & ~back,
            back=back & (leave > 1),
            through_m=turning.through_lengths(*_read_only(*roads, begins, ends), STRAIGHT),
        )

    def felt(
        self, through_share: float, right_angle_m: float, crossing_m: float, u_turn_m: float
    ) -> tuple[Array, Array]:
        """How long a metre of each edge feels (m,), and what each turn costs (t,), metres.

        A road that goes on straight through crossings feels shorter, with this power of its length over
        `THROUGH_M`. A right angle costs so much and others in proportion, passing a crossing and turning back
        there what is said; turning back at a dead end costs nothing.
        """
        feels = np.maximum(self.through_m / THROUGH_M, 1e-3) ** -through_share
        metres = right_angle_m * self.bend_deg / 90.0 + crossing_m * self.crossing + u_turn_m * self.back
        return np.clip(feels, *FEELS), metres

    def shares(self, coefficients: Array, some: NDArray[np.int64] | None = None) -> Array:
        """Share (t, bands) of each turn among those from its edge.

        coefficients : (bands, len(FEATURES)) float64
            Weights of the features, a row for each band of speeds.
        some : (t,) int64, optional
            Which turns, of each of their edges all, ascending; all turns when not given.
        """
        features, source = self.features, self.source
        if some is not None:
            features, source = features[some], source[some]
        if not len(source):
            return np.empty((0, len(coefficients)))
        # Turns from one edge follow each other.
        begins = np.flatnonzero(np.diff(source, prepend=-1))
        row = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(source)))
        utility = features @ coefficients.T
        weight = np.exp(utility - np.maximum.reduceat(utility, begins)[row])
        return np.asarray(weight / np.add.reduceat(weight, begins)[row])


def _read_only(*arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """View arrays as if mapped from a file, as the matcher does: the kernels are compiled once for both."""
    views = tuple(array.view() for array in arrays)
    for view in views:
        view.flags.writeable = False
    return views


def _features(
    network: RoadNetwork, is_open: NDArray[np.bool_], source: NDArray[np.int32], target: NDArray[np.int32]
) -> Array:
    length_m = network.length_m
    inset = np.minimum(HEADING_M, length_m / 2)[:, None]
    edge = np.arange(network.n_edges, dtype=np.int32)[:, None]
    drawing = (network.vertex_offset, network.vertex_x, network.vertex_y, length_m)
    begins = edge_candidates.headings(edge, inset, *drawing)[:, 0]
    ends = edge_candidates.headings(edge, length_m[:, None] - inset, *drawing)[:, 0]
    turn = np.nan_to_num(np.abs((begins[target] - ends[source] + 180.0) % 360.0 - 180.0))
    back = network.reverse[source] == target
    found = np.zeros((len(source), len(FEATURES)))
    kind = np.searchsorted(ANGLES_DEG, turn, side="right")
    bent = np.flatnonzero(kind > 0)
    found[bent, kind[bent] - 1] = 1.0
    found[:, 6] = back
    least = np.full(network.n_edges, np.inf)
    np.minimum.at(least, source, np.where(back, np.inf, turn))
    found[:, 7] = turn <= least[source] + 1e-9
    found[:, 8] = np.log(through_traffic(network, is_open) + 1e-5)[target]
    return found


def through_traffic(network: RoadNetwork, is_open: NDArray[np.bool_]) -> Array:
    """Share (m,) of shortest ways between nodes that pass each road, both directions together.

    Known as edge betweenness (L. C. Freeman, 1977), here from a sample of nodes to all others. It tells main
    roads from side streets where the source of the roads says nothing about their class.
    """
    used = network.out_edge[is_open[network.out_edge]]
    before = np.concatenate([[0], np.cumsum(is_open[network.out_edge])])
    graph: tuple[NDArray[Any], ...] = (before[network.out_offset], network.to_node[used])
    draw = np.random.default_rng(SEED)
    sources = draw.choice(network.n_nodes, min(SOURCES, network.n_nodes), replace=False)
    graph = (network.from_node[used], *graph, np.maximum(network.length_m[used], 0.01))

    def part(some: NDArray[Any]) -> Callable[[Callable[[], None]], Array]:
        return lambda _: np.asarray(shortest_trees.flow(some, *graph))

    workers = min(os.cpu_count() or 1, len(sources))
    # Whole numbers, so the sum is the same whoever counts.
    flows = threads.each([part(some) for some in np.array_split(sources, workers)], workers, lambda: None)
    passed = np.zeros(network.n_edges)
    passed[used] = sum(flows)
    two_way = network.reverse >= 0
    both = passed.copy()
    both[two_way] += passed[network.reverse[two_way]]
    return np.asarray(both / (len(sources) * network.n_nodes))
