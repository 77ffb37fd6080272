import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from geo_policing.errors import Conflict, IllegalTransition, InvalidInput, NotFound, Unavailable
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
from geo_policing.store import Records, StateChange, open_records, tables

NOON = parse_instant("2026-03-01T12:00:00+08:00")


def incident(key, minutes=0, **more):
    return replace(Incident(key, "theft", NOON + timedelta(minutes=minutes), 113.1, 27.8), **more)


@pytest.fixture
def records(url):
    with Records(url) as records:
        yield records


def test_the_tables_and_the_migrations_agree(records, url):
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_a_file_is_its_owners_and_is_read_while_it_is_written(tmp_path):
    path = tmp_path / "records.sqlite"
    with Records(f"sqlite:///{path}"):
        assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


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


@pytest.mark.parametrize(
    ("states", "found"),
    [
        (IncidentState.REPORTED, ["in"]),
        ([IncidentState.REPORTED, IncidentState.CLOSED], ["closed", "in"]),
        ({IncidentState.MERGED}, []),
        ([], []),
        (None, ["closed", "in"]),
    ],
)
def test_a_list_keeps_to_box_window_and_states(records, states, found):
    records.incidents.save_all(
        [
            incident("in"),
            incident("far", lon=114.0),
            incident("end", 60),
            incident("closed", state=IncidentState.CLOSED),
        ]
    )
    box, hour = BoundingBox(113.0, 27.0, 113.1, 28.0), TimeWindow(NOON, NOON + timedelta(hours=1))
    assert [i.id for i in records.incidents.list(box, hour, states)] == found


@pytest.mark.parametrize("limit", [-1, 0, 10_001, 2**70])
def test_a_limit_out_of_range_is_refused(records, limit):
    with pytest.raises(InvalidInput, match=r"is not 1 to 10000") as refused:
        records.incidents.list(limit=limit)
    assert (refused.value.field, refused.value.value) == ("limit", limit)


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


def test_a_saved_device_or_unit_is_added_or_changed(records):
    records.devices.save(Device("d", DeviceKind.TAXI))
    records.devices.save(Device("d", DeviceKind.BUS, "二路"))
    assert records.devices.list() == [Device("d", DeviceKind.BUS, "二路")]
    records.units.save(Unit("u", "1", "d"))
    records.units.save(Unit("u", "2", "d", "河西所", UnitStatus.OFF_DUTY))
    assert records.units.list() == [Unit("u", "2", "d", "河西所", UnitStatus.OFF_DUTY)]


def test_a_device_is_admitted_with_the_line_on_which_it_speaks(records, url):
    assert records.devices.admit(Device("d"), "tcp:7001/10.0.0.7") == Device("d")
    records.devices.admit(Device("e"), "tcp:7001/10.0.0.8")
    records.devices.admit(Device("e"), "tcp:7001/10.0.0.7")
    with Records(url) as again:
        assert again.devices.list() == [Device("d"), Device("e")]
        assert again.devices.lines() == {"tcp:7001/10.0.0.7": "e", "tcp:7001/10.0.0.8": "e"}


def test_a_device_that_is_admitted_again_becomes_what_is_said_of_it(records):
    records.devices.admit(Device("d", DeviceKind.TAXI, "one"))
    assert records.devices.admit(Device("d")) == Device("d", DeviceKind.TAXI, "one")
    assert records.devices.admit(Device("d", name="two")) == Device("d", DeviceKind.TAXI, "two")
    assert records.devices.admit(Device("d", DeviceKind.BUS)) == Device("d", DeviceKind.BUS, "two")
    assert records.devices.list() == [Device("d", DeviceKind.BUS, "two")]


def test_new_devices_are_added_and_known_ones_stay_as_they_are(records):
    records.devices.create(Device("d", DeviceKind.TAXI))
    records.devices.add_new([Device("d"), Device("e"), Device("e")])
    records.devices.add_new([])
    assert records.devices.list() == [Device("d", DeviceKind.TAXI), Device("e")]


def test_an_admission_that_fails_leaves_neither_device_nor_line(records, url):
    engine = sa.create_engine(url)
    with engine.begin() as db:
        db.exec_driver_sql("ALTER TABLE lines RENAME TO away")
    with pytest.raises((Unavailable, sa.exc.ProgrammingError)):
        records.devices.admit(Device("d"), "tcp:7001/10.0.0.7")
    assert records.devices.list() == []
    engine.dispose()


def test_the_open_incidents_are_those_that_are_not_final(records):
    states = list(IncidentState)
    records.incidents.save_all(incident(s.value, n, state=s) for n, s in enumerate(states))
    open_ones = [s.value for s in reversed(states) if not s.is_final]
    assert [i.id for i in records.incidents.open()] == open_ones


def test_the_version_of_the_incidents_changes_with_whatever_anybody_does_to_them(records, url):
    seen = [records.incidents.version()]
    records.units.create(Unit("u", "1"))
    assert records.incidents.version() == seen[0]
    with Records(url) as other:
        other.incidents.create(incident("a"))
        seen.append(records.incidents.version())
        other.incidents.change_state("a", IncidentState.ACCEPTED, "li", "", 1)
        seen.append(records.incidents.version())
        other.incidents.assign("a", ["u"], "li", 2)
        seen.append(records.incidents.version())
    assert len(set(seen)) == 4


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_the_version_changes_though_an_earlier_change_is_committed_after_a_later_one(records, url):
    records.incidents.save_all([incident("a"), incident("b")])
    add = tables.incident_history.insert()
    row = {"at_us": 1, "before": "reported", "after": "accepted", "by": "li", "note": ""}
    engine = sa.create_engine(url)
    with engine.connect() as slow:
        slow.execute(add, row | {"incident_id": "a"})
        records.incidents.change_state("b", IncidentState.ACCEPTED, "li", "", 1)
        before = records.incidents.version()
        slow.commit()
    assert records.incidents.version() != before
    engine.dispose()


def test_many_are_saved_or_none(records):
    records.devices.save_all([Device("a"), Device("b"), Device("a", DeviceKind.BUS)])
    assert records.devices.list() == [Device("a", DeviceKind.BUS), Device("b")]
    with pytest.raises(NotFound, match="device 'x'"):
        records.units.save_all([Unit("u", "1", "a"), Unit("v", "2", "x")])
    records.units.save_all([])
    assert records.units.list() == []


def test_a_status_is_changed_and_nothing_else(records):
    records.units.save(Unit("u", "1", station="河西所"))
    busy = records.units.set_status("u", UnitStatus.ASSIGNED)
    assert busy == records.units.get("u") == Unit("u", "1", None, "河西所", UnitStatus.ASSIGNED)
    with pytest.raises(NotFound, match="unit 'x'"):
        records.units.set_status("x", UnitStatus.AVAILABLE)


def test_an_assignment_replaces_the_units_and_leaves_its_history(records):
    records.units.save_all([Unit("u1", "1"), Unit("u2", "2")])
    records.incidents.create(incident("a", state=IncidentState.ACCEPTED, units=("foreign",)))
    assigned = records.incidents.assign("a", ["u2", "foreign", "u2", "u1"], "li", 7, "最近")
    assert assigned == records.incidents.get("a")
    assert assigned.units == ("u2", "foreign", "u1")
    assert records.incidents.assign("a", ["u2", "foreign", "u1"], "li", 8) == assigned
    records.incidents.assign("a", [], "li", 9)
    accepted = IncidentState.ACCEPTED
    assert records.incidents.history("a") == [
        StateChange(7, accepted, accepted, "li", "最近", ("u2", "foreign", "u1")),
        StateChange(9, accepted, accepted, "li", "", ()),
    ]


def test_an_assignment_that_cannot_be_leaves_nothing(records):
    records.units.save(Unit("u", "1"))
    records.incidents.create(incident("open"))
    records.incidents.create(incident("done", state=IncidentState.CLOSED))
    for incident_id, units, error, said in [
        ("none", ["u"], NotFound, "incident 'none'"),
        ("open", ["u", "x"], NotFound, "unit 'x'"),
        ("done", ["u"], Conflict, "is closed"),
    ]:
        with pytest.raises(error, match=said):
            records.incidents.assign(incident_id, units, "li", 7)
    assert records.incidents.get("open").units == ()
    assert records.incidents.history("open") == records.incidents.history("done") == []


def test_of_two_who_accept_a_call_at_once_one_is_refused(records):
    records.incidents.save_all(incident(str(n)) for n in range(10))
    meet = threading.Barrier(2)

    def accept(by):
        meet.wait()
        done = 0
        for n in range(10):
            try:
                records.incidents.change_state(str(n), IncidentState.ACCEPTED, by, "", n)
                done += 1
            except IllegalTransition:
                pass
        return done

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(accept, ("li", "wang"))) == 10
    assert [len(records.incidents.history(str(n))) for n in range(10)] == [1] * 10


def test_a_year_of_incidents_is_saved_at_once_and_paged_whole(records):
    records.incidents.save_all(incident(f"{n:05}", n // 7) for n in range(45_000))
    seen, last = [], None
    while page := records.incidents.list(limit=10_000, after=last):
        seen += [i.id for i in page]
        last = page[-1]
    assert sorted(seen) == [f"{n:05}" for n in range(45_000)]
    with pytest.raises(Conflict, match=r"00000, 00001, .* 00019 and 5 more$"):
        records.incidents.save_all(incident(f"{n:05}") for n in range(25))


@pytest.mark.parametrize("key", ["\ud800", "a\0b"])
def test_a_text_that_cannot_be_kept_is_refused_or_not_found(records, key):
    with pytest.raises((InvalidInput, NotFound)) as said:
        records.incidents.get(key)
    assert "\n" not in str(said.value)


def test_records_of_the_first_migration_are_brought_up_with_what_they_hold(url):
    engine = sa.create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(tables.__file__).parent / "migrations"))
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.upgrade(config, "0001")
        db.exec_driver_sql("INSERT INTO devices VALUES ('d', 'taxi', '')")
        db.exec_driver_sql(
            "INSERT INTO incidents VALUES ('a', 'theft', 0, 113.1, 27.8, 'accepted', 3, '', '', 'x', '[]')"
        )
        db.exec_driver_sql(
            "INSERT INTO incident_history VALUES (1, 'a', 7, 'reported', 'accepted', 'li', 'why')"
        )
    engine.dispose()
    with Records(url) as records:
        assert records.devices.list() == [Device("d", DeviceKind.TAXI)]
        assert records.incidents.get("a").state is IncidentState.ACCEPTED
        step = StateChange(7, IncidentState.REPORTED, IncidentState.ACCEPTED, "li", "why")
        assert records.incidents.history("a") == [step]
        assert records.accounts.list() == []


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_connection_that_died_is_replaced(url):
    with Records(url) as records:
        records.devices.create(Device("d"))
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as db:
            others = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            )
            assert db.exec_driver_sql(f"{others} AND pid <> pg_backend_pid()").all() == [(True,)]
        assert records.devices.list() == [Device("d")]


PROCESS = """
import sys
from geo_policing.store import Records
sys.stdin.read(1)
with Records(sys.argv[1]) as records:
    print(len(records.devices.list()))
"""


def test_processes_that_start_together_take_turns_at_migrating(url):
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    # All are told to go on at once; each answers after it has migrated or found that done.
    for process in starting:
        process.stdin.write("!")
        process.stdin.flush()
    assert [process.communicate()[0].strip() for process in starting] == ["0"] * 3


def test_the_folder_of_the_file_is_made_and_one_that_cannot_be_is_said(tmp_path):
    with Records(f"sqlite:///{tmp_path / 'new' / 'folder' / 'records.sqlite'}") as records:
        assert records.devices.list() == []
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="check the folder") as said:
        Records(f"sqlite:///{tmp_path / 'file' / 'records.sqlite'}")
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    "address",
    ["records", "sqlite://", "sqlite:///:memory:", "oracle-of-delphi://x", "postgresql+nodriver://x/y"],
)
def test_an_address_that_is_none_is_said(address):
    with pytest.raises((InvalidInput, Unavailable)) as said:
        Records(address)
    assert "like sqlite:////var" in str(said.value) or "pip install" in str(said.value)


def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path):
    (tmp_path / "records.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(Unavailable, match="file is not a database") as said:
        Records(f"sqlite:///{tmp_path / 'records.sqlite'}")
    assert "\n" not in str(said.value)


def test_a_full_disk_is_said_in_one_line_and_what_was_there_stays(tmp_path):
    with Records(f"sqlite:///{tmp_path / 'records.sqlite'}") as records:
        records.incidents.create(incident("old"))

        def fill(connection, _record, _proxy):
            connection.execute("PRAGMA max_page_count=30").close()

        sa.event.listen(sa.pool.Pool, "checkout", fill)
        try:
            with pytest.raises(Unavailable, match="database or disk is full") as said:
                records.incidents.save_all(incident(f"{n}", summary="x" * 500) for n in range(5000))
        finally:
            sa.event.remove(sa.pool.Pool, "checkout", fill)
        assert "\n" not in str(said.value)
        assert [i.id for i in records.incidents.list()] == ["old"]


def test_a_database_that_went_away_is_said_in_one_line():
    with pytest.raises(Unavailable, match="cannot be used") as said:
        Records("postgresql+psycopg://tester:secret@127.0.0.1:1/x")
    assert "\n" not in str(said.value)
    assert "secret" not in str(said.value)


@pytest.mark.parametrize("name", ["what? 100%", "a#b", "城市"])
def test_the_records_lie_in_the_data_folder_whatever_its_name(tmp_path, name):
    with open_records(tmp_path / name) as records:
        records.devices.create(Device("PC-001"))
    assert (tmp_path / name / "records.sqlite").stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_address_goes_before_the_data_folder(tmp_path):
    with open_records(tmp_path / "a", f"sqlite:///{tmp_path}/b.sqlite"):
        assert (tmp_path / "b.sqlite").is_file()
    assert not (tmp_path / "a").exists()
