"""Incidents and the life cycle of 110 handling (接处警): intake, grading, dispatch, feedback, closing."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Self

from geo_policing.errors import IllegalTransition, InvalidCoordinates, InvalidInput


class IncidentState(StrEnum):
    """Where an incident stands between the call and the file."""

    REPORTED = "reported"
    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    EN_ROUTE = "en_route"
    ON_SCENE = "on_scene"
    CLEARED = "cleared"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    TRANSFERRED = "transferred"
    MERGED = "merged"

    @property
    def may_follow(self) -> tuple["IncidentState", ...]:
        """States that may follow this one."""
        return _FOLLOWS[self]

    @property
    def is_final(self) -> bool:
        """Whether nothing may follow."""
        return not _FOLLOWS[self]


_S = IncidentState
_LEFT = (_S.CANCELLED, _S.TRANSFERRED, _S.MERGED)
_FOLLOWS: dict[IncidentState, tuple[IncidentState, ...]] = {
    _S.REPORTED: (_S.ACCEPTED, *_LEFT),
    _S.ACCEPTED: (_S.DISPATCHED, *_LEFT),
    # Back to accepted: the unit sent was called off and another must be found.
    _S.DISPATCHED: (_S.EN_ROUTE, _S.ON_SCENE, _S.ACCEPTED, *_LEFT),
    _S.EN_ROUTE: (_S.ON_SCENE, _S.ACCEPTED, *_LEFT),
    _S.ON_SCENE: (_S.CLEARED, _S.TRANSFERRED, _S.MERGED),
    _S.CLEARED: (_S.CLOSED, _S.ON_SCENE),
    _S.CLOSED: (),
    _S.CANCELLED: (),
    _S.TRANSFERRED: (),
    _S.MERGED: (),
}


class Severity(IntEnum):
    """Grade of a call, 1 the gravest."""

    CRITICAL = 1
    URGENT = 2
    ORDINARY = 3
    MINOR = 4


@dataclass(frozen=True, slots=True)
class Incident:
    """A call or record of something that happened somewhere at some time.

    Parameters
    ----------
    id : str
        Unique within the system.
    kind : str
        Kind of call, as the source names it.
    occurred : datetime
        When, with its UTC offset.
    lon, lat : float
        Where, degrees WGS 84.
    state : IncidentState
        Where it stands.
    severity : Severity
        Grade.
    summary : str
        What is known, in words.
    address : str
        Where, in words.
    source : str
        Where the record came from: ``dispatcher``, or an imported file's name.
    units : tuple of str
        Ids of the units assigned.
    """

    id: str
    kind: str
    occurred: datetime
    lon: float
    lat: float
    state: IncidentState = IncidentState.REPORTED
    severity: Severity = Severity.ORDINARY
    summary: str = ""
    address: str = ""
    source: str = "dispatcher"
    units: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse records without time zone or off the earth."""
        if not self.id:
            raise InvalidInput(
                "an incident needs an id; give one that no other has", field="id", value=self.id
            )
        if self.occurred.tzinfo is None:
            raise InvalidInput(
                f"occurred {self.occurred.isoformat()} has no UTC offset; append Z or +08:00",
                field="occurred",
                value=self.occurred,
            )
        check_lonlat(self.lon, self.lat)

    def moved_to(self, state: IncidentState) -> Self:
        """Return the incident in another state.

        Raises
        ------
        IllegalTransition
            If the life cycle does not allow it.
        """
        if state not in self.state.may_follow:
            raise IllegalTransition(self.state, state, tuple(s.value for s in self.state.may_follow))
        return replace(self, state=state)


def check_lonlat(lon: float, lat: float) -> None:
    """Raise InvalidCoordinates unless lon, lat are finite degrees on the earth."""
    if not (math.isfinite(lon) and math.isfinite(lat) and -180 <= lon <= 180 and -90 <= lat <= 90):
        swapped = abs(lat) <= 180 and abs(lon) <= 90
        remedy = "they look swapped, exchange them" if swapped else "give degrees, longitude first"
        raise InvalidCoordinates(
            f"lon {lon}, lat {lat} is not on the earth; {remedy}",
            field="lon,lat",
            value=(lon, lat),
        )
