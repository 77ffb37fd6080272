"""Devices: what reports positions."""

from dataclasses import dataclass
from enum import StrEnum

from geo_policing.errors import InvalidInput


class DeviceKind(StrEnum):
    """What carries the receiver."""

    PATROL_CAR = "patrol_car"
    OFFICER = "officer"
    HANDHELD = "handheld"
    TAXI = "taxi"
    BUS = "bus"
    PRIVATE_CAR = "private_car"
    E_BIKE = "e_bike"
    CORRECTIONS = "corrections"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Device:
    """A receiver that has been admitted.

    Parameters
    ----------
    id : str
        1 to 64 characters: letters, digits and ``- _ . :``.
    kind : DeviceKind
        What carries it.
    name : str
        What people call it; the id when empty.
    """

    id: str
    kind: DeviceKind = DeviceKind.UNKNOWN
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse ids that would break a URL or a log line."""
        check_device_id(self.id)


def check_device_id(device_id: str) -> str:
    """Return the id if it is one, else raise InvalidInput."""
    if not (0 < len(device_id) <= 64 and all(c.isalnum() or c in "-_.:" for c in device_id)):
        raise InvalidInput(
            f"device id {device_id!r} is not 1 to 64 letters, digits, '-', '_', '.' or ':'",
            field="device",
            value=device_id,
        )
    return device_id
