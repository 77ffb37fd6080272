"""Whose movement in an area is known from the fixes near it alone, so that no other fix need be read."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.geodesy.cells import CELL_RESOLUTION
from geo_policing.kernels import cell_visits
from geo_policing.model.moves import Moves, Visits

#: A way between two fixes may be 100 m/s fast and 200 m longer than that (`kernels.cell_visits.joined`), and
#: a visit is known to the second, rounded outwards. So who leaves the cells of an area for a fix more than
#: 300 m away is out of them for more than 2 s, which rounding cannot hide. A cell is at most 182 m across.
NEAR_M = 500.0
BESIDE_M = 150.0
#: So long before and after a window visits must be the same, and so much longer fixes be known.
BEFORE_US = cell_visits.MAX_GAP_US
_METRES_A_DEGREE = 111_320.0
_S = 1_000_000

#: Device, cell, first and last second of stays, each (n,).
Stays = tuple[NDArray[Any], ...]


def explained(
    visits: Visits,
    near: Moves,
    cell: NDArray[np.uint64],
    area_cells: NDArray[np.uint64],
    near_cells: NDArray[np.uint64],
    bounds: tuple[float, float, float, float],
    start_us: int,
    end_us: int,
) -> set[str]:
    """Devices whose visits to the cells of an area are those of the movement through their fixes near it.

    Of these the fixes near the area say what there is to say of their movement in it: were a fix missing
    between two of them that lie in its cells, the way by it would lead out of the cells and in again, and the
    straight way between the two would not. Were one missing between a fix in the cells and one outside them,
    the two ways would leave the cells at different times; in the same second hardly ever, and then a
    presence may be up to a second off.

    Parameters
    ----------
    visits : Visits
        Of the cells of the area, from the movement through all fixes, from `BEFORE_US` before the window
        until as long after it: at its borders a fix may be missing in a way that lasts into it.
    near, cell : Moves, (n,) uint64
        Fixes within `NEAR_M` of the area, from twice `BEFORE_US` before the window until as long after it,
        and their cells.
    area_cells, near_cells : (c,) uint64
        Cells of the area, and those within `NEAR_M` of it, ascending.
    bounds : (float, float, float, float)
        West, south, east and north of the area, degrees.
    start_us, end_us : int
        The window, microseconds of UTC.
    """
    # Ways that neither begin nor end beside the area are left out, and hardly any of them meets it: who went
    # one that does is not explained.
    west, south, east, north = bounds
    wide = BESIDE_M / (_METRES_A_DEGREE * np.cos(np.radians(min(max(abs(south), abs(north)), 85.0))))
    beside = (near.lon > west - wide) & (near.lon < east + wide)
    beside &= (near.lat > south - wide) & (near.lat < north + wide)
    code, found, first, last = cell_visits.visits(
        near.device, near.time, near.lon, near.lat, cell, beside, CELL_RESOLUTION
    )
    number = {name: k for k, name in enumerate(visits.names)}
    known = np.array([number.get(name, -1) for name in near.names], np.int64)
    wanted = _among(found, area_cells) & (known[code] >= 0)
    during = ((start_us - BEFORE_US) // _S, -(-(end_us + BEFORE_US) // _S))
    mine = _stays(known[code][wanted], found[wanted], first[wanted] // _S, -(-last[wanted] // _S), *during)
    theirs = _stays(visits.device.astype(np.int64), visits.cell, visits.first_s, visits.last_s, *during)
    differs = _single(mine, theirs)
    # Of two fixes of one instant the order is not known here.
    same = (np.diff(near.device) == 0) & (np.diff(near.time) == 0)
    differs |= set(known[near.device[1:][same]].tolist())
    # Where a way itself leads away, as from one part of an area to another, a fix may be missing on it.
    differs |= set(known[code[~_among(found, near_cells)]].tolist())
    return {name for name, k in number.items() if k not in differs}


def _among(cells: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which cells are among others, of which there are some and which ascend."""
    return wanted[np.minimum(np.searchsorted(wanted, cells), len(wanted) - 1)] == cells


def _stays(
    device: NDArray[np.int64],
    cell: NDArray[np.uint64],
    first_s: NDArray[np.int64],
    last_s: NDArray[np.int64],
    start_s: int,
    end_s: int,
) -> Stays:
    """Different stays that last into a window, cut to it."""
    during = (first_s < end_s) & (last_s >= start_s)
    first_s, last_s = np.maximum(first_s[during], start_s), np.minimum(last_s[during], end_s)
    return _sorted((device[during], cell[during], first_s, last_s), keep_equal=False)


def _sorted(stays: Stays, *, keep_equal: bool) -> Stays:
    order = np.lexsort(stays[::-1])
    ordered = tuple(column[order] for column in stays)
    return ordered if keep_equal else tuple(column[~_equal(ordered)] for column in ordered)


def _equal(stays: Stays) -> NDArray[np.bool_]:
    """Which of sorted stays are equal to the one before."""
    same = np.zeros(len(stays[0]), np.bool_)
    same[1:] = np.logical_and.reduce([column[1:] == column[:-1] for column in stays])
    return same


def _single(mine: Stays, theirs: Stays) -> set[int]:
    """Devices that have a stay in one of the two and not in the other."""
    stays = _sorted(tuple(map(np.concatenate, zip(mine, theirs, strict=True))), keep_equal=True)
    same = _equal(stays)
    paired = same.copy()
    paired[:-1] |= same[1:]
    return set(stays[0][~paired].tolist())
