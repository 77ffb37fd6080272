"""What happened where nothing was received: the likeliest route by travel time, and how likely."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels.gap_routes import fastest_routes
from geo_policing.matching.graph import Graph

Array = NDArray[np.float64]

#: Routes compared; each is searched with the edges of those before it made dearer.
ROUTES = 3
DEARER = 1.5
#: Drivers tell routes apart by a share of the travel time and a little that is always there.
TASTE_SHARE, TASTE_S = 0.1, 5.0
#: A long way round is believed where it could have been driven this much faster than the network says.
FASTER = 1.3
#: What the share of a route is worth, of `calibrated`: fitted on gaps of 1 to 5 minutes that were cut out of
#: every second of 39 real drives. A share nearer to 0 or 1 than this is no surer.
SLOPE, LEVEL, LEAST, MOST = 0.58, 2.13, 0.01, 0.995
#: On those drives it told nothing of the route that its time was this much less than the network says, or
#: that as much more and these seconds were left over.
HASTE, SLOWER, IDLE_S = 3.0, 2.0, 300.0
#: Mean time that is spent beyond that before something other than the way itself is done in it.
ELSEWHERE_S = 600.0


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """A route from a place on its first edge to a place on its last.

    Parameters
    ----------
    edges : (e,) int32
        In order of travel.
    travel_s : float
        What it takes by the times of the network.
    shared : float
        Expected share of it that was driven, of those who choose by time among a few fast routes.
    fits : float
        How well its time fits the time that passed.
    """

    edges: NDArray[np.int32]
    travel_s: float
    shared: float
    fits: float

    def confidence(self, ends: float) -> float:
        """Share of it that one may expect to have been driven; ends, how sure the places at its ends are."""
        return calibrated(self.shared * ends) * self.fits


def calibrated(share: float) -> float:
    """Share of routes that was driven where the choice by time says `share`.

        log(q / (1 - q)) = SLOPE log(p / (1 - p)) + LEVEL

    After J. Platt, "Probabilistic outputs for support vector machines", 1999.
    """
    p = min(max(share, LEAST), MOST)
    return 1.0 / (1.0 + math.exp(-SLOPE * math.log(p / (1.0 - p)) - LEVEL))


def likeliest_route(
    graph: Graph, a: int, a_m: float, b: int, b_m: float, elapsed_s: float, straight_m: float
) -> Route | None:
    """Fastest route between two places.

    Parameters
    ----------
    graph : Graph
        Edges with the time each takes.
    a, b : int
        Edges left and reached.
    a_m, b_m : float
        Places on them, metres from their starts.
    elapsed_s : float
        Time between the fixes on both sides.
    straight_m : float
        Straight way between them.

    Returns
    -------
    Route or None
        None where no road leads across, or only one so long that it says that the network has a gap there:
        more than four times the straight way and 500 m, and not to be driven in the time that passed.
    """
    found = _routes(graph, a, a_m, b, b_m)
    if not found:
        return None
    times = [_travel_s(graph, edges, a_m, b_m) for edges in found]
    length_m = float(graph.network.length_m[found[0][:-1]].sum()) - a_m + b_m
    if length_m > 4.0 * straight_m + 500.0 and times[0] > FASTER * elapsed_s:
        return None
    taste_s = TASTE_SHARE * times[0] + TASTE_S
    weights = np.exp(-(np.array(times) - times[0]) / taste_s)
    shares = [_shared(graph, found[0], edges) for edges in found]
    shared = float(weights @ shares / weights.sum())
    return Route(found[0], times[0], shared, _fits_s(times[0], elapsed_s, taste_s))


def _routes(graph: Graph, a: int, a_m: float, b: int, b_m: float) -> list[NDArray[np.int32]]:
    """Return the fastest route between two places and others nearly as fast; none if no road leads there."""
    if a == b and b_m >= a_m:
        return [np.array([a], np.int32)]
    ways, length_m = graph.times, graph.network.length_m[a]
    left_s = ways.cost_m[a] * (1.0 - min(a_m / length_m, 1.0)) if length_m > 0.0 else 0.0
    edges, first = fastest_routes(a, float(left_s), b, ROUTES, DEARER, ways)
    return [edges[slice(*part)] for part in pairwise(first.tolist())]


def _travel_s(graph: Graph, edges: NDArray[np.int32], a_m: float, b_m: float) -> float:
    length_m = graph.network.length_m
    first, last = edges[0], edges[-1]
    whole = float(graph.travel_s[edges[:-1]].sum())
    before = float(graph.travel_s[first]) * a_m / max(float(length_m[first]), 1e-9)
    after = float(graph.travel_s[last]) * b_m / max(float(length_m[last]), 1e-9)
    return whole - before + after


def _shared(graph: Graph, edges: NDArray[np.int32], other: NDArray[np.int32]) -> float:
    """Share of the time on the inner edges of a route that is on another one too."""
    inner = edges[1:-1]
    total = float(graph.travel_s[inner].sum())
    return float(graph.travel_s[inner[np.isin(inner, other)]].sum()) / total if total > 0.0 else 1.0


def _fits_s(travel_s: float, elapsed_s: float, taste_s: float) -> float:
    """How well a travel time fits the time that passed: 1, less where it is too short or leaves time over."""
    late_s = max(0.0, travel_s / HASTE - elapsed_s)
    idle_s = max(0.0, elapsed_s - SLOWER * travel_s - IDLE_S)
    return math.exp(-late_s / taste_s - idle_s / ELSEWHERE_S)
