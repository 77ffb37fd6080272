"""Track overlap: who drove along a path, and how much of it."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import h3
import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.geodesy import cells
from geo_policing.kernels import path_overlap
from geo_policing.model import TimeWindow
from geo_policing.model.moves import Moves
from geo_policing.tracks.searches.drawn import DrawnPath, Pieces
from geo_policing.tracks.searches.history import History, batches, check_length, check_number

#: A ring of H3 cells of resolution 10 around others is at least so wide.
_RING_M = 90.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a path that a device drove.

    Parameters
    ----------
    from_m, to_m : float
        From where to where along the path, its parts one after the other.
    first_fix_us, last_fix_us : int
        The earliest and the latest of the fixes between which its pieces were driven first: the evidence.
    """

    from_m: float
    to_m: float
    first_fix_us: int
    last_fix_us: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """A device that drove along a path.

    Parameters
    ----------
    device : str
        Which.
    share : float
        How much of the path's length it drove, 0 to 1.
    driven_m : float
        The same in metres.
    stretches : tuple of Stretch
        Where, in order along the path.
    """

    device: str
    share: float
    driven_m: float
    stretches: tuple[Stretch, ...]


def overlap(
    history: History,
    path: DrawnPath,
    window: TimeWindow,
    *,
    within_m: float = 30.0,
    least_share: float = 0.5,
    directed: bool = False,
    within_s: float | None = None,
    without: Collection[str] = (),
) -> list[Overlap]:
    """Who drove along a path in a window of at most 31 days, the largest share of its length first.

    The path is cut into pieces of equal length, at most 10 m each part. A device *drives* a piece when at an
    instant of the window its movement (see `presence`) is no more than `within_m` from the piece's middle,
    and then, if asked, no more than `within_s` from when the path was there, and on a way whose direction is
    within 60 degrees of the path's. A piece that is driven again counts once. The share is the length of the
    pieces driven by that of all.

    Parameters
    ----------
    history : History
        Where to look.
    path : DrawnPath
        At most 200 km.
    window : TimeWindow
        When, [start, end).
    within_m : float
        5 to 500 metres.
    least_share : float
        The least share, above 0 and at most 1.
    directed : bool
        Only in the direction of the path; who stands has none.
    within_s : float, optional
        0 to 86,400 seconds; the path needs times.
    without : collection of str
        Devices that are left out, as the one whose path it is.

    Raises
    ------
    InvalidInput
        If a value is out of range, or there are no times to be near to.
    """
    check_length(window, 31)
    check_number("within_m", within_m, 5, 500)
    if not 0 < least_share <= 1:
        raise InvalidInput(
            f"least_share {least_share} is not above 0 and at most 1", field="least_share", value=least_share
        )
    if within_s is not None:
        check_number("within_s", within_s, 0, 86_400)
        if path.times_us is None:
            raise InvalidInput("within_s needs a path with times; leave it out", field="within_s")
    pieces = path.pieces()
    if within_s is None:
        pieces = pieces._replace(us=np.empty(0, np.int64))
    near = _near(history, pieces, window, within_m, least_share) - set(without)
    cell_m = max(float(within_m), math.sqrt(np.ptp(pieces.x) * np.ptp(pieces.y)) / 1000, 20.0)
    index = (path_overlap.cells_of(pieces.x, pieces.y, cell_m), cell_m)
    limits = (float(within_m), round((within_s or 0.0) * 1e6), 0.5 if directed else -2.0)
    span = (window.start_us, window.end_us)
    found = []
    for names in batches(near, *span):
        moves = history.moves(*span, names)
        x, y = pieces.plane.forward(moves.lon, moves.lat)
        for code, name in enumerate(moves.names):
            history.halt.check()
            mine = slice(*np.searchsorted(moves.device, [code, code + 1]).tolist())
            row = path_overlap.driven(
                *(moves.time[mine], moves.lon[mine], moves.lat[mine], x[mine], y[mine]),
                *(pieces.x, pieces.y, pieces.heading_x, pieces.heading_y, pieces.us),
                *(*index, *limits, *span),
            )
            driven_m = float(pieces.length_m[row[:, 0] >= 0].sum())
            share = driven_m / float(pieces.length_m.sum())
            if share >= least_share:
                stretches = _stretches(pieces, row, moves, mine.start)
                found.append(Overlap(name, min(share, 1.0), driven_m, stretches))
    return sorted(found, key=lambda o: (-o.share, o.device))


def _near(
    history: History, pieces: Pieces, window: TimeWindow, within_m: float, least_share: float
) -> set[str]:
    """Return at least those who drove so much: whose visits are near so many of the pieces."""
    cell, of_piece = np.unique(cells(pieces.lon, pieces.lat), return_inverse=True)
    length_m = np.bincount(of_piece, pieces.length_m)
    rings = 1 + int((within_m + 2.0) / _RING_M)
    disks = [h3.grid_disk(h3.int_to_str(c), rings) for c in cell.tolist()]
    around = np.array([h3.str_to_int(c) for disk in disks for c in disk], np.uint64)
    inner = np.repeat(np.arange(len(cell)), [len(disk) for disk in disks])
    order = np.argsort(around, kind="stable")
    around, inner = around[order], inner[order]
    visits = history.visits(np.unique(around), window.start_us, window.end_us)
    low, high = (np.searchsorted(around, visits.cell, side=side) for side in ("left", "right"))
    count = high - low
    device = np.repeat(visits.device.astype(np.int64), count)
    # The rows of each visit's cell: from its low on, one after the other.
    rows = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    both = np.unique(device * len(cell) + inner[rows])
    most_m = np.bincount(both // len(cell), length_m[both % len(cell)], len(visits.names))
    enough = most_m >= least_share * length_m.sum() * (1 - 1e-9)
    return {visits.names[code] for code in np.flatnonzero(enough).tolist()}


def _stretches(pieces: Pieces, row: NDArray[np.int64], moves: Moves, first: int) -> tuple[Stretch, ...]:
    """Join driven pieces that follow each other in a part of the path; row (p, 2) counts from first."""
    ends_m = np.cumsum(pieces.length_m)
    driven = row[:, 0] >= 0
    breaks = np.flatnonzero((np.diff(driven.astype(np.int8)) != 0) | (np.diff(pieces.part) != 0)) + 1
    found = []
    for run in np.split(np.arange(len(row)), breaks):
        if driven[run[0]]:
            begin_m = float(ends_m[run[0]] - pieces.length_m[run[0]])
            fixes = (row[run, 0].min() + first, row[run, 1].max() + first)
            found.append(Stretch(begin_m, float(ends_m[run[-1]]), *moves.time[list(fixes)].tolist()))
    return tuple(found)
