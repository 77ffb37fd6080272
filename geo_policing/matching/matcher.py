"""The matcher: fixes of one trace to the path on the roads."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo_policing.errors import InvalidInput
from geo_policing.kernels import map_matching
from geo_policing.kernels.trace_batches import match_traces
from geo_policing.kernels.trace_matching import Found, found_of, lattice_of, match_trace
from geo_policing.matching.alternatives import Alternative, arrivals, most_probable
from geo_policing.matching.graph import Graph
from geo_policing.matching.match import Match
from geo_policing.matching.parameters import MatcherParameters
from geo_policing.matching.pieces import pieces_of
from geo_policing.matching.trace import Trace
from geo_policing.roads import Access, RoadNetwork

Array = NDArray[np.float64]

#: What of `Found` has one value for each edge of the path, not for each place.
OF_EDGES = frozenset({"path", "entered_s", "sure"})


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
        x, y = self.network.plane.forward(trace.lon, trace.lat)
        graph = self._graph
        found = match_trace(
            *(trace.t_s, x, y, trace.speed_mps, trace.course_deg, trace.accuracy_m),
            *(graph.grid, graph.shapes, graph.ways, graph.travel_s, graph.table),
            *(self._reading, self._model, weigh_edges),
        )
        return self._told(trace.t_s, x, y, found)

    def match_together(self, traces: Sequence[Trace]) -> list[Match]:
        """Match several traces in one compiled call, which lets other threads run; what is said is the same.

        Parameters
        ----------
        traces : sequence of Trace
            Each as `Trace.checked` makes it; none is none.

        Returns
        -------
        list of Match
            One for each trace, in their order, without how sure each edge is.
        """
        if not traces:
            return []
        first = np.cumsum([0, *(len(trace) for trace in traces)], dtype=np.int64)
        t_s, lon, lat, *others = (
            np.concatenate([getattr(trace, name) for trace in traces]) for name in Trace.__slots__
        )
        x, y = self.network.plane.forward(lon, lat)
        graph = self._graph
        found, places, edges = match_traces(
            *(first, t_s, x, y, *others),
            *(graph.grid, graph.shapes, graph.ways, graph.travel_s, graph.table),
            *(self._reading, self._model, False),
        )
        matches = []
        cuts = (pairwise(column.tolist()) for column in (first, places, edges))
        for trace, of_fixes, of_places, of_edges in zip(traces, *cuts, strict=True):
            fixes, on, along = slice(*of_fixes), slice(*of_places), slice(*of_edges)
            own = found._make(
                column[along if name in OF_EDGES else on]
                for name, column in zip(found._fields, found, strict=True)
            )
            matches.append(self._told(trace.t_s, x[fixes], y[fixes], own))
        return matches

    def alternatives(
        self,
        t_s: ArrayLike,
        lon: ArrayLike,
        lat: ArrayLike,
        *,
        k: int = 5,
        speed_mps: ArrayLike | None = None,
        course_deg: ArrayLike | None = None,
        accuracy_m: ArrayLike | None = None,
        samples: int = 2000,
        seed: int = 0,
    ) -> tuple[Alternative, ...]:
        """Find the k most probable paths of one trace.

        Sequences of places are drawn from their posterior; those that make one path, the same edges in the
        same order, wherever on them the vehicle turned back, are added up. Between two places it is taken to
        have gone the least way: who asks for the ways it could have gone where fixes are minutes apart asks
        `geo_policing.tracks.reconstruct`.

        Parameters
        ----------
        t_s, lon, lat, speed_mps, course_deg, accuracy_m : (n,) array_like
            As for `match`.
        k : int
            Paths wanted.
        samples : int
            Sequences drawn: where one stretch alone is in doubt, a probability p is within
            2 sqrt(p (1 - p) / samples) of what the model says, 19 times of 20.
        seed : int
            Of the draws: the same one gives the same answer.

        Returns
        -------
        tuple of Alternative
            At most k, the most probable first: where one stretch alone is in doubt, none with a probability
            below about 1 / samples is known. Doubts multiply: of a long day of many, each path is improbable,
            and one below 1e-308 has 0. The first is usually the path of `match`, which is that of the best
            sequence, not that of the most probable path. Empty where no fix is near a road.

        Raises
        ------
        InvalidInput
            As `match` does, and for a k or samples below 1 or a negative seed.
        """
        for name, count, least in (("k", k, 1), ("samples", samples, 1), ("seed", seed, 0)):
            if count < least:
                raise InvalidInput(f"{name} is {count}; give {least} or more", field=name, value=count)
        trace = Trace.checked(t_s, lon, lat, speed_mps, course_deg, accuracy_m)
        x, y = self.network.plane.forward(trace.lon, trace.lat)
        graph = self._graph
        lattice = lattice_of(
            *(trace.t_s, x, y, trace.speed_mps, trace.course_deg, trace.accuracy_m, graph.grid, graph.shapes),
            *(graph.ways, graph.table, self._reading, self._model, True),
        )
        if len(lattice.fix) == 0:
            return ()
        of_state, links = map_matching.posterior(lattice.step)
        rng = np.random.default_rng(seed)
        out = []
        for choice in most_probable(graph, self.parameters, lattice, links, k, samples, rng):
            found = found_of(
                *(lattice, choice.states, arrivals(graph, self.parameters, lattice, choice.states)),
                *(of_state, links, trace.t_s, graph.ways, graph.travel_s, graph.table),
                *(self._reading, self._model, False),
            )
            out.append(Alternative(choice.probability, self._told(trace.t_s, x, y, found)))
        return tuple(out)

    def _told(self, t_s: Array, x: Array, y: Array, found: Found) -> Match:
        """Say what was found of the fixes of one trace, whose places are x, y in the plane."""
        n = len(t_s)
        edge, offset = np.full(n, -1, np.int32), np.zeros(n)
        sure, unseen = np.full(n, np.nan), np.zeros(n, np.bool_)
        edge[found.fix], offset[found.fix] = found.edge, found.offset_m
        sure[found.fix] = found.probability
        pieces = pieces_of(self._graph, found, t_s, x, y)
        for piece, after in pairwise(pieces):
            if piece.inferred:
                since, until = np.searchsorted(t_s, (piece.enter_s[0], after.enter_s[0]))
                unseen[since:until] = edge[since:until] < 0
        return Match(edge, offset, t_s, sure, unseen, pieces)
