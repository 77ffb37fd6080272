"""What the searches ask of the history: the fixes of some devices, and who was in which cells when."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.kernels.cell_visits import MAX_GAP_US
from geo_policing.model import FixColumns, Halt
from geo_policing.model.moves import Moves, Visits
from geo_policing.store.fixes import COLUMNS, FixStore, Snapshot
from geo_policing.store.history import layout
from geo_policing.store.history.heeding import heeding
from geo_policing.store.history.manifest import Manifest, Part
from geo_policing.store.history.sealing import visits_of

# ruff: noqa: S608 - queries are put together of our own names, numbers and paths

_S = 1_000_000
_RANGES = 24  # into so many ranges the cells of an area fall; what lies between them is not read
_MOVED = ("device", "time", "lon", "lat")
#: Rows that one question by cells may bring into memory, 30 to 40 bytes each; those of a device are bounded
#: by who asks, some devices at a time.
MOST_ROWS = 30_000_000


class Questions:
    """Asks a store, sealed days and days being written alike; each question sees one instant of it.

    Parameters
    ----------
    store : FixStore
        The history.
    halt : Halt, optional
        Says when a question must end, and hears how far it is.
    """

    def __init__(self, store: FixStore, halt: Halt | None = None) -> None:
        self._store = store
        self._halt = halt or Halt()
        self._read = 0

    def moves(self, start_us: int, end_us: int, devices: Collection[str]) -> Moves:
        """Return the fixes of devices in [start, end), and those from and to which they may have moved."""
        if not devices:
            return Moves.none()
        self._halt.tell(f"{self._read:,} devices read by their fixes")
        self._read += len(devices)
        names = (*_MOVED, "received")
        span = (start_us - MAX_GAP_US, end_us + MAX_GAP_US + 1)
        with heeding(self._store, self._halt) as now:
            files = (part.by_device for part in self._parts(now, *span))
            tables = now.sealed.of_devices(files, names, devices, *span)
            unsealed = now.unsealed(*span)
            if unsealed is not None:
                where = f"AND device IN ({_texts(devices)})"
                tables.append(now.cursor.sql(unsealed.select(names, *span, where=where)).to_arrow_table())
        moves, _ = _sorted(tables, names)
        return moves

    def near(self, cells: NDArray[np.uint64], start_us: int, end_us: int) -> tuple[Moves, NDArray[np.uint64]]:
        """Return everybody's fixes in some of the cells in [start, end), and the cell of each.

        Between two of a device others may lie elsewhere.

        Raises
        ------
        InvalidInput
            If they are more than `MOST_ROWS`.
        """
        names = (*_MOVED, "cell")
        cells = np.sort(cells)
        with heeding(self._store, self._halt) as now:
            tables: list[pa.Table] = []
            for part in self._parts(now, start_us, end_us, tell="fixes near the area"):
                tables += now.sealed.in_cells([part.by_cell], names, cells, start_us, end_us)
                _check_rows(tables)
            unsealed = now.unsealed(start_us, end_us)
            if unsealed is not None:
                query = unsealed.select(names, start_us, end_us, where=f"AND {_among(cells)}")
                tables.append(now.cursor.sql(query).to_arrow_table())
                _check_rows(tables)
        return _sorted(tables, names)

    def fixes(self, start_us: int, end_us: int, devices: Collection[str]) -> FixColumns:
        """Return the fixes of devices in [start, end) with all that is known of them, by device and time."""
        if not devices:
            return FixColumns.from_fixes([])
        span = (start_us, end_us)
        with heeding(self._store, self._halt) as now:
            files = (part.by_device for part in self._parts(now, *span))
            tables = now.sealed.of_devices(files, COLUMNS, devices, *span)
            unsealed = now.unsealed(*span)
            if unsealed is not None:
                where = f"AND device IN ({_texts(devices)})"
                tables.append(now.cursor.sql(unsealed.select(COLUMNS, *span, where=where)).to_arrow_table())
        found = FixColumns.concatenated([FixColumns.from_arrow(table) for table in tables])
        # What is equal in time is in an order that does not depend on what is sealed.
        texts = [np.unique(column, return_inverse=True)[1] for column in (found.source, found.device)]
        return found.take(np.lexsort((found.lat, found.lon, texts[0], found.received, found.time, texts[1])))

    def visits(self, cells: NDArray[np.uint64], start_us: int, end_us: int) -> Visits:
        """Return who was in some of the cells in [start, end), to the second; stays may be there twice.

        Where late fixes have not been merged yet, a straight way that they correct is there as well.

        Raises
        ------
        InvalidInput
            If they are more than `MOST_ROWS`.
        """
        start_s, end_s = start_us // _S, -(-end_us // _S)
        cells = np.sort(cells)
        # The way over midnight is with one of its two days.
        span = (start_us - MAX_GAP_US, end_us + MAX_GAP_US)
        with heeding(self._store, self._halt) as now:
            names = tuple(layout.VISITS.names)
            tables: list[pa.Table] = []
            for part in self._parts(now, *span, tell="who was there"):
                tables += now.sealed.visits([part.visits], names, cells, start_s, end_s)
                _check_rows(tables)
            tables += self._unsealed(now, cells, start_us, end_us)
            _check_rows(tables)
        if not tables:
            tables = [layout.VISITS.empty_table()]
        columns = (_joined(tables, name) for name in ("cell", "first_s", "last_s"))
        return Visits(*_coded(tables), *columns)

    def _parts(self, now: Snapshot, start_us: int, end_us: int, tell: str = "") -> Iterator[Part]:
        """Yield the parts to read for [start, end) as long as the question need not end."""
        parts = now.manifest.overlapping(start_us, end_us)
        for n, part in enumerate(parts):
            if tell:
                self._halt.tell(f"{tell}, {n} of {len(parts)} files of days")
            self._halt.check()
            yield part

    def _unsealed(
        self, now: Snapshot, cells: NDArray[np.uint64], start_us: int, end_us: int
    ) -> list[pa.Table]:
        """Return the visits of the movement from, to and between fixes that are not sealed."""
        if not now.hot:
            return []
        span = (start_us - MAX_GAP_US, end_us + MAX_GAP_US + 1)
        mine = replace(now, manifest=Manifest()).select(layout.BY_CELL, *span)
        query = f"SELECT *, true AS mine FROM ({mine})"
        ((first, last),) = now.cursor.execute(f"SELECT min(time), max(time) FROM ({mine})").fetchall()
        if first is None:
            return []
        near = (first - MAX_GAP_US, last + MAX_GAP_US + 1)
        if now.manifest.overlapping(*near):
            sealed = replace(now, hot={})
            moving = f"AND device IN (SELECT device FROM ({mine}))"
            rest = sealed.select(layout.BY_CELL, *near, kind="by_cell", where=moving)
            query += f" UNION ALL SELECT *, false AS mine FROM ({rest})"
        fixes = now.cursor.sql(f"{query} ORDER BY device, time, lon, lat").to_arrow_table()
        found = visits_of(fixes)
        cell, first_s, last_s = (found.column(name).to_numpy() for name in ("cell", "first_s", "last_s"))
        at = np.minimum(np.searchsorted(cells, cell), len(cells) - 1)
        wanted = (cells[at] == cell) & (first_s < -(-end_us // _S)) & (last_s >= start_us // _S)
        return [found.filter(pa.array(wanted))]


def _sorted(tables: list[pa.Table], names: tuple[str, ...]) -> tuple[Moves, NDArray[Any]]:
    """Return fixes by device, time and the last column, and that column; names has `_MOVED` before it."""
    if not tables:
        return Moves.none(), np.empty(0, np.uint64)
    of_device, device = _coded(tables)
    time, lon, lat, last = (_joined(tables, name) for name in names[1:])
    order = np.lexsort((last, time, device))
    return Moves(of_device, device[order], time[order], lon[order], lat[order]), last[order]


def _check_rows(tables: list[pa.Table]) -> None:
    if sum(map(len, tables)) > MOST_ROWS:
        raise InvalidInput(
            f"more than {MOST_ROWS:,} fixes or visits lie there in that time; ask for a shorter window or a "
            "smaller area",
            field="window",
        )


def _joined(tables: list[pa.Table], name: str) -> NDArray[Any]:
    return np.concatenate([table.column(name).to_numpy() for table in tables])


def _coded(tables: list[pa.Table]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return the devices in order, and the number of that of each row."""
    columns = [table.column("device").combine_chunks() for table in tables]
    encoded = [
        column if pa.types.is_dictionary(column.type) else column.dictionary_encode() for column in columns
    ]
    own = [np.array(column.dictionary.to_pylist(), object) for column in encoded]
    used = [names[np.unique(column.indices.to_numpy())] for names, column in zip(own, encoded, strict=True)]
    names = np.unique(np.concatenate(used))
    codes = [
        np.searchsorted(names, mine).astype(np.int32)[column.indices.to_numpy()]
        for mine, column in zip(own, encoded, strict=True)
    ]
    return tuple(names.tolist()), np.concatenate(codes)


def _texts(devices: Collection[str]) -> str:
    return ", ".join(layout.quoted(device) for device in sorted(devices))


def _among(cells: NDArray[np.uint64]) -> str:
    """Return the condition that a cell is one of these, in a form that lets whole row groups be left out."""
    ordered = np.unique(cells)
    if not len(ordered):
        return "false"
    cuts = np.sort(np.argsort(np.diff(ordered))[::-1][: _RANGES - 1]) + 1
    ranges: Any = [(piece[0], piece[-1]) for piece in np.split(ordered, cuts)]
    near = " OR ".join(f"cell BETWEEN {low} AND {high}" for low, high in ranges)
    return f"({near}) AND cell IN ({', '.join(map(str, ordered.tolist()))})"
