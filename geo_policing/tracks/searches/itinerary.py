"""Track query: the trips, stays and gaps of one device."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from geo_policing.kernels import area_presence
from geo_policing.kernels import itinerary as kernel
from geo_policing.model import FixColumns, TimeWindow
from geo_policing.tracks.searches.history import History, check_count, check_length, check_number
from geo_policing.tracks.searches.seen import Seen


class LegKind(StrEnum):
    """What a device did."""

    STAY = "stay"
    TRIP = "trip"
    GAP = "gap"


_KINDS = {kernel.STAY: LegKind.STAY, kernel.TRIP: LegKind.TRIP, kernel.GAP: LegKind.GAP}


@dataclass(frozen=True, slots=True)
class Leg:
    """A stay, a trip or a gap, from one fix to another.

    Parameters
    ----------
    kind : LegKind
        Which of them.
    first, last : Seen
        The fixes that it is from and to.
    fixes : int
        How many, both included.
    lon, lat : float
        Of a stay the mean of its fixes; NaN of others.
    length_m : float
        Of a trip from fix to fix, of a gap straight; 0 of a stay.
    silent_s : float
        The longest time between two of its fixes.
    sources : tuple of str
        The receivers, in order.
    """

    kind: LegKind
    first: Seen
    last: Seen
    fixes: int
    lon: float
    lat: float
    length_m: float
    silent_s: float
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Itinerary:
    """What a device did in a window.

    Parameters
    ----------
    device : str
        Which.
    fixes : int
        In the window.
    leaps : tuple of Seen
        Fixes that were left out because they leap away and back.
    legs : tuple of Leg
        In order; each begins with the fix that the one before ends with.
    """

    device: str
    fixes: int
    leaps: tuple[Seen, ...]
    legs: tuple[Leg, ...]


def itinerary(
    history: History,
    device: str,
    window: TimeWindow,
    *,
    stay_s: int = 600,
    radius_m: float = 100.0,
    gap_s: int = 600,
) -> Itinerary:
    """Trips, stays and gaps of a device in a window of at most 92 days.

    A fix that more than 100 m/s and 200 m lie before and behind, but not between its neighbours, is a leap
    and left out. A stay begins at the first fix that is followed, up to `stay_s` later or more, by fixes all
    within `radius_m` of it, and ends with the last of these, however long it was silent between; the next one
    is looked for from the fix after. Stays that follow each other from fix to fix, with their middles within
    `radius_m`, are one: a position that wanders does not end it. What lies between one fix and the next, not
    both of one stay, is a gap if it takes more than `gap_s`, else part of a trip. Together the legs are the
    time from the first fix to the last.

    Parameters
    ----------
    history : History
        Where to look.
    device : str
        Whose.
    window : TimeWindow
        Fixes in [start, end) count.
    stay_s : int
        The least that is a stay, seconds, at least 60.
    radius_m : float
        How far one moves while staying, metres, 10 to 1000.
    gap_s : int
        The longest silence on a trip, seconds, 1 to 86,400.

    Returns
    -------
    Itinerary
        Without legs for a device that was seen once or never.
    """
    check_length(window, 92)
    check_count("stay_s", stay_s, 60)
    check_number("radius_m", radius_m, 10, 1000)
    check_count("gap_s", gap_s, 1, 86_400)
    every = history.fixes(window.start_us, window.end_us, [device])
    leaps = kernel.leaps(every.time, every.lon, every.lat)
    fixes = every.take(~leaps)
    stays = area_presence.stays(
        fixes.time, fixes.lon, fixes.lat, float(radius_m), stay_s * 1_000_000, history.halt.flag
    )
    history.halt.check()
    first, last, lon, lat = kernel.merged(*stays, float(radius_m))
    middle = dict(zip(first.tolist(), zip(lon.tolist(), lat.tolist(), strict=True), strict=True))
    legs = [
        _leg(fixes, _KINDS[kind], slice(i, j + 1), middle.get(i, (np.nan, np.nan)))
        for kind, i, j in kernel.legs(fixes.time, first, last, gap_s * 1_000_000).tolist()
    ]
    left_out = tuple(Seen.of(every, row) for row in np.flatnonzero(leaps).tolist())
    return Itinerary(device, len(every), left_out, tuple(legs))


def _leg(fixes: FixColumns, kind: LegKind, rows: slice, middle: tuple[float, float]) -> Leg:
    lon, lat = middle if kind is LegKind.STAY else (np.nan, np.nan)
    return Leg(
        kind,
        Seen.of(fixes, rows.start),
        Seen.of(fixes, rows.stop - 1),
        rows.stop - rows.start,
        lon,
        lat,
        0.0 if kind is LegKind.STAY else kernel.length_m(fixes.lon[rows], fixes.lat[rows]),
        float(np.diff(fixes.time[rows]).max()) / 1e6,
        tuple(sorted(set(fixes.source[rows].tolist()))),
    )
