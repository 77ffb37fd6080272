"""Sightings: somebody or some camera says that something was somewhere."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """An observation of a suspect vehicle or person by somebody other than its own receiver.

    Parameters
    ----------
    time : datetime
        When, with its UTC offset.
    lon, lat : float
        Where, degrees WGS 84.
    accuracy_m : float
        1 sigma of the position, metres.
    probability : float
        How likely it is that this was the suspect, 0 to 1.
    observer : str
        Id of the camera or name of the witness.
    """

    time: datetime
    lon: float
    lat: float
    accuracy_m: float = 20.0
    probability: float = 1.0
    observer: str = ""
