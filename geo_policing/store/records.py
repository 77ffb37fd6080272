"""The records: devices, units and incidents, in SQLite or whatever SQLAlchemy is pointed at."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from geo_policing.errors import Conflict
from geo_policing.model import (
    BoundingBox,
    Device,
    DeviceKind,
    Incident,
    IncidentState,
    Severity,
    TimeWindow,
    Unit,
    UnitStatus,
    from_us,
    to_us,
)
from geo_policing.store import tables
from geo_policing.store.accounts import Accounts, Sessions
from geo_policing.store.engine import get, insert, open_engine

_LOOKUP = 500  # ids in one statement; SQLite and PostgreSQL both limit parameters


@dataclass(frozen=True, slots=True)
class StateChange:
    """One step of an incident: from which state to which, when (microseconds of UTC), by whom and why."""

    at_us: int
    before: IncidentState
    after: IncidentState
    by: str
    note: str


class Records:
    """The records behind one database, brought to the newest migration when opened.

    Parameters
    ----------
    url : str
        SQLAlchemy's address of the database, like ``sqlite:////var/lib/geo_policing/records.sqlite``.

    Raises
    ------
    Unavailable
        If the database cannot be opened or written.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self.devices = Devices(self._engine)
        self.units = Units(self._engine)
        self.incidents = Incidents(self._engine)
        self.accounts = Accounts(self._engine)
        self.sessions = Sessions(self._engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


class Devices:
    """Devices admitted, by id."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def create(self, device: Device) -> None:
        """Admit a device; Conflict if its id is taken."""
        insert(self._engine, tables.devices, "device", asdict(device))

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
        if unit.device_id is not None:
            get(self._engine, tables.devices, "device", unit.device_id)
        insert(self._engine, tables.units, "unit", asdict(unit))

    def get(self, unit_id: str) -> Unit:
        """Return the unit, or raise NotFound."""
        return _unit(get(self._engine, tables.units, "unit", unit_id))

    def list(self) -> Sequence[Unit]:
        """Return all units by id."""
        with self._engine.connect() as db:
            rows = db.execute(sa.select(tables.units).order_by(tables.units.c.id)).mappings()
            return [_unit(row) for row in rows]


class Incidents:
    """Incidents with the history of their states. Times come back in UTC."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def create(self, incident: Incident) -> None:
        """Add an incident; Conflict if its id is taken."""
        self.save_all([incident])

    def save_all(self, incidents: Iterable[Incident]) -> None:
        """Add all incidents, or none and raise Conflict naming the ids that are double or taken."""
        rows = [_incident_row(incident) for incident in incidents]
        ids = [row["id"] for row in rows]
        doubled = {key for key, count in Counter(ids).items() if count > 1}
        table = tables.incidents
        try:
            with self._engine.begin() as db:
                for start in range(0, len(ids), _LOOKUP):
                    some = ids[start : start + _LOOKUP]
                    doubled.update(db.scalars(sa.select(table.c.id).where(table.c.id.in_(some))))
                if doubled:
                    raise Conflict(f"incidents given twice or saved before: {', '.join(sorted(doubled))}")
                if rows:
                    db.execute(table.insert(), rows)
        except sa.exc.IntegrityError:
            raise Conflict("some of these incidents were just saved by somebody else; try again") from None

    def get(self, incident_id: str) -> Incident:
        """Return the incident, or raise NotFound."""
        return _incident(get(self._engine, tables.incidents, "incident", incident_id))

    def list(
        self,
        bbox: BoundingBox | None = None,
        window: TimeWindow | None = None,
        state: IncidentState | None = None,
        *,
        limit: int = 100,
        after: Incident | None = None,
    ) -> Sequence[Incident]:
        """Return at most ``limit`` incidents, the newest first, then by id.

        ``after`` is the last incident of the page before.
        """
        c = tables.incidents.c
        query = sa.select(tables.incidents).order_by(c.occurred_us.desc(), c.id).limit(limit)
        if bbox is not None:
            query = query.where(c.lon.between(bbox.west, bbox.east), c.lat.between(bbox.south, bbox.north))
        if window is not None:
            query = query.where(c.occurred_us >= window.start_us, c.occurred_us < window.end_us)
        if state is not None:
            query = query.where(c.state == state.value)
        if after is not None:
            us = to_us(after.occurred)
            query = query.where(sa.or_(c.occurred_us < us, sa.and_(c.occurred_us == us, c.id > after.id)))
        with self._engine.connect() as db:
            return [_incident(row) for row in db.execute(query).mappings()]

    def change_state(
        self, incident_id: str, state: IncidentState, by: str, note: str, now_us: int
    ) -> Incident:
        """Move an incident to another state and write that into its history, both or neither.

        Raises
        ------
        NotFound
            If there is no such incident.
        IllegalTransition
            If the life cycle does not allow it.
        Conflict
            If somebody else changed the state at the same time.
        """
        present = self.get(incident_id)
        moved = present.moved_to(state)
        c = tables.incidents.c
        with self._engine.begin() as db:
            changed = db.execute(
                tables.incidents.update()
                .where(c.id == incident_id, c.state == present.state.value)
                .values(state=state.value)
            )
            if changed.rowcount != 1:
                raise Conflict(f"incident {incident_id!r} was just changed by somebody else; look again")
            db.execute(
                tables.incident_history.insert().values(
                    incident_id=incident_id,
                    at_us=now_us,
                    before=present.state.value,
                    after=state.value,
                    by=by,
                    note=note,
                )
            )
        return moved

    def history(self, incident_id: str) -> Sequence[StateChange]:
        """Return the changes of an incident's state in the order they were made."""
        table = tables.incident_history
        query = sa.select(table).where(table.c.incident_id == incident_id).order_by(table.c.id)
        with self._engine.connect() as db:
            return [
                StateChange(
                    row["at_us"],
                    IncidentState(row["before"]),
                    IncidentState(row["after"]),
                    row["by"],
                    row["note"],
                )
                for row in db.execute(query).mappings()
            ]


def _device(row: sa.RowMapping) -> Device:
    return Device(row["id"], DeviceKind(row["kind"]), row["name"])


def _unit(row: sa.RowMapping) -> Unit:
    return Unit(row["id"], row["call_sign"], row["device_id"], row["station"], UnitStatus(row["status"]))


def _incident_row(incident: Incident) -> dict[str, Any]:
    row = asdict(incident)
    row["occurred_us"] = to_us(row.pop("occurred"))
    row["severity"] = int(incident.severity)
    row["state"] = incident.state.value
    row["units"] = list(incident.units)
    return row


def _incident(row: sa.RowMapping) -> Incident:
    values = dict(row)
    values["occurred"] = from_us(values.pop("occurred_us"))
    values["state"] = IncidentState(values["state"])
    values["severity"] = Severity(values["severity"])
    values["units"] = tuple(values["units"])
    return Incident(**values)
