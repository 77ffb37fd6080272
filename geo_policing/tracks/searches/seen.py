"""Where, when and by which receiver something was seen: the evidence of an answer."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from geo_policing.model import FixColumns
from geo_policing.tracks.searches.history import History


@dataclass(frozen=True, slots=True)
class Seen:
    """A fix that an answer rests on.

    Parameters
    ----------
    at_us : int
        When, microseconds of UTC.
    lon, lat : float
        Where, degrees.
    source : str
        Protocol and receiver.
    accuracy_m : float
        1 sigma, metres; NaN unknown.
    """

    at_us: int
    lon: float
    lat: float
    source: str
    accuracy_m: float

    @classmethod
    def of(cls, fixes: FixColumns, row: int) -> "Seen":
        """Return a row of the history."""
        place = (float(fixes.lon[row]), float(fixes.lat[row]))
        return cls(int(fixes.time[row]), *place, str(fixes.source[row]), float(fixes.accuracy_m[row]))


def evidence(history: History, device: str, times_us: Iterable[int]) -> list[Seen]:
    """Return the fixes of a device at these times, in order: what answers name by their times.

    Of several at one time all are there.
    """
    wanted = np.unique(np.fromiter(times_us, np.int64))
    if not len(wanted):
        return []
    fixes = history.fixes(int(wanted[0]), int(wanted[-1]) + 1, [device])
    return [Seen.of(fixes, row) for row in np.flatnonzero(np.isin(fixes.time, wanted)).tolist()]
