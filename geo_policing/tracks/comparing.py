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
from h3.api import basic_int as h3
from numpy.typing import NDArray

from geo_policing.geodesy import cells
from geo_policing.kernels import bin_wander
from geo_policing.model import Sighting
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.evidence import edge_number, likelihood
from geo_policing.tracks.lattice import FINEST_M, POINT_M, Lattice
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.smoothing import Anchor, Smoother

Array = NDArray[np.float64]

#: So many ways are drawn onward from each sighting under each penalty. What they weigh is known to some
#: hundredths.
DRAWN = 500
#: They are drawn again, each as often as it weighs, where they weigh no more than so many alike would.
ALIKE = DRAWN / 2
#: Resolution of the cells, 350 m across, that a map is made of: those with roads.
AROUND = 9
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
    least : float
        Logarithm of the least evidence that is worth an answer: see `Smoother.least`. Here, as in `mixture`,
        it is divided by all the roads that one can have begun on.
    """

    seen_m: tuple[float, ...]
    elsewhere_m: float
    seed: int = 0
    least: float = -np.inf

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
        smoother.least = self.least + float(np.log(anywhere_m(smoother.lattice.network, smoother.model)))
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
            for step, log in self._drawn(i, steps).items():
                self._known[i, step] = log
        return self._known[i, end]

    def _drawn(self, i: int, steps: set[int]) -> dict[int, float]:
        """Draw ways from sighting i, and weigh them at some steps by the detours made until then.

        In an hour detours grow so long that most ways weigh nothing, and the few that do would be missed:
        ways are drawn again by their weights as they go (N. J. Gordon, D. J. Salmond and A. F. M. Smith,
        1993), under each penalty for itself, which leaves the mean of what they weigh what it is.
        """
        lattice, model, draw = self._lattice, self._model, np.random.default_rng((self._seed, i))
        there = np.flatnonzero(self._anchors[i].density)
        common = self._anchors[i].density[there] * lattice.measure_m[there]
        came_m = lattice.felt_came_m(there)
        ways, often = (len(model.penalty_per_m), DRAWN), model.start / model.start.sum()
        going = _Ways(
            draw.choice(there, ways, p=common / common.sum()), draw.choice(len(often), ways, p=often)
        )
        found: dict[int, float] = {}
        for step in range(self._anchors[i].step + 1, max(steps) + 1):
            going.go_on(lattice, model, came_m, draw)
            if step in steps:
                log = float(np.logaddexp.reduce(np.log(model.penalty_share) + going.log_mean()))
                # Of what none of so many ways led on from nothing can be said.
                found[step] = log if log > -np.inf else 0.0
            going.draw_again(draw)
        return found


class _Ways:
    """Ways under p penalties, so many under each, that are drawn again when few of them still weigh anything.

    Parameters
    ----------
    at, speed : (p, s) int
        Bins and classes of speed that they begin with.
    """

    def __init__(self, at: NDArray[Any], speed: NDArray[Any]) -> None:
        self._at, self._speed = at.astype(np.int32), speed.astype(np.int32)
        self._went_m = np.zeros(at.shape)
        #: Logarithms of what each weighs, and under each penalty of all that weighed before the last drawing.
        self._log, self._log_before = np.zeros(at.shape), np.zeros(len(at))

    def go_on(self, lattice: Lattice, model: MovementModel, came_m: Array, draw: np.random.Generator) -> None:
        """Go a step on by chance, and weigh the detours made by it."""
        from_m = came_m[self._at]
        bin_wander.wander(
            *(self._at.reshape(-1), self._speed.reshape(-1), draw.random(self._at.size), *lattice.ahead),
            *(model.chain, lattice.kind, self._went_m.reshape(-1)),
        )
        # Where nothing leads on the way is infinitely long.
        detour_m = np.maximum(self._went_m - (came_m[self._at] - from_m), 0.0)
        self._log -= model.penalty_per_m[:, None] * detour_m

    def log_mean(self) -> Array:
        """Logarithm (p,) of what a way weighs in the mean."""
        return self._log_before + np.logaddexp.reduce(self._log, axis=1) - np.log(self._log[0].size)

    def draw_again(self, draw: np.random.Generator) -> None:
        """Draw ways by what they weigh, under each penalty where they weigh as much as few alike would."""
        most = self._log.max(axis=1)
        for k in np.flatnonzero(most > -np.inf).tolist():
            weight = np.exp(self._log[k] - most[k])
            total, n = weight.sum(), len(weight)
            if total**2 > ALIKE * (weight @ weight):
                continue
            # Evenly along all weights (J. Carpenter, P. Clifford and P. Fearnhead, 1999).
            again = np.searchsorted(np.cumsum(weight), total * (np.arange(n) + draw.random()) / n)
            again = np.minimum(again, n - 1)
            self._at[k], self._speed[k] = self._at[k, again], self._speed[k, again]
            self._log_before[k] += most[k] + np.log(total / n)
            self._log[k] = 0.0


def anywhere_m(network: RoadNetwork, model: MovementModel) -> float:
    """Length of the roads open to a mode: before the first sighting one is anywhere on them, evenly.

    Who leaves the roads is on the ground beside them as well, in all cells of `AROUND` that have a road.
    """
    access, how = model.access, model.off_road
    is_open = np.ones(network.n_edges, bool) if access is None else (network.access & int(access)) != 0
    roads_m = float(network.length_m[is_open].sum())
    if how is None:
        return roads_m
    cell = np.unique(cells(*network.plane.inverse(network.vertex_x, network.vertex_y), AROUND))
    return roads_m + how.road_m_per_m2 * sum(h3.cell_area(c, "m^2") for c in cell.tolist())


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
