"""Reading a few rows of sealed files by what is known of their row groups, which is kept in memory.

A question wants some hundred rows of twenty million. Row groups small enough for that are a thousand a file.
DuckDB looks at each of them at every question, for some 20 µs; here it is a search in an array.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from geo_policing.kernels import block_ways
from geo_policing.kernels.footer_groups import row_groups
from geo_policing.store.history.manifest import SealedFile

#: Row groups read at a time: what is filtered away of them is in memory only so long.
_GROUPS = 64
#: Row groups that are kept in mind, 0.1 kB each: those of four months at 50 million fixes a day.
_KEPT = 1_000_000
#: What files are asked by, of which the first is in no other: by cell, visits, by device.
_BOUNDS = (("block", "hour"), ("first_s", "cell"), ("device", "time"))
_MAGIC = b"PAR1"

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Row groups of a file: where each is described, and least and greatest value (g,) of columns in each.

    The description takes fifty times as much memory as that, and is read again of those that are read.

    Parameters
    ----------
    footer : (int, int)
        Where the footer of the file begins, and how many bytes it has.
    begin : (g + 2,) int64
        Where in the footer they are, as `kernels.footer_groups.row_groups` says.
    least, most : dict of str to (g,) array
        Their bounds, by column.
    """

    footer: tuple[int, int]
    begin: NDArray[np.int64]
    least: dict[str, NDArray[Any]]
    most: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, path: Path) -> "Groups":
        """Read the footer of a file."""
        metadata = pq.read_metadata(path)
        least, most = {}, {}
        count = metadata.num_row_groups
        # Some files that were sealed before format 3 end with one of no rows, which has no bounds.
        while count and not metadata.row_group(count - 1).num_rows:
            count -= 1
        known = {metadata.schema.column(at).name: at for at in range(metadata.num_columns)}
        texts: dict[Any, Any] = {}  # of two row groups that follow each other mostly the same
        for name in next(names for names in _BOUNDS if names[0] in known):
            at = known[name]
            found = [metadata.row_group(g).column(at).statistics for g in range(count)]
            kind: Any = {"device": object, "cell": np.uint64, "block": np.uint64}.get(name, np.int64)
            low, high = [s.min for s in found], [s.max for s in found]
            least[name] = np.array([texts.setdefault(value, value) for value in low], kind)
            most[name] = np.array([texts.setdefault(value, value) for value in high], kind)
        with pa.memory_map(str(path)) as mapped:
            size = int.from_bytes(mapped.read_at(4, mapped.size() - 8), "little")
            footer = (mapped.size() - 8 - size, size)
            begin = row_groups(np.frombuffer(mapped.read_at(size, footer[0]), np.uint8))
        if len(begin) != metadata.num_row_groups + 2:
            raise pa.ArrowInvalid(f"{path}: the row groups are not found in the footer")
        return cls(footer, begin, least, most)

    def __len__(self) -> int:
        """How many they are."""
        return len(self.begin) - 2

    def described(self, mapped: pa.NativeFile, at: list[int]) -> pq.FileMetaData:
        """Return the metadata of the file as if it had these row groups and no others."""

        def piece(first: int, last: int) -> bytes:
            return bytes(mapped.read_at(int(last - first), int(self.footer[0] + first)))

        begin = self.begin
        # A list of structs (12) in Thrift's compact protocol; of up to 14 the count is in the same byte.
        count = bytes([len(at) << 4 | 12]) if len(at) < 15 else b"\xfc" + _varint(len(at))
        groups = (piece(begin[g + 1], begin[g + 2]) for g in at)
        footer = b"".join([piece(0, begin[0]), count, *groups, piece(begin[-1], self.footer[1])])
        whole = _MAGIC + footer + len(footer).to_bytes(4, "little") + _MAGIC
        return pq.read_metadata(pa.BufferReader(whole))

    def among(self, name: str, values: NDArray[Any]) -> Mask:
        """Row groups that may have one of these values, which ascend."""
        first = np.searchsorted(values, self.least[name])
        return np.searchsorted(values, self.most[name], side="right") > first

    def during(self, start_us: int, end_us: int) -> Mask:
        """Row groups that may have fixes in [start, end)."""
        return (self.most["time"] >= start_us) & (self.least["time"] < end_us)


class SealedReader:
    """Reads rows of sealed files. Safe to use from several threads.

    Parameters
    ----------
    folder : Path
        The history's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Groups] = OrderedDict()
        self._count = 0

    def of_devices(
        self,
        files: Iterable[SealedFile],
        names: tuple[str, ...],
        devices: Collection[str],
        start_us: int,
        end_us: int,
        most: int | None = None,
    ) -> list[pa.Table]:
        """Return columns of the fixes of devices in [start, end), in the order of each file.

        In what is returned, places are doubles and texts dictionaries. It is not all when it is more than
        ``most`` rows.
        """
        named = frozenset(devices)
        wanted = np.array(sorted(named), object)

        def near(groups: Groups) -> Mask:
            return groups.among("device", wanted) & groups.during(start_us, end_us)

        def chosen(table: pa.Table) -> Mask:
            time = table.column("time").to_numpy()
            return _is_among(table.column("device"), named) & (time >= start_us) & (time < end_us)

        return self._read(files, names, ("device", "time"), near, chosen, most)

    def least_rows(self, files: Iterable[SealedFile], device: str, start_us: int, end_us: int) -> int:
        """Return how many rows `of_devices` would find at least, without reading them."""
        rows = 0.0
        for file in files:
            groups = self._groups(file)
            its = (groups.least["device"] == device) & (groups.most["device"] == device)
            inside = its & (groups.least["time"] >= start_us) & (groups.most["time"] < end_us)
            # The last row group may be smaller than the others.
            rows += np.count_nonzero(inside[:-1]) * (file.rows / len(inside))
        return int(rows)

    def in_blocks(
        self,
        files: Iterable[SealedFile],
        blocks: NDArray[np.uint64],
        hours: tuple[int, int],
        box: NDArray[np.float64],
    ) -> Iterator[pa.Table]:
        """Yield the rows of the movement through some blocks, which ascend, that meets a box.

        Parameters
        ----------
        files : iterable of SealedFile
            Files by cell.
        blocks : (b,) uint64
            Which.
        hours : (int, int)
            The first and the last hour since 1970.
        box : (4,) float64
            West, south, east, north, degrees.

        Yields
        ------
        Table
            device (a dictionary), time, lon, lat and flags, in which ways that do not meet the box are none.
        """
        names = ("device", "time", "lon", "lat", "flags")
        for file in files:
            groups = self._groups(file)
            near = groups.among("block", blocks)
            near &= (groups.most["hour"] >= hours[0]) & (groups.least["hour"] <= hours[1])
            at = np.flatnonzero(near).tolist()
            for table in self._tables(file, groups, at, [*names, "block"]):
                here = within(table.column("block").to_numpy(), blocks)
                yield meeting(plain(table.select(names).filter(pa.array(here))), box)

    def visits(
        self,
        files: Iterable[SealedFile],
        names: tuple[str, ...],
        cells: NDArray[np.uint64],
        start_s: int,
        end_s: int,
    ) -> list[pa.Table]:
        """Return columns of the visits to some of the cells, which ascend, that last into [start, end)."""

        def near(groups: Groups) -> Mask:
            return groups.among("cell", cells)

        def chosen(table: pa.Table) -> Mask:
            first_s, last_s = (table.column(name).to_numpy() for name in ("first_s", "last_s"))
            rows = (first_s < end_s) & (last_s >= start_s)
            rows[rows] = within(table.column("cell").to_numpy()[rows], cells)
            return rows

        return self._read(files, names, ("cell", "first_s", "last_s"), near, chosen)

    def _read(
        self,
        files: Iterable[SealedFile],
        names: tuple[str, ...],
        asked: tuple[str, ...],
        near: Callable[[Groups], Mask],
        chosen: Callable[[pa.Table], Mask],
        most: int | None = None,
    ) -> list[pa.Table]:
        found: list[pa.Table] = []
        count = 0
        columns = list(dict.fromkeys((*names, *asked)))
        for file in files:
            groups = self._groups(file)
            at = np.flatnonzero(near(groups)).tolist()
            for table in self._tables(file, groups, at, columns):
                rows = chosen(table)
                if rows.any():
                    found.append(plain(table.select(names).filter(pa.array(rows))))
                    count += len(found[-1])
                if most is not None and count > most:
                    return found
        return found

    def _tables(
        self, file: SealedFile, groups: Groups, at: list[int], columns: list[str]
    ) -> Iterator[pa.Table]:
        if not at:
            return
        texts = [name for name in ("device", "source") if name in columns]
        # Opened anew each time, which costs little with what is known: a reader is for one thread.
        with pa.memory_map(str(self._folder / file.name)) as mapped:
            for first in range(0, len(at), _GROUPS):
                some = at[first : first + _GROUPS]
                metadata = groups.described(mapped, some)
                with pq.ParquetFile(mapped, metadata=metadata, read_dictionary=texts) as opened:
                    yield opened.read_row_groups(list(range(len(some))), columns=columns)

    def _groups(self, file: SealedFile) -> Groups:
        with self._lock:
            known = self._known.get(file.name)
            if known is not None:
                self._known.move_to_end(file.name)
                return known
        known = Groups.of(self._folder / file.name)
        with self._lock:
            if file.name not in self._known:  # another thread may have read it meanwhile
                self._known[file.name] = known
                self._count += len(known)
            while self._count > _KEPT and len(self._known) > 1:
                self._count -= len(self._known.popitem(last=False)[1])
        return known


def meeting(rows: pa.Table, box: NDArray[np.float64]) -> pa.Table:
    """Return the rows with flags, as `kernels.block_ways.rows` has them, whose ways meet a box."""
    numbers = (np.ascontiguousarray(rows.column(name).to_numpy()) for name in ("time", "lon", "lat", "flags"))
    at, flags = block_ways.near(*numbers, box)
    found = rows.take(pa.array(at))
    return found.set_column(found.schema.get_field_index("flags"), "flags", pa.array(flags))


def within(values: NDArray[Any], among: NDArray[Any]) -> Mask:
    """Which values are among others, which ascend."""
    if not len(among):
        return np.zeros(len(values), np.bool_)
    at = np.minimum(np.searchsorted(among, values), len(among) - 1)
    return among[at] == values


def _varint(number: int) -> bytes:
    """Return a number as Thrift writes it: seven bits a byte, the lowest first."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _is_among(texts: pa.ChunkedArray, wanted: frozenset[str]) -> Mask:
    """Which texts of a column of dictionaries are wanted."""
    found = [
        np.array([text in wanted for text in chunk.dictionary.to_pylist()], np.bool_)[
            chunk.indices.to_numpy()
        ]
        for chunk in texts.chunks
        if len(chunk)
    ]
    return np.concatenate(found) if found else np.zeros(0, np.bool_)


def plain(table: pa.Table) -> pa.Table:
    """Return it with decimals as the doubles that they were; Arrow casts them to others now and then."""
    for at, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            scale = 10.0**field.type.scale
            values = [_units(chunk) / scale for chunk in table.column(at).chunks]
            column = pa.chunked_array(values, pa.float64())
            table = table.set_column(at, pa.field(field.name, pa.float64(), nullable=False), column)
    return table


def _units(decimals: pa.Array) -> NDArray[np.int64]:
    """Return decimals, all below 2^63, in units of their last digit: the lower half of their 128 bits."""
    halves = np.frombuffer(decimals.buffers()[1], np.int64)
    return halves[2 * decimals.offset : 2 * (decimals.offset + len(decimals)) : 2]
