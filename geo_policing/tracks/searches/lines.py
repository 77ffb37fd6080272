"""Who crossed a line, and in which direction: a gate, a bridge, a border of a district."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from geo_policing.errors import InvalidGeometry, InvalidInput
from geo_policing.kernels import line_passages
from geo_policing.model import TimeWindow
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.searches.area import covering
from geo_policing.tracks.searches.history import History, batches, check_length, check_number

MOST_PLACES = 2_000


@dataclass(frozen=True, slots=True)
class Passage:
    """A device crosses a line.

    Parameters
    ----------
    device : str
        Which.
    at_us : int
        When it reaches the line, rounded to a microsecond of UTC.
    rightwards : bool
        From the left of the line, seen from its start to its end, to its right; else the other way.
    fix_us, next_fix_us : int
        Times of the last fix before the line and of the first beyond it: the evidence.
    """

    device: str
    at_us: int
    rightwards: bool
    fix_us: int
    next_fix_us: int


def passages(
    history: History,
    line: Sequence[tuple[float, float]],
    window: TimeWindow,
    *,
    rightwards: bool | None = None,
) -> list[Passage]:
    """Who passed a line from one side to the other in a window of at most 31 days, by device and time.

    A device passes the line where its movement (see `presence`) comes to it from strictly one side and leaves
    it on the other. Both ends belong to the line. To touch it and turn back is no passage; nor is to begin or
    to end on it, as the fixes in the window and 120 s before and after show. To stand on it or to follow it
    is part of the passage, which is when the line is reached. The side is that at the place: at a corner, of
    the angle of its two edges; at an end, of the last edge.

    Parameters
    ----------
    history : History
        Where to look.
    line : sequence of (lon, lat)
        Two to 2,000 places that differ from the next, degrees; its last may be its first.
    window : TimeWindow
        When, [start, end).
    rightwards : bool, optional
        Only in this direction.

    Raises
    ------
    InvalidGeometry
        If the line has no length, crosses or touches itself, or is off the earth.
    """
    check_length(window, 31)
    at = np.array(line, np.float64).reshape(-1, 2)
    if not 2 <= len(at) <= MOST_PLACES or (at[1:] == at[:-1]).all(axis=1).any():
        raise InvalidGeometry(
            f"a line has two or more places, at most {MOST_PLACES}, each different from the next",
            field="line",
        )
    if not (np.abs(at[:, 0]) <= 180).all() or not (np.abs(at[:, 1]) <= 90).all():
        raise InvalidGeometry("the line is off the earth; degrees, longitude first", field="line")
    shape = shapely.LineString(at)
    if not shape.is_simple:
        raise InvalidGeometry(
            "the line crosses or touches itself; ask for its parts one by one", field="line"
        )
    visits = history.visits(covering(shape), window.start_us, window.end_us)
    devices = {visits.names[code] for code in np.unique(visits.device).tolist()}
    every: list[Passage] = []
    for names in batches(devices, window.start_us, window.end_us):
        moves = history.moves(window.start_us, window.end_us, names)
        found = line_passages.passages(
            *(moves.device, moves.time, moves.lon, moves.lat, at[:, 0].copy(), at[:, 1].copy()),
            *(window.start_us, window.end_us, history.halt.flag),
        )
        history.halt.check()
        every += (
            Passage(moves.names[d], round(when), side > 0, int(moves.time[i]), int(moves.time[j]))
            for d, when, side, i, j in zip(*(column.tolist() for column in found), strict=True)
        )
    return sorted(
        (p for p in every if rightwards is None or p.rightwards == rightwards),
        key=lambda p: (p.device, p.at_us),
    )


def gate(
    network: RoadNetwork, edge: int, *, width_m: float = 30.0, share: float = 0.5
) -> list[tuple[float, float]]:
    """Return the line across an edge that who drives along it passes rightwards.

    It is straight, square to the edge at that share of its length, so wide, and begins on the right of who
    drives. It is as wide as asked: roads beside the edge are passed as well, if they are within.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    edge : int
        Which edge; the way back along a two-way road is passed leftwards.
    width_m : float
        1 to 500 metres.
    share : float
        Where along the edge, above 0 and below 1.

    Raises
    ------
    InvalidInput
        If the edge is not in the network or has no length, or a value is out of range.
    """
    if not 0 <= edge < network.n_edges:
        raise InvalidInput(
            f"edge {edge} is not in the network; its edges are 0 to {network.n_edges - 1}",
            field="edge",
            value=edge,
        )
    check_number("width_m", width_m, 1, 500)
    if not 0 < share < 1:
        raise InvalidInput(f"share {share} is not above 0 and below 1", field="share", value=share)
    xy = network.vertices(edge)
    steps = np.diff(xy, axis=0)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*steps.T))])
    if along[-1] == 0.0:
        raise InvalidInput(f"edge {edge} has no length; take another", field="edge", value=edge)
    k = int(np.searchsorted(along, share * along[-1], side="right")) - 1
    ahead = steps[k] / np.hypot(*steps[k])
    middle = xy[k] + (share * along[-1] - along[k]) * ahead
    right = np.array([ahead[1], -ahead[0]]) * (width_m / 2)
    lon, lat = network.plane.inverse(*np.column_stack([middle + right, middle - right]))
    return [(float(lon[0]), float(lat[0])), (float(lon[1]), float(lat[1]))]
