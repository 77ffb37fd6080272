from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from geo_policing.errors import Conflict, IllegalTransition, NotFound, Unavailable
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
    parse_instant,
)
from geo_policing.store import Records, StateChange, tables

NOON = parse_instant("2026-03-01T12:00:00+08:00")


def incident(key, minutes=0, **more):
    return replace(Incident(key, "theft", NOON + timedelta(minutes=minutes), 113.1, 27.8), **more)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'records.sqlite'}"


@pytest.fixture
def records(url):
    with Records(url) as records:
        yield records


def test_the_tables_and_the_migrations_agree(records, url):
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


def test_postgresql_has_a_type_for_every_column():
    for table in tables.metadata.sorted_tables:
        assert table.name in str(CreateTable(table).compile(dialect=postgresql.dialect()))


def test_what_was_saved_is_there_when_opened_again(url):
    car = Device("car-1", DeviceKind.PATROL_CAR, "一号车")
    unit = Unit("u1", "洞拐", "car-1", "河西所", UnitStatus.ASSIGNED)
    call = incident("a", severity=Severity.CRITICAL, summary="抢夺", units=("u1", "u0"))
    with Records(url) as first:
        first.devices.create(car)
        first.units.create(unit)
        first.incidents.create(call)
    with Records(url) as again:
        assert (again.devices.get("car-1"), again.devices.list()) == (car, [car])
        assert (again.units.get("u1"), again.units.list()) == (unit, [unit])
        assert again.incidents.get("a") == call


def test_an_unknown_id_is_named_and_a_taken_one_refused(records):
    for repository in (records.devices, records.units, records.incidents):
        with pytest.raises(NotFound, match="'x'"):
            repository.get("x")
    records.devices.create(Device("d"))
    with pytest.raises(Conflict, match="device 'd' exists"):
        records.devices.create(Device("d"))
    with pytest.raises(NotFound, match="device 'x'"):
        records.units.create(Unit("u", "1", "x"))


def test_pages_run_from_the_newest_and_then_by_id_without_gap_or_repeat(records):
    records.incidents.save_all([incident(key, m) for key, m in (("b", 0), ("a", 0), ("d", 5), ("c", 0))])
    pages, last = [], None
    while page := records.incidents.list(limit=2, after=last):
        pages.append("".join(i.id for i in page))
        last = page[-1]
    assert pages == ["da", "bc"]


def test_a_list_keeps_to_box_window_and_state(records):
    records.incidents.save_all(
        [
            incident("in"),
            incident("far", lon=114.0),
            incident("end", 60),
            incident("closed", state=IncidentState.CLOSED),
        ]
    )
    box, hour = BoundingBox(113.0, 27.0, 113.1, 28.0), TimeWindow(NOON, NOON + timedelta(hours=1))
    assert [i.id for i in records.incidents.list(box, hour, IncidentState.REPORTED)] == ["in"]


def test_all_are_saved_or_none_and_every_double_is_named(records):
    records.incidents.create(incident("old"))
    with pytest.raises(Conflict, match="before: old, twice"):
        records.incidents.save_all(incident(key) for key in ("new", "twice", "old", "twice"))
    assert [i.id for i in records.incidents.list()] == ["old"]


def test_a_change_of_state_leaves_its_history_and_a_forbidden_one_nothing(records):
    records.incidents.create(incident("a"))
    moved = records.incidents.change_state("a", IncidentState.ACCEPTED, "li", "核实", 7)
    assert records.incidents.get("a") == moved
    with pytest.raises(IllegalTransition):
        records.incidents.change_state("a", IncidentState.CLOSED, "li", "", 8)
    step = StateChange(7, IncidentState.REPORTED, IncidentState.ACCEPTED, "li", "核实")
    assert records.incidents.history("a") == [step]
    assert records.incidents.get("a").state is IncidentState.ACCEPTED


def test_the_folder_of_the_file_is_made_and_one_that_cannot_be_is_said(tmp_path):
    with Records(f"sqlite:///{tmp_path / 'new' / 'folder' / 'records.sqlite'}") as records:
        assert records.devices.list() == []
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="check the folder") as said:
        Records(f"sqlite:///{tmp_path / 'file' / 'records.sqlite'}")
    assert "\n" not in str(said.value)
