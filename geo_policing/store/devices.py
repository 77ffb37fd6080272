"""Devices that have been admitted, the lines on which they speak, and the units that carry them."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from geo_policing.errors import NotFound
from geo_policing.model import Device, DeviceKind, Unit, UnitStatus
from geo_policing.store import tables
from geo_policing.store.engine import get, insert, writing


class Devices:
    """Devices admitted, by id."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def create(self, device: Device) -> None:
        """Admit a device; Conflict if its id is taken."""
        insert(self._engine, tables.devices, "device", asdict(device))

    def admit(self, device: Device, line: str = "") -> Device:
        """Admit a device and say that it speaks on a line, both or neither.

        Parameters
        ----------
        device : Device
            Of one that was admitted before, the kind and the name change unless these say nothing:
            unknown and empty.
        line : str
            ``RECEIVER/HOST`` of a line that names no device; it is taken from whoever spoke there before.

        Returns
        -------
        Device
            As it is now.
        """
        table = tables.devices
        mine = table.c.id == device.id
        with writing(self._engine) as db:
            _add(db, [device])
            before = _device(db.execute(sa.select(table).where(mine).with_for_update()).mappings().one())
            kind = before.kind if device.kind is DeviceKind.UNKNOWN else device.kind
            after = replace(before, kind=kind, name=device.name or before.name)
            if after != before:
                db.execute(table.update().where(mine), asdict(after))
            if line:
                _save(db, tables.lines, [{"line": line, "device_id": device.id}])
        return after

    def add_new(self, devices: Sequence[Device]) -> None:
        """Admit those of the devices that have not been; the others stay as they are."""
        with writing(self._engine) as db:
            _add(db, devices)

    def lines(self) -> dict[str, str]:
        """Return which device speaks on which line that names none: ``RECEIVER/HOST`` to device id."""
        with self._engine.connect() as db:
            return {row.line: row.device_id for row in db.execute(sa.select(tables.lines))}

    def save(self, device: Device) -> None:
        """Admit a device, or change the one with its id."""
        self.save_all([device])

    def save_all(self, devices: Sequence[Device]) -> None:
        """Save devices, all or none; of those with the same id the last one stays."""
        with writing(self._engine) as db:
            _save(db, tables.devices, [asdict(device) for device in devices])

    def get(self, device_id: str) -> Device:
        """Return the device, or raise NotFound."""
        return _device(get(self._engine, tables.devices, "device", device_id))

    def list(self) -> Sequence[Device]:
        """Return all devices by id."""
        with self._engine.connect() as db:
            rows = db.execute(sa.select(tables.devices).order_by(tables.devices.c.id)).mappings()
            return [_device(row) for row in rows]


class Units:
    """Units, by id."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def create(self, unit: Unit) -> None:
        """Add a unit; Conflict if its id is taken, NotFound if its device has not been admitted."""
        self._check_devices([unit])
        insert(self._engine, tables.units, "unit", asdict(unit))

    def save(self, unit: Unit) -> None:
        """Add a unit, or change the one with its id; NotFound if its device has not been admitted."""
        self.save_all([unit])

    def save_all(self, units: Sequence[Unit]) -> None:
        """Save units, all or none; NotFound if a device of theirs has not been admitted."""
        self._check_devices(units)
        with writing(self._engine) as db:
            _save(db, tables.units, [asdict(unit) for unit in units])

    def set_status(self, unit_id: str, status: UnitStatus) -> Unit:
        """Change whether a unit can be sent and return it; NotFound if there is no such unit."""
        mine = tables.units.update().where(tables.units.c.id == unit_id)
        with writing(self._engine) as db:
            if db.execute(mine.values(status=status.value)).rowcount != 1:
                raise NotFound("unit", unit_id)
            row = db.execute(sa.select(tables.units).where(tables.units.c.id == unit_id)).mappings().one()
        return _unit(row)

    def get(self, unit_id: str) -> Unit:
        """Return the unit, or raise NotFound."""
        return _unit(get(self._engine, tables.units, "unit", unit_id))

    def list(self) -> Sequence[Unit]:
        """Return all units by id."""
        with self._engine.connect() as db:
            rows = db.execute(sa.select(tables.units).order_by(tables.units.c.id)).mappings()
            return [_unit(row) for row in rows]

    def _check_devices(self, units: Sequence[Unit]) -> None:
        wanted = {unit.device_id for unit in units if unit.device_id is not None}
        with self._engine.connect() as db:
            # Devices are never deleted, so what is there now stays there.
            missing = wanted.difference(db.scalars(sa.select(tables.devices.c.id)))
        if missing:
            raise NotFound("device", min(missing))


def _insert(db: sa.Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that can say what is to happen when a row is there already."""
    return postgresql.insert(table) if db.dialect.name == "postgresql" else sqlite.insert(table)


def _add(db: sa.Connection, devices: Sequence[Device]) -> None:
    if devices:
        add = _insert(db, tables.devices).on_conflict_do_nothing()
        db.execute(add, [asdict(device) for device in devices])


def _save(db: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    add = _insert(db, table)
    changed = {column.name: add.excluded[column.name] for column in table.c if not column.primary_key}
    db.execute(add.on_conflict_do_update(index_elements=table.primary_key.columns, set_=changed), rows)


def _device(row: sa.RowMapping) -> Device:
    return Device(row["id"], DeviceKind(row["kind"]), row["name"])


def _unit(row: sa.RowMapping) -> Unit:
    return Unit(row["id"], row["call_sign"], row["device_id"], row["station"], UnitStatus(row["status"]))
