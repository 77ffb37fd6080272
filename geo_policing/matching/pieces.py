"""A path found to pieces of it: observed ones, and inferred ones where nothing was seen."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels import map_matching, path_times
from geo_policing.kernels.trace_matching import Found
from geo_policing.matching.gaps import likeliest_route
from geo_policing.matching.graph import Graph
from geo_policing.matching.match import Piece

Array = NDArray[np.float64]


def pieces_of(graph: Graph, found: Found, t_s: Array, x: Array, y: Array) -> tuple[Piece, ...]:
    """Cut a path where it starts anew, and bridge gaps by the likeliest route where a road leads across.

    Parameters
    ----------
    graph : Graph
        What may be driven.
    found : Found
        Path and places.
    t_s, x, y : (n,) float64
        The fixes, in seconds and metres in the plane.
    """
    pieces: list[Piece] = []
    starts = np.flatnonzero(found.starts)
    ends = [*starts.tolist(), len(found.at)]
    # Added up for all of them at once: each call costs more than what it adds.
    total = np.add.reduceat(found.probability, starts).tolist() if len(starts) else []
    for (first, last), sum_of_sure in zip(pairwise(ends), total, strict=True):
        turned = bool(first > 0 and found.how[first] == map_matching.BACK)
        if first > 0 and not turned:
            across = _across(graph, found, t_s, x, y, first)
            if across is not None:
                pieces.append(across)
        on = slice(found.at[first], found.at[last - 1] + 1)
        sure = min(sum_of_sure / (last - first), 1.0)
        start_m, end_m = float(found.entered_m[first]), float(found.left_m[last - 1])
        pieces.append(
            Piece(found.path[on], start_m, end_m, found.entered_s[on], False, sure, found.sure[on], turned)
        )
    return tuple(pieces)


def _across(graph: Graph, found: Found, t_s: Array, x: Array, y: Array, i: int) -> Piece | None:
    """Return the likeliest route from place i - 1 to place i, None where no road leads across."""
    pair = slice(i - 1, i + 1)
    (a, b), (left_fix, back_fix) = found.edge[pair].tolist(), found.fix[pair].tolist()
    a_m, b_m = float(found.left_m[i - 1]), float(found.entered_m[i])
    straight_m = float(np.hypot(x[back_fix] - x[left_fix], y[back_fix] - y[left_fix]))
    elapsed_s = float(t_s[back_fix] - t_s[left_fix])
    route = likeliest_route(graph, a, a_m, b, b_m, elapsed_s, straight_m)
    if route is None:
        return None
    entered_s = path_times.entered(
        route.edges,
        np.array([0, len(route.edges) - 1]),
        np.array([True, False]),
        np.array([a_m, b_m]),
        t_s[found.fix[pair]],
        *(graph.travel_s, graph.ways.length_m),
    )
    sure = route.confidence(float(found.probability[pair].prod()))
    return Piece(route.edges, a_m, b_m, entered_s, True, sure, np.full(len(route.edges), sure))
