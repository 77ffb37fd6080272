"""Companions: who was where a device was at about the same time, ranked by how unlikely that is by chance."""

from dataclasses import dataclass

import numpy as np

from geo_policing.geodesy import cells
from geo_policing.geodesy.cells import CELL_RESOLUTION
from geo_policing.kernels import area_presence, cell_visits
from geo_policing.model import TimeWindow
from geo_policing.tracks.searches.history import History, check_count, check_length

#: By how much the others' day is shifted to see how often they would have met it anyway: 30 to 180 minutes.
SHIFTS_S = np.array([sign * quarter * 900 for quarter in range(2, 13) for sign in (-1, 1)], np.int64)


@dataclass(frozen=True, slots=True)
class Companion:
    """A device that was where another was at about the same time.

    Parameters
    ----------
    device : str
        Which.
    places : int
        At how many places.
    by_chance : float
        At how many it would have been on the average, had its day been 30 to 180 minutes earlier or later.
    surprise : float
        -log10 of the probability of so many places or more, were they Poisson distributed with that mean.
    """

    device: str
    places: int
    by_chance: float
    surprise: float


def companions(
    history: History, device: str, window: TimeWindow, *, within_s: int = 60, places: int = 3
) -> list[Companion]:
    """Who was within Δt of a device at k or more places, the least likely by chance first.

    A place is an H3 cell of resolution 10. A device is there from first to last, to the second and rounded
    outwards, as its movement (see `presence`) crosses the cell. Two are there within Δt of each other when no
    more than Δt lies between a stay of the one and a stay of the other.

    The null model is the other's own day: shifted by each of `SHIFTS_S` it meets the device at as many places
    as its habits and the city's traffic make it. A bus that runs all day meets everybody then as well; who
    drove along only today does not. With m the mean over the shifts, and half a place more in all of them
    together so that it is never 0, the surprise is -log10 P(X >= places), X Poisson with mean m.

    Parameters
    ----------
    history : History
        Where to look.
    device : str
        Whose company.
    window : TimeWindow
        At most 7 days; the stays of the device are those in [start, end).
    within_s : int
        Δt, seconds, 0 to 1800: less than the smallest shift.
    places : int
        k, at least 1.

    Returns
    -------
    list of Companion
        By surprise, the largest first, then by places and by device; none of a device never seen.
    """
    check_length(window, 7)
    check_count("within_s", within_s, 0, 1800)
    check_count("places", places, 1)
    moves = history.moves(window.start_us, window.end_us, [device])
    in_window = (moves.time >= window.start_us) & (moves.time < window.end_us)
    if not in_window.any():
        return []
    time, lon, lat = moves.time[in_window], moves.lon[in_window], moves.lat[in_window]
    _, cell, first, last = cell_visits.visits(
        np.zeros(len(time), np.int32),
        time,
        lon,
        lat,
        cells(lon, lat),
        np.ones(len(time), bool),
        CELL_RESOLUTION,
    )
    order = np.argsort(cell, kind="stable")
    own = (cell[order], first[order] // 1_000_000, -(-last[order] // 1_000_000))
    reach = int(np.abs(SHIFTS_S).max() + within_s) * 1_000_000
    others = history.visits(np.unique(cell), int(time[0]) - reach, int(time[-1]) + reach)
    order = np.lexsort((others.cell, others.device))
    counts = area_presence.shared_places(
        *own,
        others.device[order],
        others.cell[order],
        others.first_s[order],
        others.last_s[order],
        len(others.names),
        np.concatenate([[0], SHIFTS_S]),
        within_s,
        history.halt.flag,
    )
    history.halt.check()
    found = []
    for code in np.flatnonzero(counts[:, 0] >= places).tolist():
        if others.names[code] == device:
            continue
        met = int(counts[code, 0])
        mean = (float(counts[code, 1:].sum()) + 0.5) / len(SHIFTS_S)
        surprise = -area_presence.poisson_tail_log10(met, mean) if met > mean else 0.0
        found.append(Companion(others.names[code], met, mean, surprise))
    return sorted(found, key=lambda c: (-c.surprise, -c.places, c.device))
