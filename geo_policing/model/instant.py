"""Instants: aware ``datetime`` at the doors, int64 microseconds of UTC inside."""

from datetime import UTC, datetime, timedelta

from geo_policing.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(instant: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z of an aware datetime, exact."""
    if instant.tzinfo is None:
        raise InvalidInput(f"{instant.isoformat()} has no UTC offset; append Z or +08:00", value=instant)
    return (instant - EPOCH) // _MICROSECOND


def from_us(us: int) -> datetime:
    """Aware UTC datetime of microseconds since 1970-01-01T00:00Z."""
    return EPOCH + timedelta(microseconds=us)


def parse_instant(text: str, *, field: str = "time") -> datetime:
    """Parse an RFC 3339 date and time with its offset.

    Raises
    ------
    InvalidInput
        If it is no date and time, or has no offset.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{field} {text!r} is no RFC 3339 time; write it like 2026-03-01T08:00:00+08:00",
            field=field,
            value=text,
        ) from None
    if instant.tzinfo is None:
        raise InvalidInput(
            f"{field} {text!r} has no UTC offset; append Z or +08:00 (in a URL, write + as %2B)",
            field=field,
            value=text,
        )
    return instant


def format_instant(us: int) -> str:
    """RFC 3339 in UTC, milliseconds when there are any, microseconds when needed.

    >>> format_instant(1_500_000)
    '1970-01-01T00:00:01.500Z'
    """
    timespec = "seconds" if us % 1_000_000 == 0 else "milliseconds" if us % 1_000 == 0 else "microseconds"
    return from_us(us).isoformat(timespec=timespec).replace("+00:00", "Z")
