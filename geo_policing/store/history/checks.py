"""Whether the sealed days are what the manifest says: files, counts, order, and visits against fixes."""

# ruff: noqa: S608 - queries are put together of our own names, numbers and paths

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from geo_policing.kernels.block_ways import HOUR_US
from geo_policing.store.history import layout
from geo_policing.store.history.blocks import block_rows
from geo_policing.store.history.manifest import KINDS, Manifest, Part, SealedFile, date
from geo_policing.store.history.reading import plain
from geo_policing.store.history.sealing import movements, visits_of

_ORDER = {
    "by_device": ("device", "time", "received"),
    "by_cell": ("hour", "block", "device", "time"),
    "visits": ("cell", "first_s", "last_s"),
}
#: Before there were blocks.
_ORDER_BY_CELL = ("hour", "cell", "time")


def verify(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong, one line each; nothing when the sealed days are whole.

    It needs no lock: what is sealed is never changed. Memory is bounded; visits are compared on disk. A day
    whose parts a service merges meanwhile, so that their files go, is checked as it is then.
    """
    for day in sorted({part.day for part in manifest.parts}):
        parts: tuple[Part, ...] = ()
        now, wrong = manifest.of_day(day), []
        while now != parts:
            parts, wrong = now, _check_day(folder, now)
            if wrong:
                now = Manifest.read(folder).of_day(day)
        yield from (f"day {date(day)}: {line}" for line in wrong)


def _check_day(folder: Path, parts: tuple[Part, ...]) -> list[str]:
    if not parts:
        return []
    try:
        wrong = [
            f"part {part.id}: {line}"
            for part in parts
            for kind in KINDS
            for line in _check_file(folder, getattr(part, kind), _order(part, kind))
        ]
        if not wrong:
            with duckdb.connect() as db:
                db.execute("SET memory_limit = '512MB'; SET enable_progress_bar = false")
                db.execute(f"SET temp_directory = {layout.quoted(folder / 'sorting')}")
                wrong = [
                    f"part {part.id}: {line}" for part in parts for line in _check_fixes(db, folder, part)
                ]
                wrong += _check_visits(db, folder, parts)
    except (FileNotFoundError, duckdb.IOException) as error:
        wrong = [f"a file has gone while it was checked ({str(error).splitlines()[0]})"]
    return wrong


def _order(part: Part, kind: str) -> tuple[str, ...]:
    return _ORDER_BY_CELL if kind == "by_cell" and not part.has_blocks else _ORDER[kind]


def _check_file(folder: Path, file: SealedFile, order: tuple[str, ...]) -> Iterator[str]:
    path = folder / file.name
    try:
        size = path.stat().st_size
    except OSError as error:
        yield f"{file.name} cannot be read ({error.strerror})"
        return
    if size != file.bytes:
        yield f"{file.name} has {size} bytes, not {file.bytes}"
        return
    if layout.digest(path) != file.sha256:
        yield f"{file.name} is not what was written: its SHA-256 differs"
        return
    with pq.ParquetFile(path) as parquet:
        if parquet.metadata.num_rows != file.rows:
            yield f"{file.name} has {parquet.metadata.num_rows} rows, not {file.rows}"
        if not _is_sorted(parquet, order):
            yield f"{file.name} is not sorted by {', '.join(order)}"


def _is_sorted(parquet: pq.ParquetFile, order: tuple[str, ...]) -> bool:
    """Whether each row is not before the one before it."""
    last: pa.Table | None = None
    known = set(parquet.schema_arrow.names)
    for batch in parquet.iter_batches(columns=[name for name in order if name in known]):
        table = pa.Table.from_batches([batch])
        if not known.issuperset(order):
            hours = pa.array(table.column("time").to_numpy() // HOUR_US)
            table = table.append_column("hour", hours)
        both = table if last is None else pa.concat_tables([last, table])
        last = table.slice(len(table) - 1)
        before, after = both.slice(0, len(both) - 1), both.slice(1)
        wrong: Any = pa.scalar(False)
        for name in reversed(order):
            a, b = before.column(name), after.column(name)
            wrong = pc.or_(pc.greater(a, b), pc.and_(pc.equal(a, b), wrong))
        if len(after) and pc.any(wrong).as_py():
            return False
    return True


def _check_fixes(db: Any, folder: Path, part: Part) -> Iterator[str]:
    sums = []
    for kind in ("by_device", "by_cell"):
        (query,) = layout.scan_parts(folder, (part,), kind, layout.MOVED)
        total = "count(*), sum(hash(device, time, lon, lat)::HUGEINT), min(time), max(time)"
        sums += db.execute(f"SELECT {total} FROM ({query})").fetchall()
    if sums[0] != sums[1]:
        yield "the fixes by device are not those by cell"
    elif part.has_ways and not _has_its_ways(db, folder, part):
        yield "the movement by cell is not that through the fixes by device"
    if sums[0][2:] != (part.first_us, part.last_us):
        yield "the first and the last fix are not at the times that the manifest says"


def _has_its_ways(db: Any, folder: Path, part: Part) -> bool:
    """Whether `by_cell` has the rows that its fixes by device give."""
    again = (folder / part.by_cell.name).with_suffix(".again")
    try:
        with (
            layout.SortedFile(again, layout.schema(layout.BY_CELL, part.digits)) as file,
            pq.ParquetFile(folder / part.by_device.name) as parquet,
        ):
            batches = parquet.iter_batches(layout.GROUP_ROWS, columns=list(layout.MOVED))
            exact = (plain(pa.Table.from_batches([batch])) for batch in batches)
            for moved in movements(batch for table in exact for batch in table.to_batches()):
                file.write(block_rows(moved))
        sums = [
            db.execute(
                f"SELECT count(*), sum(hash({', '.join(layout.BY_CELL)})::HUGEINT) "
                f"FROM ({layout.scan([str(path)], layout.BY_CELL)})"
            ).fetchall()
            for path in (again, folder / part.by_cell.name)
        ]
        return bool(sums[0] == sums[1])
    finally:
        again.unlink(missing_ok=True)


#: Stays of a device in a cell that touch are one.
_JOINED = """
SELECT device, cell, min(first_s) AS first_s, max(last_s) AS last_s FROM (
    SELECT *, sum(begins) OVER (PARTITION BY device, cell ORDER BY first_s, last_s) AS stay FROM (
        SELECT *, (first_s > coalesce(max(last_s) OVER (PARTITION BY device, cell ORDER BY first_s, last_s
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), -9e18))::INT AS begins FROM ({visits})))
GROUP BY device, cell, stay
"""


def _check_visits(db: Any, folder: Path, parts: tuple[Part, ...]) -> Iterator[str]:
    """Compare the visits of a day with those of the movement through its fixes."""
    fixes = " UNION ALL ".join(layout.scan_parts(folder, parts, "by_device", (*layout.MOVED, "received")))
    (visits,) = layout.scan_parts(folder, parts, "visits", tuple(layout.VISITS.names))
    again = (folder / parts[0].visits.name).with_suffix(".again")
    try:
        with layout.SortedFile(again, layout.VISITS) as file:
            ordered = db.sql(
                f"SELECT *, true AS mine FROM ({fixes}) ORDER BY device, time, received, lon, lat"
            )
            for moved in movements(ordered.to_arrow_reader(layout.GROUP_ROWS)):
                file.write(visits_of(moved))
        for name, query in (
            ("stored", visits),
            ("found", layout.scan([str(again)], tuple(layout.VISITS.names))),
        ):
            db.execute(f"CREATE TEMP TABLE {name} AS {_JOINED.format(visits=query)}")
    finally:
        again.unlink(missing_ok=True)
    ((missing,),) = db.execute(
        """SELECT count(*) FROM found f WHERE NOT EXISTS (
            SELECT 1 FROM stored s WHERE s.device = f.device AND s.cell = f.cell
            AND s.first_s <= f.first_s AND s.last_s >= f.last_s)"""
    ).fetchall()
    if missing:
        yield f"{missing} visits of the movement between the fixes are missing"
    if len(parts) > 1:
        return  # what was between two fixes before a late one came counts until the parts are merged
    ((too_many,),) = db.execute(
        f"""WITH span AS (SELECT device, min(time) // 1000000 AS start_s, max(time) // 1000000 AS end_s
                          FROM ({fixes}) GROUP BY device)
        SELECT count(*) FROM stored s LEFT JOIN span USING (device)
        WHERE span.device IS NULL OR (s.first_s > start_s AND s.last_s < end_s AND NOT EXISTS (
            SELECT 1 FROM found f WHERE f.device = s.device AND f.cell = s.cell
            AND s.first_s = f.first_s AND s.last_s = f.last_s))"""
    ).fetchall()
    if too_many:
        yield f"{too_many} visits are of no movement between the fixes"
