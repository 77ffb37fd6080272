"""Sorting more rows than memory holds: written in sorted stretches, read again in slices of the order.

An external sort that needs no merge: of each stretch every thousandth key is kept in memory, which tells
where to cut the order so that about as many rows lie between two cuts as memory holds. They are read from all
stretches and sorted.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from geo_policing.store.history.giving_back import give_back
from geo_policing.store.private import private

#: Rows that are sorted in memory at once: of fixes with all their columns some 35 MB, a few times.
SLICE_ROWS = 500_000
#: Rows of what is read at once of a stretch; of those at its two ends some are read in vain.
_BATCH_ROWS = 4_096
#: One key of so many rows is kept in memory, to cut by.
_STEP_ROWS = 1_024

Key = tuple[Any, ...]


class _Batch(NamedTuple):
    """Keys of a batch on disk: of its first and last row, and of some with how many rows come from there."""

    first: Key
    last: Key
    steps: list[tuple[Key, int]]


class Spill:
    """Rows of numbers to be sorted; few of them stay in memory, more go into a file for the owner alone.

    Parameters
    ----------
    path : Path
        The file, made only when there are more rows than a slice has; gone when this is left.
    columns : Schema
        Of the rows: numbers and booleans without nulls.
    order : sequence of str
        By which columns they are sorted, the weightiest first.
    key : int
        Rows that are alike in so many of these columns come in one slice, however many they are.
    slice_rows : int, optional
        About how many rows a slice has, at most; `SLICE_ROWS` without it.
    """

    def __init__(
        self, path: Path, columns: pa.Schema, order: tuple[str, ...], key: int, slice_rows: int | None = None
    ) -> None:
        self._path = path
        self._columns = columns
        self._order = order
        self._key = order[:key]
        self._slice_rows = slice_rows or SLICE_ROWS
        self._batch_rows = min(_BATCH_ROWS, self._slice_rows)
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._batches: list[_Batch] = []
        self._writer: Any = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget the rows."""
        self._waiting = []
        if self._writer is not None:
            self._writer.close()
        self._path.unlink(missing_ok=True)

    def add(self, rows: pa.Table) -> None:
        """Add rows in any order."""
        while self._rows + len(rows) > self._slice_rows:
            some = rows.slice(0, self._slice_rows - self._rows)
            self._waiting.append(some)
            rows = rows.slice(len(some))
            self._write()
        if len(rows):
            self._waiting.append(rows)
            self._rows += len(rows)

    def slices(self) -> Iterator[pa.Table]:
        """Yield all rows in order, a slice at a time; nothing can be added any more."""
        if self._writer is None:
            if self._rows:
                yield self._sorted(self._together(), self._order)
            return
        self._write()
        self._writer.close()
        cuts: list[Key | None] = [None, *self._cuts(), None]
        with pa.OSFile(str(self._path)) as file, pa.ipc.open_file(file) as reader:
            for low, high in pairwise(cuts):
                yield self._sorted(self._between(reader, low, high), self._order)
                give_back()  # whoever took it has let go of it

    def _together(self) -> pa.Table:
        together = pa.concat_tables(self._waiting) if self._waiting else self._columns.empty_table()
        self._waiting, self._rows = [], 0
        return together

    def _write(self) -> None:
        """Write what is waiting as a stretch sorted by the key."""
        stretch = self._sorted(self._together(), self._key)
        if self._writer is None:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            with private():
                self._writer = pa.ipc.new_file(str(self._path), self._columns, options=options)
        for batch in stretch.to_batches(self._batch_rows):
            keys = [batch.column(name) for name in self._key]
            at = [*range(0, len(batch), _STEP_ROWS), len(batch)]
            found = [tuple(column[min(row, len(batch) - 1)].as_py() for column in keys) for row in at]
            steps = [(key, rows) for key, rows in zip(found, np.diff(at).tolist(), strict=False)]
            self._batches.append(_Batch(found[0], found[-1], steps))
            self._writer.write_batch(batch)
        del stretch
        give_back()

    def _cuts(self) -> Iterator[Key]:
        """Yield keys at which slices begin, but for the first one."""
        rows, begin = 0, None
        for key, some in sorted(step for batch in self._batches for step in batch.steps):
            begin = key if begin is None else begin
            if rows + some > self._slice_rows and key > begin:
                yield key
                rows, begin = 0, key
            rows += some

    def _between(self, reader: Any, low: Key | None, high: Key | None) -> pa.Table:
        """Read the rows with keys in [low, high); None is no bound."""
        found = [self._columns.empty_table()]
        for number, batch in enumerate(self._batches):
            if (low is not None and batch.last < low) or (high is not None and batch.first >= high):
                continue
            rows = pa.Table.from_batches([reader.get_batch(number)])
            if low is not None and batch.first < low:
                rows = rows.filter(pa.array(~self._before(rows, low)))
            if high is not None and batch.last >= high:
                rows = rows.filter(pa.array(self._before(rows, high)))
            found.append(rows)
        return pa.concat_tables(found)

    def _before(self, rows: pa.Table, key: Key) -> NDArray[np.bool_]:
        """Whether the key of each row is less than another."""
        before = np.zeros(len(rows), np.bool_)
        for name, value in zip(reversed(self._key), reversed(key), strict=True):
            column = rows.column(name).to_numpy()
            before = (column < value) | ((column == value) & before)
        return before

    @staticmethod
    def _sorted(rows: pa.Table, order: tuple[str, ...]) -> pa.Table:
        at = np.lexsort([rows.column(name).to_numpy() for name in reversed(order)])
        return rows.take(pa.array(at)).combine_chunks()
