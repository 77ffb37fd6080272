"""Sampled bins to routes of edges, and the route that stands for many."""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geo_policing.tracks.lattice import Lattice

Route = tuple[int, ...]

#: A metre of way counts as much as this share of a natural logarithm of turns, where a step passed several
#: edges.
METRE = 0.02
#: An edge or a turn that fewer than this share of the sampled routes pass counts so many times as long as it
#: feels, where the consensus is looked for.
SELDOM, UNPASSED = 0.02, 3.0
#: That share where places were watched in vain: there a way is rare because nobody was seen on it, which how
#: long it feels does not tell.
SELDOM_WATCHED = 0.2


class Unfolder:
    """Names the edges that were passed between the bins of successive steps.

    Parameters
    ----------
    lattice : Lattice
        Where the bins are.
    """

    def __init__(self, lattice: Lattice) -> None:
        self._lattice = lattice
        self._between: dict[tuple[int, int], Route] = {}

    def edges(self, bins: NDArray[np.int32]) -> tuple[list[int], list[int]]:
        """Edges in order of travel, and the step at which each was first seen to be entered."""
        edge = self._lattice.edge
        route, entered = [int(edge[bins[0]])], [0]
        moved = np.flatnonzero(bins[1:] != bins[:-1]) + 1
        for step in moved.tolist():
            a, b = int(bins[step - 1]), int(bins[step])
            for passed in self._passed(int(edge[a]), int(edge[b])):
                route.append(passed)
                entered.append(step)
        return route, entered

    def _passed(self, a: int, b: int) -> Route:
        if a == b:
            return ()
        if self._lattice.reverse[a] == b:
            return (b,)
        key = (a, b)
        if key not in self._between:
            self._between[key] = self._search(a, b)
        return self._between[key]

    def _search(self, a: int, b: int) -> Route:
        """Likeliest edges from the end of a to the start of b, b included."""
        offset, target, cost = self._lattice.turns
        length = self._lattice.length_m
        heap: list[tuple[float, int, Route]] = [(0.0, a, ())]
        done = set()
        while heap:
            so_far, edge, route = heapq.heappop(heap)
            if route and edge == b:
                return route
            if route and edge in done:
                continue
            done.add(edge) if route else None
            for k in range(offset[edge], offset[edge + 1]):
                follows = int(target[k])
                more = float(cost[k]) + METRE * float(length[follows]) * (follows != b)
                heapq.heappush(heap, (so_far + more, follows, (*route, follows)))
        return (b,)


def without_wavering(
    edges: list[int], entered: list[int], reverse: NDArray[np.int32]
) -> tuple[list[int], list[int]]:
    """Leave out turning back twice within one edge: that is doubt about the direction, not a way."""
    kept, times = [], []
    for edge, step in zip(edges, entered, strict=True):
        kept.append(edge)
        times.append(step)
        if len(kept) >= 3 and kept[-3] == edge and reverse[edge] == kept[-2]:
            del kept[-2:], times[-2:]
    return kept, times


def representative(routes: Sequence[Route], length_m: NDArray[np.float64]) -> int:
    """Index of the route most alike to all: the medoid by the F1 of lengths that two routes share."""
    counted = Counter(routes)
    kinds = [(route, Counter(route), n) for route, n in counted.items()]
    total = [_metres(edges.elements(), length_m) for _, edges, _ in kinds]
    best, most = 0, -1.0
    for i, (_, mine, _) in enumerate(kinds):
        alike = 0.0
        for j, (_, theirs, n) in enumerate(kinds):
            both = _metres((mine & theirs).elements(), length_m)
            alike += n * 2.0 * both / max(total[i] + total[j], 1e-9)
        if alike > most:
            best, most = i, alike
    return routes.index(kinds[best][0])


def consensus(
    routes: Sequence[Route],
    ends: tuple[int, int],
    turns: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]],
    felt_m: NDArray[np.float64],
    seldom: float = SELDOM,
) -> Route:
    """Way between two edges that feels shortest of those that are probable: along what enough routes pass.

    What fewer pass counts `UNPASSED` times. What is passed at all says which ways there was time for; how
    often is not asked further, since of those the one that feels shortest was driven more often than the one
    most sampled. Parts of several routes may be put together. Where it leads back to the edge it starts at,
    or the most representative route costs no more, as one that turns back within an edge, that one is taken.

    Parameters
    ----------
    routes : sequence of Route
        Those sampled.
    ends : (int, int)
        The first and the last edge.
    turns : (offset, edge, metres)
        The edges that follow each edge, and what turning into each costs; it counts like metres of way.
    felt_m : (m,) float64
        How long each edge feels.
    seldom : float
        Share of the routes that is enough.
    """
    start, end = ends
    fit = [route for route in routes if (route[0], route[-1]) == ends] or list(routes)
    sampled = fit[representative(fit, felt_m)]
    if start == end:
        return sampled
    passing = Counter(edge for route in routes for edge in set(route))
    turning = Counter(pair for route in routes for pair in set(pairwise(route)))
    least = seldom * len(routes)
    offset, target, turn_m = turns

    def cost(before: int, edge: int, metres: float) -> float:
        way = float(felt_m[edge]) * (1.0 if passing[edge] >= least else UNPASSED)
        return way + metres * (1.0 if turning[before, edge] >= least else UNPASSED)

    def whole(route: Route) -> float:
        total = 0.0
        for before, edge in pairwise(route):
            row = slice(offset[before], offset[before + 1])
            here = np.flatnonzero(target[row] == edge)
            total += cost(before, edge, float(turn_m[row][here[0]]) if len(here) else 0.0)
        return total

    before = {start: start}
    heap = [(0.0, start, start)]
    done: set[int] = set()
    while heap and end not in done:
        so_far, edge, came_from = heapq.heappop(heap)
        if edge in done:
            continue
        done.add(edge)
        before[edge] = came_from
        row = slice(offset[edge], offset[edge + 1])
        for follows, metres in zip(target[row].tolist(), turn_m[row].tolist(), strict=True):
            if follows not in done:
                heapq.heappush(heap, (so_far + cost(edge, follows, metres), follows, edge))
    if end not in done or whole(sampled) <= so_far:
        return sampled
    found = [end]
    while found[-1] != start:
        found.append(before[found[-1]])
    return tuple(reversed(found))


def passing_steps(
    route: Route, sampled: Sequence[tuple[Route, Sequence[int]]], steps: int, length_m: NDArray[np.float64]
) -> list[int]:
    """Step (e,) at which each edge of a route is entered: the median of the sampled routes that enter it.

    Where none does it is between its neighbours by the way; a leg ends after so many steps.
    """
    known: dict[int, list[int]] = {}
    for edges, entered in sampled:
        for edge, step in zip(edges, entered, strict=True):
            known.setdefault(edge, []).append(step)
    at_m = np.concatenate([[0.0], np.cumsum(length_m[list(route)])])
    when = [0.0, *(float(np.median(known[e])) if e in known else np.nan for e in route[1:]), float(steps)]
    told = ~np.isnan(when)
    filled = np.interp(at_m, at_m[told], np.array(when)[told])
    rising: list[int] = np.maximum.accumulate(np.round(filled[:-1]).astype(int)).tolist()
    return rising


def _metres(edges: Iterable[int], length_m: NDArray[np.float64]) -> float:
    return float(length_m[list(edges)].sum())
