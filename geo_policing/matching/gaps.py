"""What happened where nothing was received: the likeliest route by travel time, and how likely."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels.gap_routes import fastest_of
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
    edges, length_m, travel_s, shared = fastest_of(
        *(a, a_m, b, b_m, ROUTES, DEARER, TASTE_SHARE, TASTE_S, graph.times, graph.travel_s)
    )
    if not len(edges):
        return None
    if length_m > 4.0 * straight_m + 500.0 and travel_s > FASTER * elapsed_s:
        return None
    return Route(edges, travel_s, shared, _fits_s(travel_s, elapsed_s, TASTE_SHARE * travel_s + TASTE_S))


def _fits_s(travel_s: float, elapsed_s: float, taste_s: float) -> float:
    """How well a travel time fits the time that passed: 1, less where it is too short or leaves time over."""
    late_s = max(0.0, travel_s / HASTE - elapsed_s)
    idle_s = max(0.0, elapsed_s - SLOWER * travel_s - IDLE_S)
    return math.exp(-late_s / taste_s - idle_s / ELSEWHERE_S)
