"""The fixes of one device in a window of any length, a bounded number of rows at a time."""

# ruff: noqa: S608 - queries are put together of our own names and numbers

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import numpy as np

from geo_policing.model import FixColumns
from geo_policing.store.history.snapshot import COLUMNS, Snapshot, columns

#: Rows that are read at once, about: five days of a device that says its position once a second.
MOST_ROWS = 500_000
#: A time is not cut into less, however much there is in it.
_LEAST_US = 1_000_000


def some(
    snapshot: Callable[[], AbstractContextManager[Snapshot]], device: str, start_us: int, end_us: int
) -> Iterator[FixColumns]:
    """Yield the fixes of a device in [start, end), by time and time of receipt, some at a time.

    Parameters
    ----------
    snapshot : callable
        Gives the history of the instant at which some of them are read.
    device : str
        Whose.
    start_us, end_us : int
        Microseconds of UTC.
    """
    waiting = [(start_us, end_us)]
    while waiting:
        span = waiting.pop()
        with snapshot() as now:
            found = _read(now, device, *span)
        if found is None:
            middle = sum(span) // 2
            waiting += [(middle, span[1]), (span[0], middle)]
        elif len(found):
            yield found


def _read(now: Snapshot, device: str, start_us: int, end_us: int) -> FixColumns | None:
    """Return the fixes of a device in [start, end), by time and time of receipt; None when they are too many.

    Then at most `MOST_ROWS` were read in vain. Those within a second are never too many.
    """
    most = MOST_ROWS if end_us - start_us > _LEAST_US else None
    files = [part.by_device for part in now.manifest.overlapping(start_us, end_us)]
    if most is not None and now.sealed.least_rows(files, device, start_us, end_us) > most:
        return None
    tables = now.sealed.of_devices(files, COLUMNS, [device], start_us, end_us, most)
    found = [FixColumns.from_arrow(table) for table in tables]
    unsealed = now.unsealed(start_us, end_us)
    if unsealed is not None:
        query = unsealed.select(COLUMNS, start_us, end_us, where="AND device = $device")
        limit = "" if most is None else f" LIMIT {most + 1}"
        found.append(columns(now.cursor, f"SELECT * FROM ({query}){limit}", {"device": device}))
    if most is not None and sum(map(len, found)) > most:
        return None
    fixes = FixColumns.concatenated(found)
    return fixes.take(np.lexsort((fixes.received, fixes.time)))
