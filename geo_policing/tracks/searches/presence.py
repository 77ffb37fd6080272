"""Who was in an area: collision, first entry, frequent presence, night activity, vanished after.

A device *is in an area at an instant* when its movement is in the closed area then. Its movement is what is
known of it: each fix, and between two of its fixes that are at most 120 s and at most 100 m/s times that plus
200 m apart the straight way in longitude and latitude at constant speed (`kernels.cell_visits.joined`). A
*presence* is a maximal time during which it is in the area without leaving it, cut to the window.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.kernels import area_presence
from geo_policing.model import Halt, TimeWindow, from_us, to_us
from geo_policing.model.moves import Moves, Visits
from geo_policing.tracks.searches.area import Area
from geo_policing.tracks.searches.history import (
    DAY_US,
    HOUR_US,
    History,
    batches,
    check_count,
    check_length,
)

#: Of so few devices it is quicker to read the fixes by device than the ways of all through an area.
FEW = 8
_S = 1_000_000
_TOGETHER = 100_000  # presences made before it is looked whether to go on


@dataclass(frozen=True, slots=True)
class Presence:
    """A device in an area.

    Parameters
    ----------
    device : str
        Which.
    enter_us, leave_us : int
        From when to when, rounded to microseconds of UTC.
    first_fix_us, last_fix_us : int
        Times of the fixes between which that is known: the evidence.
    """

    device: str
    enter_us: int
    leave_us: int
    first_fix_us: int
    last_fix_us: int


def presences(
    history: History, area: Area, window: TimeWindow, devices: Collection[str] | None = None
) -> list[Presence]:
    """Who was in an area in a window [start, end) of at most 31 days, by device and time.

    Parameters
    ----------
    history : History
        Where to look.
    area : Area
        Where.
    window : TimeWindow
        When.
    devices : collection of str, optional
        Only these.
    """
    check_length(window, 31)
    return _presences(history, area, window.start_us, window.end_us, devices)


def collision(
    history: History, places: Sequence[tuple[Area, TimeWindow]], at_least: int | None = None
) -> dict[str, list[list[Presence]]]:
    """Space-time collision: who was in all of n areas, or in at least k of them, each in its window.

    Parameters
    ----------
    history : History
        Where to look.
    places : sequence of (Area, TimeWindow)
        n >= 2 areas, each with its window of at most 24 hours.
    at_least : int, optional
        k, 1 <= k <= n; n without it.

    Returns
    -------
    dict of str to list of list of Presence
        For each device with a presence in at least k areas its presences in each of the n; by the number of
        areas, most first, then by device.
    """
    check_count("places", len(places), 2, 100)
    wanted = len(places) if at_least is None else at_least
    check_count("at_least", wanted, 1, len(places))
    for _, window in places:
        check_length(window, 1)
    found: dict[str, list[list[Presence]]] = {}
    for n, (area, window) in enumerate(places):
        # At last too few places are left for those who have not been met yet, or too seldom.
        left = wanted - (len(places) - n)
        asked = None
        if left > 0:
            asked = {name for name, of_name in found.items() if sum(map(bool, of_name)) >= left}
        for presence in _presences(history, area, window.start_us, window.end_us, asked):
            found.setdefault(presence.device, [[] for _ in places])[n].append(presence)
    counts = {name: sum(map(bool, of_name)) for name, of_name in found.items()}
    ranked = sorted(found, key=lambda name: (-counts[name], name))
    return {name: found[name] for name in ranked if counts[name] >= wanted}


def first_entry(history: History, area: Area, window: TimeWindow, days: int) -> list[Presence]:
    """First entry: the first presence in the window of each device that had none in the X days before it.

    Parameters
    ----------
    history : History
        Where to look.
    area : Area
        Where.
    window : TimeWindow
        At most 31 days.
    days : int
        X, 1 to 366; the days before are [start - X days, start).
    """
    check_length(window, 31)
    check_count("days", days, 1, 366)
    start_us = window.start_us
    found = {p.device: p for p in reversed(_presences(history, area, start_us, window.end_us, None))}
    # Day by day and the last one first: most came yesterday.
    for day in range(1, days + 1):
        if not found:
            break
        end = start_us - (day - 1) * DAY_US
        known = _names(history.visits(area.cells, end - DAY_US, end), end - DAY_US, end) & found.keys()
        for presence in _presences(history, area, end - DAY_US, end, known):
            found.pop(presence.device, None)
    return [found[name] for name in sorted(found)]


def frequent(history: History, area: Area, window: TimeWindow, times: int) -> dict[str, list[Presence]]:
    """Frequent presence: who had k or more presences in the window, most first, then by device.

    Parameters
    ----------
    history : History
        Where to look.
    area : Area
        Where.
    window : TimeWindow
        At most 31 days.
    times : int
        k, at least 1.
    """
    check_count("times", times, 1)
    found: dict[str, list[Presence]] = {}
    for presence in presences(history, area, window):
        found.setdefault(presence.device, []).append(presence)
    ranked = sorted(found, key=lambda name: (-len(found[name]), name))
    return {name: found[name] for name in ranked if len(found[name]) >= times}


def night_activity(
    history: History,
    area: Area,
    window: TimeWindow,
    zone: tzinfo,
    *,
    night: tuple[int, int] = (22, 6),
    at_night: int = 3,
    by_day: int = 1,
) -> dict[str, tuple[int, int]]:
    """Night activity: who was in an area in so many hours of the night, and in few of the day.

    Parameters
    ----------
    history : History
        Where to look.
    area : Area
        Where.
    window : TimeWindow
        At most 7 days.
    zone : tzinfo
        Whose clock tells night from day.
    night : (int, int)
        The hours of the night, from and until, 0 to 23; over midnight when the first is the larger.
    at_night, by_day : int
        How many different hours (of a date) a device has a presence in, at least by night and at most by day.

    Returns
    -------
    dict of str to (int, int)
        Hours by night and by day of each; most by night first, then by device.
    """
    check_length(window, 7)
    check_count("at_night", at_night, 1)
    check_count("by_day", by_day, 0)
    for hour in night:
        check_count("night", hour, 0, 23)
    if night[0] == night[1]:
        raise InvalidInput("night: from and until are the same hour", field="night", value=night)
    hours: dict[str, set[int]] = {}
    for presence in presences(history, area, window):
        mine = hours.setdefault(presence.device, set())
        # The end of the window is not in it, nor is the hour that begins then.
        last_us = min(presence.leave_us, window.end_us - 1)
        mine.update(range(presence.enter_us // HOUR_US, last_us // HOUR_US + 1))

    def is_night(hour: int) -> bool:
        at = from_us(hour * HOUR_US).astimezone(zone).hour
        if night[0] < night[1]:
            return night[0] <= at < night[1]
        return at >= night[0] or at < night[1]

    counted = {name: (sum(map(is_night, mine)), len(mine)) for name, mine in hours.items()}
    found = {name: (dark, total - dark) for name, (dark, total) in counted.items()}
    ranked = sorted(found, key=lambda name: (-found[name][0], name))
    return {name: found[name] for name in ranked if found[name][0] >= at_night and found[name][1] <= by_day}


def vanished(
    history: History, area: Area, moment: datetime, *, days: int, before: int, after: int
) -> list[Presence]:
    """Vanished after: the last presence before an incident of who came often before it and hardly after.

    Parameters
    ----------
    history : History
        Where to look.
    area : Area
        Where.
    moment : datetime
        When the incident was.
    days : int
        How far is looked on both sides, 1 to 31.
    before, after : int
        Presences in [moment - days, moment) at least, and in [moment, moment + days) at most.
    """
    check_count("days", days, 1, 31)
    check_count("before", before, 1)
    check_count("after", after, 0)
    at = to_us(moment)
    found: dict[str, list[Presence]] = {}
    for presence in _presences(history, area, at - days * DAY_US, at, None):
        found.setdefault(presence.device, []).append(presence)
    often = {name: of_name for name, of_name in found.items() if len(of_name) >= before}
    again: dict[str, int] = {}
    for presence in _presences(history, area, at, at + days * DAY_US, often.keys()):
        again[presence.device] = again.get(presence.device, 0) + 1
    return [often[name][-1] for name in sorted(often) if again.get(name, 0) <= after]


def _names(visits: Visits, start_us: int, end_us: int) -> set[str]:
    """Return at least those who were there in [start, end)."""
    during = (visits.first_s * _S < end_us) & ((visits.last_s + 1) * _S > start_us)
    return {visits.names[code] for code in np.unique(visits.device[during]).tolist()}


def _presences(
    history: History, area: Area, start_us: int, end_us: int, devices: Collection[str] | None
) -> list[Presence]:
    """Presences of these devices, or of all.

    Of many devices the ways through the area are read, which lie together in the history, and all fixes only
    of those of whom these ways may not be all. Where the ways would be more than is read at once, as in weeks
    of a whole city, all fixes are read, of some devices at a time.
    """
    if devices is not None and len(devices) <= FEW:
        return _of_all(history, area, start_us, end_us, set(devices))
    ways = history.ways(area, start_us, end_us)
    if ways is None:
        asked = _names(history.visits(area.cells, start_us, end_us), start_us, end_us)
        return _of_all(history, area, start_us, end_us, asked if devices is None else asked & set(devices))
    asked = set(ways.moves.names) if devices is None else set(devices)
    found = _exact(ways.moves, ways.onward, area, start_us, end_us, asked, history.halt)
    unsure = set(ways.unsure) if devices is None else asked & ways.unsure
    if not unsure:
        return found
    found += _of_all(history, area, start_us, end_us, unsure)
    return sorted(found, key=lambda p: (p.device, p.enter_us))


def _of_all(history: History, area: Area, start_us: int, end_us: int, devices: set[str]) -> list[Presence]:
    """Presences of these devices in the movement through all of their fixes."""
    found: list[Presence] = []
    for names in batches(devices, start_us, end_us):
        moves = history.moves(start_us, end_us, names)
        found += _exact(moves, np.ones(len(moves), np.bool_), area, start_us, end_us, devices, history.halt)
    return found


def _exact(
    moves: Moves,
    onward: NDArray[np.bool_],
    area: Area,
    start_us: int,
    end_us: int,
    devices: set[str],
    halt: Halt,
) -> list[Presence]:
    """Presences, by device and time, in the movement through fixes; onward: the next row is the next fix."""
    wanted = np.array([name in devices for name in moves.names], np.bool_)[moves.device]
    if not wanted.any():
        return []
    time = moves.time[wanted]
    found = area_presence.presences(
        *(moves.device[wanted], time, moves.lon[wanted], moves.lat[wanted], onward[wanted]),
        *(area.edges, start_us, end_us, halt.flag),
    )
    halt.check()
    every: list[Presence] = []
    for begin in range(0, len(found[0]), _TOGETHER):
        halt.check()
        device, enter, leave, first, last = (column[begin : begin + _TOGETHER] for column in found)
        times = (time[first].tolist(), time[last].tolist())
        every += (
            Presence(moves.names[d], round(a), round(b), t, u)
            for d, a, b, t, u in zip(device.tolist(), enter.tolist(), leave.tolist(), *times, strict=True)
        )
    return every
