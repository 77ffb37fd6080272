"""Which way on is taken at a node: how often, learned from angles and from how much traffic a road draws."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels import edge_candidates, shortest_trees
from geo_policing.roads import Access, RoadNetwork

Array = NDArray[np.float64]

#: Where the classes of turning angle begin, degrees; straighter than the first has no weight of its own.
ANGLES_DEG = (10.0, 25.0, 45.0, 75.0, 110.0, 150.0)
#: What a turn is described by, in the order of the columns of `Turns.features`.
FEATURES = ("10-25", "25-45", "45-75", "75-110", "110-150", "150-180", "back", "straightest", "through")
#: Directions are taken over so many metres at the ends of edges.
HEADING_M = 15.0
#: Shortest ways to everywhere are counted from so many nodes, drawn with this seed.
SOURCES, SEED = 96, 0


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
    """

    offset: NDArray[np.int64]
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    features: Array

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
        return cls(offset, source, target, _features(network, open_, source, target))

    def shares(self, coefficients: Array) -> Array:
        """Share (t, bands) of each turn among those from its edge.

        coefficients : (bands, len(FEATURES)) float64
            Weights of the features, a row for each band of speeds.
        """
        utility = self.features @ coefficients.T
        best = np.full((len(self.offset) - 1, utility.shape[1]), -np.inf)
        np.maximum.at(best, self.source, utility)
        weight = np.exp(utility - best[self.source])
        total = np.zeros_like(best)
        np.add.at(total, self.source, weight)
        return np.asarray(weight / total[self.source])


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
    passed = np.zeros(network.n_edges)
    passed[used] = shortest_trees.flow(
        sources, network.from_node[used], *graph, np.maximum(network.length_m[used], 0.01)
    )
    two_way = network.reverse >= 0
    both = passed.copy()
    both[two_way] += passed[network.reverse[two_way]]
    return np.asarray(both / (len(sources) * network.n_nodes))
