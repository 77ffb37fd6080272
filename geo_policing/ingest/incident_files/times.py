"""Dates and times as files write them to instants.

What a text means is never guessed: dates with the year last are read in the order that the caller says,
local times in the zone that the caller says. Where clocks were put back an hour happens twice; RFC 5545
(3.3.5) takes the first, and so do we, and count it. Where they were put forward an hour does not happen; a
time in it is refused.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.ingest.incident_files.moments import DAY_US, DateOrder, Moment, read_cell


@dataclass(slots=True)
class Instants:
    """What a column of times came to.

    Parameters
    ----------
    time_us : (n,) int64
        Microseconds of UTC; 0 where refused.
    flaws : dict of int to str
        Why a row, by its position, gives none.
    ambiguous : int
        Rows in an hour that happened twice, taken for the first.
    """

    time_us: NDArray[np.int64]
    flaws: dict[int, str] = field(default_factory=dict)
    ambiguous: int = 0


def read_instants(
    columns: Sequence[pd.Series],
    *,
    time_zone: str | None,
    date_order: DateOrder = "ymd",
    dates_from_1904: bool = False,
) -> Instants:
    """Read instants of one column, or of one of dates and one of times.

    Parameters
    ----------
    columns : one or two (n,) Series
        Text, or what Excel has in its cells.
    time_zone : str or None
        IANA name of the zone of what has no offset of its own.
    date_order : {"ymd", "dmy", "mdy"}
        How dates with the year last are written; with ``ymd`` there must be none.
    dates_from_1904 : bool
        Whether serial numbers count from 1904.

    Returns
    -------
    Instants
        A date without a time is the beginning of its day.

    Raises
    ------
    InvalidInput
        If a zone is needed and not given or unknown, or the dates are written in another order.
    """
    if not 1 <= len(columns) <= 2:
        raise InvalidInput(
            "a time is read from one column, or from one of dates and one of times", field="occurred"
        )
    zone = _zone(time_zone)
    first, *second = [
        _read_column(column, date_order, dates_from_1904, dated=not i) for i, column in enumerate(columns)
    ]
    _check_order(first, columns[0], date_order)
    moments = [_join(a, b) for a, b in zip(first, second[0], strict=True)] if second else first
    flaws = {i: moment.flaw for i, moment in enumerate(moments) if moment.flaw}
    n = len(moments)
    wall_us = np.fromiter(((m.day or 0) * DAY_US + (m.clock_us or 0) for m in moments), np.int64, n)
    local = np.fromiter((m.offset_us is None and not m.flaw for m in moments), np.bool_, n)
    offset_us = np.fromiter((m.offset_us or 0 for m in moments), np.int64, n)
    all_day = np.fromiter((not m.clock_us for m in moments), np.bool_, n)
    if local.any() and zone is None:
        i = int(np.argmax(local))
        raise InvalidInput(
            f"occurred {columns[0].iloc[i]!r} has no UTC offset; name its zone, "
            "like --time-zone Asia/Shanghai",
            field="time_zone",
        )
    instants = Instants(wall_us - offset_us, flaws)
    if zone is not None:
        _localise(instants, np.flatnonzero(local & ~all_day), zone, "NaT")
        _localise(instants, np.flatnonzero(local & all_day), zone, "shift_forward")
    instants.time_us[list(flaws)] = 0
    return instants


def _localise(
    instants: Instants, rows: NDArray[np.intp], zone: ZoneInfo, missing: Literal["NaT", "shift_forward"]
) -> None:
    wall = pd.DatetimeIndex(instants.time_us[rows].view("datetime64[us]"))
    first = wall.tz_localize(zone, ambiguous=np.ones(len(rows), np.bool_), nonexistent=missing)
    twice = wall.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward").isna()
    instants.ambiguous += int(np.count_nonzero(twice))
    instants.time_us[rows] = first.as_unit("us").asi8
    for i in np.flatnonzero(first.isna()).tolist():
        instants.flaws[int(rows[i])] = (
            f"occurred: {wall[i]:%Y-%m-%d %H:%M} did not happen in {zone.key}, clocks were put forward; "
            "correct it"
        )


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidInput(
            f"time zone {name!r} is unknown; like Asia/Shanghai or America/Chicago",
            field="time_zone",
            value=name,
        ) from None


def _read_column(column: pd.Series, order: DateOrder, from_1904: bool, *, dated: bool) -> list[Moment]:
    """Read each different cell once: files repeat their dates thousands of times."""
    kinds = (str, bool, int, float, date, datetime, time, timedelta)
    known: dict[tuple[type, object], Moment] = {}
    moments = []
    for value in column:
        key = (type(value), value if isinstance(value, kinds) else None)
        moment = known.get(key)
        if moment is None:
            try:
                moment = read_cell(value, order, from_1904)
                if dated and moment.day is None and not moment.flaw:
                    moment = Moment(flaw=f"occurred: {value!r} has no date")
            except (ValueError, OverflowError) as error:
                moment = Moment(flaw=f"occurred: {error}")
            known[key] = moment
        moments.append(moment)
    return moments


def _join(dated: Moment, timed: Moment) -> Moment:
    """Date of one cell with the time of another; midnight beside a date is how programs write no time."""
    if dated.flaw or timed.flaw:
        return Moment(flaw=dated.flaw or timed.flaw, order=dated.order)
    if timed.clock_us is None:
        return Moment(flaw="occurred: the second column has no time of day")
    if dated.clock_us:
        return Moment(flaw="occurred: both columns have a time of day; map one")
    return Moment(dated.day, timed.clock_us, timed.offset_us, dated.order)


def _check_order(moments: Sequence[Moment], column: pd.Series, order: DateOrder) -> None:
    """Raise when more dates speak for another order than for the one given: the rest would be swapped."""
    votes = Counter(moment.order for moment in moments)
    against = 2 * votes[-1] > len(moments) if order == "ymd" else votes[-1] > votes[1]
    if not against:
        return
    example = column.iloc[next(i for i, moment in enumerate(moments) if moment.order == -1)]
    if order == "ymd":
        raise InvalidInput(
            f"occurred {example!r} has the year last; say --day-first or --month-first",
            field="date_order",
            value=order,
        )
    given, other = ("day", "month") if order == "dmy" else ("month", "day")
    raise InvalidInput(
        f"{votes[-1]:,} dates like {example!r} are not written {given} first but {other} first; "
        f"say --{other}-first",
        field="date_order",
        value=order,
    )
