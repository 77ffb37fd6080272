"""A walker's way that leaves the roads: its line, and how far along it each part begins."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from h3.api import basic_int as h3
from numpy.typing import NDArray

from geo_policing.roads import RoadNetwork, Route
from geo_policing.tracks.yards import Yards

Array = NDArray[np.float64]


def off_road(
    edges: NDArray[np.int32], entered: Sequence[int], n_edges: int, yards: Yards
) -> tuple[NDArray[np.int32], NDArray[np.uint64], list[int]]:
    """Tell crossings, which are numbered from n_edges on, by their cells, each once however it is crossed.

    -> edges (e,), -1 off the roads; cells (e,), 0 on the roads, and none at all where no road is left; and
    when each was entered.
    """
    off = edges >= n_edges
    if not off.any():
        return edges, np.empty(0, np.uint64), list(entered)
    cell = np.zeros(len(edges), np.uint64)
    cell[off] = yards.cell[yards.crosses[edges[off] - n_edges]]
    kept = np.ones(len(edges), bool)
    kept[1:] = ~off[1:] | (cell[1:] != cell[:-1])
    when = [step for step, keep in zip(entered, kept.tolist(), strict=True) if keep]
    return np.where(off, np.int32(-1), edges)[kept], cell[kept], when


def lonlat(
    network: RoadNetwork, edges: NDArray[np.int32], cells: NDArray[np.uint64], ends: tuple[float, float]
) -> Array:
    """(k, 2) lon, lat of a way that begins and ends so far along its first and last edge.

    A road is left, and come to, at its place nearest to the middle of the cell beside it.
    """
    line = np.concatenate([part for _, part in _parts(network, edges, cells, ends)])
    # A line has two ends also where one stays in a cell.
    return line if len(line) > 1 else np.repeat(line, 2, axis=0)


def begins_m(
    network: RoadNetwork, edges: NDArray[np.int32], cells: NDArray[np.uint64], ends: tuple[float, float]
) -> Array:
    """(e + 1,) how far along it each edge and cell begins, and its length.

    A cell begins halfway from the middle of the one before, and at the kerb where one comes from a road.
    """
    begins: list[float] = []
    so_far, at = 0.0, None
    for where, line in _parts(network, edges, cells, ends):
        x, y = network.plane.forward(line[:, 0], line[:, 1])
        gap_m = 0.0 if at is None else float(np.hypot(x[0] - at[0], y[0] - at[1]))
        if edges[where.start] < 0:
            apart_m = np.hypot(np.diff(x), np.diff(y))
            begins += [so_far, *(so_far + gap_m + np.cumsum(apart_m) - apart_m / 2.0).tolist()]
            so_far += gap_m + float(apart_m.sum())
        else:
            walked_m = network.length_m[edges[where]]
            walked_m[-1] = _last_m(network, edges, cells, ends, where)
            walked_m[0] -= _first_m(network, edges, cells, ends, where)
            after_m = so_far + gap_m + np.cumsum(np.maximum(walked_m, 0.0))
            begins += [so_far + gap_m, *after_m[:-1].tolist()]
            so_far = float(after_m[-1])
        at = (x[-1], y[-1])
    return np.array([*begins, so_far])


def _parts(
    network: RoadNetwork, edges: NDArray[np.int32], cells: NDArray[np.uint64], ends: tuple[float, float]
) -> Iterator[tuple[slice, Array]]:
    """Yield the stretches on roads and off them: which places of the way, and the line lon, lat (k, 2)."""
    for where in _stretches(cells):
        if edges[where.start] < 0:
            middles = [h3.cell_to_latlng(c) for c in cells[where].tolist()]
            yield where, np.array(middles)[:, ::-1]
            continue
        begin, end = _first_m(network, edges, cells, ends, where), _last_m(network, edges, cells, ends, where)
        if where.stop - where.start == 1:
            end = max(begin, end)
        yield where, Route(edges[where], begin, end, 0.0, 0.0).lonlat(network)


def _stretches(cells: NDArray[np.uint64]) -> Iterator[slice]:
    at = 0
    for _, some in groupby((cells > 0).tolist()):
        count = len(list(some))
        yield slice(at, at + count)
        at += count


def _first_m(
    network: RoadNetwork,
    edges: NDArray[np.int32],
    cells: NDArray[np.uint64],
    ends: tuple[float, float],
    where: slice,
) -> float:
    """Where on its first edge a stretch of roads begins."""
    if where.start == 0:
        return ends[0]
    return _nearest_m(network, int(edges[where.start]), int(cells[where.start - 1]))


def _last_m(
    network: RoadNetwork,
    edges: NDArray[np.int32],
    cells: NDArray[np.uint64],
    ends: tuple[float, float],
    where: slice,
) -> float:
    """Where on its last edge a stretch of roads ends."""
    if where.stop == len(edges):
        return ends[1]
    return _nearest_m(network, int(edges[where.stop - 1]), int(cells[where.stop]))


def _nearest_m(network: RoadNetwork, edge: int, cell: int) -> float:
    """How far along an edge the place nearest to the middle of a cell is."""
    lat, lon = h3.cell_to_latlng(cell)
    (x,), (y,) = network.plane.forward(lon, lat)
    line = network.vertices(edge)
    step = np.diff(line, axis=0)
    length_m = np.hypot(step[:, 0], step[:, 1])
    part = ((np.array([x, y]) - line[:-1]) * step).sum(axis=1) / np.maximum(length_m**2, 1e-12)
    part = np.clip(part, 0.0, 1.0)
    place = line[:-1] + part[:, None] * step
    best = int(np.hypot(place[:, 0] - x, place[:, 1] - y).argmin())
    share = (length_m[:best].sum() + part[best] * length_m[best]) / max(length_m.sum(), 1e-9)
    return float(share * network.length_m[edge])
