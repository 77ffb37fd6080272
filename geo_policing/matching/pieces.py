"""Places chosen for fixes to pieces of path: observed ones, and inferred ones where nothing was seen."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels import map_matching, path_joining
from geo_policing.matching.gaps import likeliest_route
from geo_policing.matching.graph import Graph
from geo_policing.matching.match import Piece
from geo_policing.matching.parameters import MatcherParameters

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the model puts u of the fixes of a trace.

    Parameters
    ----------
    fix : (u,) int64
        Which fix, ascending.
    x, y, t_s : (u,) float64
        Where and when it was received, metres in the plane and seconds.
    edge, offset_m : (u,) int32, float64
        Edge, and metres along it.
    how : (u,) int8
        How it was reached from the place before, of `map_matching`.
    probability : (u,) float64
        Posterior probability of the place.
    """

    fix: NDArray[np.int64]
    x: Array
    y: Array
    t_s: Array
    edge: NDArray[np.int32]
    offset_m: Array
    how: NDArray[np.int8]
    probability: Array


def unseen(
    t_s: Array, speaker: NDArray[np.int64], places: Places, parameters: MatcherParameters
) -> NDArray[np.bool_]:
    """Find the places before which a stretch was passed that no fix supports.

    That is one at least ``gap_m`` across, with outliers or fixes away from roads on it, or a time without any
    fix longer than ``gap_s`` and ``gap_intervals`` median intervals of the trace, or too fast to be driven.

    Parameters
    ----------
    t_s : (n,) float64
        Times of all fixes of the trace.
    speaker : (n,) int64
        Fix that speaks for each, of `path_joining.thin`.
    places : Places
        Where the model puts the u fixes it uses.
    parameters : MatcherParameters
        What a gap is.

    Returns
    -------
    (u,) bool
        The first is False.
    """
    out = np.zeros(len(places.fix), bool)
    if len(out) < 2:
        return out
    supports = np.isin(speaker, places.fix)
    index = np.flatnonzero(supports)
    at = np.searchsorted(index, places.fix)
    silence = np.maximum.reduceat(np.diff(t_s[index])[: at[-1]], at[:-1])
    lost = np.diff(np.cumsum(~supports)[places.fix]) > 0
    intervals = np.diff(t_s)
    intervals = intervals[intervals > 0]
    usual_s = float(np.median(intervals)) if len(intervals) else 0.0
    long = silence > max(parameters.gap_s, parameters.gap_intervals * usual_s)
    across_m = np.hypot(np.diff(places.x), np.diff(places.y))
    leap = across_m > parameters.fastest_mps * np.diff(places.t_s)
    out[1:] = (across_m >= parameters.gap_m) & (long | lost | leap)
    return out


def pieces_of(graph: Graph, places: Places, gap: NDArray[np.bool_]) -> tuple[Piece, ...]:
    """Join places by the least way, and over gaps by the likeliest route where a road leads across.

    Parameters
    ----------
    graph : Graph
        What may be driven.
    places : Places
        Where the model puts the fixes, u of them.
    gap : (u,) bool
        Of `unseen`.
    """
    path, at, starts, entered, left = path_joining.join(
        places.edge, places.offset_m, places.how, gap, graph.ways, graph.table
    )
    pieces: list[Piece] = []
    for first, last in pairwise([*np.flatnonzero(starts).tolist(), len(at)]):
        turned = bool(first > 0 and places.how[first] == map_matching.BACK)
        if first > 0 and not turned:
            across = _across(graph, places, left, entered, first)
            if across is not None:
                pieces.append(across)
        part = slice(first, last)
        edges = path[at[first] : at[last - 1] + 1]
        enter_s = _enter_s(graph, edges, at[part] - at[first], left[part], places.t_s[part])
        sure = min(float(places.probability[part].mean()), 1.0)
        pieces.append(
            Piece(edges, float(entered[first]), float(left[last - 1]), enter_s, False, sure, turned)
        )
    return tuple(pieces)


def _across(graph: Graph, places: Places, left: Array, entered: Array, i: int) -> Piece | None:
    """Return the likeliest route from place i - 1 to place i, None where no road leads across."""
    pair = slice(i - 1, i + 1)
    (a, b), (left_s, back_s) = places.edge[pair].tolist(), places.t_s[pair].tolist()
    a_m, b_m = float(left[i - 1]), float(entered[i])
    straight_m = float(np.hypot(places.x[i] - places.x[i - 1], places.y[i] - places.y[i - 1]))
    route = likeliest_route(graph, a, a_m, b, b_m, back_s - left_s, straight_m)
    if route is None:
        return None
    ends = np.array([0, len(route.edges) - 1])
    enter_s = _enter_s(graph, route.edges, ends, np.array([a_m, b_m]), places.t_s[pair])
    sure = route.confidence * float(places.probability[pair].prod())
    return Piece(route.edges, a_m, b_m, enter_s, True, min(sure, 1.0))


def _enter_s(
    graph: Graph, edges: NDArray[np.int32], at: NDArray[np.int64], offset_m: Array, t_s: Array
) -> Array:
    """When each edge was entered: time between fixes is shared out by what each stretch usually takes."""
    usual_s = graph.travel_s[edges]
    start = np.cumsum(usual_s) - usual_s
    share = offset_m / np.maximum(graph.network.length_m[edges[at]], 1e-9)
    along = np.maximum.accumulate(start[at] + share * usual_s[at])
    return np.interp(start, along, t_s)
