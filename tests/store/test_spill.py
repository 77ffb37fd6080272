"""Rows are sorted in slices as they would be at once, and what was on disk for it goes."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from geo_policing.store.history.spill import Spill

COLUMNS = pa.schema(
    [("hour", pa.int64()), ("cell", pa.uint64()), ("time", pa.int64()), ("device", pa.int32())]
)
ORDER = ("hour", "cell", "time", "device")


def rows(rng, n, cells=30):
    cell = rng.integers(0, cells, n).astype(np.uint64) + np.uint64(2**63)
    hour, time, device = rng.integers(0, 5, n), rng.integers(0, 50, n), rng.integers(0, 9, n)
    return pa.table([hour, cell, time, device.astype(np.int32)], schema=COLUMNS)


def listed(table):
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_slices_are_the_rows_in_order_and_none_divides_a_key(tmp_path, seed):
    rng = np.random.default_rng(seed)
    pieces = [rows(rng, n) for n in rng.integers(0, 400, rng.integers(0, 8))]
    slice_rows = int(rng.integers(20, 300))
    with Spill(tmp_path / "rows.spill", COLUMNS, ORDER, 2, slice_rows) as spill:
        for piece in pieces:
            spill.add(piece)
        found = [listed(some) for some in spill.slices()]
    assert [row for some in found for row in some] == sorted(row for piece in pieces for row in listed(piece))
    keys = [{row[:2] for row in some} for some in found]
    assert all(max(a) < min(b) for a, b in pairwise(keys))
    assert list(tmp_path.iterdir()) == []


def test_a_slice_has_about_so_many_rows_however_many_there_are(tmp_path):
    rng = np.random.default_rng(1)
    with Spill(tmp_path / "rows.spill", COLUMNS, ORDER, 2, 20_000) as spill:
        for _ in range(20):
            spill.add(rows(rng, 20_000, cells=100_000))
        sizes = [len(some) for some in spill.slices()]
    assert sum(sizes) == 400_000
    assert max(sizes) < 2 * 20_000


def test_rows_of_one_key_stay_together_and_drag_few_others_along(tmp_path):
    many = pa.table([[3] * 900, [5] * 900, range(900), [0] * 900], schema=COLUMNS)
    with Spill(tmp_path / "rows.spill", COLUMNS, ORDER, 2, 100) as spill:
        spill.add(rows(np.random.default_rng(2), 500, cells=5))
        spill.add(many)
        ((size, of_key),) = (
            (len(t), n) for t in spill.slices() if (n := t.column("cell").to_pylist().count(5))
        )
    assert of_key == 900
    assert size < 900 + 300


def test_few_rows_never_touch_the_disk_and_many_are_for_their_owner_alone(tmp_path):
    path = tmp_path / "rows.spill"
    with Spill(path, COLUMNS, ORDER, 2, 100) as spill:
        spill.add(rows(np.random.default_rng(3), 100))
        assert not path.exists()
        spill.add(rows(np.random.default_rng(4), 1))
        assert path.stat().st_mode & 0o777 == 0o600
        assert sum(map(len, spill.slices())) == 101
    assert not path.exists()


def test_left_by_an_error_nothing_stays_on_disk(tmp_path):
    path = tmp_path / "rows.spill"

    def interrupted():
        with Spill(path, COLUMNS, ORDER, 2, 10) as spill:
            spill.add(rows(np.random.default_rng(5), 100))
            assert path.exists()
            spill.add(pa.table({"other": [1]}))

    with pytest.raises(pa.ArrowInvalid):
        interrupted()
    assert not path.exists()
