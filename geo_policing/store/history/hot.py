"""The tables of the days being written, in the DuckDB file: one for each day, and one of the newest fixes.

All of this is done in a transaction of whoever calls.
"""

# ruff: noqa: S608 - queries are put together of our own names, numbers and paths

import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from geo_policing.geodesy import cells
from geo_policing.model.fix import FIX_SCHEMA
from geo_policing.store.history.manifest import DAY_US
from geo_policing.store.history.snapshot import COLUMNS, LISTED, newest

_TYPES = """
    device VARCHAR NOT NULL, time BIGINT NOT NULL, lon DOUBLE NOT NULL, lat DOUBLE NOT NULL,
    alt_m FLOAT NOT NULL, speed_mps FLOAT NOT NULL, course_deg FLOAT NOT NULL, accuracy_m FLOAT NOT NULL,
    quality UTINYINT NOT NULL, satellites UTINYINT NOT NULL, beidou_satellites UTINYINT NOT NULL,
    cell UBIGINT NOT NULL, source VARCHAR NOT NULL, received BIGINT NOT NULL
"""
_SET = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name != "device")
_KEEP_NEWEST = f"""
INSERT INTO newest {{newest}} ON CONFLICT (device) DO UPDATE SET {_SET}
WHERE (excluded.time, excluded.received) > (newest.time, newest.received)
"""


def prepare(db: Any, sealed: str, sealed_tables: tuple[str, ...]) -> dict[str, int]:
    """Bring a file that was just opened up to date, and return the tables of its days.

    Parameters
    ----------
    db : DuckDB connection
        In a transaction.
    sealed : str
        Query for everything that is sealed.
    sealed_tables : tuple of str
        Tables that were sealed before a stop: they are dropped.
    """
    there = _tables(db)
    if "newest" not in there:
        # A file of before there was this table, or a new one.
        db.execute(f"CREATE TABLE newest ({_TYPES}, PRIMARY KEY (device))")
        db.execute(_KEEP_NEWEST.format(newest=newest(sealed)))
    found = {}
    for table in sorted(there):
        if table in sealed_tables:
            drop(db, table)
        elif table.startswith("day_"):
            found[table] = int(table.split("_")[1].replace("m", "-"))
    if "fixes" in there:
        _split(db, found)
    return found


def drop(db: Any, table: str) -> None:
    """Drop a table that is sealed; the newest fixes of its devices are kept apart."""
    if table in _tables(db):
        db.execute(_KEEP_NEWEST.format(newest=newest(f"SELECT {LISTED} FROM {table}")))
        db.execute(f"DROP TABLE {table}")


def forget(db: Any, devices: Collection[str], left: pa.Table) -> None:
    """Forget the newest fixes of devices; of those that have others left, these take their place."""
    gone = sorted(set(devices).difference(left.column("device").to_pylist()))
    if gone:
        db.execute("DELETE FROM newest WHERE device IN (SELECT unnest(?))", [gone])
    db.register("remaining", left)
    try:
        db.execute(
            f"INSERT INTO newest SELECT {LISTED} FROM remaining ON CONFLICT (device) DO UPDATE SET {_SET}"
        )
    finally:
        with suppress(duckdb.Error):
            db.unregister("remaining")


def insert(db: Any, batch: pa.Table, filling: dict[int, str]) -> dict[str, int]:
    """Add rows to the tables of their days, and their cells; return the tables that were made for it."""
    cell = cells(batch.column("lon").to_numpy(), batch.column("lat").to_numpy())
    batch = batch.set_column(COLUMNS.index("cell"), FIX_SCHEMA.field("cell"), pa.array(cell))
    days = np.unique(batch.column("time").to_numpy() // DAY_US).tolist()
    made = {}
    db.register("arrived", batch)
    try:
        for day in days:
            table = filling.get(day)
            if table is None:
                # Never a name that was there before: a manifest may still say that it is sealed.
                table = f"day_{day}_{secrets.token_hex(8)}".replace("-", "m")
                db.execute(f"CREATE TABLE {table} ({_TYPES})")
                made[table] = day
            db.execute(
                f"INSERT INTO {table} SELECT {LISTED} FROM arrived WHERE time >= ? AND time < ?",
                [day * DAY_US, (day + 1) * DAY_US],
            )
    finally:
        with suppress(duckdb.Error):
            db.unregister("arrived")
    return made


def _split(db: Any, found: dict[str, int]) -> None:
    """Move what was kept in one table, before each day had its own."""
    with db.cursor() as before:
        for batch in before.sql(f"SELECT {LISTED} FROM fixes").to_arrow_reader(1_000_000):
            found |= insert(db, pa.Table.from_batches([batch]), {day: table for table, day in found.items()})
    db.execute("DROP TABLE fixes")


def _tables(db: Any) -> set[str]:
    return {name for (name,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()}


@contextmanager
def transaction(db: Any) -> Iterator[None]:
    """All or nothing; a commit that fails leaves nothing to roll back."""
    db.execute("BEGIN")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):
            db.execute("ROLLBACK")
        raise
