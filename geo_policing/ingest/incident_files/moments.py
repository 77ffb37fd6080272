"""What one cell says of when: a day, a time of day, an offset, or some of them."""

import re
from calendar import month_abbr
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from geo_policing.ingest.incident_files.table import as_text

DateOrder = Literal["ymd", "dmy", "mdy"]
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
#: Excel counts days from here; 1900 was no leap year but Excel thinks so, hence the 30th.
_EXCEL_1900, _EXCEL_1904 = date(1899, 12, 30), date(1904, 1, 1)
#: Serial numbers of the years 1927 to 2173; what is smaller is a number, not a date.
_SERIAL_MIN, _SERIAL_MAX = 10_000, 100_000
_YEARS = range(1900, 2101)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MONTHS = {name.lower(): month for month, name in enumerate(month_abbr)}

_DATE = re.compile(
    r"(?P<y>\d{4})(?P<s>[-/.年])(?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?"
    r"|(?P<Y>\d{4})(?P<M>\d{2})(?P<D>\d{2})(?=$|[T ]|\d{4}|\d{6})"
    r"|(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<last>\d{4}|\d{2})(?!\d)"
    r"|(?P<nd>\d{1,2})[- ](?P<nm>[A-Za-z]{3})[a-z]*[-, ]+(?P<ny>\d{4}|\d{2})(?!\d)"
)
_CLOCK = re.compile(
    r"(?P<before>上午|下午)? ?(?P<h>\d{1,2})[:时点](?P<m>\d{1,2})"
    r"(?:[:分](?:(?P<s>\d{1,2})(?:[.,](?P<f>\d+))?)?秒?)?"
    r" ?(?P<after>[AaPp]\.?[Mm]\.?)?"
    r"|(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})?"
)
_OFFSET = re.compile(r"Z|UTC|GMT|(?P<sign>[-+])(?P<h>\d{2}):?(?P<m>\d{2})?")


@dataclass(frozen=True, slots=True)
class Moment:
    """A cell: day since 1970, time of day, UTC offset, each None where it says nothing.

    ``order`` is 1 where only the order that the caller says makes a date, -1 where only the other does.
    """

    day: int | None = None
    clock_us: int | None = None
    offset_us: int | None = None
    order: int = 0
    flaw: str = ""


def read_cell(value: object, order: DateOrder, from_1904: bool) -> Moment:
    """Read a cell of text, or what Excel has in one.

    Parameters
    ----------
    value : object
        Text, number, date, datetime, time or timedelta; None and NaN are empty.
    order : {"ymd", "dmy", "mdy"}
        How dates with the year last are written.
    from_1904 : bool
        Whether serial numbers count from 1904.

    Returns
    -------
    Moment
        With what is wrong with it, where something is.

    Raises
    ------
    ValueError
        If it says nothing of when; with the reason.
    """
    if isinstance(value, datetime):  # before date: a datetime is one
        day = _day(value.date()) if value.year >= _YEARS[0] else None  # 1899-12-30 08:00 is Excel's 08:00
        moment = Moment(day, _clock_us(value.time()), _offset_us(value))
    elif isinstance(value, date):
        moment = Moment(_day(value))
    elif isinstance(value, time):
        moment = Moment(clock_us=_clock_us(value))
    elif isinstance(value, timedelta):
        moment = Moment(clock_us=_within_day(value // timedelta(microseconds=1)))
    elif text := as_text(value):
        number = _number(text)
        moment = _read_text(text, order) if number is None else _read_number(number, text, from_1904)
    else:
        moment = Moment(flaw="occurred: is empty")
    return moment


def _number(text: str) -> float | None:
    """Return the number that a text is, unless its digits are those of a date: 20260301, 20260301080000."""
    try:
        return None if text.isdigit() and len(text) in {8, 14} else float(text)
    except ValueError:
        return None


def _read_number(number: float, text: str, from_1904: bool) -> Moment:
    """Excel's serial number: days, and the time as a fraction; below one only the time."""
    if 0 <= number < 1:
        return Moment(clock_us=_within_day(_whole_milliseconds(number)))
    if _SERIAL_MIN <= number < _SERIAL_MAX:
        days = int(number)
        clock = _whole_milliseconds(number - days)
        start = _EXCEL_1904 if from_1904 else _EXCEL_1900
        day = _day(start + timedelta(days=days)) + clock // DAY_US
        return Moment(day, clock % DAY_US if number != days else None)
    raise ValueError(f"{text} is a number, but no date; write it like 2026-03-01 08:00")


def _whole_milliseconds(days: float) -> int:
    return round(days * DAY_US / 1000) * 1000


def _read_text(text: str, order: DateOrder) -> Moment:
    rest = text
    day, flaw, sure = None, "", 0
    found = _DATE.match(rest)
    if found:
        day, flaw, sure = _read_date(found, order)
        rest = rest[found.end() :].lstrip(" T")
    clock_us = offset_us = None
    found = _CLOCK.match(rest) if rest else None
    if found:
        clock_us = _read_clock(found, text)
        rest = rest[found.end() :].lstrip()
        found = _OFFSET.match(rest)
        if found:
            minutes = int(found["h"] or 0) * 60 + int(found["m"] or 0) if found["sign"] else 0
            offset_us = (-minutes if found["sign"] == "-" else minutes) * 60 * SECOND_US
            rest = rest[found.end() :]
    if rest or (day is None and clock_us is None and not flaw):
        raise ValueError(f"{text!r} is no date and time; write it like 2026-03-01 08:00")
    return Moment(day, clock_us, offset_us, sure, flaw)


def _read_date(found: re.Match[str], order: DateOrder) -> tuple[int | None, str, int]:
    """Day, what is wrong with it, and whether it tells the order (1), another (-1) or neither (0)."""
    part = found.groupdict()
    if part["a"]:
        a, b, year = int(part["a"]), int(part["b"]), _year(part["last"])
        month_first, day_first = _make(year, a, b), _make(year, b, a)
        ours, other = (day_first, month_first) if order == "dmy" else (month_first, day_first)
        if order == "ymd":
            return None, f"occurred: {found.group()!r}: is the day or the month first?", -1
        if ours is None:
            named = "day" if order == "dmy" else "month"
            return (
                None,
                f"occurred: {found.group()!r} is no date with the {named} first",
                -(other is not None),
            )
        return ours, "", int(other is None)
    if part["nd"]:
        month = _MONTHS.get(part["nm"].lower(), 0)
        made = _make(_year(part["ny"]), month, int(part["nd"]))
    else:
        year, month, day_of_month = (int(part[k] or part[k.upper()]) for k in "ymd")
        made = _make(year, month, day_of_month)
    if made is None:
        return None, f"occurred: {found.group()!r} is no date of {_YEARS[0]} to {_YEARS[-1]}", 0
    return made, "", 0


def _make(year: int, month: int, day_of_month: int) -> int | None:
    try:
        return _day(date(year, month, day_of_month))
    except ValueError:
        return None


def _year(text: str) -> int:
    """Return the year; of two digits as POSIX reads them, 69 to 99 in the last century."""
    year = int(text)
    return year if len(text) == 4 else year + (1900 if year >= 69 else 2000)


def _day(day: date) -> int:
    if day.year not in _YEARS:
        raise ValueError(f"{day} is not within {_YEARS[0]} to {_YEARS[-1]}")
    return day.toordinal() - _EPOCH_DAY


def _read_clock(found: re.Match[str], text: str) -> int:
    part = found.groupdict()
    if part["H"]:
        hours, minutes, seconds = int(part["H"]), int(part["M"]), int(part["S"] or 0)
    else:
        hours, minutes, seconds = int(part["h"]), int(part["m"]), int(part["s"] or 0)
    half = {"上午": "a", "下午": "p"}.get(part["before"] or "", (part["after"] or "")[:1].lower())
    if half:
        # In Chinese 下午 14:05 is written too, and 上午 0:30.
        valid = hours <= 23 if part["before"] else 1 <= hours <= 12
        hours = hours % 12 + 12 * (half == "p") if hours <= 12 else hours
    else:
        valid = hours <= 23 or (hours == 24 and minutes == seconds == 0)
    if not valid or minutes > 59 or seconds > 60:
        raise ValueError(f"{text!r} is no time of day")
    micros = int((part["f"] or "0")[:6].ljust(6, "0"))
    return ((hours * 60 + minutes) * 60 + seconds) * SECOND_US + micros


def _clock_us(clock: time) -> int:
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * SECOND_US + clock.microsecond


def _offset_us(value: datetime) -> int | None:
    offset = value.utcoffset()
    return None if offset is None else offset // timedelta(microseconds=1)


def _within_day(clock_us: int) -> int:
    if not 0 <= clock_us <= DAY_US:
        raise ValueError(f"{clock_us / DAY_US:g} days is no time of day")
    return clock_us
