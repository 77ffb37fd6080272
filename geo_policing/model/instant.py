"""Instants: aware ``datetime`` at the doors, int64 microseconds of UTC inside."""

import re
from datetime import UTC, datetime, timedelta

from geo_policing.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 100  # characters of a value that a message shows
_MICROSECOND = timedelta(microseconds=1)
# RFC 3339, 5.6: the date in full, seconds, Latin digits; T and Z in either case, or a space for the T.
_RFC_3339 = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]"
    r"(?P<minute>(?:[01][0-9]|2[0-3]):[0-5][0-9]):(?P<second>[0-5][0-9]|60)(?P<fraction>\.[0-9]+)?"
    r"(?P<offset>[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)


def to_us(instant: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z of an aware datetime, exact."""
    if instant.tzinfo is None:
        raise InvalidInput(
            f"{instant.isoformat()} has no UTC offset; append Z or +08:00", field="time", value=instant
        )
    return (instant - EPOCH) // _MICROSECOND


def from_us(us: int) -> datetime:
    """Aware UTC datetime of microseconds since 1970-01-01T00:00Z."""
    return EPOCH + timedelta(microseconds=us)


def parse_instant(text: str, *, field: str = "time") -> datetime:
    """Parse an RFC 3339 date and time with its offset; of a fraction of a second six digits count.

    A leap second, 23:59:60 UTC on the last day of a month, is the instant at which the next day begins, as
    in POSIX. 24:00:00 is none of RFC 3339's times.

    Raises
    ------
    InvalidInput
        If it is no date and time, has no offset, or lies outside of the years 1 to 9999 of UTC.
    """
    found = _RFC_3339.fullmatch(text)
    if found and not found["offset"]:
        raise InvalidInput(
            f"{field} {text[:_SHOWN]!r} has no UTC offset; append Z or +08:00 (in a URL, write + as %2B)",
            field=field,
            value=text,
        )
    try:
        return _instant(found)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{field} {text[:_SHOWN]!r} is no RFC 3339 time; write it like 2026-03-01T08:00:00+08:00 "
            "(in a URL, write + as %2B)",
            field=field,
            value=text,
        ) from None


def _instant(found: re.Match[str] | None) -> datetime:
    """Return the instant that was found; ValueError or OverflowError if there is no such one."""
    if found is None:
        raise ValueError
    leaps = found["second"] == "60"
    second = "59" if leaps else found["second"]
    fraction, offset = found["fraction"] or "", found["offset"].upper()
    instant = datetime.fromisoformat(f"{found['date']}T{found['minute']}:{second}{fraction}{offset}")
    if leaps:
        instant = instant.replace(microsecond=0) + timedelta(seconds=1)
    utc = instant.astimezone(UTC)
    if leaps and (utc.day, utc.hour, utc.minute) != (1, 0, 0):
        raise ValueError
    return instant


def format_instant(us: int) -> str:
    """RFC 3339 in UTC, milliseconds when there are any, microseconds when needed.

    >>> format_instant(1_500_000)
    '1970-01-01T00:00:01.500Z'
    """
    timespec = "seconds" if us % 1_000_000 == 0 else "milliseconds" if us % 1_000 == 0 else "microseconds"
    return from_us(us).isoformat(timespec=timespec).replace("+00:00", "Z")
