"""Who crossed a line, and in which direction: a gate, a bridge, a border of a district."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from geo_policing.errors import InvalidGeometry
from geo_policing.kernels import area_presence
from geo_policing.model import TimeWindow
from geo_policing.tracks.searches.area import covering
from geo_policing.tracks.searches.history import History, check_length


@dataclass(frozen=True, slots=True)
class Passage:
    """A device crosses a line.

    Parameters
    ----------
    device : str
        Which.
    at_us : int
        When, rounded to a microsecond of UTC.
    rightwards : bool
        From the left of the line, seen from its start to its end, to its right; else the other way.
    fix_us : int
        Time of the fix before it: the evidence, with the one after.
    """

    device: str
    at_us: int
    rightwards: bool
    fix_us: int


def passages(
    history: History,
    line: Sequence[tuple[float, float]],
    window: TimeWindow,
    *,
    rightwards: bool | None = None,
) -> list[Passage]:
    """Who passed a line from one side to the other in a window of at most 31 days, by device and time.

    A device passes an edge of the line where its movement (see `presence`) goes from strictly left of the
    edge to the edge itself or the right of it, or back, within the ends of the edge; the common corner of two
    edges belongs to the later one.

    Parameters
    ----------
    history : History
        Where to look.
    line : sequence of (lon, lat)
        Two or more places that differ from the next, degrees.
    window : TimeWindow
        When, [start, end).
    rightwards : bool, optional
        Only in this direction.

    Raises
    ------
    InvalidGeometry
        If the line has no length.
    """
    check_length(window, 31)
    at = np.array(line, np.float64).reshape(-1, 2)
    if len(at) < 2 or not np.isfinite(at).all() or (at[1:] == at[:-1]).all(axis=1).any():
        raise InvalidGeometry("a line has two or more places, each different from the next", field="line")
    visits = history.visits(covering(shapely.LineString(at)), window.start_us, window.end_us)
    devices = {visits.names[code] for code in np.unique(visits.device).tolist()}
    moves = history.moves(window.start_us, window.end_us, devices)
    found = area_presence.passages(
        moves.device,
        moves.time,
        moves.lon,
        moves.lat,
        np.ascontiguousarray(np.hstack([at[:-1], at[1:]])),
        window.start_us,
        window.end_us,
    )
    every = (
        Passage(moves.names[d], round(when), side > 0, int(moves.time[i]))
        for d, when, side, i in zip(*(column.tolist() for column in found), strict=True)
    )
    return sorted(
        (p for p in every if rightwards is None or p.rightwards == rightwards),
        key=lambda p: (p.device, p.at_us),
    )
