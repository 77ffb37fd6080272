"""The matcher: fixes of one trace to the path on the roads."""

from dataclasses import dataclass
from itertools import pairwise

import h3
import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo_policing.errors import InvalidInput
from geo_policing.geodesy import cells
from geo_policing.kernels import edge_candidates, edge_search, map_matching
from geo_policing.roads import RoadNetwork
from geo_policing.roads.index import INDEX_RESOLUTION

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MatcherParameters:
    """What the model believes; lengths in metres, costs in nats.

    Parameters
    ----------
    sigma_m : float
        1 sigma of a fix whose accuracy is unknown.
    radius_m, wide_radius_m : float
        Edges this near are candidates; the wide radius serves where no fix of a trace has one.
    candidates, held : int
        Candidates kept a fix, and states of the fix before that may hold.
    hold_cost : float
        Cost of taking a fix for an outlier.
    jump_cost : float
        Cost of a gap in the network.
    beta_m, beta_share : float
        Scale of |route - straight|: a part that is always there and a share of the straight way.
    backward_m : float
        Jitter backward along an edge that is standing still.
    u_turn_m : float
        Cost of turning back where the road goes on.
    thin_m : float
        Fixes nearer than this to the last one used tell nothing new.
    """

    sigma_m: float = 5.0
    radius_m: float = 50.0
    wide_radius_m: float = 200.0
    candidates: int = 12
    held: int = 4
    hold_cost: float = 8.0
    jump_cost: float = 25.0
    beta_m: float = 8.0
    beta_share: float = 0.05
    backward_m: float = 40.0
    u_turn_m: float = 60.0
    thin_m: float = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A stretch of path without break.

    Parameters
    ----------
    edges : (e,) int32
        Edges in order of travel; one driven twice is there twice.
    start_m, end_m : float
        Where on the first edge it starts and on the last it ends.
    enter_s : (e,) float64
        When each edge was entered, in the time of the fixes.
    inferred : bool
        Whether it joins two pieces by the likeliest route with no fix on it.
    confidence : float
        Mean posterior probability of the positions chosen on it, 0 to 1; of a joining piece, NaN.
    """

    edges: NDArray[np.int32]
    start_m: float
    end_m: float
    enter_s: Array
    inferred: bool
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """What a trace of n fixes was matched to.

    Parameters
    ----------
    edge : (n,) int32
        Edge of each fix; -1 for one that was taken for an outlier, or told nothing new.
    offset_m : (n,) float64
        How far along that edge.
    pieces : tuple of Piece
        The path in order of travel; empty if no fix is near a road.
    """

    edge: NDArray[np.int32]
    offset_m: Array
    pieces: tuple[Piece, ...]


class Matcher:
    """Match traces to one road network.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    parameters : MatcherParameters
        What the model believes.
    """

    def __init__(self, network: RoadNetwork, parameters: MatcherParameters | None = None) -> None:
        self.network = network
        self.parameters = parameters or MatcherParameters()
        self._roads = (
            network.to_node,
            network.length_m,
            network.out_offset,
            network.out_edge,
            network.reverse,
            network.forbidden_turn,
        )

    def match(
        self, t_s: ArrayLike, lon: ArrayLike, lat: ArrayLike, accuracy_m: ArrayLike | None = None
    ) -> Match:
        """Match one trace.

        Parameters
        ----------
        t_s : (n,) array_like
            Seconds, never descending.
        lon, lat : (n,) array_like
            Degrees WGS 84.
        accuracy_m : (n,) array_like, optional
            1 sigma of each fix; NaN unknown.

        Returns
        -------
        Match

        Raises
        ------
        InvalidInput
            If lengths differ, a coordinate is not finite, or time runs backward.
        """
        t, lon_, lat_ = (np.asarray(v, np.float64) for v in (t_s, lon, lat))
        if not t.shape == lon_.shape == lat_.shape or t.ndim != 1:
            raise InvalidInput(f"t, lon and lat differ in shape: {t.shape}, {lon_.shape}, {lat_.shape}")
        if not (np.isfinite(t) & np.isfinite(lon_) & np.isfinite(lat_)).all():
            raise InvalidInput("a time or coordinate is not finite; drop that fix", field="t,lon,lat")
        if (np.diff(t) < 0).any():
            at = int(np.argmax(np.diff(t) < 0)) + 1
            raise InvalidInput(
                f"fix {at}: time runs backward; sort the trace by time", field="t", value=t[at]
            )
        p = self.parameters
        n = len(t)
        edge = np.full(n, -1, np.int32)
        offset = np.zeros(n)
        if n == 0 or self.network.n_edges == 0:
            return Match(edge, offset, ())
        x, y = self.network.plane.forward(lon_, lat_)
        kept = _thinned(x, y, p.thin_m)
        near = self._candidates(x[kept], y[kept], lon_[kept], lat_[kept], p.radius_m, rings=1)
        if (near[0] < 0).all():
            near = self._candidates(x[kept], y[kept], lon_[kept], lat_[kept], p.wide_radius_m, rings=3)
        has = near[0][:, 0] >= 0
        kept, near = kept[has], (near[0][has], near[1][has], near[2][has])
        if len(kept) == 0:
            return Match(edge, offset, ())
        sigma = np.full(len(kept), p.sigma_m)
        if accuracy_m is not None:
            given = np.asarray(accuracy_m, np.float64)[kept]
            # Receivers are optimists, and a road is not its centre line: never below half the default.
            sigma = np.where(
                np.isfinite(given) & (given > 0), np.clip(given, p.sigma_m / 2, p.radius_m), sigma
            )
        state_edge, state_offset, score, back, jumped, step = map_matching.forward(
            *(x[kept], y[kept], sigma, *near, *self._roads),
            *(p.held, p.hold_cost, p.jump_cost, p.beta_m, p.beta_share, p.backward_m, p.u_turn_m),
        )
        chosen = _trace_back(score, back)
        fits = map_matching.posterior(step)[np.arange(len(chosen)), chosen]
        used = np.flatnonzero(chosen < p.candidates)
        edge[kept[used]] = state_edge[used, chosen[used]]
        offset[kept[used]] = state_offset[used, chosen[used]]
        new_piece = jumped[used, chosen[used]]
        on = kept[used]
        xy = np.column_stack([x[on], y[on]])
        return Match(edge, offset, self._pieces(xy, t[on], edge[on], offset[on], new_piece, fits[used]))

    def _candidates(
        self, x: Array, y: Array, lon: Array, lat: Array, radius_m: float, rings: int
    ) -> tuple[NDArray[np.int32], Array, Array]:
        """Find edge, distance and offset (n, candidates) of the edges near each point."""
        net = self.network
        cell, group = np.unique(cells(lon, lat, INDEX_RESOLUTION), return_inverse=True)
        edges_of, sizes = [], [0]
        for c in cell.tolist():
            disk = [h3.str_to_int(d) for d in h3.grid_disk(h3.int_to_str(c), rings)]
            edges = net.index.edges_of(np.array(disk, np.uint64))
            edges_of.append(edges)
            sizes.append(len(edges))
        found: tuple[NDArray[np.int32], Array, Array] = edge_candidates.nearest(
            *(x, y, group.astype(np.int64), np.cumsum(sizes), np.concatenate(edges_of)),
            *(
                net.vertex_offset,
                net.vertex_x,
                net.vertex_y,
                net.length_m,
                radius_m,
                self.parameters.candidates,
            ),
        )
        return found

    def route(self, a: int, a_m: float, b: int, b_m: float, limit_m: float) -> NDArray[np.int32] | None:
        """Edges from a place on edge a to a place on edge b, both included; None beyond the limit."""
        if a == b and b_m >= a_m - self.parameters.backward_m:
            return np.array([a], np.int32)
        m = self.network.n_edges
        target, seen, settled = (np.zeros(m, np.int64) for _ in range(3))
        label, before = np.zeros(m), np.full(m, -1, np.int32)
        target[b] = 1
        edge_search.search(
            *(a, self.network.length_m[a] - a_m, limit_m, 1, 1, *self._roads, self.parameters.u_turn_m),
            *(target, seen, settled, label, before, np.empty(4 * m + 16), np.empty(4 * m + 16, np.int32)),
        )
        if settled[b] != 1:
            return None
        path = [b]
        while True:
            path.append(int(before[path[-1]]))
            if path[-1] == a:
                return np.array(path[::-1], np.int32)

    def _pieces(
        self,
        xy: Array,
        t: Array,
        edge: NDArray[np.int32],
        offset: Array,
        new: NDArray[np.bool_],
        fits: Array,
    ) -> tuple[Piece, ...]:
        """Join the positions chosen into pieces, and pieces across jumps by the likeliest route."""
        pieces: list[Piece] = []
        starts = [0, *(np.flatnonzero(new[1:]) + 1).tolist(), len(edge)]
        for first, last in pairwise(starts):
            if first > 0:
                pair = slice(first - 1, first + 1)
                straight_m = float(np.hypot(*np.diff(xy[pair], axis=0)[0]))
                way = self._way(straight_m, t[pair], edge[pair], offset[pair])
                if way is not None:
                    pieces.append(way)
            part = slice(first, last)
            pieces.append(self._piece(t[part], edge[part], offset[part], float(fits[part].mean())))
        return tuple(pieces)

    def _way(self, straight_m: float, t: Array, edge: NDArray[np.int32], offset: Array) -> Piece | None:
        """Return the likeliest route between two positions, None where no road leads across.

        A route many times the straight way says that the network has a gap there, not that it was driven.
        """
        limit_m = 4.0 * straight_m + 500.0
        route = self.route(int(edge[0]), float(offset[0]), int(edge[1]), float(offset[1]), limit_m)
        if route is None or len(route) < 3:
            return None
        # The first and the last edge belong to the pieces that are joined.
        enter = self._times(route, t, np.array([0, len(route) - 1]), offset)[1:-1]
        end_m = float(self.network.length_m[route[-2]])
        return Piece(route[1:-1], 0.0, end_m, enter, inferred=True, confidence=float("nan"))

    def _piece(self, t: Array, edge: NDArray[np.int32], offset: Array, confidence: float) -> Piece:
        path = [int(edge[0])]
        at = [0]
        for i in range(1, len(edge)):
            route = self.route(int(edge[i - 1]), float(offset[i - 1]), int(edge[i]), float(offset[i]), np.inf)
            if route is None:
                raise AssertionError("the model chose a transition that the network does not have")
            path.extend(route[1:].tolist())
            at.append(len(path) - 1)
        edges = np.array(path, np.int32)
        enter = self._times(edges, t, np.array(at), offset)
        return Piece(edges, float(offset[0]), float(offset[-1]), enter, inferred=False, confidence=confidence)

    def _times(self, path: NDArray[np.int32], t: Array, at: NDArray[np.int64], offset: Array) -> Array:
        """When each edge of a path was entered, by length between the fixes on it."""
        start = np.concatenate([[0.0], np.cumsum(self.network.length_m[path])[:-1]])
        along = np.maximum.accumulate(start[at] + offset)
        return np.interp(start, along, t)


def _thinned(x: Array, y: Array, thin_m: float) -> NDArray[np.int64]:
    """Choose fixes at least thin_m from the last one chosen, the first, and the last."""
    kept = [0]
    for i in range(1, len(x)):
        if np.hypot(x[i] - x[kept[-1]], y[i] - y[kept[-1]]) >= thin_m:
            kept.append(i)
    if kept[-1] != len(x) - 1:
        kept.append(len(x) - 1)
    return np.array(kept)


def _trace_back(score: Array, back: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the states of the best sequence, (n,)."""
    n = len(score)
    chosen = np.empty(n, np.int64)
    chosen[-1] = int(np.argmax(score[-1]))
    for i in range(n - 1, 0, -1):
        chosen[i - 1] = back[i, chosen[i]]
    return chosen
