"""What a search needs of a history, and how long its windows may be."""

from collections.abc import Collection, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput, InvalidTimeWindow
from geo_policing.model import FixColumns, Halt, TimeWindow
from geo_policing.model.moves import Moves, Place, Visits, Ways

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
#: So many days of a device are read at once: at a fix a second 26 million fixes, 730 MB.
DEVICE_DAYS = 300


class History(Protocol):
    """Months of fixes."""

    @property
    def halt(self) -> Halt:
        """Says when what is searched must end: kernels look at its flag, everything else calls `check`."""

    def moves(self, start_us: int, end_us: int, devices: Collection[str]) -> Moves:
        """Return the fixes of devices in [start, end), and those from and to which they may have moved."""

    def ways(self, place: Place, start_us: int, end_us: int) -> Ways | None:
        """Return all ways through a place in [start, end), and others.

        None where they would be too many to be returned at once.
        """

    def fixes(self, start_us: int, end_us: int, devices: Collection[str]) -> FixColumns:
        """Return the fixes of devices in [start, end) with all that is known of them, by device and time."""

    def visits(self, cells: NDArray[np.uint64], start_us: int, end_us: int) -> Visits:
        """Return at least who was in some of the cells in [start, end), to the second."""


def batches(
    devices: Collection[str], start_us: int, end_us: int, device_days: int | None = None
) -> Iterator[list[str]]:
    """Yield devices, in order, few enough that what is read of them in [start, end) is bounded."""
    ordered = sorted(devices)
    most = DEVICE_DAYS if device_days is None else device_days
    size = max(1, most * DAY_US // max(end_us - start_us, 1))
    for first in range(0, len(ordered), size):
        yield ordered[first : first + size]


def check_length(window: TimeWindow, days: int) -> None:
    """Raise InvalidTimeWindow if a window is longer than this search may look through."""
    if window.end_us - window.start_us > days * DAY_US:
        raise InvalidTimeWindow(
            f"the window from {window.start.isoformat()} to {window.end.isoformat()} is longer than {days} "
            "days; ask for less at once",
            field="datetime",
        )


def check_number(name: str, value: float, least: float, most: float) -> None:
    """Raise InvalidInput unless least <= value <= most; NaN is neither."""
    if not least <= value <= most:
        raise InvalidInput(
            f"{name} {value} is not at least {least:g} and at most {most:g}", field=name, value=value
        )


def check_count(name: str, value: int, least: int, most: int | None = None) -> None:
    """Raise InvalidInput unless least <= value <= most."""
    if value < least or (most is not None and value > most):
        upper = "" if most is None else f" and at most {most}"
        raise InvalidInput(f"{name} {value} is not at least {least}{upper}", field=name, value=value)
