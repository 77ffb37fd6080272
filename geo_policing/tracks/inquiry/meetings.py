"""Where and when a device and its companions were at the same places: the evidence of company."""

from collections.abc import Collection

import numpy as np
from h3.api import basic_int as h3

from geo_policing.geodesy import cells
from geo_policing.geodesy.cells import CELL_RESOLUTION
from geo_policing.kernels import cell_visits
from geo_policing.model import TimeWindow, format_instant
from geo_policing.tracks.inquiry.found import Span
from geo_policing.tracks.searches import History

_S = 1_000_000


def meetings(
    history: History, device: str, window: TimeWindow, others: Collection[str], within_s: int
) -> dict[str, tuple[Span, ...]]:
    """Return for each companion where it met a device, one meeting a place, by time.

    Places and meetings are those that `searches.companions` counts: an H3 cell of resolution 10 in which a
    stay of the one and a stay of the other lie no more than Δt apart. Of several at one place the first stay
    of the companion is told.

    Parameters
    ----------
    history : History
        Where to look.
    device : str
        Whose company.
    window : TimeWindow
        As it was asked for.
    others : collection of str
        The companions.
    within_s : int
        Δt, seconds.
    """
    wanted = frozenset(others)
    own = _own_stays(history, device, window)
    if not own or not wanted:
        return {}
    start_s = min(first for stays in own.values() for first, _ in stays) - within_s
    end_s = max(last for stays in own.values() for _, last in stays) + within_s
    visits = history.visits(np.array(sorted(own), np.uint64), start_s * _S, (end_s + 1) * _S)
    asked = np.array([name in wanted for name in visits.names], bool)[visits.device]
    columns = (visits.device, visits.cell, visits.first_s, visits.last_s)
    met: dict[tuple[int, int], Span] = {}
    for code, cell, first, last in sorted(zip(*(c[asked].tolist() for c in columns), strict=True)):
        if (code, cell) in met:
            continue
        near = [stay for stay in own[cell] if stay[0] - last <= within_s and first - stay[1] <= within_s]
        if near:
            about = {
                "cell": h3.int_to_str(cell),
                "other": device,
                "other_from": format_instant(near[0][0] * _S),
                "other_until": format_instant(near[0][1] * _S),
            }
            stay = (first * _S, last * _S)
            met[code, cell] = Span(visits.names[code], "meeting", *stay, *stay, cell_visits.MAX_GAP_US, about)
    found: dict[str, list[Span]] = {}
    for span in sorted(met.values(), key=lambda s: s.from_us):
        found.setdefault(span.device, []).append(span)
    return {name: tuple(spans) for name, spans in found.items()}


def _own_stays(history: History, device: str, window: TimeWindow) -> dict[int, list[tuple[int, int]]]:
    """Return from when to when a device was in which cells, whole seconds, rounded outwards."""
    moves = history.moves(window.start_us, window.end_us, [device])
    mine = (moves.time >= window.start_us) & (moves.time < window.end_us)
    time, lon, lat = moves.time[mine], moves.lon[mine], moves.lat[mine]
    _, cell, first, last = cell_visits.visits(
        np.zeros(len(time), np.int32),
        time,
        lon,
        lat,
        cells(lon, lat),
        np.ones(len(time), bool),
        CELL_RESOLUTION,
    )
    stays: dict[int, list[tuple[int, int]]] = {}
    for at, begin, end in zip(cell.tolist(), (first // _S).tolist(), (-(-last // _S)).tolist(), strict=True):
        stays.setdefault(at, []).append((begin, end))
    return stays
