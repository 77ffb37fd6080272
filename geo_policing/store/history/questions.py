"""What the searches ask of the history: the fixes of some devices, and who was in which cells when."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from geo_policing.kernels.cell_visits import MAX_GAP_US
from geo_policing.model.moves import Moves, Visits
from geo_policing.store.fixes import FixStore, Snapshot
from geo_policing.store.history import layout
from geo_policing.store.history.manifest import Manifest
from geo_policing.store.history.sealing import visits_of

# ruff: noqa: S608 - queries are put together of our own names, numbers and paths

_S = 1_000_000
_RANGES = 24  # into so many ranges the cells of an area fall; what lies between them is not read
_MOVED = ("device", "time", "lon", "lat")


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
        with self._store.snapshot() as now:
            query = now.select(
                (*_MOVED, "received"),
                start_us - MAX_GAP_US,
                end_us + MAX_GAP_US + 1,
                where=f"AND device IN ({_texts(devices)})",
            )
            found = now.cursor.sql(
                f"SELECT {', '.join(_MOVED)} FROM ({query}) ORDER BY device, time, received"
            )
            table = found.to_arrow_table()
        names, device = _coded(table)
        return Moves(names, device, *(table.column(name).to_numpy() for name in ("time", "lon", "lat")))

    def visits(self, cells: NDArray[np.uint64], start_us: int, end_us: int) -> Visits:
        """Return who was in some of the cells in [start, end), to the second; stays may be there twice.

        Where late fixes have not been merged yet, a straight way that they correct is there as well.
        """
        start_s, end_s = start_us // _S, -(-end_us // _S)
        among = _among(cells)
        with self._store.snapshot() as now:
            # The way over midnight is with one of its two days.
            parts = now.manifest.overlapping(start_us - MAX_GAP_US, end_us + MAX_GAP_US)
            names = tuple(layout.VISITS.names)
            queries = [
                f"SELECT * FROM ({query}) WHERE {among} AND first_s < {end_s} AND last_s >= {start_s}"
                for query in (layout.scan_parts(now.folder, parts, "visits", names) if parts else [])
            ]
            tables = [now.cursor.sql(query).to_arrow_table().cast(layout.VISITS) for query in queries]
            tables += self._unsealed(now, np.sort(cells), start_us, end_us)
        table = pa.concat_tables(tables) if tables else layout.VISITS.empty_table()
        columns = (table.column(name).to_numpy() for name in ("cell", "first_s", "last_s"))
        return Visits(*_coded(table), *columns)

    def _unsealed(
        self, now: Snapshot, cells: NDArray[np.uint64], start_us: int, end_us: int
    ) -> list[pa.Table]:
        """Return the visits of the movement from, to and between fixes that are not sealed."""
        if not now.hot:
            return []
        span = (start_us - MAX_GAP_US, end_us + MAX_GAP_US + 1)
        mine = Snapshot(now.cursor, now.folder, Manifest(), now.hot).select(layout.BY_CELL, *span)
        query = f"SELECT *, true AS mine FROM ({mine})"
        ((first, last),) = now.cursor.execute(f"SELECT min(time), max(time) FROM ({mine})").fetchall()
        if first is None:
            return []
        near = (first - MAX_GAP_US, last + MAX_GAP_US + 1)
        if now.manifest.overlapping(*near):
            sealed = Snapshot(now.cursor, now.folder, now.manifest, {})
            moving = f"AND device IN (SELECT device FROM ({mine}))"
            rest = sealed.select(layout.BY_CELL, *near, kind="by_cell", where=moving)
            query += f" UNION ALL SELECT *, false AS mine FROM ({rest})"
        fixes = now.cursor.sql(f"{query} ORDER BY device, time, lon, lat").to_arrow_table()
        found = visits_of(fixes)
        cell, first_s, last_s = (found.column(name).to_numpy() for name in ("cell", "first_s", "last_s"))
        at = np.minimum(np.searchsorted(cells, cell), len(cells) - 1)
        wanted = (cells[at] == cell) & (first_s < -(-end_us // _S)) & (last_s >= start_us // _S)
        return [found.filter(pa.array(wanted))]


def _coded(table: pa.Table) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    encoded = table.column("device").combine_chunks().dictionary_encode()
    return tuple(encoded.dictionary.to_pylist()), encoded.indices.to_numpy()


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
