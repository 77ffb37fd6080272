"""The history of fixes: a DuckDB file that one process opens.

An append is one transaction; DuckDB writes and syncs its log before the commit returns, so a row that was
acknowledged outlives the process. Measured alternatives are listed in the project's decisions: DuckDB native
took 1.4 M rows/s in durable batches of 5,000 where PostgreSQL took 0.03 M.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import numpy as np

from geo_policing.errors import Unavailable
from geo_policing.model import BoundingBox, FixColumns, TimeWindow
from geo_policing.model.fix import FIX_SCHEMA
from geo_policing.store.private import private, tighten

_TYPES = """
    device VARCHAR NOT NULL, time BIGINT NOT NULL, lon DOUBLE NOT NULL, lat DOUBLE NOT NULL,
    alt_m FLOAT NOT NULL, speed_mps FLOAT NOT NULL, course_deg FLOAT NOT NULL, accuracy_m FLOAT NOT NULL,
    quality UTINYINT NOT NULL, satellites UTINYINT NOT NULL, beidou_satellites UTINYINT NOT NULL,
    cell UBIGINT NOT NULL, source VARCHAR NOT NULL, received BIGINT NOT NULL
"""
_COLUMNS = ", ".join(FIX_SCHEMA.names)
_NEWEST_FIRST = "QUALIFY row_number() OVER (PARTITION BY device ORDER BY time DESC, received DESC) = 1"
_ADD = f"INSERT INTO fixes SELECT {_COLUMNS} FROM batch"  # noqa: S608 - our own names, here and below
_SET = ", ".join(f"{name} = excluded.{name}" for name in FIX_SCHEMA.names if name != "device")
_RENEW = f"""
INSERT INTO newest SELECT {_COLUMNS} FROM batch {_NEWEST_FIRST}
ON CONFLICT (device) DO UPDATE SET {_SET}
WHERE (excluded.time, excluded.received) > (newest.time, newest.received)
"""  # noqa: S608
_FILL_NEWEST = f"INSERT INTO newest SELECT {_COLUMNS} FROM fixes {_NEWEST_FIRST}"  # noqa: S608

#: What a wrong statement of ours raises; everything else is the disk's or the file's doing.
_OURS = (duckdb.ProgrammingError, duckdb.DataError, duckdb.IntegrityError, duckdb.NotSupportedError)


class FixStore:
    """Fixes as they came, and the newest of each device. Safe to use from several threads.

    A disk that is full makes appends and sometimes questions fail with Unavailable; they are answered again,
    with everything that was acknowledged, as soon as there is space.

    Parameters
    ----------
    path : Path
        The DuckDB file; made when it is not there, its folder as well. Its owner alone may read it.

    Raises
    ------
    Unavailable
        If another process has it open, or it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._closed = False
        self._broken = False
        self._db = self._open()

    def _open(self) -> Any:
        with self._in_our_words():
            # Where people were is nobody else's business: a folder that we make is for its owner only.
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with private():
                db = duckdb.connect(str(self._path))
            tighten(self._path, ".wal")
            try:
                with private(), _transaction(db):
                    db.execute(f"CREATE TABLE IF NOT EXISTS fixes ({_TYPES})")
                    tables = db.execute("SELECT table_name FROM duckdb_tables()").fetchall()
                    if ("newest",) not in tables:
                        # A file of before there was this table, or a new one.
                        db.execute(f"CREATE TABLE newest ({_TYPES}, PRIMARY KEY (device))")
                        db.execute(_FILL_NEWEST)
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
            db.register("batch", batch)
            try:
                # DuckDB makes its log anew whenever the one before has gone into the file.
                with private(), _transaction(db):
                    db.execute(_ADD)
                    db.execute(_RENEW)
            finally:
                with suppress(duckdb.Error):
                    db.unregister("batch")

    def window(self, device: str, window: TimeWindow) -> FixColumns:
        """Return the fixes of a device in a window, by time, then by when they were received."""
        return self._read(
            "WHERE device = ? AND time >= ? AND time < ? ORDER BY time, received",
            [device, window.start_us, window.end_us],
        )

    def between(self, window: TimeWindow, box: BoundingBox | None = None) -> FixColumns:
        """Return the fixes of all devices in a window, and in a box when one is given, by device and time."""
        where = "WHERE time >= ? AND time < ?"
        values: list[Any] = [window.start_us, window.end_us]
        if box is not None:
            where += " AND lon BETWEEN ? AND ? AND lat BETWEEN ? AND ?"
            values += [box.west, box.east, box.south, box.north]
        return self._read(f"{where} ORDER BY device, time, received", values)

    def latest(self) -> FixColumns:
        """Return the newest fix of each device by its time, whatever was received last, by device."""
        return self._read("ORDER BY device", [], table="newest")

    def devices(self) -> list[str]:
        """Return the ids of the devices that have fixes, in order."""
        with self._cursor() as cursor:
            rows = cursor.execute("SELECT device FROM newest ORDER BY device").fetchall()
        return [row[0] for row in rows]

    def count(self) -> int:
        """Return the number of fixes."""
        with self._cursor() as cursor:
            (rows,) = cursor.execute("SELECT count(*) FROM fixes").fetchone()
        return int(rows)

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
    def _cursor(self) -> Iterator[Any]:
        """Open a connection of its own for one question, so that questions do not wait for appends."""
        with self._in_our_words():
            with self._lock:
                cursor = self._connection().cursor()
            with cursor:
                yield cursor

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        """Say in one line what the disk or the file does not let DuckDB do."""
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"{error.filename or self._path}: {error.strerror or error}; choose another data folder"
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

    def _read(self, rest: str, values: list[Any], table: str = "fixes") -> FixColumns:
        with self._cursor() as cursor:
            query = f"SELECT {_COLUMNS} FROM {table} {rest}"  # noqa: S608 - our own text
            found = cursor.sql(query, params=values).to_arrow_table()
        fixes = FixColumns.from_arrow(found)
        # Arrow hands out read-only views of its own memory; callers get arrays that are theirs.
        return fixes.take(np.arange(len(fixes)))


@contextmanager
def _transaction(db: Any) -> Iterator[None]:
    """All or nothing; a commit that fails leaves nothing to roll back."""
    db.execute("BEGIN")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):
            db.execute("ROLLBACK")
        raise
