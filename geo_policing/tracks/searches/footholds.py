"""Footholds: where a device stays, again and again."""

from dataclasses import dataclass, replace
from datetime import tzinfo

import numpy as np

from geo_policing.errors import InvalidInput
from geo_policing.kernels import area_presence
from geo_policing.kernels.cell_visits import distance_m
from geo_policing.model import TimeWindow, from_us
from geo_policing.tracks.searches.history import HOUR_US, History, check_count, check_length

NIGHT = (22, 6)
WORK = (9, 18)


@dataclass(frozen=True, slots=True)
class Foothold:
    """A place where a device stayed.

    Parameters
    ----------
    lon, lat : float
        The mean of the fixes of its longest stay, degrees.
    stays : tuple of (int, int)
        From when to when, microseconds of UTC, times of fixes, in order.
    total_s, night_s, work_s : float
        Together; of it from 22 to 6 o'clock; of it from 9 to 18 o'clock from Monday to Friday.
    guess : str
        ``home``, ``work`` or nothing. It is a guess.
    """

    lon: float
    lat: float
    stays: tuple[tuple[int, int], ...]
    total_s: float
    night_s: float
    work_s: float
    guess: str = ""


def footholds(
    history: History,
    device: str,
    window: TimeWindow,
    zone: tzinfo,
    *,
    stay_s: int = 1200,
    radius_m: float = 100.0,
) -> list[Foothold]:
    """Where a device stayed in a window of at most 92 days, the longest together first.

    A stay begins at the first fix that is followed, up to `stay_s` later or more, by fixes all within
    `radius_m` of it, and ends with the last of these; the next one is looked for from the fix after. Silence
    between two such fixes is part of the stay: a car that is parked is often silent. From the longest stay to
    the shortest, each belongs to the first foothold whose middle is within `radius_m` of its own, or makes a
    new one. The guess is home where it stayed longest by night, and work where it stayed longest in working
    hours, if that is not home.

    Parameters
    ----------
    history : History
        Where to look.
    device : str
        Whose.
    window : TimeWindow
        When, [start, end).
    zone : tzinfo
        Whose clock tells night and working hours.
    stay_s : int
        The least that is a stay, seconds, at least 60.
    radius_m : float
        How far one moves while staying, metres, 10 to 1000.
    """
    check_length(window, 92)
    check_count("stay_s", stay_s, 60)
    if not 10 <= radius_m <= 1000:
        raise InvalidInput(f"radius_m {radius_m} is not 10 to 1000", field="radius_m", value=radius_m)
    moves = history.moves(window.start_us, window.end_us, [device])
    mine = (moves.time >= window.start_us) & (moves.time < window.end_us)
    time, lon, lat = moves.time[mine], moves.lon[mine], moves.lat[mine]
    first, last, mean_lon, mean_lat = area_presence.stays(
        time, lon, lat, float(radius_m), stay_s * 1_000_000, history.halt.flag
    )
    history.halt.check()
    length = time[last] - time[first]
    places: list[tuple[float, float, list[tuple[int, int]]]] = []
    for s in np.lexsort((first, -length)).tolist():
        stay = (int(time[first[s]]), int(time[last[s]]))
        for at_lon, at_lat, stays in places:
            if distance_m(at_lon, at_lat, mean_lon[s], mean_lat[s]) <= radius_m:
                stays.append(stay)
                break
        else:
            places.append((float(mean_lon[s]), float(mean_lat[s]), [stay]))
    found = [_foothold(*place, zone) for place in places]
    found.sort(key=lambda f: (-f.total_s, f.stays))
    home = max((f for f in found if f.night_s > 0), key=lambda f: f.night_s, default=None)
    work = max((f for f in found if f.work_s > 0 and f is not home), key=lambda f: f.work_s, default=None)
    return [replace(f, guess="home" if f is home else "work" if f is work else "") for f in found]


def _foothold(lon: float, lat: float, stays: list[tuple[int, int]], zone: tzinfo) -> Foothold:
    night = work = 0.0
    for start, end in stays:
        for a, b, hour, weekday in _hours(start, end, zone):
            night += (b - a) / 1e6 if hour >= NIGHT[0] or hour < NIGHT[1] else 0.0
            work += (b - a) / 1e6 if WORK[0] <= hour < WORK[1] and weekday < 5 else 0.0
    total = sum(end - start for start, end in stays) / 1e6
    return Foothold(lon, lat, tuple(sorted(stays)), total, night, work)


def _hours(start: int, end: int, zone: tzinfo) -> list[tuple[int, int, int, int]]:
    """Cut a time at the full hours of a zone whose offset is of whole hours or halves or quarters of one."""
    found = []
    quarter = HOUR_US // 4
    while start < end:
        until = min(end, (start // quarter + 1) * quarter)
        local = from_us(start).astimezone(zone)
        found.append((start, until, local.hour, local.weekday()))
        start = until
    return found
