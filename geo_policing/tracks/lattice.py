"""The roads cut into bins, and where a step of time leads from each."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.geodesy import cells
from geo_policing.kernels import shortest_trees
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.steps import ASIDE_M, Cut, Steps
from geo_policing.tracks.turns import Turns
from geo_policing.tracks.yards import Yards

Array = NDArray[np.float64]

#: Places along a bin are tried this far apart.
POINT_M = 12.0
#: No sighting tells the place on a road better than this, metres.
FINEST_M = POINT_M / 2
#: What is on a road is up to so far beside its line, one share of three on each side.
BESIDE_M = 8.5
#: Edges shorter than this are taken as this long.
SHORTEST_M = 0.5
#: Edges in the same square of so many metres are numbered one after the other.
CURVE_M = 50.0


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """b bins of the edges that can matter, of c speed classes each.

    Edges are numbered along a curve that fills the plane, and bins along each edge, so that a step leads to
    numbers nearby: what is worked on together lies together.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    edge : (b,) int32
        Edge of the network that each bin is part of.
    start_m, bin_m : (b,) float64
        Where on its edge each bin begins, and how long it is.
    kind : (b,) uint8
        Type of edge, by its length and its road class where speeds are known by it: first index of the chain.
    cut : Cut
        How the edges that are cut follow each other.
    steps : Steps
        Where a step leads from each bin, worked out when it is asked for.
    point_bin : (p,) int64
        Bin of each place tried.
    point_x, point_y : (p,) float64
        The places, metres in the plane.
    point_heading : (p,) float64
        Direction of the road there, radians clockwise from north.
    ways_ahead, ways_back : (offset, bin, length)
        The arcs between bins with and against the traffic, for distances.
    felt_ahead, felt_back : (offset, bin, length)
        The same, as long as they feel: see `Turns.felt`.
    turns : (offset, edge, cost)
        The edges that follow each edge of the network that is cut, and minus the logarithm of their share.
    turn_m : (t,) float64
        What each of these turns costs, metres.
    feels, length_m : (m,) float64
        How long a metre of each edge of the network feels, and how many it has.
    reverse : (m,) int32
        The same road in the other direction; -1 for one-way roads.
    measure_m : (b,) float64
        How likely a place is where nothing is known: on roads, how long the bin is.
    yards : Yards
        The open ground beside the roads, if any; its y crossings are edges m to m + y - 1: see `open_ground`.
    """

    network: RoadNetwork
    edge: NDArray[np.int32]
    start_m: Array
    bin_m: Array
    kind: NDArray[np.uint8]
    cut: Cut
    steps: Steps
    point_bin: NDArray[np.int64]
    point_x: Array
    point_y: Array
    point_heading: Array
    ways_ahead: tuple[NDArray[Any], ...]
    ways_back: tuple[NDArray[Any], ...]
    felt_ahead: tuple[NDArray[Any], ...]
    felt_back: tuple[NDArray[Any], ...]
    turns: tuple[NDArray[np.int64], NDArray[np.int32], Array]
    turn_m: Array
    feels: Array
    length_m: Array
    reverse: NDArray[np.int32]
    measure_m: Array
    yards: Yards

    @classmethod
    def of(
        cls,
        network: RoadNetwork,
        turns: Turns,
        model: MovementModel,
        wanted: NDArray[np.bool_],
        workers: int = 1,
    ) -> Self:
        """Cut the wanted edges (m,) into bins; turns that lead to others are left out.

        Where steps lead is worked out in so many threads.
        """
        kept = _along_curve(network, np.flatnonzero(wanted))
        number = np.full(network.n_edges, -1, np.int32)
        number[kept] = np.arange(len(kept))
        onward = np.flatnonzero(wanted[turns.source])
        inside = onward[wanted[turns.target[onward]]]
        follow = inside[np.argsort(number[turns.source[inside]], kind="stable")]
        share = turns.shares(model.turn, onward)[np.searchsorted(onward, follow)]
        source, target = number[turns.source[follow]], number[turns.target[follow]]
        total = np.zeros((len(kept), share.shape[1]))
        np.add.at(total, source, share)
        share /= np.maximum(total[source], 1e-300)
        offset = np.zeros(len(kept) + 1, np.int64)
        np.cumsum(np.bincount(source, minlength=len(kept)), out=offset[1:])

        length_m = np.maximum(network.length_m[kept], SHORTEST_M)
        n_bins = np.maximum(1, np.round(length_m / model.bin_m)).astype(np.int64)
        first = np.zeros(len(kept) + 1, np.int32)
        np.cumsum(n_bins, out=first[1:])
        edge = np.repeat(np.arange(len(kept), dtype=np.int32), n_bins)
        bin_m = (length_m / n_bins)[edge]
        start_m = (np.arange(first[-1]) - first[edge]) * bin_m
        aside = _aside(np.append(number, np.int32(-1))[network.reverse[kept]], first, edge)
        cut = Cut(edge, bin_m, first, offset, target, share, aside)
        inner = np.flatnonzero(edge[1:] == edge[:-1])
        to_side, side = np.nonzero(aside >= 0)
        goes = np.concatenate([inner, first[1:][source] - 1, to_side])
        comes = np.concatenate([inner + 1, first[target], aside[to_side, side]])
        way_m = (bin_m[goes] + bin_m[comes]) / 2
        way_m[len(way_m) - len(to_side) :] = ASIDE_M
        feels, turn_m = turns.felt(model.through_share, model.right_angle_m, model.crossing_m, model.u_turn_m)
        felt_bin_m = feels[kept[edge]] * bin_m
        felt_m = (felt_bin_m[goes] + felt_bin_m[comes]) / 2
        felt_m[len(inner) : len(inner) + len(source)] += turn_m[follow]
        felt_m[len(way_m) - len(to_side) :] = ASIDE_M
        felt_ahead = _rows(goes, comes, felt_m, len(edge))

        n_points = np.maximum(1, np.round(bin_m / POINT_M)).astype(np.int64)
        point_bin = np.repeat(np.arange(len(edge)), n_points)
        nth = np.arange(len(point_bin)) - np.concatenate([[0], np.cumsum(n_points)])[point_bin]
        along = start_m[point_bin] + (nth + 0.5) / n_points[point_bin] * bin_m[point_bin]
        x, y, heading = _places(network, kept[edge[point_bin]], along)
        return cls(
            network=network,
            edge=kept[edge].astype(np.int32),
            start_m=start_m,
            bin_m=bin_m,
            kind=_kind(network.road_class[kept], length_m, model)[edge],
            cut=cut,
            steps=Steps(cut, model, model.speed_mps, model.step_s, felt_ahead, workers=workers),
            point_bin=point_bin,
            point_x=x,
            point_y=y,
            point_heading=heading,
            ways_ahead=_rows(goes, comes, way_m, len(edge)),
            ways_back=_rows(comes, goes, way_m, len(edge)),
            felt_ahead=felt_ahead,
            felt_back=_rows(comes, goes, felt_m, len(edge)),
            turns=_follow(network.n_edges, kept, source, kept[target], share),
            turn_m=turn_m[inside],
            feels=feels,
            length_m=network.length_m,
            reverse=network.reverse,
            measure_m=bin_m,
            yards=Yards.none(),
        )

    def __len__(self) -> int:
        """Return the number of bins."""
        return len(self.edge)

    @property
    def ahead(self) -> tuple[NDArray[Any], ...]:
        """Rows (offset, bin, weight, way) of all bins: see `Steps.whole`."""
        return self.steps.whole()

    def near(self, x: float, y: float, accuracy_m: float, edge: int | None = None) -> Array:
        """exp(-(d / accuracy)^2 / 2) (b,), mean over each bin; 0 beyond six times it, and on other edges.

        What is more accurate than `FINEST_M` counts as that: between two places tried nothing would be near.
        """
        accuracy_m = max(accuracy_m, FINEST_M)
        distance_m = np.hypot(self.point_x - x, self.point_y - y)
        sigmas = distance_m / accuracy_m
        weight = np.exp(-0.5 * np.minimum(sigmas, 10.0) ** 2)
        weight[sigmas > 6.0] = 0.0
        if len(self.yards):
            off = np.s_[len(weight) - len(self.yards.point_of) :]
            weight[off] = self.yards.near(distance_m[off] ** 2, accuracy_m)
        found = self._mean(weight)
        if edge is not None:
            found[self.edge != edge] = 0.0
        return found

    def within(self, x: float, y: float, radius_m: float, edge: int | None = None) -> Array:
        """Share (b,) of each bin within a radius of a place; 0 on other edges."""
        inside = np.hypot(self.point_x - x, self.point_y - y) <= radius_m
        bins, count = np.unique(self.point_bin[inside], return_counts=True)
        if edge is not None:
            mine = self.edge[bins] == edge
            bins, count = bins[mine], count[mine]
        found = np.zeros(len(self))
        found[bins] = count / np.diff(np.searchsorted(self.point_bin, [bins, bins + 1]), axis=0)[0]
        return found

    def to_go_m(self, goal: NDArray[Any], limit_m: float = np.inf) -> Array:
        """Shortest way (b,) from each bin to the nearest of some; any more than a limit where it is more."""
        distance: Array = shortest_trees.search(goal, *self.ways_back, limit_m)[0]
        return distance

    def felt_to_go_m(self, goal: NDArray[Any]) -> Array:
        """Way that feels shortest (b,) from each bin to the nearest of some; inf where none leads there."""
        distance: Array = shortest_trees.search(goal, *self.felt_back)[0]
        return distance

    def felt_came_m(self, start: NDArray[Any]) -> Array:
        """Way that feels shortest (b,) to each bin from the nearest of some; inf where none leads there."""
        distance: Array = shortest_trees.search(start, *self.felt_ahead)[0]
        return distance

    def came_m(self, start: NDArray[Any], limit_m: float = np.inf) -> Array:
        """Shortest way (b,) to each bin from the nearest of some; any more than a limit where it is more."""
        distance: Array = shortest_trees.search(start, *self.ways_ahead, limit_m)[0]
        return distance

    def cells(self, resolution: int) -> tuple[NDArray[np.int64], NDArray[np.uint64], Array]:
        """How each bin is shared out over H3 cells: bin, cell and share, each (3 p,)."""
        parts = []
        for side in (-BESIDE_M, 0.0, BESIDE_M):
            x = self.point_x + side * np.cos(self.point_heading)
            y = self.point_y - side * np.sin(self.point_heading)
            parts.append(cells(*self.network.plane.inverse(x, y), resolution))
        share = 1.0 / (3.0 * np.bincount(self.point_bin)[self.point_bin])
        return np.tile(self.point_bin, 3), np.concatenate(parts), np.tile(share, 3)

    def _mean(self, weight: Array) -> Array:
        n = len(self)
        return np.bincount(self.point_bin, weight, n) / np.bincount(self.point_bin, minlength=n)


def _kind(road_class: NDArray[np.uint8], length_m: Array, model: MovementModel) -> NDArray[np.uint8]:
    """First index (m,) of the chain for each edge."""
    types = len(model.type_m) + 1
    by_length = np.searchsorted(model.type_m, length_m)
    return np.asarray(model.class_block[road_class] * types + by_length).astype(np.uint8)


def _aside(
    reverse: NDArray[np.int32], first: NDArray[np.int32], edge: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Bins (b, 2) beside each: that of the other direction, and the one before on the same edge; -1 none."""
    nth = np.arange(len(edge)) - first[edge]
    other = reverse[edge]
    mirror = first[other + 1] - 1 - np.minimum(nth, np.diff(first)[other] - 1)
    found = np.column_stack(
        [np.where(other >= 0, mirror, -1), np.where(nth > 0, np.arange(len(edge)) - 1, -1)]
    )
    return found.astype(np.int32)


def _rows(
    origin: NDArray[np.int64], to: NDArray[np.int64], length: Array, n: int
) -> tuple[NDArray[Any], ...]:
    order = np.argsort(origin, kind="stable")
    offset = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(origin, minlength=n), out=offset[1:])
    return offset, to[order].astype(np.int32), length[order]


def _along_curve(network: RoadNetwork, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order edges by their middles along a curve through squares of `CURVE_M` (G. M. Morton, 1966)."""
    middle = (network.vertex_offset[edges] + network.vertex_offset[edges + 1] - 1) // 2
    key = np.zeros(len(edges), np.int64)
    for bit, at in ((0, network.vertex_x[middle]), (1, network.vertex_y[middle])):
        square = ((at - at.min(initial=np.inf)) / CURVE_M).astype(np.int64)
        for k in range(16):
            key |= (square >> k & 1) << (2 * k + bit)
    return np.asarray(edges[np.argsort(key, kind="stable")])


def _follow(
    edges: int, kept: NDArray[np.int64], source: NDArray[np.int32], target: NDArray[np.int64], share: Array
) -> tuple[NDArray[np.int64], NDArray[np.int32], Array]:
    """Rows by the edges of the network of turns from kept ones, which are told by their numbers."""
    fan = np.bincount(kept[source], minlength=edges)
    order = np.argsort(kept[source], kind="stable")
    cost = -np.log(np.maximum(share.max(axis=1), 1e-9))
    return np.concatenate([[0], np.cumsum(fan)]), target[order].astype(np.int32), cost[order]


def _places(network: RoadNetwork, edge: NDArray[Any], along_m: Array) -> tuple[Array, Array, Array]:
    """x, y and direction (radians from north) of places on edges."""
    step = np.hypot(np.diff(network.vertex_x), np.diff(network.vertex_y))
    step[network.vertex_offset[1:-1] - 1] = 0.0
    total = np.concatenate([[0.0], np.cumsum(step)])
    first, last = network.vertex_offset[edge], network.vertex_offset[edge + 1] - 1
    share = along_m / np.maximum(network.length_m[edge], SHORTEST_M)
    at = total[first] + share * (total[last] - total[first])
    segment = np.clip(np.searchsorted(total, at, side="right") - 1, first, last - 1)
    dx = network.vertex_x[segment + 1] - network.vertex_x[segment]
    dy = network.vertex_y[segment + 1] - network.vertex_y[segment]
    part = np.clip((at - total[segment]) / np.maximum(total[segment + 1] - total[segment], 1e-9), 0.0, 1.0)
    return network.vertex_x[segment] + part * dx, network.vertex_y[segment] + part * dy, np.arctan2(dx, dy)
