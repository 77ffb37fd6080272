"""What makes the evidence for movement models comparable: one measure of places, and ways that add up to 1.

The filter of one mode weighs a true sighting by its density over the roads of that mode, a false one by all
of its roads in reach, and lets detours weigh less than they are probable. None of that matters within one
mode, all of it between two: who drives makes longer detours in the same time than who walks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_policing.geodesy import cells
from geo_policing.kernels import bin_filter
from geo_policing.model import Sighting
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.evidence import edge_number, likelihood
from geo_policing.tracks.lattice import FINEST_M, POINT_M, Lattice
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.smoothing import Anchor, Smoother

Array = NDArray[np.float64]

#: So many ways are drawn onward from each sighting. What they weigh is known to some hundredths.
DRAWN = 1000
#: Where there are fewer roads, metres by square metre, a sighting is told as if there were so many.
SPARSE = 0.001


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """How densely places are told, the same for all modes.

    Parameters
    ----------
    seen_m : (n,) tuple of float
        For each sighting the length of all roads that agree with it, each by how well: see `agreeing_m`.
    elsewhere_m : float
        Length of the roads that a false sighting is anywhere on.
    seed : int
        Of the ways that are drawn.
    """

    seen_m: tuple[float, ...]
    elsewhere_m: float
    seed: int = 0

    def told(self, lattice: Lattice, sightings: Sequence[Sighting], anchors: list[Anchor]) -> list[Anchor]:
        """Return the anchors with densities over all roads, not over those of one mode."""
        found = []
        for sighting, anchor, seen_m in zip(sightings, anchors, self.seen_m, strict=True):
            # An anchor's density is the likelihood, divided by the length of this mode's roads that agree.
            mine_m = likelihood(lattice, sighting).max() / anchor.density.max()
            found.append(replace(anchor, density=anchor.density * (mine_m / seen_m)))
        return found

    def hold(self, smoother: Smoother) -> None:
        """Let a smoother weigh by it."""
        smoother.elsewhere = -float(np.log(self.elsewhere_m))
        onward = Onward(smoother.lattice, smoother.model, smoother.anchors, self.seed)
        smoother.log_all = onward.log_weight


class Onward:
    """What all ways on from a sighting weigh together, wherever they lead.

    A way from a sighting to the next weighs its probability times exp(-penalty * detour), so all of them
    together weigh less than 1. Divided by that, what leads to the next sighting is the probability of it.

    Parameters
    ----------
    lattice : Lattice
        Where.
    model : MovementModel
        How.
    anchors : sequence of Anchor
        In order of time.
    seed : int
        Of the ways that are drawn.
    """

    def __init__(
        self, lattice: Lattice, model: MovementModel, anchors: Sequence[Anchor], seed: int = 0
    ) -> None:
        self._lattice, self._model, self._anchors, self._seed = lattice, model, anchors, seed
        self._known: dict[tuple[int, int], float] = {}

    def log_weight(self, i: int, j: int) -> float:
        """Logarithm of what all ways from sighting i weigh that take as long as to sighting j."""
        begin, end = self._anchors[i].step, self._anchors[j].step
        if begin == end:
            return 0.0
        if (i, end) not in self._known:
            steps = {anchor.step for anchor in self._anchors if begin < anchor.step <= end}
            for step, weight in self._drawn(i, steps).items():
                self._known[i, step] = float(np.log(weight))
        return self._known[i, end]

    def _drawn(self, i: int, steps: set[int]) -> dict[int, float]:
        """Draw ways from sighting i, and weigh them at some steps by the detours made until then."""
        lattice, model, draw = self._lattice, self._model, np.random.default_rng((self._seed, i))
        there = np.flatnonzero(self._anchors[i].density)
        classes, (offset, target, weight, way) = len(model.speed_mps), lattice.ahead
        common = self._anchors[i].density[there] * lattice.measure_m[there]
        at = draw.choice(there, DRAWN, p=common / common.sum()).astype(np.int32)
        speed = draw.choice(classes, DRAWN, p=model.start / model.start.sum()).astype(np.int32)
        # What follows weighs nothing here: each next state counts by its own probability alone.
        everywhere = np.arange(len(lattice), dtype=np.int32)
        ones, buffer = np.ones((len(lattice), classes), np.float32), np.full(len(lattice), -1, np.int32)
        came_m, gone_m, found = lattice.felt_came_m(there), np.zeros(DRAWN), {}
        begin = self._anchors[i].step
        for step in range(begin + 1, max(steps) + 1):
            before = at.copy()
            bin_filter.sample(
                *(at, speed, draw.random(DRAWN), everywhere, ones, offset, target, weight),
                *(model.chain, lattice.kind, buffer),
            )
            on = np.flatnonzero(at >= 0)
            gone_m[on] += _ways(
                before[on].astype(np.int64) * classes + speed[on], at[on], offset, target, way
            )
            # Where nobody can go on, a way has ended that leads to no sighting.
            gone_m[at < 0] = np.inf
            if step in steps:
                detour_m = np.maximum(gone_m - came_m[np.maximum(at, 0)], 0.0)
                passed = np.exp(-model.penalty_per_m[:, None] * detour_m).mean(axis=1)
                found[step] = float(model.penalty_share @ passed)
        return found


def _ways(
    row: NDArray[np.int64],
    to: NDArray[np.int32],
    offset: NDArray[Any],
    target: NDArray[Any],
    way: NDArray[Any],
) -> Array:
    """Way (s,) of the step in each row that ends in a bin, metres."""
    fan = offset[row + 1] - offset[row]
    of = np.repeat(np.arange(len(row)), fan)
    entry = np.arange(fan.sum()) - np.repeat(np.cumsum(fan) - fan, fan) + np.repeat(offset[row], fan)
    mine = target[entry] == to[of]
    found = np.zeros(len(row))
    found[of[mine]] = way[entry[mine]]
    return found


def agreeing_m(network: RoadNetwork, sighting: Sighting) -> float:
    """Length of all roads that agree with a sighting, whoever may use them, each metre by how well it does.

    At least as much as where roads are `SPARSE`, but where an edge is named: then it is the length of that.
    """
    edge = edge_number(network, sighting.edge)
    (x,), (y,) = network.plane.forward(sighting.lon, sighting.lat)
    if edge is None:
        middle = (network.vertex_offset[:-1] + network.vertex_offset[1:] - 1) // 2
        away_m = np.hypot(network.vertex_x[middle] - x, network.vertex_y[middle] - y)
        edges = np.flatnonzero(away_m <= network.length_m + sighting.reach_m).tolist()
    else:
        edges = [edge]
    least_m = SPARSE * _ground_m2(network, sighting) if edge is None else FINEST_M
    if not edges:
        return least_m
    lines = np.array([shapely.LineString(network.vertices(e)) for e in edges])
    length_m = shapely.length(lines)
    count = np.maximum(1, np.round(length_m / POINT_M)).astype(np.int64)
    of = np.repeat(np.arange(len(edges)), count)
    nth = np.arange(len(of)) - (np.cumsum(count) - count)[of]
    places = shapely.get_coordinates(
        shapely.line_interpolate_point(lines[of], (nth + 0.5) / count[of], normalized=True)
    )
    part_m = (length_m / count)[of]
    return max(float(part_m @ _agrees(network, sighting, places, (x, y))), least_m)


def _agrees(network: RoadNetwork, sighting: Sighting, places: Array, at: tuple[float, float]) -> Array:
    """How well places (k, 2) in the plane agree with a sighting, as `evidence.likelihood` has it."""
    if sighting.area is None and not sighting.cell:
        sigmas = np.hypot(*(places - at).T) / max(sighting.accuracy_m, FINEST_M)
        return np.where(sigmas > 6.0, 0.0, np.exp(-0.5 * np.minimum(sigmas, 6.0) ** 2))
    lon, lat = network.plane.inverse(*places.T)
    if sighting.area is not None:
        return np.asarray(shapely.contains_xy(sighting.area, lon, lat), np.float64)
    number = int(sighting.cell, 16)
    return np.asarray(cells(lon, lat, number >> 52 & 0xF) == number, np.float64)


def _ground_m2(network: RoadNetwork, sighting: Sighting) -> float:
    """Ground that agrees with a sighting, square metres."""
    if sighting.area is None:
        # Of a cell the accuracy is how far its corners are: a hexagon's area by that.
        size_m = sighting.accuracy_m if sighting.cell else max(sighting.accuracy_m, FINEST_M)
        return (1.5 * 3.0**0.5 if sighting.cell else 2.0 * np.pi) * size_m**2

    def forward(lonlat: Array) -> Array:
        return np.column_stack(network.plane.forward(lonlat[:, 0], lonlat[:, 1]))

    return float(shapely.transform(sighting.area, forward).area)
