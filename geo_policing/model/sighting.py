"""Sightings: somebody or some camera says that something was somewhere, or was not."""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from geo_policing.errors import InvalidInput


class SightingKind(StrEnum):
    """Where a sighting comes from."""

    CAMERA = "camera"
    WITNESS = "witness"
    PHONE = "phone"
    GNSS = "gnss"
    OTHER = "other"


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
    edge : str
        Id of the directed edge that was driven, where the observer knows it; empty otherwise.
    kind : SightingKind
        Where it comes from.

    Raises
    ------
    InvalidInput
        If the time has no offset, the position is off the earth, the accuracy not above 0 or the probability
        not 0 to 1.
    """

    time: datetime
    lon: float
    lat: float
    accuracy_m: float = 20.0
    probability: float = 1.0
    observer: str = ""
    edge: str = ""
    kind: SightingKind = SightingKind.OTHER

    def __post_init__(self) -> None:
        _check_time("time", self.time)
        _check_place(self.lon, self.lat)
        if not 0.0 < self.accuracy_m < math.inf:
            raise InvalidInput(
                f"accuracy_m {self.accuracy_m} is no distance; give metres above 0",
                field="accuracy_m",
                value=self.accuracy_m,
            )
        if not 0.0 <= self.probability <= 1.0:
            raise InvalidInput(
                f"probability {self.probability} is not from 0 to 1",
                field="probability",
                value=self.probability,
            )


@dataclass(frozen=True, slots=True)
class Watch:
    """A place that was watched, where the suspect was not seen.

    Parameters
    ----------
    start, end : datetime
        From when until when, with their UTC offsets.
    lon, lat : float
        Where, degrees WGS 84.
    radius_m : float
        How far the observer sees.
    detection : float
        How likely it is that the suspect would have been seen when passing, 0 to 1.
    observer : str
        Id of the camera or name of the officer.
    edge : str
        Id of the only directed edge that is watched; empty for all near enough.

    Raises
    ------
    InvalidInput
        If a time has no offset, the end is not after the start, the position is off the earth, the radius not
        above 0 or the detection not 0 to 1.
    """

    start: datetime
    end: datetime
    lon: float
    lat: float
    radius_m: float = 30.0
    detection: float = 0.9
    observer: str = ""
    edge: str = ""

    def __post_init__(self) -> None:
        _check_time("start", self.start)
        _check_time("end", self.end)
        if self.end <= self.start:
            raise InvalidInput(
                f"the watch ends at {self.end.isoformat()}, not after its start {self.start.isoformat()}; "
                "exchange or correct them",
                field="end",
                value=self.end,
            )
        _check_place(self.lon, self.lat)
        if not 0.0 < self.radius_m < math.inf:
            raise InvalidInput(
                f"radius_m {self.radius_m} is no distance; give metres above 0",
                field="radius_m",
                value=self.radius_m,
            )
        if not 0.0 <= self.detection <= 1.0:
            raise InvalidInput(
                f"detection {self.detection} is not from 0 to 1", field="detection", value=self.detection
            )


def _check_time(field: str, time: datetime) -> None:
    if time.tzinfo is None:
        raise InvalidInput(
            f"{field} {time.isoformat()} has no UTC offset; give one, like +08:00", field=field, value=time
        )


def _check_place(lon: float, lat: float) -> None:
    if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
        raise InvalidInput(
            f"lon {lon}, lat {lat} is not on the earth; give degrees WGS 84",
            field="lon,lat",
            value=(lon, lat),
        )
