"""``geo-policing match-day``: a sealed day to the edges that each device drove."""

import getpass
import json
import sqlite3
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geo_policing.cli import main
from geo_policing.cli.match_day import match_history_day
from geo_policing.errors import Conflict, InvalidFile, InvalidInput, Unavailable
from geo_policing.matching import Matcher, match_track
from geo_policing.matching.table import DRIVEN
from geo_policing.model import Device, DeviceKind, FixColumns, TimeWindow, from_us
from geo_policing.roads import Access, RoadNetwork
from geo_policing.store import FixStore, open_records
from geo_policing.store.history import matched
from geo_policing.store.history.keeper import OTHERS, Keeper
from tests.matching.city import grid
from tests.store.matched_days import DAY, contents, drives, edges_of, history, match, seal
from tests.store.moving import DAY_US, FIRST_DAY, T


@pytest.fixture
def fixes():
    return drives()


@pytest.fixture
def data(tmp_path, fixes):
    return history(tmp_path, fixes)


def test_the_files_have_what_the_matcher_finds_of_each_device_by_device_and_time(data, fixes, capsys):
    folder = match(data)
    said = capsys.readouterr()
    matcher = Matcher(RoadNetwork.load(data / "city.roads"))
    window = TimeWindow(from_us(T), from_us(T + DAY_US))
    expected = []
    for device in sorted(set(fixes.device.tolist())):
        track = match_track(matcher, device, window, fixes.take(fixes.device == device))
        for number, piece in enumerate(track.pieces):
            expected += [
                (device, number, edge, us, piece.inferred)
                for edge, us in zip(piece.edge_ids, piece.enter_us.tolist(), strict=True)
            ]
    rows = edges_of(folder)
    assert [tuple(row.values())[:5] for row in rows] == expected
    assert [(row["device"], row["enter_us"]) for row in rows] == sorted(
        (row["device"], row["enter_us"]) for row in rows
    )
    assert {row["device"] for row in rows if row["inferred"]} == {"d03"}
    assert all(0.0 <= row["confidence"] <= 1.0 for row in rows)
    assert len(list(folder.glob("*.parquet"))) == 6
    assert said.out == (
        f"{DAY}: {len(rows)} edges of 12 devices, {len(fixes)} fixes, in 6 files; refused: 0\n"
    )
    assert said.err == ""
    for path in folder.glob("*.parquet"):
        assert pq.read_schema(path).equals(DRIVEN)
        assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_run_does_nothing_and_one_that_lacks_a_file_makes_that_one(data, capsys):
    folder = match(data)
    before = contents(folder)
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    match(data)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    assert capsys.readouterr().out.endswith("in 6 files, of which 6 were there; refused: 0\n")
    (folder / "00000002.parquet").unlink()
    (folder / "00000004.parquet").write_bytes(b"PAR1 cut short")
    (folder / ".00000005.parquet.abc.new").write_bytes(b"what a process that was killed left")
    match(data)
    assert contents(folder) == before
    again = {path.name for path in folder.iterdir() if path.stat().st_mtime_ns != times[path.name]}
    assert again == {"00000002.parquet", "00000004.parquet"}


@pytest.mark.parametrize("change", ["fixes", "roads", "access", "ranges"])
def test_a_day_of_which_anything_has_changed_is_begun_anew(data, fixes, change):
    folder = match(data)
    before = matched.Plan.read(folder)
    options = {}
    if change == "fixes":
        seal(data, drives(seed=50).take(slice(None, None, 9)))
    elif change == "roads":
        grid(one_way=("2>8",)).save(data / "city.roads")
    elif change == "access":
        options["access"] = Access.CAR
    else:
        options["range_fixes"] = 200
    match(data, **options)
    assert matched.Plan.read(folder).key != before.key
    afresh = contents(match(data, out=data / "afresh", **options))
    assert contents(folder) == afresh
    assert change != "ranges" or len(afresh) < len(before.ranges)


def test_a_bad_device_is_named_and_kept_in_the_file_and_the_others_go_on(tmp_path, fixes, capsys):
    fixes.lat[np.flatnonzero(fixes.device == "d05")[2]] = np.nan
    fixes.lon[fixes.device == "d07"] += 1.0
    seal(tmp_path, fixes)
    grid().save(tmp_path / "city.roads")
    folder = match(tmp_path)
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        f"{DAY}: device d05: fix 2: lat is nan; leave that fix out; it has no edges",
        f"{DAY}: no road near any fix of 1 of 12 devices: d07",
    ]
    assert said.out.endswith("refused: 1\n")
    assert {row["device"] for row in edges_of(folder)} == {f"d{n:02}" for n in range(12) if n not in (5, 7)}
    kept = [json.loads(pq.read_schema(path).metadata[b"geo_policing"]) for path in folder.glob("*.parquet")]
    assert [said["refused"] for said in kept if said["refused"]] == [
        {"d05": "fix 2: lat is nan; leave that fix out"}
    ]
    assert [device for said in kept for device in said["unmatched"]] == ["d07"]
    match(tmp_path)  # and is named again
    assert "device d05: fix 2: lat is nan" in capsys.readouterr().err


def test_a_day_of_which_no_device_can_be_matched_is_an_error(tmp_path, fixes):
    far = fixes.take(fixes.device < "d02")
    far.lon[:] += 1.0
    seal(tmp_path, far)
    grid().save(tmp_path / "city.roads")
    with pytest.raises(InvalidInput, match=r"2026-03-01: no fix is near a road of .*city\.roads; check"):
        match(tmp_path)
    grid(lon=114.13).save(tmp_path / "city.roads")
    match(tmp_path)
    bad = tmp_path / "bad"
    far.lat[:] = np.inf
    seal(bad, far)
    grid().save(bad / "city.roads")
    with pytest.raises(InvalidInput, match="2026-03-01: no device can be matched"):
        match(bad)


def test_what_was_matched_goes_with_the_fixes_of_its_day(data, fixes):
    seal(data, FixColumns.from_arrow(shifted(fixes)))
    folder = match(data)
    next_day = folder.with_name("day=2026-03-02")
    match_history_day(FIRST_DAY + 1, data / "fixes.duckdb", data / "city.roads")
    kinds = {"d00": "officer"}
    with FixStore(data / "fixes.duckdb") as store:
        keeper = Keeper(store)
        keeper.compact()
        assert keeper.expire({OTHERS: 99}, kinds, T + 9 * DAY_US, "admin") == []
        assert folder.is_dir()  # nothing was deleted yet
        (gone,) = keeper.expire({"officer": 1}, kinds, T + 2 * DAY_US, "admin")
    assert (gone.day, gone.devices) == (FIRST_DAY, 1)
    assert [path.name for path in folder.parent.iterdir()] == [next_day.name]
    # What is left of that day may be matched again; it goes with the next fixes.
    assert "d00" not in {row["device"] for row in edges_of(match(data))}
    with FixStore(data / "fixes.duckdb") as store:
        Keeper(store).expire({OTHERS: 1}, kinds, T + 9 * DAY_US, "admin")
    assert list(folder.parent.iterdir()) == []


def shifted(fixes):
    """The same fixes a day later."""
    table = fixes.to_arrow()
    for name in ("time", "received"):
        later = pa.array(table.column(name).to_numpy() + DAY_US)
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), later)
    return table


def test_what_a_deletion_that_was_killed_left_goes_with_the_next(data):
    folder = match(data)
    with FixStore(data / "fixes.duckdb") as store:
        keeper = Keeper(store)
        keeper.expire({OTHERS: 1}, {}, T + 9 * DAY_US, "admin")
        manifest = store.manifest
    # As if it had been killed before the files were deleted, or while they were.
    folder.mkdir()
    (folder.parent / ".gone-0" / "day").mkdir(parents=True)
    assert matched.remove_outdated(folder.parent, manifest) == [folder]
    assert list(folder.parent.iterdir()) == []


def test_a_task_that_comes_late_adds_nothing_to_a_day_that_was_deleted_or_begun_anew(data):
    folder = match(data)
    old = matched.Plan.read(folder)
    rows = pq.read_table(folder / old.file(0))
    match(data, range_fixes=100)
    before = contents(folder)
    with pytest.raises(Conflict, match="has been deleted or begun anew meanwhile; start again"):
        matched.write(folder, old, 0, rows, {})
    assert contents(folder) == before
    assert not list(folder.glob(".*"))
    matched.remove(folder)
    with pytest.raises(FileNotFoundError):
        matched.write(folder, old, 0, rows, {})
    assert not folder.exists()


def test_two_do_not_match_the_same_day_at_once(data):
    folder = match(data)
    with matched.alone(folder), pytest.raises(Conflict, match="is being filled by another process"):
        match(data)


@pytest.fixture
def run(data, capsys, monkeypatch):
    def run(*words):
        asked = ["geo-policing", "match-day", *words, "--data-dir", str(data)]
        if "--reason" not in words:
            asked += ["--reason", "monthly statistics"]
        monkeypatch.setattr("sys.argv", asked)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out.splitlines(), said.err.splitlines()

    return run


def test_the_command_matches_a_day_on_the_roads_of_the_data_folder_or_others(run, data):
    code, out, err = run(DAY)
    assert (code, len(out), err) == (0, 1, [])
    grid(footways=("1>2",)).save(data / "other.roads")
    code, _, err = run(
        DAY, "--roads", str(data / "other.roads"), "--access", "car", "--out", str(data / "out")
    )
    assert (code, err) == (0, [])
    assert "1>2" in {row["edge"] for row in edges_of(data / "matched" / f"day={DAY}")}
    assert "1>2" not in {row["edge"] for row in edges_of(data / "out" / f"day={DAY}")}


def kept(data, case=""):
    with open_records(data) as records:
        return records.searches.of_case(case), records.looks.list()


def test_who_asked_why_and_of_how_many_tracks_were_written_is_recorded(run, data):
    assert run(DAY, "--case", "A1", "--reason", "盗窃案嫌疑车辆排查")[0] == 0
    (search,), looks = kept(data, "A1")
    assert (search.search, search.reason, search.role) == ("match-day", "盗窃案嫌疑车辆排查", "command line")
    assert (search.account, search.found, search.problem) == (getpass.getuser(), 12, None)
    assert (search.question["day"], search.question["access"]) == (DAY, "any")
    ended, begun = looks
    assert (begun.question, begun.rows) == ("geo-policing match-day (case A1: 盗窃案嫌疑车辆排查): begun", 0)
    assert (ended.question, ended.rows) == ("geo-policing match-day (case A1: 盗窃案嫌疑车辆排查): ended", 12)
    assert {(look.start_us, look.end_us) for look in looks} == {(T, T + DAY_US)}
    with open_records(data) as records, pytest.raises(Conflict, match="in the files that it wrote"):
        records.searches.answer(search.id)


def test_what_is_refused_or_stopped_is_recorded_with_why(run, data, monkeypatch):
    from geo_policing.cli import day_work

    assert run("2026-03-05")[0] == 1
    (search,), looks = kept(data)
    assert "2026-03-05 is not sealed" in search.problem
    assert [look.question.rpartition(": ")[2] for look in looks] == ["refused or stopped", "begun"]
    one = day_work.match_range

    def stopped(work, index):
        one(work, index)
        raise KeyboardInterrupt

    monkeypatch.setattr(day_work, "match_range", stopped)
    run(DAY)
    assert kept(data)[0][0].problem == "it was ended by who asked"


def test_nothing_is_read_that_cannot_be_recorded(run, data):
    with open_records(data):
        pass
    db = sqlite3.connect(data / "records.sqlite")
    db.execute("ALTER TABLE looks RENAME TO away")
    code, out, err = run(DAY)
    assert (code, out, len(err)) == (1, [], 1)
    assert "records" in err[0]
    assert not (data / "matched").exists()
    db.close()


def test_devices_of_community_corrections_are_left_out_also_when_it_is_learned_later(run, data):
    assert run(DAY)[0] == 0
    folder = data / "matched" / f"day={DAY}"
    assert "d05" in {row["device"] for row in edges_of(folder)}
    with open_records(data) as records:
        records.devices.create(Device("d05", DeviceKind.CORRECTIONS))
    code, out, err = run(DAY)
    assert (code, err) == (0, [f"{DAY}: left out: 1 devices of community corrections"])
    assert "of 11 devices" in out[0]
    assert {row["device"] for row in edges_of(folder)} == {f"d{n:02}" for n in range(12) if n != 5}
    # By processes as well.
    assert run(DAY, "--out", str(data / "out"), "--workers", "2")[0] == 0
    assert edges_of(data / "out" / f"day={DAY}") == edges_of(folder)


@pytest.mark.parametrize("why", [[], ["--reason", " x "], ["--case", "  ", "--reason", "monthly"]])
def test_nobody_matches_a_day_without_a_reason(data, capsys, monkeypatch, why):
    monkeypatch.setattr("sys.argv", ["geo-policing", "match-day", DAY, *why, "--data-dir", str(data)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code != 0
    assert "reason" in capsys.readouterr().err or "--case" in why
    assert not (data / "matched").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["2026-03-05"], "2026-03-05 is not sealed in "),
        (["2026-02-30"], "'2026-02-30' is no day; write it like 2026-03-01"),
        (["yesterday"], "'yesterday' is no day"),
        (["2999-01-01"], "2999-01-01 is not over yet (UTC)"),
        ([DAY, "--roads", "none.roads"], "setting roads"),
        ([DAY, "--workers", "0"], "--workers '0' is neither a number of processes, from 1, nor the address"),
        ([DAY, "--workers", "http://localhost"], "--workers 'http://localhost' is neither"),
        ([DAY, "--workers", "tcp://localhost"], "'tcp://localhost' is no address (missing port number"),
        ([DAY, "--workers", "tcp://127.0.0.1:1"], "no Dask scheduler answers at tcp://127.0.0.1:1"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run, data, words, said, monkeypatch):
    monkeypatch.setattr("geo_policing.cli.day_work.WAIT_S", 0.3)
    code, out, err = run(*words)
    assert (code, out, len(err)) == (1, [], 1)
    assert said in err[0]
    assert not (data / "matched").exists()


def test_without_roads_or_with_a_file_that_is_none_it_is_said(run, data):
    (data / "city.roads").write_text("no network")
    code, _, err = run(DAY)
    assert code == 1
    assert "city.roads is no road network" in err[0]
    (data / "city.roads").unlink()
    code, _, err = run(DAY)
    assert (code, len(err)) == (1, 1)
    assert "there are no roads at" in err[0]


def test_a_damaged_file_of_the_history_is_named(data):
    path = next(data.glob("fixes-sealed/day=2026-03-01/by_device/*"))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InvalidFile, match=r"cannot be read .* `geo-policing history verify`"):
        match(data)


def test_without_dask_it_is_said_how_to_install_it(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        Unavailable, match=r"Dask is not installed here; pip install 'geo-policing\[cluster\]'"
    ):
        match(data, workers="tcp://127.0.0.1:8786")


def test_a_day_that_is_merged_while_it_is_matched_is_not_kept(data, monkeypatch):
    from geo_policing.cli import day_work

    one = day_work.match_range

    def and_merge(work, index):
        one(work, index)
        if index == 3:
            with FixStore(data / "fixes.duckdb") as store:
                Keeper(store).compact()

    monkeypatch.setattr(day_work, "match_range", and_merge)
    with pytest.raises(Conflict, match="2026-03-01 was sealed, merged or deleted meanwhile; start again"):
        match(data)
    assert not (data / "matched" / f"day={DAY}").exists()
