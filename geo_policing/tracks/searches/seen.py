"""Where, when and by which receiver something was seen: the evidence of an answer."""

from dataclasses import dataclass

from geo_policing.model import FixColumns


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
