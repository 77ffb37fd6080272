"""What the searches ask of the history: the fixes of some devices, and who was in which cells when."""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.kernels import block_ways
from geo_policing.kernels.block_ways import HOUR_US
from geo_policing.kernels.cell_visits import MAX_GAP_US
from geo_policing.model import FixColumns, Halt
from geo_policing.model.moves import Moves, Place, Visits, Ways
from geo_policing.store.fixes import FixStore
from geo_policing.store.history import layout, tail
from geo_policing.store.history.heeding import heeding
from geo_policing.store.history.manifest import Part
from geo_policing.store.history.piecing import Source, coded, doubtful, joined, pieced, unexplained, without
from geo_policing.store.history.sealing import visits_of
from geo_policing.store.history.snapshot import COLUMNS, Snapshot

_S = 1_000_000
_TEXTS = ("device", "source")
_METRES_A_DEGREE = 111_320.0
_BESIDE_M = 200.0  # a cell is at most 182 m across
#: Of more rows than that, some 700 MB, the movement through an area is not returned at once.
MOST_ROWS = 20_000_000


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

    @property
    def halt(self) -> Halt:
        """Says when a question must end."""
        return self._halt

    def moves(self, start_us: int, end_us: int, devices: Collection[str]) -> Moves:
        """Return the fixes of devices in [start, end), and those from and to which they may have moved."""
        if not devices:
            return Moves.none()
        self._halt.tell(f"{self._read:,} devices read by their fixes")
        self._read += len(devices)
        names = (*layout.MOVED, "received")
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

    def ways(self, place: Place, start_us: int, end_us: int) -> Ways | None:
        """Return all ways through a place in [start, end), and others; None if more than `MOST_ROWS`."""
        around = (start_us - MAX_GAP_US, end_us + MAX_GAP_US + 1)
        with heeding(self._store, self._halt) as now:
            fresh = self._fresh(now, *around)
            sources = [] if fresh is None else [fresh]
            sources += [
                Source(part.first_us, part.last_us, part.has_ways, file=part.by_cell)
                for part in now.manifest.overlapping(*around)
            ]
            zones = [z for z in doubtful(sources) if z[0] < end_us and z[1] >= start_us]
            box = _widened(place.bounds) if zones else np.array(place.bounds)
            # What leads from one source to another may begin or end in the hour before or after.
            first, last = around if zones else (start_us, end_us)
            hours = (first // HOUR_US, (last - 1) // HOUR_US)
            rows = 0
            for n, source in enumerate(sources):
                self._halt.tell(f"who moved through it, {n} of {len(sources)} files of days")
                for table in source.tables(now.sealed, place.blocks, hours, box):
                    self._halt.check()
                    source.rows.append(table)
                    rows += len(table)
                    if rows > MOST_ROWS:
                        return None
            ways = pieced(sources)
            unsure: set[str] = set()
            for zone in zones:
                span = (max(zone[0], start_us), min(zone[1] + 1, end_us))
                visits = self._visits(now, place.cells, *span, box)
                unsure |= unexplained(ways, visits, zone, (start_us, end_us))
        return without(ways, unsure) if unsure else ways

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
        if not tables:
            return FixColumns.from_fixes([])
        columns = {name: joined(tables, name) for name in COLUMNS if name not in _TEXTS}
        names, codes = zip(*(coded(tables, name) for name in _TEXTS), strict=True)
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

        Raises
        ------
        InvalidInput
            If they are more than `MOST_ROWS`.
        """
        with heeding(self._store, self._halt) as now:
            return self._visits(now, cells, start_us, end_us)

    def _visits(
        self,
        now: Snapshot,
        cells: NDArray[np.uint64],
        start_us: int,
        end_us: int,
        box: NDArray[np.float64] | None = None,
    ) -> Visits:
        """Return who was in some of the cells, all of which lie in a box where one is given."""
        start_s, end_s = start_us // _S, -(-end_us // _S)
        cells = np.sort(cells)
        # The way over midnight is with one of its two days.
        span = (start_us - MAX_GAP_US, end_us + MAX_GAP_US)
        names = tuple(layout.VISITS.names)
        tables: list[pa.Table] = []
        for part in self._parts(now, *span, tell="who was there"):
            tables += now.sealed.visits([part.visits], names, cells, start_s, end_s)
            _check_rows(tables)
        tables += self._unsealed(now, cells, start_us, end_us, box)
        _check_rows(tables)
        if not tables:
            tables = [layout.VISITS.empty_table()]
        columns = (joined(tables, name) for name in ("cell", "first_s", "last_s"))
        return Visits(*coded(tables), *columns)

    def _parts(self, now: Snapshot, start_us: int, end_us: int, tell: str = "") -> Iterator[Part]:
        """Yield the parts to read for [start, end) as long as the question need not end."""
        parts = now.manifest.overlapping(start_us, end_us)
        for n, part in enumerate(parts):
            if tell:
                self._halt.tell(f"{tell}, {n} of {len(parts)} files of days")
            self._halt.check()
            yield part

    def _fresh(self, now: Snapshot, start_us: int, end_us: int) -> Source | None:
        """Return the fixes of [start, end) that are not sealed; None if there are none."""
        fixes = tail.fresh(now, start_us, end_us)
        if fixes is None:
            return None
        flags = block_ways.chained(fixes.column("device").combine_chunks().indices.to_numpy())
        fixes = fixes.append_column("flags", pa.array(flags))
        time = fixes.column("time").to_numpy()
        return Source(int(time.min()), int(time.max()), fixes=fixes)

    def _unsealed(
        self,
        now: Snapshot,
        cells: NDArray[np.uint64],
        start_us: int,
        end_us: int,
        box: NDArray[np.float64] | None,
    ) -> list[pa.Table]:
        """Return the visits of the movement from, to and between fixes that are not sealed."""
        fixes = tail.moved(now, start_us - MAX_GAP_US, end_us + MAX_GAP_US + 1)
        if fixes is None:
            return []
        found = visits_of(fixes if box is None else tail.meeting(fixes, box))
        cell, first_s, last_s = (found.column(name).to_numpy() for name in ("cell", "first_s", "last_s"))
        at = np.minimum(np.searchsorted(cells, cell), len(cells) - 1)
        wanted = (cells[at] == cell) & (first_s < -(-end_us // _S)) & (last_s >= start_us // _S)
        return [found.filter(pa.array(wanted))]


def _widened(box: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """Return bounds within which the cells lie that touch these."""
    west, south, east, north = box
    high = _BESIDE_M / _METRES_A_DEGREE
    wide = high / np.cos(np.radians(min(max(abs(south), abs(north)), 85.0)))
    return np.array([west - wide, south - high, east + wide, north + high])


def _sorted(tables: list[pa.Table], names: tuple[str, ...]) -> tuple[Moves, NDArray[Any]]:
    """Return fixes by device, time and the last column, and that column; `layout.MOVED` is before it."""
    if not tables:
        return Moves.none(), np.empty(0, np.uint64)
    of_device, device = coded(tables)
    time, lon, lat, last = (joined(tables, name) for name in names[1:])
    order = np.lexsort((last, time, device))
    return Moves(of_device, device[order], time[order], lon[order], lat[order]), last[order]


def _check_rows(tables: list[pa.Table]) -> None:
    if sum(map(len, tables)) > MOST_ROWS:
        raise InvalidInput(
            f"more than {MOST_ROWS:,} visits lie there in that time; ask for a shorter window or a smaller "
            "area",
            field="window",
        )


def _texts(devices: Collection[str]) -> str:
    return ", ".join(layout.quoted(device) for device in sorted(devices))
