"""Making a part: its fixes sorted in two orders, and the visits of the movement through them.

Nothing here grows with a day but files: fixes, and what is made of them, are sorted in slices (`spill`).
Devices and sources are numbers until they are written: numbers sort fast and take little space.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geo_policing.geodesy.cells import CELL_RESOLUTION, cells
from geo_policing.kernels import cell_visits
from geo_policing.model.fix import FIX_SCHEMA
from geo_policing.store.history import layout
from geo_policing.store.history.blocks import block_rows
from geo_policing.store.history.manifest import KINDS, Part, date, sync_folder
from geo_policing.store.history.spill import Spill
from geo_policing.store.private import private

COLUMNS = tuple(FIX_SCHEMA.names)
#: The last ones of each make the order of equal times the same every time.
BY_DEVICE = ("device", "time", "received", "lon", "lat")
BY_CELL = ("hour", "block", "device", "time", "lon", "lat", "flags")
VISITS = ("cell", "first_s", "last_s", "device")
_BATCH_ROWS = 100_000  # read at a time of what is to be sealed
_SHARE = 4  # a column with fewer values than a quarter of its rows is a dictionary


def _numbered(columns: pa.Schema, more: dict[str, pa.DataType]) -> pa.Schema:
    """Return the columns of a spill: texts are numbers, and there are more."""
    texts = {"device", "source"}
    fields = [(field.name, pa.int32() if field.name in texts else field.type) for field in columns]
    return pa.schema([*fields, *more.items()])


_FIXES = _numbered(FIX_SCHEMA, {"mine": pa.bool_()})
_PLACED = _numbered(layout.schema(layout.BY_CELL, None), {})
_VISITED = _numbered(layout.VISITS, {})


def make_part(
    cursor: Any, folder: Path, part_id: int, day: int, mine: str, others: str, devices: pa.Array
) -> Part | None:
    """Write a part and have it on disk; it is no part of the history before the manifest names it.

    Parameters
    ----------
    cursor : DuckDB connection
        In a transaction that sees everything that the queries name.
    folder : Path
        The history's folder.
    part_id, day : int
        Its id, which no file has had before, and its day.
    mine : str
        Query for its fixes, all columns.
    others : str
        Query for device, time, lon and lat of other fixes, from and to which its devices may have moved.
    devices : (d,) array of str
        Ids of all these devices, in order.

    Returns
    -------
    Part or None
        None when there are no fixes.
    """
    names = {kind: f"day={date(day)}/{kind}/{part_id:08d}.parquet" for kind in KINDS}
    paths = {kind: folder / name for kind, name in names.items()}
    with private():
        for path in paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
    # Names that are not the final ones until a file is complete: whoever lists the folder sees whole files.
    new = {kind: path.with_suffix(".new") for kind, path in paths.items()}
    spilt = {kind: path.with_suffix(".spill") for kind, path in paths.items()}
    with (
        Spill(spilt["by_cell"], _PLACED, BY_CELL, 2) as placed,
        Spill(spilt["visits"], _VISITED, VISITS, 1) as stays,
    ):
        with Spill(spilt["by_device"], _FIXES, BY_DEVICE, 1) as fixes:
            arrived = _Arrived(devices)
            for batch in arrived.batches(cursor, mine, others):
                fixes.add(batch)
            if not arrived.rows:
                return None
            columns = layout.schema(COLUMNS, arrived.digits)
            groups = layout.group_rows(arrived.rows)
            with layout.SortedFile(new["by_device"], columns, (), groups) as by_device:
                for moved in fixes.slices():
                    stays.add(_visits(moved))
                    own = _own(moved)
                    del moved  # before the next one is read
                    placed.add(block_rows(own))
                    for piece in _pieces(own):
                        by_device.write(arrived.named(piece))
                    del own
        columns = layout.schema(layout.BY_CELL, arrived.digits)
        by_cell = _write(new["by_cell"], columns, arrived, placed)
        visits = _write(new["visits"], layout.VISITS, arrived, stays)

    files = {}
    for kind, count in zip(KINDS, (by_device.rows, by_cell, visits), strict=True):
        _sync(new[kind])
        new[kind].replace(paths[kind])
        files[kind] = layout.sealed(paths[kind], names[kind], count)
        sync_folder(paths[kind].parent)
    sync_folder(folder / f"day={date(day)}")
    sync_folder(folder)
    by_device_file, by_cell_file, visits_file = (files[kind] for kind in KINDS)
    span = (arrived.first_us, arrived.last_us)
    return Part(part_id, day, *span, arrived.digits, by_device_file, by_cell_file, visits_file)


def remove_strangers(folder: Path, names: set[str]) -> None:
    """Remove files below the history's folder that the manifest does not name."""
    for kind in KINDS:
        for path in folder.glob(f"day=*/{kind}/*"):
            if path.relative_to(folder).as_posix() not in names:
                path.unlink(missing_ok=True)
    for day in folder.glob("day=*"):
        for place in (*(day / kind for kind in KINDS), day):
            with suppress(OSError):  # not empty
                place.rmdir()


class _Arrived:
    """What is to be sealed as it comes, devices and sources as numbers, and what is known of all of it.

    Parameters
    ----------
    devices : (d,) array of str
        In order.
    """

    def __init__(self, devices: pa.Array) -> None:
        self._devices = devices
        self._sources: dict[str, int] = {}
        self._exact = [7, 9]
        self.rows = 0
        self.first_us = np.iinfo(np.int64).max
        self.last_us = np.iinfo(np.int64).min

    @property
    def digits(self) -> int | None:
        """With how many digits after the point the places lose nothing; None if with none."""
        return min(self._exact, default=None)

    def batches(self, cursor: Any, mine: str, others: str) -> Iterator[pa.Table]:
        """Yield all fixes of two queries, in no order."""
        for batch in cursor.sql(mine).to_arrow_reader(_BATCH_ROWS):
            own = pa.Table.from_batches([batch]).select(COLUMNS)
            self._look(own)
            yield self._numbered(own, mine=True)
        for batch in cursor.sql(others).to_arrow_reader(_BATCH_ROWS):
            yield self._numbered(pa.Table.from_batches([batch]), mine=False)

    def named(self, rows: pa.Table) -> pa.Table:
        """Return rows with texts for numbers."""
        sources = pa.array(list(self._sources), pa.string())
        for name, texts in (("device", self._devices), ("source", sources)):
            at = rows.schema.get_field_index(name)
            if at >= 0:
                rows = rows.set_column(at, name, texts.take(rows.column(name).combine_chunks()))
        return rows

    def _look(self, own: pa.Table) -> None:
        if not len(own):
            return
        time = own.column("time").to_numpy()
        self.rows += len(own)
        self.first_us = min(self.first_us, int(time.min()))
        self.last_us = max(self.last_us, int(time.max()))
        for name in ("lon", "lat"):
            at = own.column(name).to_numpy()
            self._exact = [digits for digits in self._exact if layout.is_exact(at, digits)]

    def _numbered(self, rows: pa.Table, mine: bool) -> pa.Table:
        given = set(rows.column_names)
        columns = []
        for field in _FIXES:
            if field.name == "mine":
                values = pa.repeat(mine, len(rows))
            elif field.name not in given:
                values = pa.repeat(pa.scalar(0, field.type), len(rows))
            elif field.name == "device":
                values = pc.index_in(rows.column("device"), self._devices)
            elif field.name == "source":
                values = self._numbers_of(rows.column("source"))
            else:
                values = rows.column(field.name)
            columns.append(values)
        return pa.table(columns, schema=_FIXES)

    def _numbers_of(self, sources: pa.ChunkedArray) -> pa.Array:
        encoded = sources.combine_chunks().dictionary_encode()
        known = [
            self._sources.setdefault(name, len(self._sources)) for name in encoded.dictionary.to_pylist()
        ]
        return pa.array(known, pa.int32()).take(encoded.indices)


def _own(fixes: pa.Table) -> pa.Table:
    mine = fixes.column("mine")
    return fixes if pc.all(mine).as_py() else fixes.filter(mine)


def _visits(fixes: pa.Table) -> pa.Table:
    """Return the visits of fixes sorted by device and time, devices as numbers; ``mine`` says what counts.

    Cells of fixes that are not there, or 0, are found.
    """
    device, time, lon, lat, mine = (
        np.ascontiguousarray(fixes.column(name).to_numpy())
        for name in ("device", "time", "lon", "lat", "mine")
    )
    known = "cell" in fixes.column_names
    cell = fixes.column("cell").to_numpy() if known else np.zeros(len(lon), np.uint64)
    unknown = cell == 0
    if unknown.any():
        cell = cell.copy()
        cell[unknown] = cells(lon[unknown], lat[unknown])
    found = cell_visits.visits(device, time, lon, lat, np.ascontiguousarray(cell), mine, CELL_RESOLUTION)
    seconds = (found[2] // 1_000_000, -(-found[3] // 1_000_000))
    return pa.table([*map(pa.array, (*found[:2], *seconds))], names=layout.VISITS.names)


def movements(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Join batches sorted by device so that the fixes of a device are never in two tables."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        device = batch.column("device")
        complete = pc.index(device, device[-1]).as_py()
        if waiting and waiting[-1].column("device")[-1] != device[0]:
            yield pa.Table.from_batches(waiting)
            waiting = []
        if complete:
            yield pa.Table.from_batches([*waiting, batch.slice(0, complete)])
            waiting = []
        waiting.append(batch.slice(complete))
    if waiting:
        yield pa.Table.from_batches(waiting)


def visits_of(fixes: pa.Table) -> pa.Table:
    """Return the visits of fixes sorted by device and time; a column ``mine`` says whose movement counts."""
    at = fixes.schema.get_field_index("device")
    encoded = fixes.column(at).combine_chunks().dictionary_encode()
    found = _visits(fixes.set_column(at, "device", encoded.indices))
    return found.set_column(0, "device", encoded.dictionary.take(found.column(0))).cast(layout.VISITS)


def _write(path: Path, columns: pa.Schema, arrived: _Arrived, rows: Spill) -> int:
    """Write rows in order, and return how many they are."""
    file: layout.SortedFile | None = None
    groups = layout.group_rows(arrived.rows)
    for piece in (piece for some in rows.slices() for piece in _pieces(some)):
        if file is None:
            some = piece.slice(0, layout.GROUP_ROWS)
            few = tuple(
                name
                for name in ("first_s", "last_s")
                if name in columns.names and pc.count_distinct(some.column(name)).as_py() * _SHARE < len(some)
            )
            file = layout.SortedFile(path, columns, few, groups)
        file.write(arrived.named(piece))
    if file is None:
        file = layout.SortedFile(path, columns)
    with file:
        pass
    return file.rows


def _pieces(rows: pa.Table) -> Iterator[pa.Table]:
    """Yield rows so few at a time that their texts take little memory."""
    for first in range(0, len(rows), _BATCH_ROWS):
        yield rows.slice(first, _BATCH_ROWS)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
