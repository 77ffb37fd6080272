"""The matcher: fixes of one trace to the path on the roads."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo_policing.kernels import edge_candidates, edge_grid, map_matching, path_joining
from geo_policing.matching.graph import Graph
from geo_policing.matching.match import Match
from geo_policing.matching.parameters import MatcherParameters
from geo_policing.matching.pieces import Places, pieces_of, unseen
from geo_policing.matching.trace import Trace
from geo_policing.roads import Access, RoadNetwork

Array = NDArray[np.float64]


class Matcher:
    """Match traces to one road network.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    parameters : MatcherParameters, optional
        What the model believes.
    access : Access, optional
        Who travels: only edges that one of these may use are considered; every edge when not given.
    """

    def __init__(
        self,
        network: RoadNetwork,
        parameters: MatcherParameters | None = None,
        *,
        access: Access | None = None,
    ) -> None:
        self.network = network
        self.parameters = parameters or MatcherParameters()
        self._graph = Graph.of(network, access, self.parameters)

    @property
    def table_bytes(self) -> int:
        """Memory that the table of ways between near nodes takes."""
        return sum(column.nbytes for column in self._graph.table)

    def match(
        self,
        t_s: ArrayLike,
        lon: ArrayLike,
        lat: ArrayLike,
        *,
        speed_mps: ArrayLike | None = None,
        course_deg: ArrayLike | None = None,
        accuracy_m: ArrayLike | None = None,
    ) -> Match:
        """Match one trace.

        Parameters
        ----------
        t_s : (n,) array_like
            Seconds, never descending; equal ones are allowed.
        lon, lat : (n,) array_like
            Degrees WGS 84.
        speed_mps, course_deg : (n,) array_like, optional
            Speed over ground and course clockwise from north; NaN unknown.
        accuracy_m : (n,) array_like, optional
            1 sigma of each fix; NaN unknown.

        Returns
        -------
        Match

        Raises
        ------
        InvalidInput
            If a length differs, a time or position is not finite or off the earth, or time runs backward.
        """
        trace = Trace.checked(t_s, lon, lat, speed_mps, course_deg, accuracy_m)
        n = len(trace)
        edge, offset = np.full(n, -1, np.int32), np.zeros(n)
        if n == 0 or self.network.n_edges == 0:
            return Match(edge, offset, ())
        x, y = self.network.plane.forward(trace.lon, trace.lat)
        speaker = path_joining.thin(x, y, self.parameters.thin_m)
        places = self._places(trace, x, y, np.flatnonzero(speaker == np.arange(n)))
        if places is None:
            return Match(edge, offset, ())
        edge[places.fix], offset[places.fix] = places.edge, places.offset_m
        gap = unseen(trace.t_s, speaker, places, self.parameters)
        return Match(edge, offset, pieces_of(self._graph, places, gap))

    def _places(self, trace: Trace, x: Array, y: Array, fix: NDArray[np.int64]) -> Places | None:
        """Return the likeliest places of some of the fixes, None if none of them is near a road."""
        p = self.parameters
        near = edge_grid.nearest(
            *(x[fix], y[fix], p.radius_m, p.wide_radius_m, p.candidates, self._graph.grid, self._graph.shapes)
        )
        has = near[0][:, 0] >= 0
        if not has.any():
            return None
        fix = fix[has]
        candidate_edge, distance, candidate_offset = near[0][has], near[1][has], near[2][has]
        emission = map_matching.emission_logp(distance, self._sigma_m(trace.accuracy_m[fix]))
        if np.isfinite(trace.course_deg).any():
            emission += self._course_logp(
                candidate_edge, candidate_offset, trace.speed_mps[fix], trace.course_deg[fix]
            )
        state_edge, state_offset, score, back, how, step = map_matching.forward(
            *(x[fix], y[fix], emission, candidate_edge, candidate_offset, self._graph.ways),
            *(self._graph.table, p.held, p.model),
        )
        chosen = map_matching.trace_back(score, back)
        probability = map_matching.posterior(step)
        # A held state is an outlier, and has no place.
        used = np.flatnonzero(chosen < p.candidates)
        fix, state = fix[used], chosen[used]
        return Places(
            fix=fix,
            x=x[fix],
            y=y[fix],
            t_s=trace.t_s[fix],
            edge=state_edge[used, state],
            offset_m=state_offset[used, state],
            how=how[used, state],
            probability=probability[used, state],
        )

    def _sigma_m(self, accuracy_m: Array) -> Array:
        """1 sigma of fixes; never below half the default: receivers are optimists, roads no centre lines."""
        p = self.parameters
        known = np.isfinite(accuracy_m) & (accuracy_m > 0)
        return np.where(known, np.clip(accuracy_m, p.sigma_m / 2, p.radius_m), p.sigma_m)

    def _course_logp(
        self, edge: NDArray[np.int32], offset_m: Array, speed_mps: Array, course_deg: Array
    ) -> Array:
        """Log probability (n, candidates) of the courses; 0 where unknown, and of who hardly moves."""
        p = self.parameters
        moves = (speed_mps >= p.course_mps) & np.isfinite(course_deg)
        heading_deg = edge_candidates.headings(edge, offset_m, *self._graph.geometry)
        return map_matching.course_logp(heading_deg, course_deg, np.where(moves, p.course_kappa, 0.0))
