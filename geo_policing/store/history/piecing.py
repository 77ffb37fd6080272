"""The movement through a place, pieced together of several sources: parts of days, and what is not sealed.

A way of one source is sure when no other one can have a fix of its device on it; so is one from the last fix
that one source has of a device to the first one that another has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from geo_policing.kernels import block_ways
from geo_policing.kernels.block_ways import FIRST, LAST, ONWARD
from geo_policing.kernels.cell_visits import MAX_GAP_US
from geo_policing.model.moves import Moves, Visits, Ways
from geo_policing.store.history import layout
from geo_policing.store.history.manifest import SealedFile
from geo_policing.store.history.reading import SealedReader, meeting

_S = 1_000_000
_NEVER, _ALWAYS = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Times of the first and the last fix of a source, and its rows, as `kernels.block_ways.rows` has them.

    Parameters
    ----------
    first_us, last_us : int
        Of all its fixes, or of those about the time that is asked for.
    has_ways : bool
        Whether it can be asked for ways; else nothing is sure while it lasts.
    file : SealedFile, optional
        By cell, if it is one.
    fixes : Table, optional
        If it is none, all of its fixes.
    rows : list of Table
        What was read of it: device (a dictionary), time, lon, lat and flags.
    """

    first_us: int
    last_us: int
    has_ways: bool = True
    file: SealedFile | None = None
    fixes: pa.Table | None = None
    rows: list[pa.Table] = field(default_factory=list)

    def tables(
        self,
        sealed: SealedReader,
        blocks: NDArray[np.uint64],
        hours: tuple[int, int],
        box: NDArray[np.float64],
    ) -> Iterator[pa.Table]:
        """Yield the rows of some blocks and hours whose ways meet a box, or of all of them."""
        if self.fixes is not None:
            yield meeting(self.fixes, box)
        elif self.file is not None and self.has_ways:
            yield from sealed.in_blocks([self.file], blocks, hours, box)


def doubtful(sources: Sequence[Source]) -> list[tuple[int, int]]:
    """Return when ways may lead from one source to another, or past a fix of another one.

    Such a way lasts at least into the time from the later of their first fixes to the earlier of their last
    ones, whichever of these two is first; so all of it is within a way's length of that.

    Returns
    -------
    list of (int, int)
        From when to when, microseconds of UTC, both included; none overlap.
    """
    found = [(s.first_us - MAX_GAP_US, s.last_us + MAX_GAP_US) for s in sources if not s.has_ways]
    for n, one in enumerate(sources):
        for other in sources[:n]:
            later, earlier = max(one.first_us, other.first_us), min(one.last_us, other.last_us)
            if later - earlier <= MAX_GAP_US:
                found.append((min(later, earlier) - MAX_GAP_US, max(later, earlier) + MAX_GAP_US))
    apart: list[tuple[int, int]] = []
    for low, high in sorted(found):
        if apart and low <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(apart[-1][1], high))
        else:
            apart.append((low, high))
    return apart


def pieced(sources: Sequence[Source]) -> Ways:
    """Return each fix once, by device and time, and where a sure way leads on from it.

    Unsure are devices with two fixes of one instant, whose order is not known here.
    """
    tables = [table for source in sources for table in source.rows if len(table)]
    if not tables:
        return Ways(Moves.none(), np.empty(0, np.bool_), frozenset())
    names, device = coded(tables)
    time, lon, lat, flags = (joined(tables, name) for name in (*layout.MOVED[1:], "flags"))
    if len(sources) > 1:
        counts = [sum(map(len, source.rows)) for source in sources]
        of_source = np.repeat(np.arange(len(sources)), counts)
        flags = _only_sure(sources, of_source, len(names), device, time, flags)
    # One number to sort by; as they lie the rows are in order for long stretches, which a stable sort sees.
    span = int(time.max() - time.min()) + 1
    if span * len(names) < 1 << 63:
        order = np.argsort(device.astype(np.int64) * span + (time - time.min()), kind="stable")
    else:
        order = np.lexsort((time, device))
    columns = (device[order], time[order], lon[order], lat[order])
    rows, flags, is_double = block_ways.merged(*columns, flags[order], len(names))
    moves = Moves(names, columns[0][rows], columns[1][rows], columns[2][rows], columns[3][rows])
    unsure = frozenset(names[code] for code in np.flatnonzero(is_double).tolist())
    ways = Ways(moves, flags & ONWARD > 0, unsure)
    return without(ways, set()) if unsure else ways


def _only_sure(
    sources: Sequence[Source],
    of_source: NDArray[np.int64],
    devices: int,
    device: NDArray[np.int32],
    time: NDArray[np.int64],
    flags: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Return the flags with `ONWARD` where it is sure, from one source to another as well."""
    flags = flags.copy()
    # Of each source the first and the last fix of each device, where they are among the rows.
    first = np.full((len(sources), devices), _NEVER)
    last = np.full((len(sources), devices), _ALWAYS)
    for bounds, flag in ((first, FIRST), (last, LAST)):
        told = flags & flag > 0
        bounds[of_source[told], device[told]] = time[told]

    def is_sure(who: Any, start: Any, end: Any, known: tuple[Any, ...]) -> Any:
        """Whether no source but the known ones has a fix of a device between two times."""
        sure: Any = np.ones(len(start), np.bool_)
        for n, source in enumerate(sources):
            apart = (end < source.first_us) | (start > source.last_us)
            apart |= (first[n, who] > end) | (last[n, who] < start)
            sure &= np.logical_or.reduce([apart, *(one == n for one in known)])
        return sure

    at = np.flatnonzero(flags & ONWARD)
    ends = time[np.minimum(at + 1, len(time) - 1)]
    sure = is_sure(device[at], time[at], ends, (of_source[at],)) & (ends > time[at])
    flags[at[~sure]] -= ONWARD
    # From the last fix in one source to the first one after it in another.
    at = np.flatnonzero(flags & LAST)
    after = first[:, device[at]]
    after[(after <= time[at]) | (np.arange(len(sources))[:, None] == of_source[at])] = _ALWAYS
    other, following = after.argmin(axis=0), after.min(axis=0)
    sure = is_sure(device[at], time[at], following, (of_source[at], other)) & (following < _ALWAYS)
    flags[at[sure]] |= ONWARD
    return flags


def unexplained(ways: Ways, visits: Visits, zone: tuple[int, int], span: tuple[int, int]) -> set[str]:
    """Return the devices that were in some cells without being on a way that is sure.

    Parameters
    ----------
    ways : Ways
        The movement through these cells.
    visits : Visits
        Who was in them.
    zone : (int, int)
        When it is asked, microseconds of UTC, both included.
    span : (int, int)
        Of what else is not asked: before it, and from its end on.
    """
    number = {name: code for code, name in enumerate(ways.moves.names)}
    known = np.array([number.get(name, -1) for name in visits.names], np.int64)
    low = np.maximum(visits.first_s * _S, max(zone[0], span[0]))
    high = np.minimum(visits.last_s * _S, min(zone[1] + 1, span[1]))
    asked = np.flatnonzero(low <= high)
    clear = block_ways.covered(
        *(ways.moves.device, ways.moves.time, ways.onward),
        *(known[visits.device[asked]], low[asked], high[asked]),
    )
    return {visits.names[code] for code in np.unique(visits.device[asked[~clear]]).tolist()}


def without(ways: Ways, unsure: set[str]) -> Ways:
    """Return ways without those of more devices that are unsure."""
    names = ways.unsure | unsure
    moves = ways.moves
    sure = np.array([name not in names for name in moves.names], np.bool_)[moves.device]
    mine = Moves(moves.names, moves.device[sure], moves.time[sure], moves.lon[sure], moves.lat[sure])
    return Ways(mine, ways.onward[sure], frozenset(names))


def joined(tables: list[pa.Table], name: str) -> NDArray[Any]:
    """Return a column of tables."""
    return np.concatenate([table.column(name).to_numpy() for table in tables])


def coded(tables: list[pa.Table], name: str = "device") -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return the texts of a column in order, and the number of that of each row."""
    columns = [table.column(name).combine_chunks() for table in tables]
    encoded = [
        column if pa.types.is_dictionary(column.type) else column.dictionary_encode() for column in columns
    ]
    own = [np.array(column.dictionary.to_pylist(), object) for column in encoded]
    used = [names[np.unique(column.indices.to_numpy())] for names, column in zip(own, encoded, strict=True)]
    names = np.unique(np.concatenate(used))
    codes = [
        np.searchsorted(names, mine).astype(np.int32)[column.indices.to_numpy()]
        for mine, column in zip(own, encoded, strict=True)
    ]
    return tuple(names.tolist()), np.concatenate(codes)
