"""Devices that are known, those in quarantine, and what was refused of whom."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, Field

from geo_policing.model import Account, Device, DeviceKind, format_instant
from geo_policing.service.admission import admit
from geo_policing.service.dependencies import DISPATCHERS, Asking, Dispatching, InRooms, OneLine
from geo_policing.service.parameters import KNOWN_ONLY
from geo_policing.service.sight import seen_by, sight_of

router = APIRouter(prefix="/api/devices", tags=["devices"], dependencies=[KNOWN_ONLY])


class DeviceOut(BaseModel):
    """A device that has been admitted."""

    id: str
    kind: DeviceKind
    name: str
    last_seen: str | None = Field(description="Time of its newest fix, RFC 3339; null before the first.")
    refused: dict[str, int] = Field(description="Fixes that were not believed, by reason.")


class Stranger(BaseModel):
    """Somebody who sends and has not been admitted."""

    key: str = Field(description="The id it names itself by, or RECEIVER/HOST of a line that names none.")
    named: bool
    origin: str
    first_seen: str
    last_seen: str
    bytes: int
    fixes: int
    last_sentence: str


class Admission(BaseModel):
    """Whom to admit, and as what."""

    model_config = {"extra": "forbid"}

    key: str = Field(
        min_length=1,
        max_length=200,
        description="Key of an entry of the quarantine, or the id of a device, heard or not.",
    )
    device: str = Field("", max_length=64, description="Which device speaks there, when the line names none.")
    kind: DeviceKind = Field(DeviceKind.UNKNOWN, description="Left as it is known when unknown.")
    name: OneLine = Field(default="", max_length=100, description="Left as it is known when empty.")


@router.get("")
def read_devices(rooms: InRooms, who: Asking) -> list[DeviceOut]:
    """Return the devices that one sees by id; to those who admit devices, all."""
    refused: dict[str, dict[str, int]] = {}
    for (reason, device), count in rooms.pipeline.refusals.items():
        refused.setdefault(device, {})[reason] = count
    newest = rooms.pipeline.latest
    return [
        DeviceOut(
            id=device.id,
            kind=device.kind,
            name=device.name or device.id,
            last_seen=format_instant(newest[device.id].time) if device.id in newest else None,
            refused=refused.get(device.id, {}),
        )
        for device in known_to(who, rooms.records.devices.list())
    ]


def known_to(who: Account, devices: Iterable[Device]) -> list[Device]:
    """Return the devices that somebody sees on the map, or all to who admits them."""
    every = who.role in DISPATCHERS
    return [device for device in devices if every or seen_by(device.kind) is sight_of(who.role)]


@router.get("/quarantine")
async def read_quarantine(rooms: InRooms, _: Dispatching) -> list[Stranger]:
    """Return who sends without having been admitted, the one heard last first."""
    return [
        Stranger(
            key=stranger.key,
            named=stranger.named,
            origin=stranger.origin,
            first_seen=format_instant(stranger.first_seen),
            last_seen=format_instant(stranger.last_seen),
            bytes=stranger.bytes,
            fixes=stranger.fixes,
            last_sentence=stranger.last_sentence,
        )
        for stranger in rooms.registry.quarantine
    ]


@router.post("", status_code=201)
async def admit_device(
    request: Request, rooms: InRooms, who: Dispatching, admission: Annotated[Admission, Body()]
) -> dict[str, Any]:
    """Admit a device, in quarantine or not yet heard, or say who it is; its next fixes are stored.

    An administrator alone says that one of community corrections is of another kind; it is recorded.
    """
    client = request.client.host if request.client else ""
    said = (admission.key, admission.device, admission.kind, admission.name)
    admitted = await admit(rooms, *said, who=who, client=client)
    return {"id": admitted.id, "kind": admitted.kind, "name": admitted.name or admitted.id}
