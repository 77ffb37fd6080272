"""The k most probable paths of a trace, and how probable each is."""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels import map_matching, path_joining, path_sampling
from geo_policing.kernels.trace_matching import Lattice
from geo_policing.matching.graph import Graph
from geo_policing.matching.match import Match
from geo_policing.matching.parameters import MatcherParameters

States = NDArray[np.int64]
Drawn = NDArray[np.int16]

#: Fixes whose states are drawn at once.
BLOCK = 512


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


@dataclass(frozen=True, slots=True, eq=False)
class Combination:
    """One sequence for each of some doubtful stretches, with the number of its first fix.

    Its probability is a logarithm: that of one of the many paths of a long day is no number else.
    """

    logp: float
    stretches: tuple[tuple[int, States], ...]


def most_probable(
    graph: Graph,
    parameters: MatcherParameters,
    lattice: Lattice,
    links: map_matching.Links,
    k: int,
    samples: int,
    rng: np.random.Generator,
) -> list[Choice]:
    """Draw sequences, add up those that make one path, and return the k most probable paths.

    Where all sequences drawn have one state, what is before tells nothing of what is after it: the trace is
    cut there, and the probability of a whole path is the product of its parts. So a long trace with a few
    doubtful places needs no more sequences than a short one, and no more memory for them: they are kept for
    one doubtful stretch at a time.

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
    samples : int
        Sequences drawn.
    rng : Generator
        What they are drawn by.

    Returns
    -------
    list of Choice
        At most k, the most probable first; of each path the sequence that was drawn most often.
    """
    states = np.empty(len(lattice.fix), np.int64)
    best = [Combination(0.0, ())]
    for first, drawn in _stretches(links, parameters.candidates, samples, rng):
        states[first : first + drawn.shape[1]] = drawn[0]
        if not (drawn == drawn[0]).all():
            best = _combined(best, _paths(graph, parameters, lattice, drawn, first), first, k)
    return [Choice(math.exp(one.logp), _put(one, states)) for one in best]


def _stretches(
    links: map_matching.Links, candidates: int, samples: int, rng: np.random.Generator
) -> Iterator[tuple[int, Drawn]]:
    """Draw from the last fix to the first, and yield what lies between two fixes that are certain.

    That is the number of the first fix and the states (samples, m) of it and those after it, both ends
    included. What is drawn does not depend on how many fixes are drawn at once.
    """
    until = len(links.ahead)
    after = np.zeros(samples, np.int16)
    # What is after the last fix found certain, in blocks, the last one first.
    later: list[Drawn] = []
    while until > 0:
        first = max(0, until - BLOCK)
        block = path_sampling.drawn(links, first, after, rng.random((until - first, samples)))
        certain = (block == block[0]).all(axis=0) & (block[0] < candidates)
        # Between others that are certain too there is nothing to cut.
        certain[1:-1] &= ~(certain[:-2] & certain[2:])
        end = until - first
        for at in reversed(np.flatnonzero(certain).tolist()):
            # The last of all is an end anyhow.
            if at < end - 1 or later:
                yield first + at, np.concatenate([block[:, at:end], *reversed(later)], axis=1)
            later, end = [], at + 1
        later.append(block[:, :end])
        until, after = first, np.ascontiguousarray(block[:, 0])
    yield 0, np.concatenate(later[::-1], axis=1)


def _paths(
    graph: Graph, parameters: MatcherParameters, lattice: Lattice, drawn: Drawn, first: int
) -> list[Choice]:
    """Return the paths of the sequences drawn for the fixes from first on, the likeliest first."""
    # Sorted as bytes: many times as fast as by their columns.
    rows = np.ascontiguousarray(drawn).view(np.dtype((np.void, drawn.itemsize * drawn.shape[1]))).ravel()
    _, where, times = np.unique(rows, return_index=True, return_counts=True)
    often: dict[bytes, int] = {}
    usual: dict[bytes, tuple[int, States]] = {}
    for states, count in zip(drawn[where].astype(np.int64), times.tolist(), strict=True):
        path = _path(graph, parameters, lattice, states, first)
        often[path] = often.get(path, 0) + count
        usual[path] = max(usual.get(path, (0, states)), (count, states), key=lambda pair: pair[0])
    # Of two as frequent, the one whose bytes come first: the same answer on every run.
    ranked = sorted(often, key=lambda path: (-often[path], path))
    return [Choice(often[path] / len(drawn), usual[path][1]) for path in ranked]


def _path(graph: Graph, parameters: MatcherParameters, lattice: Lattice, states: States, first: int) -> bytes:
    """Return what tells the path of a sequence from others: its edges, wherever it turns or breaks."""
    on = slice(first, first + len(states))
    arrived = arrivals(graph, parameters, lattice, states, first)
    used = np.flatnonzero(states < parameters.candidates)
    places = (lattice.edge[on][used, states[used]], lattice.offset[on][used, states[used]])
    new = np.zeros(len(used), np.bool_)
    path, *_ = path_joining.join(*places, arrived[used], new, graph.ways, graph.table)
    return path.tobytes()


def arrivals(
    graph: Graph, parameters: MatcherParameters, lattice: Lattice, states: States, first: int = 0
) -> NDArray[np.int8]:
    """How each state of a sequence from the fix first on was reached."""
    on = slice(first, first + len(states))
    return path_sampling.arrivals(
        *(states, lattice.x[on], lattice.y[on], lattice.edge[on], lattice.offset[on]),
        *(lattice.emission[on], lattice.step[on], graph.ways.length_m, graph.ways.reverse, parameters.model),
    )


def _combined(best: Sequence[Combination], paths: Sequence[Choice], first: int, k: int) -> list[Combination]:
    """Put each path of the stretch from the fix first on to each combination; keep the k most probable."""
    pairs = ((some.logp + math.log(own.probability), some, own) for some, own in product(best, paths[:k]))
    return [
        Combination(logp, (*some.stretches, (first, own.states)))
        for logp, some, own in heapq.nlargest(k, pairs, key=itemgetter(0))
    ]


def _put(combination: Combination, states: States) -> States:
    """Return the states (n,) of all fixes, with those of a combination where it has some."""
    out = states.copy()
    for first, own in combination.stretches:
        out[first : first + len(own)] = own
    return out
