"""A sealed day by device: whole devices, each fix once, whichever part it is in."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geo_policing.errors import InvalidFile
from geo_policing.model.fix import FIX_SCHEMA
from geo_policing.store import FixStore
from geo_policing.store.history import layout, ranges
from geo_policing.store.history.keeper import Keeper
from tests.store.moving import FIRST_DAY, fixes_at, walks

NAMES = tuple(FIX_SCHEMA.names)


@pytest.fixture
def fixes():
    return walks(np.random.default_rng(3), devices=12, days=1)


def sealed(path, *batches):
    """Seal each batch of fixes as a part of its own; return the files of the first day."""
    with FixStore(path / "fixes.duckdb") as store:
        for batch in batches:
            store.append(batch)
            Keeper(store).seal(FIRST_DAY + 9)
        return [store.folder / part.by_device.name for part in store.manifest.of_day(FIRST_DAY)]


def in_three_parts(path, fixes):
    """The last part has places that need nine digits; the one before it, late fixes of some devices."""
    number = np.arange(len(fixes)) % 5
    third = fixes.take(number == 4)
    third.lon[:] = np.round(third.lon + 3e-9, 9)
    return sealed(path, fixes.take(number < 3), fixes.take(number == 3), third)


def of_day(fixes):
    """The fixes of the first day as the store was given them, in the order of the files."""
    table = fixes.to_arrow().filter(pa.array(fixes.time // 86_400_000_000 == FIRST_DAY))
    return table.sort_by([(name, "ascending") for name in ranges.ORDER])


def test_every_device_is_whole_in_one_range_and_every_fix_is_in_one(tmp_path, fixes, monkeypatch):
    monkeypatch.setattr(layout, "GROUP_ROWS", 64)
    paths = in_three_parts(tmp_path, fixes)
    number = np.arange(len(fixes)) % 5
    fixes.lon[number == 4] = np.round(fixes.lon[number == 4] + 3e-9, 9)
    expected = of_day(fixes)
    for most in (1, 300, 700, 10**9):
        found = ranges.split(paths, most)
        tables = [ranges.read(paths, devices, NAMES) for devices in found]
        assert [len(table) for table in tables] == [devices.fixes for devices in found]
        for devices, table in zip(found, tables, strict=True):
            names = table.column("device").unique().to_pylist()
            assert (names[0], names[-1], len(names)) == (devices.first, devices.last, devices.devices)
            assert devices.devices == 1 or devices.fixes <= most
        together = pa.concat_tables(tables)
        assert together.schema == FIX_SCHEMA
        for name in set(NAMES) - {"cell", "course_deg"}:  # the last are unknown, which equals nothing
            assert together.column(name).to_pylist() == expected.column(name).to_pylist(), name
    assert len(ranges.split(paths, 1)) == 12
    assert len(ranges.split(paths, 10**9)) == 1


def test_only_the_row_groups_of_its_devices_are_read(tmp_path, fixes, monkeypatch):
    monkeypatch.setattr(layout, "GROUP_ROWS", 64)
    (path,) = sealed(tmp_path, fixes)
    one = next(devices for devices in ranges.split([path], 1) if devices.first == "d5")
    # What is in the other row groups could not be read: all bytes of their devices are overwritten.
    whole = pq.ParquetFile(path)
    damaged = bytearray(path.read_bytes())
    for group in range(whole.num_row_groups):
        column = whole.metadata.row_group(group).column(0)
        if not column.statistics.min <= "d5" <= column.statistics.max:
            start = column.dictionary_page_offset
            damaged[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    whole.close()
    before = ranges.read([path], one, NAMES)
    path.write_bytes(damaged)
    assert ranges.read([path], one, ("device", "time", "lon")) == before.select(["device", "time", "lon"])
    with pytest.raises(InvalidFile, match="cannot be read"):
        ranges.split([path], 1)


def test_places_come_back_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(4)
    for digits in (7, 9):
        lon, lat = rng.uniform(-180, 180, 20_000).round(digits), rng.uniform(-90, 90, 20_000).round(digits)
        time = FIRST_DAY * 86_400_000_000 + np.arange(20_000)
        paths = sealed(tmp_path / str(digits), fixes_at(np.full(20_000, "d", object), time, lon, lat))
        (devices,) = ranges.split(paths, 10**6)
        table = ranges.read(paths, devices, ("lon", "lat"))
        assert pa.types.is_decimal(pq.read_schema(paths[0]).field("lon").type)
        assert table.column("lon").to_numpy().tolist() == lon.tolist()
        assert table.column("lat").to_numpy().tolist() == lat.tolist()


def test_a_damaged_file_is_named_and_one_that_is_not_there_too(tmp_path, fixes):
    (path,) = sealed(tmp_path, fixes)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(
        InvalidFile, match=r"00000001\.parquet cannot be read .* `geo-policing history verify`"
    ):
        ranges.split([path], 100)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"00000001\.parquet"):
        ranges.split([path], 100)


def test_the_example_of_the_documentation_reads_a_day_with_pyarrow_alone(tmp_path, fixes):
    in_three_parts(tmp_path / "var", fixes)
    text = (Path(__file__).parents[2] / "docs" / "history.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    program = f"""{example}
import sys
assert not [name for name in sys.modules if name.startswith(("geo_policing", "duckdb"))]
print(json.dumps([fixes.column(name).to_pylist() for name in ("device", "time", "lon", "lat")]))
"""
    said = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, stdout=subprocess.PIPE)
    device, time, lon, lat = json.loads(said.stdout.splitlines()[-1])
    number = np.arange(len(fixes)) % 5
    fixes.lon[number == 4] = np.round(fixes.lon[number == 4] + 3e-9, 9)
    expected = of_day(fixes.take(fixes.device == "d1"))
    assert len(time) == len(expected) > 100
    assert device == expected.column("device").to_pylist()
    assert time == expected.column("time").to_pylist()
    assert np.abs(lon - expected.column("lon").to_numpy()).max() < 1e-13
    assert np.abs(lat - expected.column("lat").to_numpy()).max() < 1e-13
