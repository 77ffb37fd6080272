"""A few rows of sealed files are found by what is known of their row groups."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geo_policing.errors import Unavailable
from geo_policing.geodesy import cells
from geo_policing.kernels import cell_visits
from geo_policing.kernels.block_ways import HOUR_US, ONWARD
from geo_policing.model import TimeWindow, from_us
from geo_policing.store import FixStore
from geo_policing.store.history import layout
from geo_policing.store.history.keeper import Keeper
from geo_policing.store.history.reading import Groups, SealedReader
from tests.store.moving import DAY_US, FIRST_DAY, T, rows, walks


@pytest.fixture
def fixes():
    return walks(np.random.default_rng(5), devices=6, days=2)


@pytest.fixture
def store(tmp_path, fixes, monkeypatch):
    """Two sealed days in many small row groups, the first of them in two parts of which one was late."""
    monkeypatch.setattr(layout, "GROUP_ROWS", 50)
    late = np.arange(len(fixes)) % 7 == 0
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(fixes.take(~late))
        Keeper(store).seal(FIRST_DAY + 1)
        store.append(fixes.take(late))
        Keeper(store).seal(FIRST_DAY + 3)
        assert len(store.manifest.of_day(FIRST_DAY)) == 2
        yield store


def some_windows(rng, n=12):
    for _ in range(n):
        start = T + int(rng.integers(-DAY_US // 4, 2 * DAY_US))
        yield start, start + int(rng.integers(1, DAY_US))


def test_row_groups_that_may_have_a_row_are_all_those_that_have_it(store):
    part = store.manifest.parts[0]
    groups = Groups.of(store.folder / part.by_device.name)
    assert len(groups) > 10
    wanted = np.array(["d1", "d4"], object)
    may = groups.among("device", wanted)
    least, most = groups.least["device"], groups.most["device"]
    assert may.tolist() == [any(a <= w <= b for w in wanted) for a, b in zip(least, most, strict=True)]
    assert 0 < may.sum() < len(may)
    assert not groups.among("device", np.array(["d", "e"], object)).any()
    assert not groups.during(T + 40 * DAY_US, T + 41 * DAY_US).any()


@pytest.mark.parametrize("seed", range(4))
def test_the_fixes_of_a_device_in_a_window_are_those_that_were_appended(store, fixes, seed):
    for start, end in some_windows(np.random.default_rng(seed)):
        found = store.window("d2", TimeWindow(from_us(start), from_us(end)))
        mine = (fixes.device == "d2") & (fixes.time >= start) & (fixes.time < end)
        assert rows(found) == rows(fixes.take(mine))
        assert found.time.tolist() == sorted(fixes.time[mine].tolist())


@pytest.mark.parametrize("seed", range(4))
def test_the_ways_through_some_blocks_are_those_of_everybody_that_lead_through_them(store, fixes, seed):
    rng = np.random.default_rng(seed)
    part = store.manifest.of_day(FIRST_DAY + 1)[0]
    mine = fixes.take(fixes.time // DAY_US == FIRST_DAY + 1)
    mine = mine.take(np.lexsort((mine.time, mine.device.astype(str))))
    block = cells(mine.lon, mine.lat, 8)
    for start, end in some_windows(rng):
        blocks = np.sort(rng.permutation(np.unique(block))[:3])
        hours = (start // HOUR_US, (end - 1) // HOUR_US)
        everywhere = np.array([-180.0, -90.0, 180.0, 90.0])
        found = set()
        for table in store.sealed.in_blocks([part.by_cell], blocks, hours, everywhere):
            columns = [table.column(name).to_pylist() for name in ("device", "time", "lon", "flags")]
            rows = list(zip(*columns, strict=True))
            found |= {(a[:3], b[:3]) for a, b in pairwise(rows) if a[3] & ONWARD}
        expected = set()
        for i in range(len(mine) - 1):
            j = i + 1
            if mine.device[i] != mine.device[j] or not is_known(mine, i, j):
                continue
            # Both ends in one of the blocks: at least these ways lead through it.
            inside = block[i] == block[j] and block[i] in blocks
            if inside and hours[0] <= mine.time[j] // HOUR_US and mine.time[i] // HOUR_US <= hours[1]:
                ends = [(str(mine.device[k]), int(mine.time[k]), float(mine.lon[k])) for k in (i, j)]
                expected.add(tuple(ends))
        assert expected <= found
        # And each one is a way from a fix to the next one.
        order = {(str(d), int(t)): n for n, (d, t) in enumerate(zip(mine.device, mine.time, strict=True))}
        assert all(order[b[:2]] == order[a[:2]] + 1 for a, b in found)


def is_known(fixes, i, j):
    metres = cell_visits.distance_m(fixes.lon[i], fixes.lat[i], fixes.lon[j], fixes.lat[j])
    return cell_visits.joined(fixes.time[j] - fixes.time[i], metres)


def test_many_row_groups_are_read_some_at_a_time(store, monkeypatch):
    whole = rows(store.window("d3", TimeWindow(from_us(T), from_us(T + 3 * DAY_US))))
    monkeypatch.setattr("geo_policing.store.history.reading._GROUPS", 1)
    monkeypatch.setattr("geo_policing.store.history.reading._KEPT", 1)
    assert rows(store.window("d3", TimeWindow(from_us(T), from_us(T + 3 * DAY_US)))) == whole


@pytest.mark.parametrize("kind", ["by_device", "by_cell", "visits"])
def test_some_row_groups_are_read_by_their_own_part_of_the_footer(store, kind):
    part = store.manifest.parts[0]
    path = store.folder / getattr(part, kind).name
    groups, rng = Groups.of(path), np.random.default_rng(9)
    assert len(groups) > 16
    with pa.memory_map(str(path)) as mapped, pq.ParquetFile(path) as whole:
        for count in (1, 2, 14, 15, 16, len(groups)):
            at = np.sort(rng.choice(len(groups), count, replace=False)).tolist()
            metadata = groups.described(mapped, at)
            assert metadata.num_row_groups == count
            with pq.ParquetFile(mapped, metadata=metadata) as some:
                found = some.read_row_groups(range(count)).to_pylist()
            assert repr(found) == repr(whole.read_row_groups(at).to_pylist())  # NaN as well


def test_files_are_known_by_their_names_and_only_so_many_row_groups_are_kept_in_mind(store, monkeypatch):
    reader = SealedReader(store.folder)
    files = [part.by_device for part in store.manifest.parts][:3]
    # As many as the last two of them have.
    room = sum(len(Groups.of(store.folder / file.name)) for file in files[1:])
    monkeypatch.setattr("geo_policing.store.history.reading._KEPT", room)
    for file in (*files, files[2]):
        reader.of_devices([file], ("time",), ["d1"], T, T + DAY_US)
    assert list(reader._known) == [files[1].name, files[2].name]
    monkeypatch.setattr("geo_policing.store.history.reading._KEPT", room - 1)
    reader.of_devices([files[0]], ("time",), ["d1"], T, T + DAY_US)
    assert files[1].name not in reader._known


def test_a_sealed_file_that_is_damaged_or_gone_is_told_in_one_line(store):
    path = store.folder / store.manifest.parts[0].by_device.name
    window = TimeWindow(from_us(T), from_us(T + DAY_US))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(Unavailable, match=r"damaged.*history verify"):
        store.window("d1", window)
    path.unlink()
    with pytest.raises(Unavailable, match=path.name):
        store.window("d1", window)


def test_footers_tell_of_no_column_that_nobody_is_found_by(tmp_path):
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(walks(np.random.default_rng(40)))
        Keeper(store).seal(FIRST_DAY + 9)
        told = {}
        for kind in ("by_device", "by_cell", "visits"):
            path = store.folder / getattr(store.manifest.parts[0], kind).name
            group = pq.read_metadata(path).row_group(0)
            columns = map(group.column, range(group.num_columns))
            told[kind] = {column.path_in_schema for column in columns if column.is_stats_set}
    assert told == {
        "by_device": {"device", "time", "cell"},
        "by_cell": {"device", "time", "hour", "block"},
        "visits": {"device", "cell", "first_s", "last_s"},
    }


def test_rows_that_fill_their_row_groups_leave_none_empty(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "GROUP_ROWS", 80)  # 20 in a part as small as this
    fixes = walks(np.random.default_rng(41), devices=1, days=1)
    fixes = fixes.take(fixes.time // DAY_US == FIRST_DAY).take(slice(0, 100))
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(fixes)
        Keeper(store).seal(FIRST_DAY + 1)
        part = store.manifest.parts[0]
        assert len(Groups.of(store.folder / part.by_device.name)) == 5
        assert rows(store.window("d0", TimeWindow(from_us(T), from_us(T + DAY_US)))) == rows(fixes)


def test_a_last_row_group_of_no_rows_is_passed_over(store):
    file = store.manifest.parts[0].by_device

    def found():
        tables = SealedReader(store.folder).of_devices([file], ("time",), {"d0"}, T, T + DAY_US)
        return [time for table in tables for time in table.column("time").to_pylist()]

    before, path = found(), store.folder / file.name
    table = pq.read_table(path)
    with pq.ParquetWriter(path, table.schema, store_decimal_as_integer=True) as written:
        written.write_table(table)
        written.write_table(table.slice(0, 0))
    groups = Groups.of(path)
    assert (len(groups), len(groups.least["time"])) == (2, 1)
    assert len(before) > 10
    assert found() == before
