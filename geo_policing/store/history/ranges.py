"""The fixes of a sealed day by device: ranges of whole devices, each read without the rest of the day.

Work on a day is split by device and never by rows: a device that is cut in the middle has two ways instead of
one. Reading needs the files and pyarrow, not the store: any process that sees the folder can do it.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from geo_policing.errors import InvalidFile
from geo_policing.model.fix import FIX_SCHEMA
from geo_policing.store.history.reading import plain

#: The order of a range: that of the files of a day, whichever part a fix is in.
ORDER = ("device", "time", "received", "lon", "lat")
#: Row groups read at a time.
_GROUPS = 64


@dataclass(frozen=True, slots=True)
class DeviceRange:
    """Devices that follow each other in the order of their ids.

    Parameters
    ----------
    first, last : str
        Ids of the first and the last of them.
    devices, fixes : int
        How many they are, and how many fixes of the day are theirs.
    """

    first: str
    last: str
    devices: int
    fixes: int


def split(paths: Sequence[Path], fixes: int) -> list[DeviceRange]:
    """Split the devices of a day into ranges of about so many fixes.

    Parameters
    ----------
    paths : sequence of Path
        The ``by_device`` files of the day.
    fixes : int
        A range ends with the device that brings it to so many; a device with more has a range for itself.

    Returns
    -------
    list of DeviceRange
        In the order of the ids; together all devices of the day, each once.

    Raises
    ------
    InvalidFile
        If a file is damaged.
    FileNotFoundError
        If it is not there.
    """
    counts: Counter[str] = Counter()
    for path in paths:
        with _opened(path, ("device",)) as file:
            for batch in file.iter_batches(columns=["device"], use_threads=False):
                counted = batch.column("device").value_counts()
                names, numbers = counted.field("values"), counted.field("counts")
                counts.update(dict(zip(names.to_pylist(), numbers.to_pylist(), strict=True)))
    return list(_grouped(sorted(counts.items()), fixes))


def _grouped(counts: Iterable[tuple[str, int]], fixes: int) -> Iterator[DeviceRange]:
    waiting: list[str] = []
    total = 0
    for device, count in counts:
        if waiting and total + count > fixes:
            yield DeviceRange(waiting[0], waiting[-1], len(waiting), total)
            waiting, total = [], 0
        waiting.append(device)
        total += count
    if waiting:
        yield DeviceRange(waiting[0], waiting[-1], len(waiting), total)


def read(paths: Sequence[Path], devices: DeviceRange, names: Sequence[str]) -> pa.Table:
    """Read the fixes of a range of devices of a day.

    Row groups without any of these devices are passed over, as their statistics say; a million rows of the
    others, at most, are in memory at a time beside what is returned.

    Parameters
    ----------
    paths : sequence of Path
        The ``by_device`` files of the day.
    devices : DeviceRange
        Whose.
    names : sequence of str
        Columns wanted.

    Returns
    -------
    Table
        Those columns with the types of `FIX_SCHEMA`, places as doubles, by device, time and time of receipt.

    Raises
    ------
    InvalidFile
        If a file is damaged.
    FileNotFoundError
        If it is not there.
    """
    needed = list(dict.fromkeys([*names, *ORDER]))
    schema = pa.schema([FIX_SCHEMA.field(name) for name in needed])
    found = []
    for path in paths:
        with _opened(path) as file:
            groups = list(_groups(file.metadata, devices))
            for first in range(0, len(groups), _GROUPS):
                some = groups[first : first + _GROUPS]
                table = file.read_row_groups(some, columns=needed, use_threads=False)
                device = table.column("device")
                mine = pc.and_(pc.greater_equal(device, devices.first), pc.less_equal(device, devices.last))
                found.append(plain(table.select(needed).filter(mine)).cast(schema))
    together = pa.concat_tables(found) if found else schema.empty_table()
    if len(paths) > 1:
        together = together.sort_by([(name, "ascending") for name in ORDER])
    return together.select(list(names))


def _groups(metadata: Any, devices: DeviceRange) -> Iterator[int]:
    """Yield the row groups that may have fixes of these devices."""
    (column,) = (i for i, name in enumerate(metadata.schema.names) if name == "device")
    for group in range(metadata.num_row_groups):
        said = metadata.row_group(group).column(column).statistics
        if said is None or not said.has_min_max or (said.min <= devices.last and said.max >= devices.first):
            yield group


@contextmanager
def _opened(path: Path, dictionary: tuple[str, ...] = ()) -> Iterator[Any]:
    """Open a Parquet file; what is wrong with it is said in one line."""
    try:
        # Read when asked, by the thread that asks: whoever does this has other processes beside it.
        with pq.ParquetFile(path, read_dictionary=list(dictionary), pre_buffer=False) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        # Of Arrow's errors only those of the system have a number, and none has the name of the file.
        if number := getattr(error, "errno", None):
            raise OSError(number, os.strerror(number), str(path)) from None
        says = str(error).splitlines()[0]
        raise InvalidFile(
            f"{path} cannot be read ({says}); see `geo-policing history verify`",
            field="history",
            value=str(path),
        ) from None
