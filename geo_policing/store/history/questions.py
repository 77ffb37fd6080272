"""What the searches ask of the history: the fixes of some devices, and who was in which cells when."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from geo_policing.kernels.cell_visits import MAX_GAP_US
from geo_policing.model import FixColumns
from geo_policing.model.moves import Moves, Visits
from geo_policing.store.fixes import FixStore
from geo_policing.store.history import layout
from geo_policing.store.history.manifest import Manifest
from geo_policing.store.history.sealing import visits_of
from geo_policing.store.history.snapshot import COLUMNS, Snapshot

# ruff: noqa: S608 - queries are put together of our own names, numbers and paths

_S = 1_000_000
_RANGES = 24  # into so many ranges the cells of an area fall; what lies between them is not read
_MOVED = ("device", "time", "lon", "lat")
_TEXTS = ("device", "source")


class Questions:
    """Asks a store, sealed days and days being written alike; each question sees one instant of it.

    Parameters
    ----------
    store : FixStore
        The history.
    """

    def __init__(self, store: FixStore) -> None:
        self._store = store

    def moves(self, start_us: int, end_us: int, devices: Collection[str]) -> Moves:
        """Return the fixes of devices in [start, end), and those from and to which they may have moved."""
        if not devices:
            return Moves.none()
        names = (*_MOVED, "received")
        span = (start_us - MAX_GAP_US, end_us + MAX_GAP_US + 1)
        with self._store.snapshot() as now:
            files = (part.by_device for part in now.manifest.overlapping(*span))
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
        """
        names = (*_MOVED, "cell")
        with self._store.snapshot() as now:
            files = (part.by_cell for part in now.manifest.overlapping(start_us, end_us))
            tables = now.sealed.in_cells(files, names, np.sort(cells), start_us, end_us)
            unsealed = now.unsealed(start_us, end_us)
            if unsealed is not None:
                query = unsealed.select(names, start_us, end_us, where=f"AND {_among(cells)}")
                tables.append(now.cursor.sql(query).to_arrow_table())
        return _sorted(tables, names)

    def fixes(self, start_us: int, end_us: int, devices: Collection[str]) -> FixColumns:
        """Return the fixes of devices in [start, end) with all that is known of them, by device and time."""
        if not devices:
            return FixColumns.from_fixes([])
        span = (start_us, end_us)
        with self._store.snapshot() as now:
            files = (part.by_device for part in now.manifest.overlapping(*span))
            tables = now.sealed.of_devices(files, COLUMNS, devices, *span)
            unsealed = now.unsealed(*span)
            if unsealed is not None:
                where = f"AND device IN ({_texts(devices)})"
                tables.append(now.cursor.sql(unsealed.select(COLUMNS, *span, where=where)).to_arrow_table())
        if not tables:
            return FixColumns.from_fixes([])
        columns = {name: _joined(tables, name) for name in COLUMNS if name not in _TEXTS}
        names, codes = zip(*(_coded(tables, name) for name in _TEXTS), strict=True)
        device, source = codes
        # What is equal in time is in an order that does not depend on what is sealed.
        order = np.lexsort(
            (columns["lat"], columns["lon"], source, columns["received"], columns["time"], device)
        )
        texts = {
            name: np.array(its, object)[code[order]]
            for name, its, code in zip(_TEXTS, names, codes, strict=True)
        }
        return FixColumns(**texts, **{name: column[order] for name, column in columns.items()})

    def visits(self, cells: NDArray[np.uint64], start_us: int, end_us: int) -> Visits:
        """Return who was in some of the cells in [start, end), to the second; stays may be there twice.

        Where late fixes have not been merged yet, a straight way that they correct is there as well.
        """
        start_s, end_s = start_us // _S, -(-end_us // _S)
        cells = np.sort(cells)
        with self._store.snapshot() as now:
            # The way over midnight is with one of its two days.
            parts = now.manifest.overlapping(start_us - MAX_GAP_US, end_us + MAX_GAP_US)
            names = tuple(layout.VISITS.names)
            tables = now.sealed.visits((part.visits for part in parts), names, cells, start_s, end_s)
            tables += self._unsealed(now, cells, start_us, end_us)
        if not tables:
            tables = [layout.VISITS.empty_table()]
        columns = (_joined(tables, name) for name in ("cell", "first_s", "last_s"))
        return Visits(*_coded(tables), *columns)

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


def _joined(tables: list[pa.Table], name: str) -> NDArray[Any]:
    return np.concatenate([table.column(name).to_numpy() for table in tables])


def _coded(tables: list[pa.Table], name: str = "device") -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return the texts of a column in order, and the number of that of each row."""
    columns = [table.column(name).combine_chunks() for table in tables]
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
