"""How a person walks: speeds, standing, turns and the ground off the roads. Set, not learned.

No tracks of people on foot were there to learn from. The speeds are those of U. Weidmann (*Transporttechnik
der Fussgaenger*, ETH Zurich, 1993), 1.34 m/s with a standard deviation of 0.26, and some who hurry or run;
the rest is a sensible guess, to be replaced by what is learned.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.tracks.yards import OffRoad

Array = NDArray[np.float64]

#: A step of time, and the bins that belong to it.
STEP_S, BIN_M = 4.0, 12.0
#: Classes of speed, standing first, and how common each is among those who walk.
SPEED_MPS = (0.02, 0.7, 1.0, 1.3, 1.6, 2.1, 3.0, 4.0)
WALKED = (0.10, 0.20, 0.33, 0.24, 0.08, 0.03, 0.02)
#: How often, in a step, one who stands walks on, one who walks stops, and one changes to each class beside.
WALKS_ON, STOPS, CHANGES = 0.06, 0.01, 0.05
#: What turning by a right angle, passing a crossing and turning back cost, metres; a main road feels like
#: any other.
RIGHT_ANGLE_M, CROSSING_M, U_TURN_M, THROUGH_SHARE = 15.0, 5.0, 60.0, 0.0
#: See `OffRoad`. A hectare beside the roads is as likely a place as 40 m of road, where the middle of a city
#: has 200 to 400 m of roads, both directions counted, in each.
OFF_ROAD = OffRoad(leaves_per_m=1 / 500.0, road_m_per_m2=40.0 / 10_000.0, feels=1.3, kerb_m=15.0)


def walking() -> dict[str, Any]:
    """Return what differs from the model of who drives."""
    return {
        "step_s": STEP_S,
        "bin_m": BIN_M,
        "speed_mps": np.array(SPEED_MPS),
        "start": _long_run(),
        "chain": _chain()[None],
        "type_m": np.empty(0),
        "through_share": THROUGH_SHARE,
        "right_angle_m": RIGHT_ANGLE_M,
        "crossing_m": CROSSING_M,
        "u_turn_m": U_TURN_M,
        "off_road": OFF_ROAD,
    }


def _long_run() -> Array:
    """How common each class is."""
    standing = STOPS / (STOPS + WALKS_ON)
    return np.concatenate([[standing], (1.0 - standing) * np.array(WALKED)])


def _chain() -> Array:
    """Probability of the next class a step later: each is as common after it as before."""
    often = _long_run()
    chain = np.zeros((len(often), len(often)))
    chain[0, 1:] = WALKS_ON * np.array(WALKED)
    chain[1:, 0] = STOPS
    for i in range(1, len(often)):
        for j in (i - 1, i + 1):
            if 1 <= j < len(often):
                # What flows from the one to the other flows back (N. Metropolis and others, 1953).
                chain[i, j] = CHANGES * min(1.0, often[j] / often[i])
    np.fill_diagonal(chain, 1.0 - chain.sum(axis=1))
    return chain
