"""How devices become known: to the records first, then to the registry, then to the picture."""

import asyncio

from starlette.concurrency import run_in_threadpool

from geo_policing.model import Device, DeviceKind
from geo_policing.service.dependencies import Rooms
from geo_policing.service.telling import tell_units

#: How often devices are looked for that nobody has admitted by hand.
DEVICES_S = 1.0
#: What goes on beside is called.
DEVICES = "enrolling of devices"


async def admit(rooms: Rooms, key: str, device: str, kind: DeviceKind, name: str) -> Device:
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

    Returns
    -------
    Device
        As it is now.

    Raises
    ------
    InvalidInput, Conflict, NotFound
        As for `Registry.check`.
    Unavailable
        If the records cannot be written.
    """
    async with rooms.devices_in_order:
        known_as, line = rooms.registry.check(key, device)
        admitted = await run_in_threadpool(rooms.records.devices.admit, Device(known_as, kind, name), line)
        rooms.registry.admit(known_as, line)
        tell_units(rooms, rooms.picture.present(admitted))
        return admitted


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
