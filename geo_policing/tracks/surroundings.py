"""Which roads and which ground beside them can matter: between sightings, before and after them."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from geo_policing.model import Sighting, TimeWindow
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.reach import Reach
from geo_policing.tracks.yards import RESOLUTION, Yards

Array = NDArray[np.float64]
#: One or two sightings, and how far the way to them, together, is at most, metres.
_Way = tuple[tuple[int, ...], float]

#: Ways between sightings that are exp(-this) times as likely as the straight line, by their haste, are left
#: out: on roads, and over open ground, of which there is more.
RARE_HASTE, RARE_OFF_ROAD = 28.0, 10.0


class Surroundings:
    """The edges and the ground that are near enough to sightings, in a straight line and no rare haste.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    sightings : sequence of Sighting
        In order of time.
    model : MovementModel
        How fast, and which edges are open.
    window : TimeWindow
        What is covered.
    """

    def __init__(
        self, network: RoadNetwork, sightings: Sequence[Sighting], model: MovementModel, window: TimeWindow
    ) -> None:
        self._sightings, self._model, self._window = sightings, model, window
        self._plane = network.plane
        lon, lat = [s.lon for s in sightings], [s.lat for s in sightings]
        self._xy = np.column_stack(network.plane.forward(lon, lat))
        middle = (network.vertex_offset[:-1] + network.vertex_offset[1:] - 1) // 2
        self._middle = network.vertex_x[middle], network.vertex_y[middle]
        #: How far from its point a sighting may be, metres, and from its middle an edge (m,).
        self._astray_m = max(s.reach_m for s in sightings)
        self._length_m = network.length_m
        access = model.access
        self._open = np.ones(network.n_edges, bool) if access is None else (network.access & int(access)) != 0
        self._reach = Reach(model)
        self._reach.extend(int(np.ceil((window.end - window.start).total_seconds() / model.step_s)) + 1)

    def between(self, most_false: int) -> NDArray[np.bool_]:
        """Which edges (m,) a sighting is on, or are on a way between two with so many false ones between."""
        return self._edges(self._ways_between(most_false, RARE_HASTE))

    def around(self, first: Iterable[int], last: Iterable[int]) -> NDArray[np.bool_]:
        """Which edges (m,) are in reach before some sightings that may be the first, and after the last."""
        return self._edges(self._ways_around(first, last, RARE_HASTE))

    def yards(self, most_false: int, ends: tuple[Iterable[int], Iterable[int]], longest_s: float) -> Yards:
        """Open ground as `between` and `around`, where the model leaves the roads.

        Its cells are the larger the longer nothing is known, seconds at most.
        """
        how = self._model.off_road
        if how is None:
            return Yards.none()
        ways = [
            *self._ways_between(most_false, RARE_OFF_ROAD),
            *self._ways_around(*ends, RARE_OFF_ROAD),
        ]
        most_m = max(way_m for _, way_m in ways) + self._astray_m
        box = (*(self._xy.min(axis=0) - most_m).tolist(), *(self._xy.max(axis=0) + most_m).tolist())
        resolution = min(next(r for limit, r in RESOLUTION if longest_s <= limit), how.finest)
        return Yards.within(
            self._plane, box, lambda x, y: self._near(ways, x, y, np.zeros(len(x))), resolution, how.closed
        )

    def _ways_between(self, most_false: int, rarer: float) -> Iterator[_Way]:
        for i, first in enumerate(self._sightings):
            # One that cannot be true is somewhere all the same.
            yield (i,), 0.0
            doubted = 0
            for j in range(i + 1, len(self._sightings)):
                second = self._sightings[j]
                # Of those known only to an interval any moments may be the ones, in either order.
                apart_s = max((second.last - first.time).total_seconds(), self._overlap_s(first, second))
                apart_m = float(np.hypot(*(self._xy[j] - self._xy[i])))
                yield (i, j), self._farthest_m(apart_s, apart_m, rarer)
                doubted += second.probability > 0.0
                if second.probability >= 1.0 or doubted > most_false:
                    break

    def _ways_around(self, first: Iterable[int], last: Iterable[int], rarer: float) -> Iterator[_Way]:
        for i in first:
            before_s = (self._sightings[i].last - self._window.start).total_seconds()
            yield (i,), self._farthest_m(before_s, 0.0, rarer)
        for i in last:
            after_s = (self._window.end - self._sightings[i].time).total_seconds()
            yield (i,), self._farthest_m(after_s, 0.0, rarer)

    def _edges(self, ways: Iterable[_Way]) -> NDArray[np.bool_]:
        return self._near(ways, *self._middle, self._length_m) & self._open

    def _near(self, ways: Iterable[_Way], x: Array, y: Array, size_m: Array) -> NDArray[np.bool_]:
        """Which places (k,), each so large, are on one of some ways."""
        beside_m = size_m + self._astray_m
        distance_m: dict[int, Array] = {}
        found = np.zeros(len(x), bool)
        for sightings, way_m in ways:
            for i in sightings:
                if i not in distance_m:
                    distance_m[i] = np.hypot(x - self._xy[i, 0], y - self._xy[i, 1])
            together_m = np.add.reduce([distance_m[i] for i in sightings])
            found |= together_m <= way_m + len(sightings) * beside_m
        return found

    def _farthest_m(self, seconds: float, apart_m: float, rarer: float) -> float:
        steps = int(np.ceil(seconds / self._model.step_s))
        return min(seconds * self._model.top_mps, self._reach.farthest_m(steps, apart_m, rarer))

    @staticmethod
    def _overlap_s(first: Sighting, second: Sighting) -> float:
        """How long the one that is named first may have been after the other, seconds."""
        return (first.last - second.time).total_seconds()
