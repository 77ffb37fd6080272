"""Units: who can be sent."""

from dataclasses import dataclass
from enum import StrEnum


class UnitStatus(StrEnum):
    """Whether a unit can be sent."""

    AVAILABLE = "available"
    ASSIGNED = "assigned"
    OFF_DUTY = "off_duty"


@dataclass(frozen=True, slots=True)
class Unit:
    """A patrol car with its crew, or an officer on foot, and the device that reports where it is."""

    id: str
    call_sign: str
    device_id: str | None = None
    station: str = ""
    status: UnitStatus = UnitStatus.AVAILABLE
