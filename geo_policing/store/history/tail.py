"""The movement that is not sealed yet, in order, and the sealed fixes from and to which it leads.

A question about everybody reads all of the tail, so it is ordered by numbers and not by texts, and what was
sealed just before is not read for it: the newest sealed fix of each device is kept apart.
"""

# ruff: noqa: S608 - queries are put together of our own names and numbers

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from geo_policing.kernels.cell_visits import MAX_GAP_US
from geo_policing.store.history import layout
from geo_policing.store.history.manifest import Manifest
from geo_policing.store.history.snapshot import Snapshot

_COLUMNS = (*layout.MOVED, "cell")


def fresh(now: Snapshot, start_us: int, end_us: int) -> pa.Table | None:
    """Return the fixes of [start, end) that are not sealed.

    Returns
    -------
    Table or None
        device (a dictionary), time, lon, lat and cell, sorted by the first four, devices in any order; None
        if there are none.
    """
    table = _unsealed(now, start_us, end_us)
    if not len(table):
        return None
    return _in_order(table.column("device").combine_chunks().dictionary_encode(), table)


def moved(now: Snapshot, start_us: int, end_us: int) -> pa.Table | None:
    """Return the fixes of [start, end) that are not sealed, and those from and to which they may have moved.

    Of two sealed fixes of one device and instant just before, the one received last stands for both.

    Returns
    -------
    Table or None
        As `fresh`, and ``mine``: whether it is not sealed. A cell of 0 has not been found yet.
    """
    mine = _unsealed(now, start_us, end_us)
    if not len(mine):
        return None
    device = mine.column("device").combine_chunks().dictionary_encode()
    names = device.dictionary
    time = mine.column("time").to_numpy()
    codes = device.indices.to_numpy()
    first = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first, codes, time)
    tables = list(_around(now, start_us, names, first, int(time.max())))
    sealed = pa.concat_tables([*tables, mine.slice(0, 0)])
    # In front, where the order by device leaves it before what follows in time.
    table = pa.concat_tables([sealed, mine])
    numbers = pa.concat_arrays([_codes(sealed.column("device"), names), device.indices])
    is_mine = np.arange(len(table)) >= len(sealed)
    table = table.append_column("mine", pa.array(is_mine))
    return _in_order(pa.DictionaryArray.from_arrays(numbers, names), table)


def meeting(fixes: pa.Table, box: NDArray[np.float64]) -> pa.Table:
    """Return those fixes in order that are in a box, or from or to which a way leads through its bounds.

    fixes as `fresh` and `moved` return them; box (4,) west, south, east, north, degrees. Where some were left
    out between two of a device, these have another number in the dictionary: no way leads between them.
    """
    device = fixes.column("device").combine_chunks()
    code, lon, lat = (device.indices.to_numpy(), *(fixes.column(name).to_numpy() for name in ("lon", "lat")))
    is_next = code[1:] == code[:-1]
    kept = (lon >= box[0]) & (lon <= box[2]) & (lat >= box[1]) & (lat <= box[3])
    meets = (
        is_next
        & (np.maximum(lon[1:], lon[:-1]) >= box[0])
        & (np.minimum(lon[1:], lon[:-1]) <= box[2])
        & (np.maximum(lat[1:], lat[:-1]) >= box[1])
        & (np.minimum(lat[1:], lat[:-1]) <= box[3])
    )
    kept[1:] |= meets
    kept[:-1] |= meets
    at = np.flatnonzero(kept)
    begins = np.ones(len(at), np.bool_)
    begins[1:] = (np.diff(at) > 1) | (code[at[1:]] != code[at[:-1]])
    runs = pa.array((np.cumsum(begins) - 1).astype(np.int32))
    names = device.dictionary.take(pa.array(code[at[begins]]))
    near = fixes.take(pa.array(at)).combine_chunks()
    return near.set_column(
        near.schema.get_field_index("device"), "device", pa.DictionaryArray.from_arrays(runs, names)
    )


def _unsealed(now: Snapshot, start_us: int, end_us: int) -> pa.Table:
    query = replace(now, manifest=Manifest()).select(_COLUMNS, start_us, end_us)
    return now.cursor.sql(query).to_arrow_table()


def _around(
    now: Snapshot, start_us: int, names: pa.Array, first: NDArray[np.int64], last_us: int
) -> Iterator[pa.Table]:
    """Yield the sealed fixes from and to which devices may have moved, given their first unsealed ones.

    names (d,) texts; first (d,) i64 us, of those from start_us to last_us that are not sealed.
    """
    least_us = int(first.min()) - MAX_GAP_US
    query = f"SELECT {', '.join(_COLUMNS)} FROM newest WHERE time >= {least_us}"
    newest = now.cursor.sql(query).to_arrow_table()
    newest = newest.filter(pc.is_in(newest.column("device"), names))
    time, code = newest.column("time").to_numpy(), _codes(newest.column("device"), names).to_numpy()
    is_before = time < first[code]
    late = np.unique(code[~is_before])
    if now.manifest.sealed_tables:  # the disk was full when they should have been dropped
        late = np.arange(len(names))
    else:
        # After one of before the start there may be unsealed fixes that are not here.
        yield newest.filter(pa.array(is_before & (time >= start_us)))
    if not len(late):
        return
    # What came late has sealed fixes on both sides.
    span = (least_us, last_us + MAX_GAP_US + 1)
    files = (part.by_device for part in now.manifest.overlapping(*span))
    whose = names.take(pa.array(late)).to_pylist()
    for some in now.sealed.of_devices(files, layout.MOVED, whose, *span):
        texts = some.column("device").cast(pa.string())
        cell = pa.array(np.zeros(len(some), np.uint64))
        columns = [texts, *(some.column(name) for name in layout.MOVED[1:]), cell]
        yield pa.table(columns, schema=newest.schema)


def _codes(devices: pa.ChunkedArray, names: pa.Array) -> pa.Array:
    """Return which of the names each is."""
    return pc.index_in(devices, names).combine_chunks()


def _in_order(device: pa.DictionaryArray, table: pa.Table) -> pa.Table:
    """Return a table with a device of each row, sorted by it, time, lon and lat."""
    numbers = (device.indices, *(table.column(name) for name in layout.MOVED[1:]))
    order = pa.array(ordered(*(column.to_numpy() for column in numbers)))
    at = table.schema.get_field_index("device")
    return table.set_column(at, "device", device).take(order).combine_chunks()


def ordered(
    device: NDArray[np.int32], time: NDArray[np.int64], lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the rows (n,) by device, time, lon and lat; fast where each device's are by time already."""
    # Numbers of 16 bits are sorted by their digits, in a tenth of the time.
    few = not len(device) or int(device.max()) < 1 << 16
    order = np.argsort(device.astype(np.uint16) if few else device, kind="stable")
    its, at = device[order], time[order]
    tangled = (its[1:] == its[:-1]) & (at[1:] <= at[:-1])
    if tangled.any():
        of_these = np.flatnonzero(np.isin(its, np.unique(its[1:][tangled])))
        rows = order[of_these]
        order[of_these] = rows[np.lexsort((lat[rows], lon[rows], time[rows], device[rows]))]
    return order
