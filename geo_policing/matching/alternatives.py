"""The k most probable paths of a trace, and how probable each is."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels import map_matching, path_joining, path_sampling
from geo_policing.kernels.trace_matching import Lattice
from geo_policing.matching.graph import Graph
from geo_policing.matching.match import Match
from geo_policing.matching.parameters import MatcherParameters

States = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Alternative:
    """One path that a trace may have come from.

    Parameters
    ----------
    probability : float
        That it is this path, given the fixes and the model.
    match : Match
        The path, as `Matcher.match` has it.
    """

    probability: float
    match: Match


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One sequence of states, and the probability of the path that it makes."""

    probability: float
    states: States


def most_probable(
    graph: Graph,
    parameters: MatcherParameters,
    lattice: Lattice,
    links: map_matching.Links,
    k: int,
    chance: NDArray[np.float64],
) -> list[Choice]:
    """Draw sequences, add up those that make one path, and return the k most probable paths.

    Where all sequences drawn have one state, what is before tells nothing of what is after it: the trace is
    cut there, and the probability of a whole path is the product of its parts. So a long trace with a few
    doubtful places needs no more sequences than a short one.

    Parameters
    ----------
    graph, parameters : Graph, MatcherParameters
        Of the matcher.
    lattice : Lattice
        n fixes with their candidates.
    links : Links
        Of `map_matching.posterior`.
    k : int
        Paths wanted.
    chance : (q, n) float64
        Uniform in [0, 1): q sequences are drawn.

    Returns
    -------
    list of Choice
        At most k, the most probable first; of each path the sequence that was drawn most often.
    """
    drawn = path_sampling.drawn(links, chance)
    certain = (drawn == drawn[0]).all(axis=0) & (drawn[0] < parameters.candidates)
    n = drawn.shape[1]
    cuts = sorted({0, *np.flatnonzero(certain).tolist(), n - 1})
    best = [Choice(1.0, drawn[0])]
    for first, last in pairwise(cuts) if n > 1 else [(0, 0)]:
        part = slice(first, last + 1)
        if (drawn[:, part] == drawn[0, part]).all():
            continue
        parts = _paths(graph, parameters, lattice, drawn[:, part], first)
        best = _combined(best, parts, part, k)
    return best


def _paths(
    graph: Graph, parameters: MatcherParameters, lattice: Lattice, drawn: States, first: int
) -> list[Choice]:
    """Return the paths of the sequences drawn for the fixes from first on, the likeliest first."""
    sequences, times = np.unique(drawn, axis=0, return_counts=True)
    often: dict[bytes, int] = {}
    usual: dict[bytes, tuple[int, States]] = {}
    for states, count in zip(sequences, times.tolist(), strict=True):
        path = _path(graph, parameters, lattice, states, first)
        often[path] = often.get(path, 0) + count
        usual[path] = max(usual.get(path, (0, states)), (count, states), key=lambda pair: pair[0])
    # Of two as frequent, the one whose bytes come first: the same answer on every run.
    ranked = sorted(often, key=lambda path: (-often[path], path))
    return [Choice(often[path] / len(drawn), usual[path][1]) for path in ranked]


def _path(graph: Graph, parameters: MatcherParameters, lattice: Lattice, states: States, first: int) -> bytes:
    """Return what tells the path of a sequence from others: its edges, and where it starts anew."""
    on = slice(first, first + len(states))
    arrived = arrivals(graph, parameters, lattice, states, first)
    used = np.flatnonzero(states < parameters.candidates)
    places = (lattice.edge[on][used, states[used]], lattice.offset[on][used, states[used]])
    new = np.zeros(len(used), np.bool_)
    path, at, starts, _, _ = path_joining.join(*places, arrived[used], new, graph.ways, graph.table)
    return path.tobytes() + b"|" + at[starts].tobytes()


def arrivals(
    graph: Graph, parameters: MatcherParameters, lattice: Lattice, states: States, first: int = 0
) -> NDArray[np.int8]:
    """How each state of a sequence from the fix first on was reached."""
    on = slice(first, first + len(states))
    return path_sampling.arrivals(
        *(states, lattice.x[on], lattice.y[on], lattice.edge[on], lattice.offset[on]),
        *(lattice.emission[on], lattice.step[on], graph.ways.length_m, graph.ways.reverse, parameters.model),
    )


def _combined(best: Sequence[Choice], parts: Sequence[Choice], part: slice, k: int) -> list[Choice]:
    """Put each path of a stretch into each path so far, and keep the k most probable."""
    pairs = heapq.nlargest(
        k, product(best, parts[:k]), key=lambda pair: pair[0].probability * pair[1].probability
    )
    out = []
    for whole, own in pairs:
        states = whole.states.copy()
        states[part] = own.states
        out.append(Choice(whole.probability * own.probability, states))
    return out
