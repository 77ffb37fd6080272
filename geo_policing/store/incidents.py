"""Incidents with the history of what was done about them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from geo_policing.errors import Conflict, InvalidInput, NotFound
from geo_policing.model import BoundingBox, Incident, IncidentState, Severity, TimeWindow, from_us, to_us
from geo_policing.store import tables
from geo_policing.store.engine import get, writing

MAX_LIMIT = 10_000
_LOOKUP = 500  # ids in one statement; SQLite and PostgreSQL both limit parameters
_NAMED = 20  # ids named in a message


@dataclass(frozen=True, slots=True)
class StateChange:
    """One step of an incident: when (microseconds of UTC), by whom and why.

    A change of state has another state before than after. An assignment leaves the state as it is and has
    the ids of the units that are assigned from then on.
    """

    at_us: int
    before: IncidentState
    after: IncidentState
    by: str
    note: str
    units: tuple[str, ...] | None = None


class Incidents:
    """Incidents with the history of their states and units. Times come back in UTC."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def create(self, incident: Incident) -> None:
        """Add an incident; Conflict if its id is taken."""
        self.save_all([incident])

    def save_all(self, incidents: Iterable[Incident]) -> None:
        """Add all incidents, or none and raise Conflict naming the ids that are double or taken."""
        rows = [_row(incident) for incident in incidents]
        ids = [row["id"] for row in rows]
        doubled = {key for key, count in Counter(ids).items() if count > 1}
        table = tables.incidents
        try:
            with writing(self._engine) as db:
                for start in range(0, len(ids), _LOOKUP):
                    some = ids[start : start + _LOOKUP]
                    doubled.update(db.scalars(sa.select(table.c.id).where(table.c.id.in_(some))))
                if doubled:
                    raise Conflict(_doubled(doubled))
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
        state: IncidentState | Iterable[IncidentState] | None = None,
        *,
        limit: int = 100,
        after: Incident | None = None,
    ) -> Sequence[Incident]:
        """Return incidents, the newest first, then by id.

        Parameters
        ----------
        bbox, window : BoundingBox, TimeWindow, optional
            Where and when they occurred.
        state : IncidentState or iterable of them, optional
            In which state, or one of which states, they are; all when None.
        limit : int
            How many at most, 1 to 10,000.
        after : Incident, optional
            The last incident of the page before.

        Raises
        ------
        InvalidInput
            If the limit is out of its range.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidInput(f"limit {limit} is not 1 to {MAX_LIMIT}", field="limit", value=limit)
        c = tables.incidents.c
        query = sa.select(tables.incidents).order_by(c.occurred_us.desc(), c.id).limit(limit)
        if bbox is not None:
            query = query.where(c.lon.between(bbox.west, bbox.east), c.lat.between(bbox.south, bbox.north))
        if window is not None:
            query = query.where(c.occurred_us >= window.start_us, c.occurred_us < window.end_us)
        if state is not None:
            states = [state] if isinstance(state, IncidentState) else state
            query = query.where(c.state.in_({s.value for s in states}))
        if after is not None:
            us = to_us(after.occurred)
            query = query.where(sa.or_(c.occurred_us < us, sa.and_(c.occurred_us == us, c.id > after.id)))
        with self._engine.connect() as db:
            return [_incident(row) for row in db.execute(query).mappings()]

    def open(self) -> Sequence[Incident]:
        """Return all incidents that are not final, the newest first, then by id."""
        c = tables.incidents.c
        states = [state.value for state in IncidentState if not state.is_final]
        query = sa.select(tables.incidents).where(c.state.in_(states)).order_by(c.occurred_us.desc(), c.id)
        with self._engine.connect() as db:
            return [_incident(row) for row in db.execute(query).mappings()]

    def version(self) -> tuple[int, int]:
        """Return two numbers of which one grows whenever an incident is added or changed, by whomever."""
        # Counted, as nothing is ever deleted: a higher id of the history may be committed before a lower one.
        rows = [
            sa.select(sa.func.count()).select_from(table).scalar_subquery()
            for table in (tables.incidents, tables.incident_history)
        ]
        with self._engine.connect() as db:
            incidents, changes = db.execute(sa.select(*rows)).one()
        return incidents, changes

    def change_state(
        self, incident_id: str, state: IncidentState, by: str, note: str, now_us: int
    ) -> Incident:
        """Move an incident to another state and write that into its history, both or neither.

        Raises
        ------
        NotFound
            If there is no such incident.
        IllegalTransition
            If the life cycle does not allow it, as things stand when it is written.
        """
        with writing(self._engine) as db:
            present = _locked(db, incident_id)
            moved = present.moved_to(state)
            _write(db, present, moved, StateChange(now_us, present.state, moved.state, by, note))
        return moved

    def assign(
        self, incident_id: str, units: Iterable[str], by: str, now_us: int, note: str = ""
    ) -> Incident:
        """Assign units in place of those assigned before and write that into the history, both or neither.

        Parameters
        ----------
        incident_id : str
            Which incident.
        units : iterable of str
            Ids of units; none calls off those assigned.
        by : str
            Who assigns.
        now_us : int
            When, microseconds of UTC.
        note : str
            Why.

        Returns
        -------
        Incident
            As it is now; units that were assigned already leave no history.

        Raises
        ------
        NotFound
            If there is no such incident, or no such unit that was not assigned already.
        Conflict
            If nothing may follow the incident's state.
        """
        wanted = tuple(dict.fromkeys(units))
        with writing(self._engine) as db:
            present = _locked(db, incident_id)
            if wanted == present.units:
                return present
            if present.state.is_final:
                raise Conflict(
                    f"incident {incident_id!r} is {present.state}; no unit is assigned to it any more"
                )
            _check_units(db, set(wanted).difference(present.units))
            assigned = replace(present, units=wanted)
            _write(db, present, assigned, StateChange(now_us, present.state, present.state, by, note, wanted))
        return assigned

    def history(self, incident_id: str) -> Sequence[StateChange]:
        """Return what was done about an incident in the order it was done."""
        table = tables.incident_history
        query = sa.select(table).where(table.c.incident_id == incident_id).order_by(table.c.id)
        with self._engine.connect() as db:
            return [_change(row) for row in db.execute(query).mappings()]


def _locked(db: sa.Connection, incident_id: str) -> Incident:
    """Return an incident that nobody else changes until the transaction ends."""
    query = sa.select(tables.incidents).where(tables.incidents.c.id == incident_id).with_for_update()
    row = db.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound("incident", incident_id)
    return _incident(row)


def _check_units(db: sa.Connection, ids: set[str]) -> None:
    known: set[str] = set()
    wanted = sorted(ids)
    for start in range(0, len(wanted), _LOOKUP):
        some = wanted[start : start + _LOOKUP]
        known.update(db.scalars(sa.select(tables.units.c.id).where(tables.units.c.id.in_(some))))
    for unit_id in wanted:
        if unit_id not in known:
            raise NotFound("unit", unit_id)


def _write(db: sa.Connection, before: Incident, after: Incident, change: StateChange) -> None:
    db.execute(
        tables.incidents.update()
        .where(tables.incidents.c.id == before.id)
        .values(state=after.state.value, units=list(after.units))
    )
    db.execute(
        tables.incident_history.insert().values(
            incident_id=before.id,
            at_us=change.at_us,
            before=change.before.value,
            after=change.after.value,
            by=change.by,
            note=change.note,
            units=None if change.units is None else list(change.units),
        )
    )


def _doubled(ids: set[str]) -> str:
    named = ", ".join(sorted(ids)[:_NAMED])
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"incidents given twice or saved before: {named}{more}"


def _row(incident: Incident) -> dict[str, Any]:
    # Written out: ``asdict`` copies deeply and takes seconds for a year of incidents.
    return {
        "id": incident.id,
        "kind": incident.kind,
        "occurred_us": to_us(incident.occurred),
        "lon": incident.lon,
        "lat": incident.lat,
        "state": incident.state.value,
        "severity": int(incident.severity),
        "summary": incident.summary,
        "address": incident.address,
        "source": incident.source,
        "units": list(incident.units),
    }


def _incident(row: sa.RowMapping) -> Incident:
    values = dict(row)
    values["occurred"] = from_us(values.pop("occurred_us"))
    values["state"] = IncidentState(values["state"])
    values["severity"] = Severity(values["severity"])
    values["units"] = tuple(values["units"])
    return Incident(**values)


def _change(row: sa.RowMapping) -> StateChange:
    return StateChange(
        row["at_us"],
        IncidentState(row["before"]),
        IncidentState(row["after"]),
        row["by"],
        row["note"],
        None if row["units"] is None else tuple(row["units"]),
    )
