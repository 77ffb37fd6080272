"""Which roads can matter: those between sightings, before the first and after the last true one."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from geo_policing.model import Sighting, TimeWindow
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.reach import Reach

#: Ways between sightings that are exp(-this) times as likely as the straight line, by their haste, are left
#: out.
RARE_HASTE = 28.0


class Surroundings:
    """The edges that are near enough to sightings, in a straight line and no rare haste.

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
        lon, lat = [s.lon for s in sightings], [s.lat for s in sightings]
        self._xy = np.column_stack(network.plane.forward(lon, lat))
        middle = (network.vertex_offset[:-1] + network.vertex_offset[1:] - 1) // 2
        self._middle = network.vertex_x[middle], network.vertex_y[middle]
        #: How far from its middle an edge, and from its point a sighting may be, (m,) metres.
        self._beside_m = network.length_m + max(s.reach_m for s in sightings)
        access = model.access
        self._open = np.ones(network.n_edges, bool) if access is None else (network.access & int(access)) != 0
        self._reach = Reach(model)
        self._reach.extend(int(np.ceil((window.end - window.start).total_seconds() / model.step_s)) + 1)

    def between(self, most_false: int) -> NDArray[np.bool_]:
        """Which edges (m,) a sighting is on, or are on a way between two with so many false ones between."""
        # One that cannot be true is on roads all the same.
        distance_m = [self._distance_m(i) for i in range(len(self._sightings))]
        found = np.min(distance_m, axis=0) <= self._beside_m
        for i, first in enumerate(self._sightings):
            doubted = 0
            for j in range(i + 1, len(self._sightings)):
                second = self._sightings[j]
                # Of those known only to an interval any moments may be the ones, in either order.
                apart_s = max((second.last - first.time).total_seconds(), self._overlap_s(first, second))
                apart_m = float(np.hypot(*(self._xy[j] - self._xy[i])))
                way_m = self._farthest_m(apart_s, apart_m)
                found |= distance_m[i] + distance_m[j] <= way_m + 2.0 * self._beside_m
                doubted += second.probability > 0.0
                if second.probability >= 1.0 or doubted > most_false:
                    break
        return found & self._open

    def around(self, first: Iterable[int], last: Iterable[int]) -> NDArray[np.bool_]:
        """Which edges (m,) are in reach before some sightings that may be the first, and after the last."""
        found = np.zeros(len(self._open), bool)
        for i in first:
            before_s = (self._sightings[i].last - self._window.start).total_seconds()
            found |= self._distance_m(i) <= self._farthest_m(before_s, 0.0) + self._beside_m
        for i in last:
            after_s = (self._window.end - self._sightings[i].time).total_seconds()
            found |= self._distance_m(i) <= self._farthest_m(after_s, 0.0) + self._beside_m
        return found & self._open

    def _farthest_m(self, seconds: float, apart_m: float) -> float:
        steps = int(np.ceil(seconds / self._model.step_s))
        return min(seconds * self._model.top_mps, self._reach.farthest_m(steps, apart_m, RARE_HASTE))

    def _distance_m(self, i: int) -> NDArray[np.float64]:
        """Distance (m,) of the edges from a sighting, metres."""
        x, y = self._middle
        return np.asarray(np.hypot(x - self._xy[i, 0], y - self._xy[i, 1]))

    @staticmethod
    def _overlap_s(first: Sighting, second: Sighting) -> float:
        """How long the one that is named first may have been after the other, seconds."""
        return (first.last - second.time).total_seconds()
