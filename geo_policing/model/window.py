"""Half-open windows of time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from geo_policing.errors import InvalidInput, InvalidTimeWindow
from geo_policing.model.instant import parse_instant, to_us


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Half-open interval [start, end) of instants, both with their UTC offset."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse instants without offset and windows that are empty or upside down."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise InvalidTimeWindow("start and end need a UTC offset", field="datetime")
        if self.start >= self.end:
            raise InvalidTimeWindow(
                f"start {self.start.isoformat()} is not before end {self.end.isoformat()}; swap them",
                field="datetime",
                value=f"{self.start.isoformat()}/{self.end.isoformat()}",
            )

    @classmethod
    def parse(cls, text: str, *, field: str = "datetime") -> Self:
        """Read ``start/end``, both RFC 3339 with an offset.

        Raises
        ------
        InvalidTimeWindow
            If there are not two parts, one is no time or lacks its offset, or the order is wrong.
        """
        parts = text.split("/")
        if len(parts) != 2:
            raise InvalidTimeWindow(
                f"{field} {text[:200]!r} is no window; write start/end, "
                "like 2026-03-01T08:00:00+08:00/2026-03-01T09:00:00+08:00",
                field=field,
                value=text,
            )
        try:
            start, end = (parse_instant(part, field=field) for part in parts)
        except InvalidInput as error:
            raise InvalidTimeWindow(str(error), field=field, value=text) from None
        return cls(start, end)

    @property
    def start_us(self) -> int:
        """Start in microseconds of UTC."""
        return to_us(self.start)

    @property
    def end_us(self) -> int:
        """End, exclusive, in microseconds of UTC."""
        return to_us(self.end)

    def __contains__(self, us: int) -> bool:
        """Whether an instant in microseconds of UTC lies in the window."""
        return self.start_us <= us < self.end_us
