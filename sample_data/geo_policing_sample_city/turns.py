"""Turns that may not be driven: back where large roads meet, left at many crossings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo_policing.roads.network import Access, RoadClass
from geo_policing_sample_city.terrain import Array

Pairs = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Drivable:
    """Directed edges as far as turns ask for them.

    Parameters
    ----------
    from_node, to_node : (m,) int64
        Ends.
    reverse : (m,) int64
        The same road back, or -1.
    road_class, access : (m,) uint8
        As in the network.
    leaving, arriving : (m,) float64
        Direction at the start and at the end, radians, anticlockwise from east.
    """

    from_node: Pairs
    to_node: Pairs
    reverse: Pairs
    road_class: NDArray[np.uint8]
    access: NDArray[np.uint8]
    leaving: Array
    arriving: Array


def forbid_turns(edges: Drivable, rng: np.random.Generator) -> Pairs:
    """Pairs (edge, next edge) that may not be driven; every street can still be reached from every other."""
    pairs = _successions(edges)
    a, b = pairs.T
    rank = edges.road_class.astype(np.int64)
    back = edges.reverse[a] == b
    turn = np.mod(edges.leaving[b] - edges.arriving[a] + np.pi, 2 * np.pi) - np.pi
    left = (turn > np.radians(50)) & (turn < np.radians(140))
    arms = np.bincount(edges.from_node[edges.access & Access.CAR > 0], minlength=int(edges.to_node.max()) + 1)
    joint = edges.to_node[a]
    crossing = arms[joint] >= 3
    large = RoadClass.ARTERIAL
    luck = rng.uniform(size=int(joint.max()) + 1)[joint]
    forbidden = back & crossing & (rank[a] <= RoadClass.SECONDARY)
    forbidden |= left & crossing & (rank[a] == large) & (rank[b] == large) & (luck < 0.3)
    forbidden |= left & crossing & (rank[a] == large) & (rank[b] > large) & (luck < 0.25)
    forbidden |= left & crossing & (rank[a] > large) & (rank[b] == large) & (luck > 0.6)
    forbidden |= back & (rank[a] <= RoadClass.EXPRESSWAY_RAMP)
    forbidden |= (rank[a] == RoadClass.EXPRESSWAY_RAMP) & (np.abs(turn) > np.radians(150))
    cars = np.flatnonzero(edges.access & Access.CAR)
    while True:
        lost = np.zeros(len(edges.from_node), bool)
        lost[cars] = True
        lost[_one_piece(pairs[~forbidden], len(lost), cars)] = False
        undo = forbidden & (lost[a] | lost[b])
        if not undo.any():
            return pairs[forbidden]
        forbidden &= ~undo


def _successions(edges: Drivable) -> Pairs:
    """All pairs of edges that a car could drive one after the other."""
    cars = np.flatnonzero(edges.access & Access.CAR)
    order = cars[np.argsort(edges.from_node[cars], kind="stable")]
    start = edges.from_node[order]
    low = np.searchsorted(start, edges.to_node[cars], "left")
    count = np.searchsorted(start, edges.to_node[cars], "right") - low
    before = np.repeat(cars, count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.column_stack([before, order[np.repeat(low, count) + within]])


def _one_piece(pairs: Pairs, m: int, cars: Pairs) -> Pairs:
    """Edges of the largest set within which each can be driven to from each."""
    graph = coo_array((np.ones(len(pairs), np.int8), tuple(pairs.T)), shape=(m, m))
    label = connected_components(graph, connection="strong")[1]
    return np.flatnonzero(label == np.bincount(label[cars]).argmax())
