"""Finished days are sealed, merged, and asked as if nothing had happened."""

import json
import threading
from dataclasses import replace

import duckdb
import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geo_policing.errors import InvalidFile, Unavailable
from geo_policing.kernels.block_ways import ONWARD
from geo_policing.model import BoundingBox, Fix, FixColumns, TimeWindow, from_us
from geo_policing.store import FixStore
from geo_policing.store.history import checks, layout, spill
from geo_policing.store.history import keeper as keeper_module
from geo_policing.store.history.checks import verify
from geo_policing.store.history.keeper import Keeper
from geo_policing.store.history.manifest import FORMAT, NAME, Manifest
from geo_policing.store.history.questions import Questions
from geo_policing.store.history.sealing import make_part
from geo_policing.tracks.searches import Area, presences
from tests.store.moving import DAY_US, FIRST_DAY, T, fixes_at, rows, walks

HOUR_US = 3_600_000_000
ALL = TimeWindow(from_us(T - DAY_US), from_us(T + 9 * DAY_US))


@pytest.fixture
def store(tmp_path):
    with FixStore(tmp_path / "fixes.duckdb") as store:
        yield store


def faults(store):
    return list(verify(store.folder, store.manifest))


def test_what_is_asked_is_answered_alike_before_and_after_sealing_and_after_a_restart(store, tmp_path):
    fixes = walks(np.random.default_rng(1), days=3)
    store.append(fixes)
    box = BoundingBox(113.125, 27.82, 113.14, 27.84)
    night = TimeWindow(from_us(T + DAY_US - 400_000_000), from_us(T + DAY_US + 400_000_000))

    def answers(store):
        return [
            rows(store.between(ALL)),
            rows(store.between(night, box)),
            [store.window(f"d{n}", night).time.tolist() for n in range(5)],
            store.window("d1", ALL).cell.tolist(),
            rows(store.latest()),
            store.devices(),
            store.count(),
        ]

    before = answers(store)
    assert before[0] == rows(fixes)
    assert len(before[1]) > 10
    Keeper(store).seal(FIRST_DAY + 1)
    assert [part.day for part in store.manifest.parts] == [FIRST_DAY]
    assert answers(store) == before
    Keeper(store).seal(FIRST_DAY + 9)
    assert answers(store) == before
    assert faults(store) == []
    store.close()
    with FixStore(tmp_path / "fixes.duckdb") as again:
        assert answers(again) == before


def test_late_fixes_become_a_part_and_are_merged(store):
    fixes = walks(np.random.default_rng(2))
    late = np.arange(len(fixes)) % 5 == 0
    keeper = Keeper(store)
    store.append(fixes.take(~late))
    keeper.seal(FIRST_DAY + 9)
    store.append(fixes.take(late))
    assert rows(store.between(ALL)) == rows(fixes)
    keeper.seal(FIRST_DAY + 9)
    assert max(day.parts for day in keeper.status()) == 2
    assert rows(store.between(ALL)) == rows(fixes)
    assert faults(store) == []
    old = {store.folder / name for name in store.manifest.names}
    keeper.compact()
    assert max(day.parts for day in keeper.status()) == 1
    assert rows(store.between(ALL)) == rows(fixes)
    assert faults(store) == []
    assert not any(path.exists() for path in old)
    assert keeper.compact() == []


def test_a_running_day_is_sealed_in_parts_and_merged_when_it_has_ended(store):
    fixes = walks(np.random.default_rng(15), days=1)
    keeper = Keeper(store)
    for hour in range(0, 24, 3):
        since = T + hour * DAY_US // 24
        of_hours = (fixes.time >= since) & (fixes.time < since + DAY_US // 8)
        store.append(fixes.take(of_hours))
        keeper.seal(FIRST_DAY + 1)
    of_day = rows(fixes.take(fixes.time < T + DAY_US))
    parts = keeper.status()[0].parts
    assert parts > 4
    assert keeper.compact(before=FIRST_DAY) == []
    assert keeper.compact(parts + 1, FIRST_DAY + 1) == []
    assert rows(store.between(ALL)) == of_day
    assert faults(store) == []
    assert len(keeper.compact(parts, FIRST_DAY + 1)) == 1
    assert rows(store.between(ALL)) == of_day
    assert faults(store) == []


def test_of_a_running_day_little_is_left_unsealed_and_few_parts_are_left(store):
    fixes = walks(np.random.default_rng(16), devices=8, days=1)
    of_day = fixes.take(fixes.time < T + DAY_US)
    keeper, most = Keeper(store), 0
    for first in range(0, len(of_day), 30):
        store.append(of_day.take(slice(first, first + 30)))
        made = keeper.keep_up(FIRST_DAY, at_least=60)
        (day,) = keeper.status()
        assert day.hot_rows == (first + 30) % 60 or first + 30 > len(of_day)
        assert {part.id for part in made} <= {part.id for part in store.manifest.parts}
        most = max(most, day.parts)
    assert 2 < most < 8 < len(of_day) // 60
    assert rows(store.between(ALL)) == rows(of_day)
    assert faults(store) == []
    # When it has ended it becomes one; a late fix then stays by itself.
    keeper.keep_up(FIRST_DAY + 1, at_least=1)
    assert keeper.status()[0].parts == 1
    store.append(of_day.take(slice(7, 8)))
    keeper.keep_up(FIRST_DAY + 1, at_least=1)
    assert keeper.status()[0].parts == 2
    assert keeper.keep_up(FIRST_DAY + 1, at_least=1) == []
    assert rows(store.between(ALL)) == sorted([*rows(of_day), *rows(of_day.take(slice(7, 8)))])
    assert faults(store) == []


def test_sealed_in_pieces_and_merged_the_visits_are_those_of_days_sealed_at_once(tmp_path):
    fixes = walks(np.random.default_rng(3))
    pieces = np.random.default_rng(4).integers(0, 3, len(fixes))
    found = []
    for name, parts in (("once", [fixes]), ("pieces", [fixes.take(pieces == n) for n in range(3)])):
        with FixStore(tmp_path / name / "fixes.duckdb") as store:
            keeper = Keeper(store)
            for part in parts:
                store.append(part)
                keeper.seal(FIRST_DAY + 9)
            keeper.compact()
            tables = [pq.read_table(store.folder / part.visits.name) for part in store.manifest.parts]
        visits = pa.concat_tables(tables).to_pydict()
        # The way over midnight is with the day that was sealed last; merged, it is with both.
        found.append(set(zip(*visits.values(), strict=True)))
    assert found[0] == found[1]


@pytest.mark.parametrize("seed", range(4))
def test_sealed_and_merged_in_slices_the_files_are_those_of_days_sealed_at_once(tmp_path, monkeypatch, seed):
    fixes = walks(np.random.default_rng(30 + seed), devices=12)
    fixes.source[::3] = "jt808:tcp:8000"
    late = np.random.default_rng(seed).random(len(fixes)) < 0.2
    found = []
    for slice_rows in (1_000_000, 97):
        monkeypatch.setattr(spill, "SLICE_ROWS", slice_rows)
        with FixStore(tmp_path / str(slice_rows) / "fixes.duckdb") as store:
            keeper = Keeper(store)
            for part in (fixes.take(~late), fixes.take(late)):
                store.append(part)
                keeper.seal(FIRST_DAY + 9)
                assert faults(store) == []
                found.append(contents(store))
            keeper.compact()
            assert faults(store) == []
            found.append(contents(store))
            assert [path for path in store.folder.rglob("*") if path.suffix in {".spill", ".new"}] == []
    assert found[:3] == found[3:]


def contents(store):
    """Return what each file has, row by row in its order, and how its row groups are cut."""
    return {
        name: (
            repr(pq.read_table(store.folder / name).to_pylist()),  # NaN is not NaN
            pq.read_metadata(store.folder / name).num_row_groups,
        )
        for name in sorted(store.manifest.names)
    }


def test_fixes_that_come_while_their_day_is_sealed_are_kept(store):
    fixes = walks(np.random.default_rng(5), days=1, fixes=200)
    keeper = Keeper(store)
    half = len(fixes) // 2
    store.append(fixes.take(slice(0, half)))

    def come():
        for n in range(half, len(fixes), 50):
            store.append(fixes.take(slice(n, n + 50)))

    seen = []
    writer = threading.Thread(target=come)
    writer.start()
    while writer.is_alive():
        keeper.seal(FIRST_DAY + 9)
        keeper.compact()
        seen.append(len(store.between(ALL)))
    writer.join()
    assert seen == sorted(seen)
    assert rows(store.between(ALL)) == rows(fixes)


def test_whoever_asks_while_days_are_sealed_and_merged_sees_each_row_once(store):
    fixes = walks(np.random.default_rng(6), days=4)
    expected = rows(fixes)
    store.append(fixes)
    done, wrong = threading.Event(), []

    def ask():
        while not done.is_set():
            if rows(store.between(ALL)) != expected or store.count() != len(expected):
                wrong.append(store.count())

    readers = [threading.Thread(target=ask) for _ in range(3)]
    for reader in readers:
        reader.start()
    keeper = Keeper(store)
    for day in range(1, 6):
        keeper.seal(FIRST_DAY + day)
        keeper.compact()
    done.set()
    for reader in readers:
        reader.join(60)
    assert wrong == []


def test_a_file_that_is_being_read_stays_until_it_is_read(store):
    fixes = walks(np.random.default_rng(7), days=1)
    keeper = Keeper(store)
    for part in (fixes.take(slice(0, 300)), fixes.take(slice(300, None))):
        store.append(part)
        keeper.seal(FIRST_DAY + 9)
    old = [store.folder / name for name in store.manifest.names]
    with store.snapshot() as before:
        keeper.compact()
        query = before.select(("device",))
        assert before.cursor.execute(f"SELECT count(*) FROM ({query})").fetchall() == [(len(fixes),)]
    assert sum(path.exists() for path in old) == 3  # the few after midnight are of one part


def test_any_parquet_reader_reads_the_sealed_days(store):
    fixes = walks(np.random.default_rng(8))
    store.append(fixes)
    Keeper(store).seal(FIRST_DAY + 9)
    folder = store.folder
    table = pa.concat_tables(
        pq.read_table(p) for p in sorted(folder.glob("day=2026-03-0*/by_device/*.parquet"))
    )
    assert sorted(zip(*(table.column(n).to_pylist() for n in ("device", "time")), strict=True)) == sorted(
        zip(fixes.device.tolist(), fixes.time.tolist(), strict=True)
    )
    placed = {
        (d, t): (x, y) for d, t, x, y in zip(fixes.device, fixes.time, fixes.lon, fixes.lat, strict=True)
    }
    for device, time, lon, lat in zip(
        *(table.column(n).to_pylist() for n in ("device", "time", "lon", "lat")), strict=True
    ):
        assert (float(lon), float(lat)) in {placed[device, time]} or list(fixes.time).count(time) > 1
    ways = pq.read_table(folder / store.manifest.parts[0].by_cell.name)
    keys = list(zip(*(ways.column(n).to_pylist() for n in ("hour", "block", "device", "time")), strict=True))
    assert keys == sorted(keys)
    assert h3.get_resolution(h3.int_to_str(keys[0][1])) == 8
    # Each fix is there once as one in its block and hour, and the row after says where its way leads.
    here = [k for k, f in zip(keys, ways.column("flags").to_pylist(), strict=True) if f & 1]
    first_day = fixes.time // DAY_US == FIRST_DAY
    assert sorted((d, t) for _, _, d, t in here) == sorted(
        zip(fixes.device[first_day].tolist(), fixes.time[first_day].tolist(), strict=True)
    )
    assert all(hour == t // HOUR_US for hour, _, _, t in here)


@pytest.mark.parametrize("digits", [7, 9, 15])
def test_places_lose_nothing_however_many_digits_they_have(store, digits):
    rng = np.random.default_rng(digits)
    n = 500
    lon, lat = (np.round(at + rng.normal(0, 0.02, n), digits) for at in (-113.13, 27.83))
    fixes = fixes_at(np.full(n, "rtk", object), T + np.arange(n) * 1_000_000, lon, lat)
    store.append(fixes)
    Keeper(store).seal(FIRST_DAY + 9)
    assert store.manifest.parts[0].digits == (digits if digits < 15 else None)
    assert rows(store.between(ALL)) == rows(fixes)


def test_parts_of_different_digits_are_read_and_merged(store):
    keeper = Keeper(store)
    for n, lon in enumerate((113.1234567, 113.123456789, 113.1 + 1 / 3)):
        store.append(FixColumns.from_fixes([Fix("car", T + n, lon, 27.8, source="x")]))
        keeper.seal(FIRST_DAY + 9)
    wanted = [113.1234567, 113.123456789, 113.1 + 1 / 3]
    assert store.window("car", ALL).lon.tolist() == wanted
    keeper.compact()
    assert store.window("car", ALL).lon.tolist() == wanted


def test_a_day_of_before_there_were_blocks_is_read_and_written_anew(store, tmp_path):
    fixes = walks(np.random.default_rng(15))
    store.append(fixes)
    keeper = Keeper(store)
    keeper.seal(FIRST_DAY + 9)
    area, w = Area.circle(113.13, 27.83, 1500), TimeWindow(from_us(T), from_us(T + DAY_US))
    expected = presences(Questions(store), area, w)
    assert len(expected) > 3
    # As the version before wrote it: fixes by hour, cell and time, and a manifest of format 1.
    manifest = store.manifest
    folder = store.folder
    for part in manifest.parts:
        table = pq.read_table(folder / part.by_device.name, columns=["device", "time", "lon", "lat", "cell"])
        hours = pa.array(table.column("time").to_numpy() // HOUR_US)
        order = [(name, "ascending") for name in ("hour", "cell", "time")]
        old = table.append_column("hour", hours).sort_by(order).drop_columns(["hour"])
        pq.write_table(old, folder / part.by_cell.name, store_decimal_as_integer=True)
    store.close()
    said = json.loads((folder / NAME).read_text())
    said["format"] = 1
    for part in said["parts"]:
        del part["has_blocks"], part["has_ways"]
        path = folder / part["by_cell"]["name"]
        part["by_cell"] |= {
            "rows": part["by_device"]["rows"],
            "bytes": path.stat().st_size,
            "sha256": layout.digest(path),
        }
    (folder / NAME).write_text(json.dumps(said))
    with FixStore(tmp_path / "fixes.duckdb") as again:
        keeper = Keeper(again)
        assert faults(again) == []
        ways = Questions(again).ways(area, w.start_us, w.end_us)
        assert ways.unsure >= {p.device for p in expected}
        assert presences(Questions(again), area, w) == expected
        again.append(fixes.take(slice(0, 5)))  # late ones, whose neighbours are in the old files
        keeper.seal(FIRST_DAY + 9)
        assert faults(again) == []
        assert len(keeper.compact(renew=True)) == len(manifest.parts)
        assert all(part.has_blocks and part.has_ways for part in again.manifest.parts)
        assert faults(again) == []
        assert presences(Questions(again), area, w) == expected


def test_ways_of_format_2_are_not_believed_until_they_are_written_anew(store, tmp_path):
    # A fix that is there twice, then a leap too far to be joined, and back half a minute later.
    second, west, south = 1_000_000, 113.13, 27.83
    time, lat = T + np.array([0, 0, 1, 30]) * second, south + np.array([0.0, 0.0, 0.04, 0.0])
    store.append(fixes_at(np.full(4, "d0", object), time, np.full(4, west), lat))
    Keeper(store).seal(FIRST_DAY + 9)
    area, w = Area.circle(west, south, 200), TimeWindow(from_us(T), from_us(T + 60 * second))

    def stays(store):
        return [(p.enter_us - T, p.leave_us - T) for p in presences(Questions(store), area, w)]

    assert stays(store) == [(0, 0), (30 * second, 30 * second)]
    # As it was written then: whatever is in the block until the leap is followed by the next row.
    folder, (part,) = store.folder, store.manifest.parts
    table = pq.read_table(folder / part.by_cell.name)
    flags, time = (table.column(name).to_numpy() for name in ("flags", "time"))
    again = np.flatnonzero((time[:-1] == T) & (time[1:] == T))
    assert len(again) == 1
    assert not flags[again[0]] & ONWARD
    flags = flags.copy()
    flags[again] |= ONWARD
    at = table.schema.get_field_index("flags")
    table = table.set_column(at, table.schema.field(at), pa.array(flags))
    # And there was a row group of no rows where the last one was full.
    with pq.ParquetWriter(folder / part.by_cell.name, table.schema, store_decimal_as_integer=True) as file:
        file.write_table(table)
        file.write_table(table.slice(0, 0))
    store.close()
    said = json.loads((folder / NAME).read_text())
    said["format"] = 2
    del said["parts"][0]["has_ways"]
    path = folder / part.by_cell.name
    said["parts"][0]["by_cell"] |= {"bytes": path.stat().st_size, "sha256": layout.digest(path)}
    (folder / NAME).write_text(json.dumps(said))
    with FixStore(tmp_path / "fixes.duckdb") as after:
        assert faults(after) == []
        assert stays(after) == [(0, 0), (30 * second, 30 * second)]
        (renewed,) = Keeper(after).compact(renew=True)
        assert renewed.has_ways
        assert json.loads((folder / NAME).read_text())["format"] == FORMAT > 2
        assert faults(after) == []
        assert stays(after) == [(0, 0), (30 * second, 30 * second)]


def test_a_manifest_of_a_later_format_is_refused_with_what_to_do(store, tmp_path):
    store.append(walks(np.random.default_rng(16), devices=1, days=1))
    Keeper(store).seal(FIRST_DAY + 9)
    store.close()
    path = store.folder / NAME
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"format": FORMAT + 1}))
    with pytest.raises(InvalidFile, match=f"of format {FORMAT + 1}, not 1 to {FORMAT}; use the version"):
        FixStore(tmp_path / "fixes.duckdb")


def test_a_store_of_one_table_is_divided_into_days(tmp_path):
    fixes = walks(np.random.default_rng(9))
    path = tmp_path / "fixes.duckdb"
    with FixStore(path) as store:
        store._db.register("old", fixes.to_arrow())
        store._db.execute("CREATE TABLE fixes AS SELECT * FROM old")
    with FixStore(path) as store:
        assert rows(store.between(ALL)) == rows(fixes)
        assert {day.day for day in Keeper(store).status()} == {FIRST_DAY, FIRST_DAY + 1, FIRST_DAY + 2}
        assert store.window("d0", ALL).cell.all()


def test_files_that_the_manifest_does_not_name_are_removed(store, tmp_path):
    store.append(walks(np.random.default_rng(10)))
    Keeper(store).seal(FIRST_DAY + 9)
    stranger = store.folder / "day=2026-03-01" / "by_cell" / "00000099.parquet"
    stranger.write_bytes(b"half a file")
    store.close()
    with FixStore(tmp_path / "fixes.duckdb") as again:
        assert not stranger.exists()
        assert faults(again) == []


def test_a_damaged_manifest_is_refused_in_one_line(store, tmp_path):
    store.append(walks(np.random.default_rng(11)))
    Keeper(store).seal(FIRST_DAY + 9)
    store.close()
    (store.folder / NAME).write_text("{")
    with pytest.raises(InvalidFile, match="is damaged") as caught:
        FixStore(tmp_path / "fixes.duckdb")
    assert "\n" not in str(caught.value)


def test_damage_to_a_sealed_day_is_found(store):
    store.append(walks(np.random.default_rng(12)))
    Keeper(store).seal(FIRST_DAY + 9)
    part = store.manifest.parts[0]
    path = store.folder / part.by_cell.name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    said = f"day 2026-03-01: part 1: {part.by_cell.name} is not what was written: its SHA-256 differs"
    assert faults(store) == [said]
    path.unlink()
    assert "cannot be read (No such file or directory)" in faults(store)[0]


def test_a_day_that_is_merged_while_it_is_checked_is_checked_as_it_is_then(store, monkeypatch):
    fixes = walks(np.random.default_rng(17), days=1)
    keeper = Keeper(store)

    def sealed_bit_by_bit():
        for n in range(3):
            store.append(fixes.take(np.arange(len(fixes)) % 3 == n))
            keeper.seal(FIRST_DAY + 9)

    sealed_bit_by_bit()
    before = store.manifest
    keeper.compact()
    assert not any((store.folder / name).exists() for name in before.names - store.manifest.names)
    assert list(verify(store.folder, before)) == []
    # Or when its files had been found whole already.
    sealed_bit_by_bit()
    check = checks._check_fixes

    def merged_just_now(*of):
        keeper.compact()
        return check(*of)

    monkeypatch.setattr(checks, "_check_fixes", merged_just_now)
    before = store.manifest
    assert list(verify(store.folder, before)) == []
    # What is damaged now is found, also by whoever knows only what was there before.
    path = store.folder / store.manifest.parts[0].visits.name
    path.unlink()
    assert "cannot be read" in next(verify(store.folder, before))


def test_what_lies_ahead_does_not_have_each_few_fixes_sealed(store):
    fixes = walks(np.random.default_rng(18), days=1)
    ahead = replace(fixes.take(slice(0, 100)), time=fixes.time[:100] + 3 * DAY_US)
    keeper = Keeper(store)
    store.append(ahead)
    store.append(fixes.take(slice(0, 10)))
    assert keeper.keep_up(FIRST_DAY, at_least=50) == []
    store.append(fixes.take(slice(10, 50)))
    assert [part.rows for part in keeper.keep_up(FIRST_DAY, at_least=50)] == [50]


def test_nobody_else_may_read_the_sealed_days(store):
    store.append(walks(np.random.default_rng(13)))
    Keeper(store).seal(FIRST_DAY + 9)
    assert {p.stat().st_mode & 0o077 for p in [store.folder, *store.folder.rglob("*")]} == {0}


def test_sealing_on_a_disk_that_is_full_changes_nothing(store, monkeypatch):
    fixes = walks(np.random.default_rng(14))
    store.append(fixes)

    def full(self, folder):
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(Manifest, "write", full)
    with pytest.raises(Unavailable, match="No space left"):
        Keeper(store).seal(FIRST_DAY + 9)
    assert rows(store.between(ALL)) == rows(fixes)
    # What comes meanwhile is kept, and is in one table more however often it is tried.
    for n in range(5):
        store.append(fixes.take(slice(n, n + 1)))
        with pytest.raises(Unavailable, match="No space left"):
            Keeper(store).seal(FIRST_DAY + 9)
        with store.snapshot() as now:
            assert sum(day == FIRST_DAY for day in now.hot.values()) == 2
    monkeypatch.undo()
    Keeper(store).seal(FIRST_DAY + 9)
    with store.snapshot() as now:
        assert now.hot == {}
    assert rows(store.between(ALL)) == sorted([*rows(fixes), *rows(fixes.take(slice(0, 5)))])
    assert faults(store) == []


def test_late_fixes_beside_a_damaged_file_do_not_keep_other_days_from_being_sealed(store):
    fixes = walks(np.random.default_rng(19))
    early = fixes.take(fixes.time < T + DAY_US)
    store.append(early)
    Keeper(store).seal(FIRST_DAY + 1)
    path = store.folder / store.manifest.parts[0].by_cell.name
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    store.append(early.take(slice(0, 1)))
    store.append(fixes.take(fixes.time >= T + DAY_US))
    with pytest.raises((Unavailable, duckdb.Error), match="magic bytes"):
        Keeper(store).seal(FIRST_DAY + 9)
    # The second day goes on from the first.
    assert {part.day for part in store.manifest.parts} == {FIRST_DAY, FIRST_DAY + 2}
    path.write_bytes(whole)
    Keeper(store).seal(FIRST_DAY + 9)
    assert rows(store.between(ALL)) == sorted([*rows(fixes), *rows(early.take(slice(0, 1)))])
    assert faults(store) == []


def test_of_the_day_so_far_only_neighbours_of_what_is_sealed_are_looked_at(store, monkeypatch):
    looked_at = []

    def counted(cursor, folder, part_id, day, mine, others, devices):
        looked_at.append(cursor.execute(f"SELECT count(*) FROM ({others})").fetchall()[0][0])
        return make_part(cursor, folder, part_id, day, mine, others, devices)

    monkeypatch.setattr(keeper_module, "make_part", counted)
    n, devices = 480, 20
    time = np.repeat(T + np.arange(n) * 60_000_000, devices)
    names = np.array([f"d{k:02d}" for k in range(devices)] * n, object)
    whole = fixes_at(names, time, np.full(len(time), 113.13), np.full(len(time), 27.83))
    late = fixes_at(
        np.array(["d07"], object), np.array([T + 30_000_000]), np.full(1, 113.13), np.full(1, 27.83)
    )
    keeper = Keeper(store)
    for hour in range(8):
        store.append(whole.take((time >= T + hour * HOUR_US) & (time < T + (hour + 1) * HOUR_US)))
        if hour == 7:
            store.append(late)
        keeper.seal(FIRST_DAY + 1)
    # The two minutes before of each; and all day of the one that was late.
    assert looked_at[:7] == [0, *[2 * devices] * 6]
    assert looked_at[7] == 2 * (devices - 1) + 7 * 60
    assert faults(store) == []
