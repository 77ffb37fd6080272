"""How well the track of a device, which is known, fits the sightings of a suspect, who is not.

The reconstruction weighs a sighting that is true by the density of its place over the roads, and one that is
false by the same density everywhere (`smoothing.Anchor`, `Smoother`). Of a track that is given all of that
stays but the sum over ways: a sighting of probability p and density g over the roads (1/m, `evidence`), of
which there are L metres, multiplies the odds that this device was with the suspect, and not with somebody
who was anywhere, by

    p L E[g(x)] + 1 - p,

where x is the place of the device at the time of the sighting: on its matched path, averaged over `CLOCK_S`,
because clocks of cameras and receivers differ, and over the interval of a sighting that has one. Where the
path is inferred across a gap it is believed as much as its confidence says, and for the rest, as where
nothing is known of the device at the time, it was anywhere: E[g] = 1 / L, a factor of 1. A watch in vain
multiplies by 1 - d, d the detection, where the path passes through what is watched, by the share of the bins
that is in view.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.matching import Match
from geo_policing.model import Sighting, Watch, to_us
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.evidence import likelihood, watched
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.reconstruct import off_the_roads
from geo_policing.tracks.turns import Turns

Array = NDArray[np.float64]

#: 1 sigma of the difference between the clocks of an observer and of a receiver, seconds.
CLOCK_S = 4.0
#: Moments of one sighting at which the track is looked at; of an interval, this far apart at most.
CLOCK_STEPS, EVERY_S, MOST_MOMENTS = 13, 2.0, 2_000
#: No sighting is held to be surer: clocks, receivers and matches err, and one of them excludes nobody.
SUREST = 0.999
#: How fine the bins are beside the model's.
FINER = 1 / 6
#: So much further away than they reach edges are still taken, metres.
ROOM_M = 100.0


@dataclass(frozen=True, slots=True)
class Fit:
    """How one sighting fits a track.

    Parameters
    ----------
    log_odds : float
        Natural logarithm of the factor by which it changes the odds.
    probability : float
        That it is a sighting of this device, if the device is the suspect's.
    """

    log_odds: float
    probability: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """How all of them fit a track.

    Parameters
    ----------
    log_odds : float
        Natural logarithm of the factor by which all sightings and watches change the odds that this is the
        suspect and not somebody who was anywhere.
    sightings : tuple of Fit
        In the order of the sightings.
    unseen : float
        The part of it that the watches in vain have; 0 or less.
    """

    log_odds: float
    sightings: tuple[Fit, ...]
    unseen: float


class Suspects:
    """Sightings and watches on the roads, to be held against tracks.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    sightings : sequence of Sighting
        Of one suspect.
    watches : sequence of Watch
        Places watched where the suspect was not seen.
    model : MovementModel, optional
        Which roads are open; those of a car when not given.
    turns : Turns, optional
        Those of the network, where they are known from before.

    Raises
    ------
    InvalidInput
        If there is no sighting, or one is off the roads or names an edge that is not there.
    """

    def __init__(
        self,
        network: RoadNetwork,
        sightings: Sequence[Sighting],
        watches: Sequence[Watch] = (),
        model: MovementModel | None = None,
        turns: Turns | None = None,
    ) -> None:
        if not sightings:
            raise InvalidInput("no sightings; give at least one", field="sightings")
        model = (model or MovementModel.of()).coarser(1, FINER)
        self._network, self._sightings, self._watches = network, tuple(sightings), tuple(watches)
        access = model.access
        self._open = np.ones(network.n_edges, bool) if access is None else (network.access & int(access)) != 0
        self._total_m = float(network.length_m[self._open].sum())
        near = self._near()
        if not near.any():
            raise InvalidInput(off_the_roads(self._sightings[0]), field="sightings")
        self._lattice = Lattice.of(network, turns or Turns.of(network, access), model, near)
        edge = self._lattice.edge
        self._n_bins = np.bincount(edge, minlength=network.n_edges)
        self._first_bin = np.full(network.n_edges, -1)
        self._first_bin[edge[::-1]] = np.arange(len(edge))[::-1]
        self._density = [self._weighed(sighting) for sighting in self._sightings]
        self._share = [watched(self._lattice, watch)[0] for watch in self._watches]

    def fit(self, match: Match, epoch_us: int) -> Fitted:
        """Hold a track against the sightings.

        Parameters
        ----------
        match : Match
            Of the fixes of a device.
        epoch_us : int
            Microseconds of UTC at which its seconds begin.
        """
        way = Way.of(match, self._network)
        fits = tuple(
            self._fit(way, sighting, density, epoch_us)
            for sighting, density in zip(self._sightings, self._density, strict=True)
        )
        unseen = sum(
            self._unseen(way, watch, share, epoch_us)
            for watch, share in zip(self._watches, self._share, strict=True)
        )
        return Fitted(sum(fit.log_odds for fit in fits) + unseen, fits, unseen)

    def _fit(self, way: "Way", sighting: Sighting, density: Array, epoch_us: int) -> Fit:
        first_s, last_s = ((to_us(t) - epoch_us) / 1e6 for t in (sighting.time, sighting.last))
        moments = min(int((last_s - first_s) / EVERY_S) + 1, MOST_MOMENTS)
        offset_s = np.linspace(-3.0, 3.0, CLOCK_STEPS) * CLOCK_S
        share = np.exp(-0.5 * (offset_s / CLOCK_S) ** 2)
        at_s = (np.linspace(first_s, last_s, moments)[:, None] + offset_s).ravel()
        mean = float(np.average(self._likely(way, at_s, density), weights=np.tile(share, moments)))
        believed = min(sighting.probability, SUREST)
        true, false = believed * mean, 1.0 - believed
        return Fit(float(np.log(true + false)), true / (true + false))

    def _likely(self, way: "Way", at_s: Array, density: Array) -> Array:
        """Density (k,) at the places of a track at moments, in parts of that everywhere."""
        edge, along_m, sure = way.at(at_s)
        bins = self._bins(edge, along_m)
        there = np.where(bins >= 0, density[np.maximum(bins, 0)], 0.0)
        return sure * there * self._total_m + (1.0 - sure)

    def _unseen(self, way: "Way", watch: Watch, share: Array, epoch_us: int) -> float:
        first_s, last_s = ((to_us(t) - epoch_us) / 1e6 for t in (watch.start, watch.end))
        at_s = np.linspace(first_s, last_s, min(int((last_s - first_s) / EVERY_S) + 2, 10 * MOST_MOMENTS))
        edge, along_m, sure = way.at(at_s)
        bins = self._bins(edge, along_m)
        seen = np.where(bins >= 0, share[np.maximum(bins, 0)], 0.0) * sure
        return float(np.log1p(-min(watch.detection, 0.999) * float(seen.max(initial=0.0))))

    def _weighed(self, sighting: Sighting) -> Array:
        """Density (b,) of the place of a sighting over the roads, 1/m."""
        near = likelihood(self._lattice, sighting)
        total = float((near * self._lattice.bin_m).sum())
        if not total > 0.0:
            raise InvalidInput(off_the_roads(sighting), field="sightings", value=(sighting.lon, sighting.lat))
        return near / total

    def _bins(self, edge: NDArray[np.int32], along_m: Array) -> NDArray[np.int64]:
        """Bin (k,) of places on edges; -1 where it is not on the lattice."""
        first = np.where(edge >= 0, self._first_bin[edge], -1)
        if not (first >= 0).any():
            return np.full(len(edge), -1)
        nth = (np.maximum(along_m, 0.0) / self._lattice.bin_m[first]).astype(np.int64)
        return np.where(first >= 0, first + np.minimum(nth, self._n_bins[edge] - 1), -1)

    def _near(self) -> NDArray[np.bool_]:
        """Which edges (m,) some of it can be about."""
        network = self._network
        middle = (network.vertex_offset[:-1] + network.vertex_offset[1:] - 1) // 2
        x, y = network.vertex_x[middle], network.vertex_y[middle]
        found = np.zeros(network.n_edges, bool)
        reaches = [(s.lon, s.lat, s.reach_m) for s in self._sightings]
        reaches += [(w.lon, w.lat, w.radius_m) for w in self._watches]
        for lon, lat, reach_m in reaches:
            (x0,), (y0,) = network.plane.forward(lon, lat)
            found |= np.hypot(x - x0, y - y0) <= reach_m + network.length_m + ROOM_M
        return found & self._open


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """Where a matched track was at any moment: k stretches, each within one edge at even speed.

    Parameters
    ----------
    start_s, end_s : (k,) float64
        From when to when, in order.
    edge : (k,) int32
        On which edge.
    start_m, end_m : (k,) float64
        From where to where on it.
    sure : (k,) float64
        How probable it is.
    """

    start_s: Array
    end_s: Array
    edge: NDArray[np.int32]
    start_m: Array
    end_m: Array
    sure: Array

    @classmethod
    def of(cls, match: Match, network: RoadNetwork) -> "Way":
        """Cut the pieces of a match into stretches."""
        placed = match.time[match.edge >= 0]
        columns: list[tuple[Array, ...]] = []
        for i, piece in enumerate(match.pieces):
            after = match.pieces[i + 1] if i + 1 < len(match.pieces) else None
            joins = after is not None and (
                after.turned_back or (after.edges[0] == piece.edges[-1] and after.start_m == piece.end_m)
            )
            if after is None:
                end_s = float(placed[-1]) if len(placed) else float(piece.enter_s[-1])
            elif joins:
                end_s = float(after.enter_s[0])
            else:
                # Where no road leads across, it ends with its own last fix.
                end_s = float(placed[max(int(np.searchsorted(placed, after.enter_s[0])) - 1, 0)])
            n = len(piece.edges)
            start_m, end_m = np.zeros(n), network.length_m[piece.edges].astype(np.float64)
            start_m[0], end_m[-1] = piece.start_m, piece.end_m
            until = np.append(piece.enter_s[1:], max(end_s, float(piece.enter_s[-1])))
            sure = piece.confidence if piece.inferred else 1.0
            columns.append(
                (piece.enter_s, until, piece.edges.astype(np.float64), start_m, end_m, np.full(n, sure))
            )
        if not columns:
            nothing = np.empty(0)
            return cls(nothing, nothing, np.empty(0, np.int32), nothing, nothing, nothing)
        start_s, end_s_, edge, start_m, end_m, sure_ = (np.concatenate(c) for c in zip(*columns, strict=True))
        return cls(start_s, end_s_, edge.astype(np.int32), start_m, end_m, sure_)

    def at(self, moment_s: Array) -> tuple[NDArray[np.int32], Array, Array]:
        """Edge, place on it in metres, and how sure that is, of moments (m,); -1 and 0 where unknown."""
        if not len(self.start_s):
            return np.full(len(moment_s), -1, np.int32), np.zeros(len(moment_s)), np.zeros(len(moment_s))
        nth = np.maximum(np.searchsorted(self.start_s, moment_s, side="right") - 1, 0)
        known = (moment_s >= self.start_s[nth]) & (moment_s <= self.end_s[nth])
        took = np.maximum(self.end_s[nth] - self.start_s[nth], 1e-9)
        part = np.clip((moment_s - self.start_s[nth]) / took, 0.0, 1.0)
        along = self.start_m[nth] + part * (self.end_m[nth] - self.start_m[nth])
        return (
            np.where(known, self.edge[nth], -1).astype(np.int32),
            np.where(known, along, 0.0),
            np.where(known, self.sure[nth], 0.0),
        )


def ranked(fits: Mapping[str, Fitted]) -> list[str]:
    """Names of the tracks, the one that fits best first, then by name."""
    return sorted(fits, key=lambda name: (-fits[name].log_odds, name))
