"""How the files of a part are written, and how they are read again.

Places are decimals of seven or nine digits where that loses nothing, so that any reader sees numbers and they
take a third of the space of doubles; columns that grow or hardly change are stored as differences.
"""

# ruff: noqa: S608 - queries are put together of our own names, numbers and paths

import hashlib
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from geo_policing.kernels.block_ways import HERE
from geo_policing.model.fix import FIX_SCHEMA
from geo_policing.store.history.manifest import Part, SealedFile
from geo_policing.store.private import private

#: Rows in a row group: the least that is read of a column. Four times as many take 7 % less space, and a
#: question for an hour of 1 km² decodes three times as many rows.
GROUP_ROWS = 16_384
#: Of a part of fewer fixes, as of an hour of a running day, they have a quarter of that: a device has few
#: rows in it, and a question about the day asks each part. They are merged when the day has ended.
SMALL_ROWS = 3_000_000
#: Columns of `by_cell`: the movement through blocks; what else is known of a fix is in `by_device`.
BY_CELL = ("hour", "block", "device", "time", "lon", "lat", "flags")
#: Columns by which movement is known, which all files of fixes have.
MOVED = ("device", "time", "lon", "lat")
#: What row groups are found by. Nobody asks for the least and the most of other columns, but all read them.
_FOUND_BY = ("device", "time", "cell", "hour", "block", "first_s", "last_s")
_DIFFERENCES = ("time", "received", "lon", "lat", "first_s", "last_s")
_COMPRESSION_LEVEL = 3
#: Those of `by_cell` that are not of the fix alone.
_OF_BLOCKS = {
    "hour": pa.field("hour", pa.int32(), nullable=False),
    "block": pa.field("block", pa.uint64(), nullable=False),
    "flags": pa.field("flags", pa.uint8(), nullable=False),
}


def schema(names: tuple[str, ...], digits: int | None) -> pa.Schema:
    """Return the schema of a file of fixes; places have so many digits after the point, or are doubles."""
    fields = []
    for name in names:
        field = _OF_BLOCKS[name] if name in _OF_BLOCKS else FIX_SCHEMA.field(name)
        if name in {"lon", "lat"} and digits is not None:
            field = pa.field(name, pa.decimal128(digits + 3, digits), nullable=False)
        fields.append(field)
    return pa.schema(fields)


#: A device was in a cell, seconds of UTC since 1970, rounded outwards.
VISITS = pa.schema(
    [
        pa.field("device", pa.string(), nullable=False),
        pa.field("cell", pa.uint64(), nullable=False),
        pa.field("first_s", pa.int64(), nullable=False),
        pa.field("last_s", pa.int64(), nullable=False),
    ]
)


def decimals(values: np.ndarray[Any, Any], digits: int) -> pa.Array:
    """Return (n,) f64 as decimals with so many digits after the point."""
    pairs = np.empty((len(values), 2), np.int64)
    pairs[:, 0] = np.rint(values * 10.0**digits)
    pairs[:, 1] = pairs[:, 0] >> 63  # the sign fills the upper half
    return pa.Array.from_buffers(
        pa.decimal128(digits + 3, digits), len(values), [None, pa.py_buffer(pairs.tobytes())]
    )


def is_exact(values: np.ndarray[Any, Any], digits: int) -> bool:
    """Whether (n,) f64 degrees are what decimals with so many digits after the point give back."""
    scale = 10.0**digits
    within = np.abs(values) < 1000.0  # and no NaN
    return bool(np.all(within) and np.all(np.rint(values * scale) / scale == values))


class SortedFile:
    """A Parquet file in row groups, whatever pieces it is given in; for its owner alone.

    Parameters
    ----------
    path : Path
        Where.
    columns : Schema
        Its columns.
    dictionary : sequence of str
        Columns of few values, stored as a dictionary; device and the small columns are anyway.
    group_rows : int, optional
        Rows of a row group; `GROUP_ROWS` without it.
    """

    def __init__(
        self,
        path: Path,
        columns: pa.Schema,
        dictionary: tuple[str, ...] = (),
        group_rows: int | None = None,
    ) -> None:
        differences = [name for name in columns.names if name in _DIFFERENCES and name not in dictionary]
        doubles = [name for name in differences if pa.types.is_floating(columns.field(name).type)]
        self.path = path
        self.rows = 0
        self.columns = columns
        self._group_rows = GROUP_ROWS if group_rows is None else group_rows
        self._waiting: list[pa.Table] = []
        with private():
            self._writer = pq.ParquetWriter(
                path,
                columns,
                compression="zstd",
                compression_level=_COMPRESSION_LEVEL,
                version="2.6",
                write_statistics=[name for name in columns.names if name in _FOUND_BY],
                use_dictionary=[name for name in columns.names if name not in differences],
                column_encoding=dict.fromkeys(doubles, "BYTE_STREAM_SPLIT")
                | {name: "DELTA_BINARY_PACKED" for name in differences if name not in doubles},
                store_decimal_as_integer=True,
            )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Write what is left, and the footer."""
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=self._group_rows)
            self._waiting = []
        self._writer.close()

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Add rows, which must be sorted and after those before."""
        if not batch.num_rows:
            return
        arrays = []
        for field in self.columns:
            values = batch.column(field.name)
            if pa.types.is_decimal(field.type) and not pa.types.is_decimal(values.type):
                values = decimals(values.to_numpy(zero_copy_only=False), field.type.scale)
            arrays.append(values)
        self.rows += batch.num_rows
        rows = pa.concat_tables([*self._waiting, pa.table(arrays, schema=self.columns)])
        whole = len(rows) - len(rows) % self._group_rows
        if whole:
            self._writer.write_table(rows.slice(0, whole), row_group_size=self._group_rows)
        # A copy: a slice would keep all the rows that it is of. No row group of no rows, which has no bounds.
        left = rows.take(pa.array(np.arange(whole, len(rows))))
        self._waiting = [left] if len(left) else []


def group_rows(fixes: int) -> int:
    """Return how many rows a row group of a part of so many fixes has."""
    return GROUP_ROWS if fixes >= SMALL_ROWS else max(1, GROUP_ROWS // 4)


def sealed(path: Path, name: str, rows: int) -> SealedFile:
    """Describe a file that is complete."""
    return SealedFile(name, rows, path.stat().st_size, digest(path))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def quoted(path: Path | str) -> str:
    """Return a path as SQL writes a text."""
    return "'" + str(path).replace("'", "''") + "'"


def scan(paths: list[str], names: tuple[str, ...]) -> str:
    """Return the query for columns of files whose places have the same digits; places come as doubles."""
    listed = ", ".join(quoted(path) for path in paths)
    shown = ", ".join(f"{name}::DOUBLE AS {name}" if name in {"lon", "lat"} else name for name in names)
    return f"SELECT {shown} FROM read_parquet([{listed}], hive_partitioning = false)"


def scan_parts(folder: Path, parts: tuple[Part, ...], kind: str, names: tuple[str, ...]) -> list[str]:
    """Return the queries for columns of parts, one for all those that DuckDB can read together.

    Of `by_cell` each fix once.
    """
    alike: dict[tuple[int | None, bool], list[str]] = {}
    for part in parts:
        digits = None if kind == "visits" else part.digits
        by_block = kind == "by_cell" and part.has_blocks
        alike.setdefault((digits, by_block), []).append(str(folder / getattr(part, kind).name))
    return [
        scan(paths, names) + (f" WHERE flags & {HERE} > 0" if by_block else "")
        for (_, by_block), paths in alike.items()
    ]
