"""The matcher: fixes of one trace to the path on the roads."""

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from geo_policing.kernels.trace_matching import match_trace
from geo_policing.matching.graph import Graph
from geo_policing.matching.match import Match
from geo_policing.matching.parameters import MatcherParameters
from geo_policing.matching.pieces import pieces_of
from geo_policing.matching.trace import Trace
from geo_policing.roads import Access, RoadNetwork


class Matcher:
    """Match traces to one road network.

    The table of ways between near nodes of a network that was loaded from a file is kept beside that file,
    where it can be, and shared by all who match on it.

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
        self.access = access
        self._graph = Graph.of(network, access, self.parameters)
        self._reading, self._model = self.parameters.reading, self.parameters.model

    @property
    def key(self) -> str:
        """Digest of nodes, edges and costs: matchers with equal ones have equal tables of ways."""
        return self._graph.key

    @property
    def graph(self) -> Graph:
        """The roads as the kernels take them."""
        return self._graph

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
        weigh_edges: bool = False,
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
        weigh_edges : bool
            Whether to work out how sure each edge of the path is, which takes a fifth longer.

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
        sure, unseen = np.full(n, np.nan), np.zeros(n, np.bool_)
        if n == 0:
            return Match(edge, offset, trace.t_s, sure, unseen, ())
        x, y = self.network.plane.forward(trace.lon, trace.lat)
        graph = self._graph
        found = match_trace(
            *(trace.t_s, x, y, trace.speed_mps, trace.course_deg, trace.accuracy_m),
            *(graph.grid, graph.shapes, graph.ways, graph.travel_s, graph.table),
            *(self._reading, self._model, weigh_edges),
        )
        edge[found.fix], offset[found.fix] = found.edge, found.offset_m
        sure[found.fix] = found.probability
        pieces = pieces_of(graph, found, trace.t_s, x, y)
        for piece, after in pairwise(pieces):
            if piece.inferred:
                since, until = np.searchsorted(trace.t_s, (piece.enter_s[0], after.enter_s[0]))
                unseen[since:until] = edge[since:until] < 0
        return Match(edge, offset, trace.t_s, sure, unseen, pieces)
