"""The answer: where the suspect was at any moment, on which ways, and how well each sighting fits."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
from h3.api import basic_int as h3
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.model import Sighting, TimeWindow
from geo_policing.roads import RoadNetwork, Route
from geo_policing.tracks import afoot
from geo_policing.tracks.ground import State
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.routes import (
    SELDOM,
    SELDOM_WATCHED,
    Unfolder,
    consensus,
    passing_steps,
    representative,
    without_wavering,
)
from geo_policing.tracks.smoothing import Smoothed

Array = NDArray[np.float64]
#: A leg of a sampled path: sighting it begins at, edges, steps entered, and bins.
_SampledLeg = tuple[int, tuple[int, ...], tuple[int, ...], NDArray[np.int32]]


@dataclass(frozen=True, slots=True, eq=False)
class Occupancy:
    """Where the suspect is at one moment.

    Parameters
    ----------
    time : datetime
        When.
    cell : (k,) uint64
        H3 cells, the most probable first.
    probability : (k,) float64
        Of each; they sum to 1.
    """

    time: datetime
    cell: NDArray[np.uint64]
    probability: Array

    def region(self, share: float) -> NDArray[np.uint64]:
        """Return the fewest cells that together hold a share of the probability."""
        enough = int(np.searchsorted(np.cumsum(self.probability), share)) + 1
        return self.cell[:enough]

    def polygon(self, share: float) -> dict[str, Any]:
        """Return the region as a GeoJSON geometry."""
        shape = h3.cells_to_h3shape([int(c) for c in self.region(share)], tight=False)
        return dict(h3.h3shape_to_geo(shape))


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A way that the suspect may have gone.

    Parameters
    ----------
    edges : (e,) int32
        Edges in order of travel.
    entered : tuple of datetime
        When each was entered, to a step of time.
    start_m, end_m : float
        Where on its first edge it begins and on its last it ends.
    probability : float
        Share of the sampled paths that took exactly these edges, wherever in the open ground between them.
    cells : (e,) uint64
        H3 cell of each place on the way that is off the roads, where the edge is -1; 0 on the roads. None
        of them is where it is empty.
    """

    edges: NDArray[np.int32]
    entered: tuple[datetime, ...]
    start_m: float
    end_m: float
    probability: float
    cells: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))

    def lonlat(self, network: RoadNetwork) -> Array:
        """(k, 2) lon, lat along the way, over the whole of its edges but where it begins and ends.

        Off the roads it goes through the middles of cells.
        """
        if len(self.cells):
            return afoot.lonlat(network, self.edges, self.cells, (self.start_m, self.end_m))
        begin, end = self.start_m, self.end_m
        if len(self.edges) == 1:
            end = max(begin, end)
        return Route(self.edges, begin, end, 0.0, 0.0).lonlat(network)

    def begins_m(self, network: RoadNetwork) -> Array:
        """(e + 1,) how far along the way each edge or cell begins, and its length."""
        if len(self.cells):
            return afoot.begins_m(network, self.edges, self.cells, (self.start_m, self.end_m))
        ends = np.cumsum(network.length_m[self.edges]) - self.start_m
        ends[-1] += self.end_m - network.length_m[self.edges[-1]]
        return np.maximum.accumulate(np.concatenate([[0.0], ends]))


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A suspect's track.

    Parameters
    ----------
    window : TimeWindow
        What is covered.
    step_s : float
        Step of time.
    sightings : tuple of Sighting
        In order of time.
    truth : (n,) float64
        Probability that each sighting is the suspect, after all.
    log_evidence : float
        Logarithm of the density of the sightings, for comparing models.
    model : MovementModel
        How the suspect was taken to move, in the steps and bins that were used.
    unseen : dict of int to ((k,) int32, (k, classes) float32)
        At the steps that are watched, bins and the probability of not being detected in each.
    """

    window: TimeWindow
    step_s: float
    sightings: tuple[Sighting, ...]
    truth: Array
    log_evidence: float
    lattice: Lattice = field(repr=False)
    smoothed: Smoothed = field(repr=False)
    anchor_step: tuple[int, ...]
    model: MovementModel = field(repr=False)
    unseen: dict[int, State] = field(default_factory=dict, repr=False)

    @property
    def network(self) -> RoadNetwork:
        """The roads."""
        return self.lattice.network

    def occupancy(self, at: datetime, resolution: int = 10) -> Occupancy:
        """Where the suspect was at a moment of the window, over the H3 cells of a resolution, 9 to 11.

        Raises
        ------
        InvalidInput
            If the moment is outside the window or the resolution not 9 to 11.
        """
        if not 9 <= resolution <= 11:
            raise InvalidInput(
                f"resolution {resolution} is not 9, 10 or 11", field="resolution", value=resolution
            )
        step = round((at - self.window.start) / timedelta(seconds=self.step_s))
        if not 0 <= step < len(self.smoothed.bins):
            raise InvalidInput(
                f"{at.isoformat()} is outside {self.window.start.isoformat()} to "
                f"{self.window.end.isoformat()}; give a moment of the window",
                field="at",
                value=at,
            )
        cell, probability = self.occupancy_at(step, resolution)
        return Occupancy(at, cell, probability)

    def occupancy_at(self, step: int, resolution: int = 10) -> tuple[NDArray[np.uint64], Array]:
        """Cells and their probabilities at a step of time, the most probable first."""
        cell, row, column, share = self.cells_of_bins(resolution)
        bins, mass = self.smoothed.bins[step], self.smoothed.mass[step].astype(np.float64)
        fan = row[bins + 1] - row[bins]
        at = np.repeat(row[bins] - np.concatenate([[0], np.cumsum(fan)[:-1]]), fan) + np.arange(fan.sum())
        total = np.bincount(column[at], share[at] * np.repeat(mass, fan), len(cell))
        there = np.flatnonzero(total)
        order = there[np.lexsort((cell[there], -total[there]))]
        return cell[order], total[order] / total[order].sum()

    @cached_property
    def _tables(self) -> dict[int, tuple[NDArray[Any], ...]]:
        return {}

    def cells_of_bins(self, resolution: int) -> tuple[NDArray[Any], ...]:
        """Return the H3 cells (c,), and which of them hold how much of each bin of the lattice.

        The latter as rows: offset (bins + 1,), number of the cell and share (k,).
        """
        if resolution not in self._tables:
            in_bin, cell_of, share = self.lattice.cells(resolution)
            cell, number = np.unique(cell_of, return_inverse=True)
            key, first = np.unique(in_bin * len(cell) + number, return_inverse=True)
            summed = np.bincount(first, share)
            row = np.searchsorted(key // len(cell), np.arange(len(self.lattice) + 1))
            self._tables[resolution] = (cell, row, key % len(cell), summed)
        return self._tables[resolution]

    def unfold(self, tell: Callable[[], None] = lambda: None) -> None:
        """Find the edges of each sampled path, which all that is said of paths begins with, and keep them.

        ``tell`` is called for each of them; what it raises ends the work.
        """
        if "_sampled" not in self.__dict__:
            self.__dict__["_sampled"] = self._unfolded(tell)

    @cached_property
    def _sampled(self) -> list[list[_SampledLeg]]:
        return self._unfolded(lambda: None)

    def _unfolded(self, tell: Callable[[], None]) -> list[list[_SampledLeg]]:
        unfold = Unfolder(self.lattice)
        found = []
        for path in self.smoothed.paths:
            tell()
            legs = []
            for anchor, bins in path:
                if (bins < 0).any():
                    break
                edges, entered = unfold.edges(bins)
                legs.append((anchor, tuple(edges), tuple(entered), bins))
            else:
                found.append(legs)
        return found

    @cached_property
    def best_path(self) -> Path:
        """The path that stands for all that are probable: leg by leg the consensus of the sampled ones.

        It visits the sightings that most sampled paths take for true, each on the edge that most pass there.

        Raises
        ------
        InvalidInput
            If no path was sampled.
        """
        if not self._sampled:
            raise InvalidInput(
                "no path was sampled; reconstruct with samples, 200 by default, or with a smaller prune",
                field="samples",
                value=len(self.smoothed.paths),
            )
        length_m, lattice = self.lattice.length_m, self.lattice
        turns, felt_m = (*lattice.turns[:2], lattice.turn_m), lattice.feels * length_m
        seldom = SELDOM_WATCHED if self.unseen else SELDOM
        visits = Counter(tuple(leg[0] for leg in legs) for legs in self._sampled)
        visited = visits.most_common(1)[0][0]
        agreed = [legs for legs in self._sampled if tuple(leg[0] for leg in legs) == visited]
        edge_at = [
            Counter(legs[k][1][0] for legs in agreed).most_common(1)[0][0] for k in range(len(visited))
        ]
        edges: list[int] = []
        entered: list[int] = []
        ends: list[int] = []
        for k in range(len(visited)):
            at_end = edge_at[k + 1] if k + 1 < len(visited) else None
            legs_here = [legs[k] for legs in agreed]
            if at_end is None:
                route: tuple[int, ...] = (edge_at[k],)
            else:
                routes = [leg[1] for leg in legs_here]
                route = consensus(routes, (edge_at[k], at_end), turns, felt_m, seldom)
            begin, steps = self.anchor_step[visited[k]], len(legs_here[0][3]) - 1
            skip = 1 if edges and edges[-1] == route[0] else 0
            times = passing_steps(route, [leg[1:3] for leg in legs_here], steps, length_m)
            edges += route[skip:]
            entered += [begin + step for step in times[skip:]]
            like = next((leg for leg in legs_here if leg[1][0] == edge_at[k]), legs_here[0])
            ends += [int(like[3][0]), int(like[3][-1])]
        return self._path(edges, entered, ends[0], ends[-1], 0.0)

    @cached_property
    def _passed(self) -> Counter[int]:
        """How many sampled paths pass each edge."""
        return Counter(edge for legs in self._sampled for edge in {e for leg in legs for e in leg[1]})

    def passing(self, edge: int) -> float:
        """Probability that the suspect passed an edge between the first and the last sighting."""
        return self._passed[edge] / max(len(self._sampled), 1)

    def likely_edges(self, least: float = 0.02) -> list[int]:
        """Edges that were passed with at least this probability, the likeliest first."""
        counted = sorted(self._passed.items(), key=lambda item: (-item[1], item[0]))
        roads = self.lattice.network.n_edges
        return [edge for edge, n in counted if n >= least * len(self._sampled) and edge < roads]

    def paths(self, k: int = 5) -> list[Path]:
        """Return the k most frequent of the sampled paths, with passing times and probabilities."""
        groups: dict[tuple[int, ...], list[tuple[list[int], int, int]]] = {}
        for legs in self._sampled:
            edges: list[int] = []
            entered: list[int] = []
            for anchor, of_leg, steps, _ in legs:
                skip = 1 if edges and edges[-1] == of_leg[0] else 0
                edges += of_leg[skip:]
                entered += [self.anchor_step[anchor] + step for step in steps[skip:]]
            groups.setdefault(tuple(edges), []).append((entered, int(legs[0][3][0]), int(legs[-1][3][-1])))
        if len(self.lattice.yards):
            return self._walked(groups, k)
        ranked = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))[:k]
        return [
            self._path(
                list(edges),
                np.median([entered for entered, _, _ in alike], axis=0).astype(int).tolist(),
                alike[0][1],
                alike[0][2],
                len(alike) / len(self._sampled),
            )
            for edges, alike in ranked
        ]

    def _walked(
        self, groups: Mapping[tuple[int, ...], list[tuple[list[int], int, int]]], k: int
    ) -> list[Path]:
        """Return the most frequent paths; one stands for those that differ in the open ground alone."""
        lattice = self.lattice
        felt_m, roads = lattice.feels * lattice.length_m, lattice.network.n_edges
        alike: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
        for edges, drawn in groups.items():
            on_roads = tuple(e for e, _ in groupby(min(edge, roads) for edge in edges))
            alike.setdefault(on_roads, []).extend([edges] * len(drawn))
        ranked = sorted(alike.items(), key=lambda item: (-len(item[1]), item[0]))[:k]
        found = []
        for _, routes in ranked:
            edges = routes[representative(routes, felt_m)]
            entered, first, last = groups[edges][0]
            found.append(self._path(list(edges), entered, first, last, len(routes) / len(self._sampled)))
        return found

    def _path(self, edges: list[int], entered: list[int], first: int, last: int, probability: float) -> Path:
        lattice = self.lattice
        edges, entered = without_wavering(edges, entered, lattice.reverse)
        way, cells = np.array(edges, np.int32), np.empty(0, np.uint64)
        if len(lattice.yards):
            way, cells, entered = afoot.off_road(way, entered, lattice.network.n_edges, lattice.yards)
        times = tuple(self.window.start + timedelta(seconds=self.step_s * step) for step in entered)
        return Path(
            edges=way,
            entered=times,
            start_m=float(lattice.start_m[first] + lattice.bin_m[first] / 2),
            end_m=float(lattice.start_m[last] + lattice.bin_m[last] / 2),
            probability=probability,
            cells=cells,
        )
