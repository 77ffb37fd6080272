"""How devices become known: to the records first, then to the registry, then to the picture."""

import asyncio
import time

from starlette.concurrency import run_in_threadpool

from geo_policing.errors import NotAllowed
from geo_policing.model import Account, Device, DeviceKind, Role
from geo_policing.service.dependencies import Rooms
from geo_policing.service.sight import Sight, seen_by
from geo_policing.service.telling import tell_units
from geo_policing.store import Look

#: How often devices are looked for that nobody has admitted by hand.
DEVICES_S = 1.0
#: What goes on beside is called.
DEVICES = "enrolling of devices"


async def admit(
    rooms: Rooms, key: str, device: str, kind: DeviceKind, name: str, *, who: Account, client: str
) -> Device:
    """Admit a device, or learn more of one that is known; its next fixes are stored, also on open lines.

    The records come first, and nothing after them can fail: it is admitted for good or not at all.

    Parameters
    ----------
    rooms : Rooms
        The running service.
    key, device : str
        As for `Registry.check`.
    kind, name : DeviceKind, str
        As for `Devices.admit`.
    who, client : Account, str
        Who admits it, and the address that asks.

    Returns
    -------
    Device
        As it is now.

    Raises
    ------
    InvalidInput, Conflict, NotFound
        As for `Registry.check`.
    NotAllowed
        If a device of corrections would be none any more, and this is no administrator.
    Unavailable
        If the records cannot be written.
    """
    async with rooms.devices_in_order:
        known_as, line = rooms.registry.check(key, device)
        hidden = rooms.picture.sight_of(known_as) is Sight.CORRECTIONS
        if hidden and kind is not DeviceKind.UNKNOWN and seen_by(kind) is not Sight.CORRECTIONS:
            await _show(rooms, known_as, kind, who, client)
        admitted = await run_in_threadpool(rooms.records.devices.admit, Device(known_as, kind, name), line)
        rooms.registry.admit(known_as, line)
        tell_units(rooms, rooms.picture.present(admitted))
        return admitted


async def _show(rooms: Rooms, device: str, kind: DeviceKind, who: Account, client: str) -> None:
    """Record that a device of corrections is one of another kind from now on, where this may be said."""
    if who.role is not Role.ADMIN:
        raise NotAllowed(f"{device} is a device of community corrections; ask an administrator")
    said = f"/api/devices: {device} is of community corrections no more, but {kind}"
    look = Look(time.time_ns() // 1_000, who.key, who.role.value, client, said, 0, device)
    await run_in_threadpool(rooms.records.looks.add, look)


async def enrol(rooms: Rooms) -> None:
    """Put devices into the records that nobody admitted by hand: all are admitted, or the settings name it.

    Raises
    ------
    Unavailable
        If the records cannot be read or written; the next time tries again.
    """
    async with rooms.devices_in_order:
        new = rooms.registry.known.difference(rooms.picture.introduced)
        if new:
            await run_in_threadpool(rooms.records.devices.add_new, [Device(key) for key in sorted(new)])
            devices = await run_in_threadpool(rooms.records.devices.list)
            units = await run_in_threadpool(rooms.records.units.list)
            tell_units(rooms, rooms.picture.introduce(devices, units))


async def enrol_devices(rooms: Rooms) -> None:
    """Enrol again and again."""
    while True:
        with rooms.chores.step(DEVICES):
            await enrol(rooms)
        await asyncio.sleep(DEVICES_S)
