"""Making a part: its fixes sorted in two orders, and the visits of the movement through them."""

# ruff: noqa: S608 - queries are put together of our own names, numbers and paths

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geo_policing.geodesy.cells import CELL_RESOLUTION
from geo_policing.kernels import cell_visits
from geo_policing.model.fix import FIX_SCHEMA
from geo_policing.store.history import layout
from geo_policing.store.history.manifest import KINDS, Part, date, sync_folder
from geo_policing.store.private import private

COLUMNS = tuple(FIX_SCHEMA.names)
#: By device, as they are sealed; the last two make the order of equal times the same every time.
BY_DEVICE = "device, time, received, lon, lat"
BY_CELL = "time // 3600000000, cell, time, device"
_SHARE = 4  # a column with fewer values than a quarter of its rows is a dictionary
_MOVED = ("device", "time", "lon", "lat", "cell", "mine")


def make_part(cursor: Any, folder: Path, part_id: int, day: int, mine: str, others: str) -> Part | None:
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
        Query for device, time, lon, lat and cell of other fixes, from which and to which its devices may have
        moved.

    Returns
    -------
    Part or None
        None when there are no fixes.
    """
    rows, first_us, last_us = cursor.execute(
        f"SELECT count(*), min(time), max(time) FROM ({mine})"
    ).fetchall()[0]
    if not rows:
        return None
    digits = _digits(cursor, mine)
    names = {kind: f"day={date(day)}/{kind}/{part_id:08d}.parquet" for kind in KINDS}
    paths = {kind: folder / name for kind, name in names.items()}
    with private():
        for path in paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
    # Names that are not the final ones until a file is complete: whoever lists the folder sees whole files.
    new = {kind: path.with_suffix(".new") for kind, path in paths.items()}
    unsorted = new["visits"].with_suffix(".unsorted")

    by_device = layout.SortedFile(new["by_device"], layout.schema(COLUMNS, digits))
    stays = layout.SortedFile(unsorted, layout.VISITS)
    with by_device, stays:
        for moved in _moves(cursor, mine, others, by_device):
            stays.write(moved)
    source = layout.scan([str(new["by_device"])], layout.BY_CELL)
    by_cell = _sort(cursor, source, BY_CELL, new["by_cell"], layout.schema(layout.BY_CELL, digits))
    source = layout.scan([str(unsorted)], tuple(layout.VISITS.names))
    visits = _sort(cursor, source, "cell, first_s, last_s, device", new["visits"], layout.VISITS)
    unsorted.unlink()

    files = {}
    for kind, count in zip(KINDS, (by_device.rows, by_cell, visits), strict=True):
        _sync(new[kind])
        new[kind].replace(paths[kind])
        files[kind] = layout.sealed(paths[kind], names[kind], count)
        sync_folder(paths[kind].parent)
    sync_folder(folder / f"day={date(day)}")
    sync_folder(folder)
    return Part(part_id, day, first_us, last_us, digits, **files)


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


def _digits(cursor: Any, mine: str) -> int | None:
    """Return with how many digits after the point the places lose nothing; None if with none."""
    for digits in (7, 9):
        exact = " AND ".join(
            f"bool_and(isfinite({name}) AND abs({name}) < 1000 "
            f"AND round({name} * 1e{digits}) / 1e{digits} = {name})"
            for name in ("lon", "lat")
        )
        if cursor.execute(f"SELECT {exact} FROM ({mine})").fetchall()[0][0]:
            return digits
    return None


def _moves(cursor: Any, mine: str, others: str, by_device: layout.SortedFile) -> Iterator[pa.Table]:
    """Write the fixes by device, and yield the visits of the movement through them."""
    shown = ", ".join(COLUMNS)
    filled = ", ".join(name if name in layout.BY_CELL else f"0 AS {name}" for name in COLUMNS)
    query = (
        f"SELECT {shown}, true AS mine FROM ({mine}) UNION ALL "
        f"SELECT {filled}, false AS mine FROM ({others}) ORDER BY {BY_DEVICE}"
    )

    def written() -> Iterator[pa.RecordBatch]:
        kept = by_device.columns.empty_table()
        for batch in cursor.sql(query).to_arrow_reader(layout.GROUP_ROWS):
            own = pa.Table.from_batches([batch.filter(batch.column("mine")).select(COLUMNS)])
            kept = own if not len(kept) else pa.concat_tables([kept, own])
            whole = len(kept) - len(kept) % layout.GROUP_ROWS
            by_device.write(kept.slice(0, whole))
            kept = kept.slice(whole)
            yield batch.select(_MOVED)
        by_device.write(kept)

    for moved in movements(written()):
        yield visits_of(moved)


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
    encoded = fixes.column("device").combine_chunks().dictionary_encode()
    numbers = (fixes.column(name).to_numpy() for name in ("time", "lon", "lat", "cell", "mine"))
    code, cell, first, last = cell_visits.visits(
        encoded.indices.to_numpy(), *(np.ascontiguousarray(column) for column in numbers), CELL_RESOLUTION
    )
    device = encoded.dictionary.take(pa.array(code))
    seconds = (first // 1_000_000, -(-last // 1_000_000))
    return pa.table([device, pa.array(cell), *map(pa.array, seconds)], schema=layout.VISITS)


def _sort(cursor: Any, source: str, order: str, path: Path, columns: pa.Schema) -> int:
    reader = cursor.sql(f"{source} ORDER BY {order}").to_arrow_reader(layout.GROUP_ROWS)
    file: layout.SortedFile | None = None
    for table in layout.grouped(reader):
        if file is None:
            few = tuple(
                name
                for name in ("time", "first_s", "last_s")
                if name in columns.names
                and pc.count_distinct(table.column(name)).as_py() * _SHARE < len(table)
            )
            file = layout.SortedFile(path, columns, few)
        file.write(table)
    if file is None:
        file = layout.SortedFile(path, columns)
    with file:
        return file.rows


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
