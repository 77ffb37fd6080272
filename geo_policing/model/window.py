"""Half-open windows of time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from geo_policing.errors import InvalidInput, InvalidTimeWindow
from geo_policing.model.instant import parse_instant, to_us

_EXAMPLE = "2026-03-01T08:00:00+08:00/2026-03-01T09:00:00+08:00"


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Half-open interval [start, end) of instants, both with their UTC offset."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse instants without offset and windows that are empty or upside down."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise InvalidTimeWindow(
                f"start {self.start.isoformat()} and end {self.end.isoformat()} need a UTC offset; "
                "append Z or +08:00",
                field="datetime",
                value=f"{self.start.isoformat()}/{self.end.isoformat()}",
            )
        if self.start >= self.end:
            remedy = "swap them" if self.start > self.end else f"the end must be later, like {_EXAMPLE}"
            raise InvalidTimeWindow(
                f"start {self.start.isoformat()} is not before end {self.end.isoformat()}; {remedy}",
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
                f"{field} {text[:200]!r} is no window; write start/end, like {_EXAMPLE}",
                field=field,
                value=text,
            )
        try:
            return cls(*(parse_instant(part, field=field) for part in parts))
        except InvalidInput as error:
            raise InvalidTimeWindow(str(error), field=field, value=text) from None

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
