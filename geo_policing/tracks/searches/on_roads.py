"""A history in which devices move along the roads between their fixes, where a match knows which."""

from collections.abc import Collection, Iterator

import h3
import numpy as np
from numpy.typing import NDArray

from geo_policing.geodesy import cells as cells_of
from geo_policing.geodesy.cells import CELL_RESOLUTION
from geo_policing.kernels import block_ways, cell_visits
from geo_policing.kernels.edge_grid import along
from geo_policing.matching import Match, Matcher
from geo_policing.model import FixColumns, Halt
from geo_policing.model.moves import Moves, Place, Visits, Ways
from geo_policing.tracks.searches.history import History, batches

Array = NDArray[np.float64]

#: A longer silence is not filled, whatever the match makes of it.
LONGEST_S = 600.0
#: Nor is a way that is less likely than this.
LEAST_CONFIDENCE = 0.5
#: Nobody is looked for whose fixes and straight ways stay further from a place than this.
MARGIN_M = 500.0
#: Known ways have a place at least so often: less than what breaks a movement.
_STEP_S = 60.0
_RING_M = 90.0
_S = 1_000_000


class OnRoads:
    """The history that a matcher makes of another: what is searched in it, is searched along the roads.

    Between two fixes of a device that are at most `LONGEST_S` apart it moves along the matched path, observed
    or with a confidence of at least `LEAST_CONFIDENCE`, and straight from and to the fixes themselves; where
    no path is known straight, as in the history itself. Times of fixes that an answer names may be those of
    places on such a path. Who only comes near a place on a path that lies more than `MARGIN_M` from his
    straight ways is not found. It matches whoever may have been there: for hours, or few devices.

    Parameters
    ----------
    history : History
        The fixes.
    matcher : Matcher
        The roads.
    halt : Halt, optional
        Says when a search must end, and hears how many devices are matched; the history's own without it.
    """

    def __init__(self, history: History, matcher: Matcher, halt: Halt | None = None) -> None:
        self._history = history
        self._matcher = matcher
        self._halt = halt or history.halt

    @property
    def halt(self) -> Halt:
        """Says when a search must end."""
        return self._halt

    def fixes(self, start_us: int, end_us: int, devices: Collection[str]) -> FixColumns:
        """Return the fixes of devices in [start, end) with all that is known of them, by device and time."""
        return self._history.fixes(start_us, end_us, devices)

    def moves(self, start_us: int, end_us: int, devices: Collection[str]) -> Moves:
        """Return the fixes of devices in [start, end) and about it, and places on the paths between them."""
        around_us = round(LONGEST_S) * _S
        moves = self._history.moves(start_us - around_us, end_us + around_us, devices)
        parts = []
        for code in range(len(moves.names)):
            mine = slice(*np.searchsorted(moves.device, [code, code + 1]).tolist())
            time, lon, lat = moves.time[mine], moves.lon[mine], moves.lat[mine]
            self._halt.tell(f"{code:,} of {len(moves.names):,} devices matched that were read together")
            if len(time):
                time, lon, lat = on_roads(self._matcher, time, lon, lat)
            near = (time >= start_us - cell_visits.MAX_GAP_US) & (time <= end_us + cell_visits.MAX_GAP_US)
            parts.append((np.full(near.sum(), code, np.int32), time[near], lon[near], lat[near]))
        if not parts:
            return moves
        return Moves(moves.names, *(np.concatenate(column) for column in zip(*parts, strict=True)))

    def ways(self, place: Place, start_us: int, end_us: int) -> Ways | None:
        """Return everybody's movement through a place in [start, end)."""
        parts: list[Moves] = []
        onward = [np.empty(0, np.bool_)]
        for moves in self._about(place.cells, start_us, end_us):
            flags = block_ways.chained(moves.device)
            rows, flags = block_ways.near(moves.time, moves.lon, moves.lat, flags, np.array(place.bounds))
            parts.append(_rows(moves, rows))
            onward.append(flags & block_ways.ONWARD > 0)
        together = _together(parts) if parts else Moves.none()
        return Ways(together, np.concatenate(onward), frozenset())

    def visits(self, cells: NDArray[np.uint64], start_us: int, end_us: int) -> Visits:
        """Return who was in some of the cells in [start, end), to the second."""
        names: list[str] = []
        parts = [(np.empty(0, np.int32), np.empty(0, np.uint64), *np.empty((2, 0), np.int64))]
        for moves in self._about(cells, start_us, end_us):
            found = cell_visits.visits(
                *(moves.device, moves.time, moves.lon, moves.lat, cells_of(moves.lon, moves.lat)),
                *(np.ones(len(moves), bool), CELL_RESOLUTION),
            )
            device, cell = found[0] + np.int32(len(names)), found[1]
            first_s, last_s = found[2] // _S, -(-found[3] // _S)
            wanted = np.isin(cell, cells) & (first_s < -(-end_us // _S)) & (last_s >= start_us // _S)
            parts.append((device[wanted], cell[wanted], first_s[wanted], last_s[wanted]))
            names += moves.names
        return Visits(tuple(names), *(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _about(self, cells: NDArray[np.uint64], start_us: int, end_us: int) -> Iterator[Moves]:
        """Yield the movement of all who may have been in some cells in [start, end), some at a time."""
        rings = int(np.ceil(MARGIN_M / _RING_M))
        texts = {h3.int_to_str(cell) for cell in cells.tolist()}
        wide = {h3.str_to_int(c) for text in texts for c in h3.grid_disk(text, rings)}
        around_us = round(LONGEST_S) * _S
        near = self._history.visits(
            np.array(sorted(wide), np.uint64), start_us - around_us, end_us + around_us
        )
        devices = {near.names[code] for code in np.unique(near.device).tolist()}
        for names in batches(devices, start_us, end_us):
            yield self.moves(start_us, end_us, names)


def _rows(moves: Moves, rows: NDArray[np.int64]) -> Moves:
    return Moves(moves.names, moves.device[rows], moves.time[rows], moves.lon[rows], moves.lat[rows])


def _together(parts: list[Moves]) -> Moves:
    """Put the movement of different devices after each other."""
    before = np.cumsum([0, *(len(part.names) for part in parts)])
    device = [part.device + np.int32(n) for part, n in zip(parts, before.tolist(), strict=False)]
    columns = zip(*((part.time, part.lon, part.lat) for part in parts), strict=True)
    names = tuple(name for part in parts for name in part.names)
    return Moves(names, np.concatenate(device), *(np.concatenate(column) for column in columns))


def on_roads(
    matcher: Matcher, time: NDArray[np.int64], lon: Array, lat: Array
) -> tuple[NDArray[np.int64], Array, Array]:
    """Put places on the matched path between the fixes of one device.

    Parameters
    ----------
    matcher : Matcher
        The roads.
    time, lon, lat : (n,) int64, float64
        Fixes by time: microseconds of UTC and degrees; n >= 1.

    Returns
    -------
    time, lon, lat : (m,) int64, float64
        The fixes, and the corners of the path that lie between two of them in time, as `OnRoads` says.
    """
    match = matcher.match((time - time[0]) / 1e6, lon, lat)
    second, x, y = _places(match, matcher)
    when = time[0] + np.rint(second * 1e6).astype(np.int64)
    after = np.searchsorted(time, when, side="left")
    between = (after > 0) & (after < len(time))
    between[between] &= time[after[between]] > when[between]
    gap_us = time[np.minimum(after, len(time) - 1)] - time[np.maximum(after - 1, 0)]
    between &= gap_us <= LONGEST_S * 1e6
    on_lon, on_lat = matcher.network.plane.inverse(x[between], y[between])
    order = np.argsort(np.concatenate([time, when[between]]), kind="stable")
    return (
        np.concatenate([time, when[between]])[order],
        np.concatenate([lon, on_lon])[order],
        np.concatenate([lat, on_lat])[order],
    )


def _places(match: Match, matcher: Matcher) -> tuple[Array, Array, Array]:
    """When, seconds, and where, metres in the plane, a matched device was at the vertices of its path."""
    network = matcher.network
    known = match.edge >= 0
    fix_s = match.time[known]
    found = [(np.empty(0),) * 3]
    for n, piece in enumerate(match.pieces):
        if piece.inferred and not piece.confidence >= LEAST_CONFIDENCE:
            continue
        # It ends at a fix, the last one before the next piece begins.
        following = match.pieces[n + 1].enter_s[0] if n + 1 < len(match.pieces) else np.inf
        end_s = max(float(piece.enter_s[-1]), float(fix_s[fix_s <= following].max(initial=-np.inf)))
        length_m = network.length_m[piece.edges]
        # Metres from the beginning of the first edge, of where each edge begins and of where it ends.
        begin_m = np.concatenate([[0.0], np.cumsum(length_m)])
        knots_m = np.concatenate([[piece.start_m], begin_m[1:-1], [begin_m[-2] + piece.end_m]])
        knots_s = np.concatenate([piece.enter_s, [end_s]])
        at_m, x, y = [], [], []
        for edge, begin in zip(piece.edges.tolist(), begin_m[:-1].tolist(), strict=True):
            xy = network.vertices(edge)
            offset = np.array([0, len(xy)], np.int64)
            at_m.append(begin + along(offset, xy[:, 0].copy(), xy[:, 1].copy(), network.length_m[[edge]]))
            x.append(xy[:, 0])
            y.append(xy[:, 1])
        every_m, every_x, every_y = (np.concatenate(column) for column in (at_m, x, y))
        if not knots_m[-1] > knots_m[0]:
            continue
        steps = np.arange(knots_s[0], knots_s[-1], _STEP_S)
        inner = every_m[(every_m > knots_m[0]) & (every_m < knots_m[-1])]
        places_m = np.unique(np.concatenate([knots_m[[0, -1]], inner, np.interp(steps, knots_s, knots_m)]))
        second = np.interp(places_m, knots_m, knots_s)
        found.append((second, np.interp(places_m, every_m, every_x), np.interp(places_m, every_m, every_y)))
    columns = (np.concatenate(column) for column in zip(*found, strict=True))
    second, every_x, every_y = columns
    order = np.argsort(second, kind="stable")
    return second[order], every_x[order], every_y[order]
