"""The history of fixes: days being written in a DuckDB file that one process opens, finished days in Parquet.

An append is one transaction; DuckDB writes and syncs its log before the commit returns, so a row that was
acknowledged outlives the process. Measured alternatives are listed in the project's decisions: DuckDB native
took 1.4 M rows/s in durable batches of 5,000 where PostgreSQL took 0.03 M.

Each day has a table of its own, so that a sealed day is dropped at once and not row by row. A question sees
the manifest and the tables of one instant: each row once, whatever is sealed meanwhile.
"""

# ruff: noqa: S608 - queries are put together of our own names, numbers and paths

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from geo_policing.errors import InvalidTimeWindow, Unavailable
from geo_policing.model import BoundingBox, FixColumns, TimeWindow
from geo_policing.store.history import hot, layout, pages
from geo_policing.store.history.manifest import Manifest
from geo_policing.store.history.matched import matched_folder
from geo_policing.store.history.reading import SealedReader
from geo_policing.store.history.sealing import remove_strangers
from geo_policing.store.history.snapshot import COLUMNS, Snapshot, columns, newest, unsealed
from geo_policing.store.private import private, tighten

#: What does not fit into DuckDB's memory is sorted on disk; what it knows of Parquet files it keeps. It fills
#: its memory with what it has read of the tables: a day that is sealed whole would take any.
#: And it does not draw on standard output how far a question is.
_SETTINGS = {
    "memory_limit": "'512MB'",
    "parquet_metadata_cache": "true",
    "enable_progress_bar": "false",
}

#: So many fixes are returned at once, some 200 MB: three weeks of one a second.
MOST_FIXES = 2_000_000

#: What a wrong statement of ours raises; everything else is the disk's or the file's doing.
_OURS = (duckdb.ProgrammingError, duckdb.DataError, duckdb.IntegrityError, duckdb.NotSupportedError)


class FixStore:
    """Fixes as they came, and the newest of each device. Safe to use from several threads.

    A disk that is full makes appends and sometimes questions fail with Unavailable; they are answered again,
    with everything that was acknowledged, as soon as there is space.

    Parameters
    ----------
    path : Path
        The DuckDB file; made when it is not there, its folder as well. Its owner alone may read it. Finished
        days are beside it, in the folder ``NAME-sealed``.

    Raises
    ------
    Unavailable
        If another process has it open, or it cannot be read or written.
    InvalidFile
        If the manifest of the sealed days is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.folder = sealed_folder(path)
        self.sealed = SealedReader(self.folder)
        self.matched = matched_folder(path)
        self._lock = threading.Lock()
        self._closed = False
        self._broken = False
        self._manifest = Manifest()
        self._hot: dict[str, int] = {}
        self._filling: dict[int, str] = {}
        self._finished: set[str] = set()
        self._reading: Counter[int] = Counter()
        self._asked = 0
        self._unlink: list[tuple[int, Path]] = []
        self._db = self._open()
        with self._in_our_words():
            remove_strangers(self.folder, self._manifest.names)

    def _open(self) -> Any:
        with self._in_our_words():
            # Where people were is nobody else's business: a folder that we make is for its owner only.
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with private():
                db = duckdb.connect(str(self._path))
            tighten(self._path, ".wal")
            try:
                # Not before the file is ours alone: another process may have sealed and merged until then.
                self._manifest = Manifest.read(self.folder)
                for setting, value in _SETTINGS.items():
                    db.execute(f"SET {setting} = {value}")
                db.execute(f"SET temp_directory = {layout.quoted(self.folder / 'sorting')}")
                with private(), hot.transaction(db):
                    now = Snapshot(db, self.folder, self.sealed, self._manifest, {})
                    self._hot = hot.prepare(db, now.select(COLUMNS), self._manifest.sealed_tables)
                    # A table that is being sealed must not grow, whatever made us open the file again.
                    self._filling = {d: t for t, d in self._hot.items() if t not in self._finished}
                # Those are dropped now; the file says so at the next change.
                self._manifest = replace(self._manifest, sealed_tables=())
            except BaseException:
                db.close()
                raise
        return db

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Write what is in the log into the file and let go of it; closed again, nothing happens."""
        with self._lock:
            self._closed = True
            with self._in_our_words():
                self._db.close()

    def append(self, fixes: FixColumns) -> None:
        """Add fixes, all or none; they are on disk when it returns.

        Raises
        ------
        Unavailable
            If the disk is full or the store closed; none of them was acknowledged.
        """
        if not len(fixes):
            return
        batch = fixes.to_arrow()
        with self._lock, self._in_our_words():
            db = self._connection()
            # DuckDB makes its log anew whenever the one before has gone into the file.
            with private(), hot.transaction(db):
                made = hot.insert(db, batch, self._filling)
            self._hot |= made
            self._filling |= {day: table for table, day in made.items()}

    def window(self, device: str, window: TimeWindow) -> FixColumns:
        """Return the fixes of a device in a window, by time, then by when they were received.

        Raises
        ------
        InvalidTimeWindow
            If they are more than `MOST_FIXES`; `pages` gives them however many they are.
        """
        found, count = [], 0
        with self.snapshot() as now:
            for some in pages.some(lambda: nullcontext(now), device, window.start_us, window.end_us):
                found.append(some)
                count += len(some)
                if count > MOST_FIXES:
                    raise _too_many(window)
        return FixColumns.concatenated(found)

    def pages(self, device: str, window: TimeWindow, rows: int = 100_000) -> Iterator[FixColumns]:
        """Yield the fixes of a device in a window as `window` orders them, at most so many at a time.

        Memory is bounded however long the window is. What lies in what part of it is as it is when that is
        read: fixes that come late for a time that was read before are not seen.
        """
        for some in pages.some(self.snapshot, device, window.start_us, window.end_us):
            for first in range(0, len(some), rows):
                yield some.take(slice(first, first + rows))

    def between(self, window: TimeWindow, box: BoundingBox | None = None) -> FixColumns:
        """Return the fixes of all devices in a window, and in a box when one is given, by device and time.

        Raises
        ------
        InvalidTimeWindow
            If they are more than `MOST_FIXES`.
        """
        where, values = "", {}
        if box is not None:
            where = "AND lon BETWEEN $west AND $east AND lat BETWEEN $south AND $north"
            values = {"west": box.west, "east": box.east, "south": box.south, "north": box.north}
        with self.snapshot() as now:
            query = now.select(COLUMNS, window.start_us, window.end_us, where=where)
            ((count,),) = now.cursor.execute(f"SELECT count(*) FROM ({query})", values).fetchall()
            if count > MOST_FIXES:
                raise _too_many(window)
            return columns(now.cursor, f"{query} ORDER BY device, time, received", values)

    def latest(self) -> FixColumns:
        """Return the newest fix of each device by its time, whatever was received last, by device."""
        with self.snapshot() as now:
            return columns(now.cursor, f"{newest(unsealed(now))} ORDER BY device", {})

    def devices(self) -> list[str]:
        """Return the ids of the devices that have fixes, in order."""
        with self.snapshot() as now:
            query = f"SELECT DISTINCT device FROM ({unsealed(now)}) ORDER BY device"
            rows = now.cursor.execute(query).fetchall()
        return [row[0] for row in rows]

    def count(self) -> int:
        """Return the number of fixes."""
        with self.snapshot() as now:
            return now.manifest.rows + sum(
                now.cursor.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in now.hot
            )

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """See the history of one instant as long as this lasts; files that go meanwhile stay until then."""
        with self._in_our_words():
            with self._lock:
                cursor = self._connection().cursor()
                # DuckDB's transaction sees what is there at its first statement.
                cursor.execute("BEGIN")
                cursor.execute("SELECT 1 FROM newest LIMIT 0").fetchall()
                now = Snapshot(cursor, self.folder, self.sealed, self._manifest, dict(self._hot))
                number = self._asked = self._asked + 1
                self._reading[number] += 1
            try:
                with cursor:
                    yield now
            finally:
                with self._lock:
                    del self._reading[number]
                    self._unlink_unread()

    def close_days(self, before: int) -> dict[int, list[str]]:
        """Return the tables of the days before a day; what comes for those days goes into new ones.

        Of a day of which some were returned before and are not sealed yet, because that failed, these alone
        are returned again: each attempt would leave one more.
        """
        with self._lock:
            left = {day for table, day in self._hot.items() if table in self._finished}
            self._filling = {d: table for d, table in self._filling.items() if d >= before or d in left}
            closed: dict[int, list[str]] = {}
            for table, day in self._hot.items():
                if day < before and table != self._filling.get(day):
                    closed.setdefault(day, []).append(table)
                    self._finished.add(table)
            return closed

    @property
    def is_behind(self) -> bool:
        """Whether there are tables that were closed and are not sealed yet."""
        with self._lock:
            return not self._finished.isdisjoint(self._hot)

    def commit(self, manifest: Manifest) -> None:
        """Make another manifest the history; what it does not name any more is deleted when nobody reads it.

        The tables that it calls sealed are dropped. To be called by one thread at a time.
        """
        gone = self._manifest.names - manifest.names
        with self._in_our_words():
            manifest.write(self.folder)
            with self._lock:
                self._manifest = manifest
                self._hot = {t: day for t, day in self._hot.items() if t not in manifest.sealed_tables}
                self._unlink += [(self._asked, self.folder / name) for name in gone]
                self._unlink_unread()
                db = self._connection()
                with private(), hot.transaction(db):
                    for table in manifest.sealed_tables:
                        hot.drop(db, table)
                # They are gone; the file says so at the next change.
                self._finished.difference_update(manifest.sealed_tables)
                self._manifest = replace(manifest, sealed_tables=())

    @property
    def manifest(self) -> Manifest:
        """What is sealed now."""
        return self._manifest

    def forget(self, devices: Collection[str], left: pa.Table) -> None:
        """Delete the newest fixes of devices; of those that have others left, give the newest of these."""
        with self._lock, self._in_our_words():
            db = self._connection()
            with private(), hot.transaction(db):
                hot.forget(db, devices, left)

    def _unlink_unread(self) -> None:
        """Delete files that nobody reads any more; the lock is held."""
        oldest = min(self._reading, default=self._asked + 1)
        for last, path in self._unlink:
            if last < oldest:
                path.unlink(missing_ok=True)
        self._unlink = [(last, path) for last, path in self._unlink if last >= oldest]

    def _connection(self) -> Any:
        """Return the connection, opened again after DuckDB gave it up; the lock is held."""
        if self._closed:
            raise Unavailable(f"{self._path} is closed; open the store again")
        if self._broken:
            self._db.close()
            self._db = self._open()
            self._broken = False
        return self._db

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        """Say in one line what the disk or the file does not let DuckDB do."""
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"{error.filename or self._path}: {error.strerror or error}; choose another data folder"
            ) from None
        except pa.ArrowInvalid as error:
            raise Unavailable(
                f"{self.folder}: a sealed file is damaged: {error}; `geo-policing history verify` finds it"
            ) from None
        except _OURS:
            raise
        except duckdb.Error as error:
            # A fatal error, or a file that is damaged: DuckDB refuses everything until it is opened again.
            self._broken |= not isinstance(error, duckdb.OperationalError)
            raise Unavailable(self._reason(str(error))) from None

    def _reason(self, said: str) -> str:
        lines = said.strip().splitlines() or ["no reason given"]
        # What comes after is what happened first: DuckDB puts the consequence before the cause.
        cause = next((line for line in lines if line.startswith("Original error")), lines[0]).rstrip()
        if "Could not set lock" in cause:
            return f"{self._path} is open in another process; stop that one, or choose another data folder"
        return f"{self._path} cannot be used: {cause}; check the disk's space and the file"


def _too_many(window: TimeWindow) -> InvalidTimeWindow:
    text = f"{window.start.isoformat()}/{window.end.isoformat()}"
    return InvalidTimeWindow(
        f"there are more than {MOST_FIXES} fixes in {text}; ask for shorter windows",
        field="datetime",
        value=text,
    )


def sealed_folder(path: Path) -> Path:
    """Return where the sealed days of a history are, given its DuckDB file."""
    return path.with_name(f"{path.stem}-sealed")
