"""The edges nearest to points, through a grid of square cells over the plane."""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.prefetching import soon

#: Edges looked at for one point; of more than that the nearest are kept.
_MOST = 128

#: Points before one is looked at that the processor is told what will be read: a sixth of the time.
CELLS_AHEAD, SEGMENTS_AHEAD = 6, 3


#: A segment: where it starts, how far it is to its end, how far along its edge it starts and how long it is
#: there; how long its edge is; this edge, and the usable one that has the same vertices in reverse, -1 if
#: there is none. As wide as a line of the cache.
SEGMENT = np.dtype(
    [(name, np.float64) for name in ("x", "y", "dx", "dy", "along_m", "length_m", "edge_m")]
    + [("edge", np.int32), ("other", np.int32)]
)


class Grid(NamedTuple):
    """Segments of polylines by the cells they pass through.

    cell_m: side of a cell; west, south: corner of cell (0, 0); rows, columns: how many cells.
    offset (rows * columns + 1,) i32: cells, one row after the other; segment (s,) of SEGMENT, m: what is
    looked at together lies together; edge_m (m,) f64: lengths of the edges.
    """

    cell_m: float
    west: float
    south: float
    rows: int
    columns: int
    offset: NDArray[Any]
    segment: NDArray[Any]
    edge_m: NDArray[Any]


class Shapes(NamedTuple):
    """m polylines: offset (m + 1,) i64 of their vertices x, y (v,) f64 in metres, along (v,) f64.

    along is how far along its edge each vertex is, so that the last one is length_m (m,) f64; other (m,) i32
    is the edge that has the same vertices in reverse, -1 none; usable (m,) bool.
    """

    offset: NDArray[Any]
    x: NDArray[Any]
    y: NDArray[Any]
    along: NDArray[Any]
    length_m: NDArray[Any]
    other: NDArray[Any]
    usable: NDArray[Any]


@njit(cache=True, nogil=True)
def along(
    offset: NDArray[Any], x: NDArray[Any], y: NDArray[Any], length_m: NDArray[Any]
) -> NDArray[np.float64]:
    """How far along its polyline each vertex is, scaled so that the whole is length_m. -> (v,) f64."""
    out = np.zeros(x.shape[0])
    for e in range(offset.shape[0] - 1):
        first, last = offset[e], offset[e + 1]
        for v in range(first + 1, last):
            out[v] = out[v - 1] + math.hypot(x[v] - x[v - 1], y[v] - y[v - 1])
        drawn = out[last - 1]
        for v in range(first, last):
            out[v] = out[v] * length_m[e] / drawn if drawn > 0.0 else 0.0
    return out


@njit(cache=True, nogil=True)
def _walk(x: float, y: float, x1: float, y1: float, grid: Grid, row_column: NDArray[np.int64]) -> int:
    """Cells (row, column) that a segment passes through, one after the other; how many there are."""
    cell = grid.cell_m
    column, row = math.floor((x - grid.west) / cell), math.floor((y - grid.south) / cell)
    last_column, last_row = math.floor((x1 - grid.west) / cell), math.floor((y1 - grid.south) / cell)
    dx, dy = x1 - x, y1 - y
    step_x, step_y = 1 if dx > 0.0 else -1, 1 if dy > 0.0 else -1
    # Shares of the segment at which it crosses into the next column and row, and between two of them.
    next_x = (grid.west + (column + (step_x > 0)) * cell - x) / dx if dx != 0.0 else np.inf
    next_y = (grid.south + (row + (step_y > 0)) * cell - y) / dy if dy != 0.0 else np.inf
    each_x = abs(cell / dx) if dx != 0.0 else np.inf
    each_y = abs(cell / dy) if dy != 0.0 else np.inf
    count = abs(last_column - column) + abs(last_row - row) + 1
    for i in range(min(count, row_column.shape[0])):
        row_column[i, 0], row_column[i, 1] = row, column
        if (next_x < next_y and column != last_column) or row == last_row:
            column += step_x
            next_x += each_x
        else:
            row += step_y
            next_y += each_y
    return count


@njit(cache=True, nogil=True)
def _place(shapes: Shapes, empty: Grid) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Cell, edge and first vertex of each segment in each cell it passes through."""
    size = 0
    key = np.empty(4 * shapes.x.shape[0] + 16, np.int64)
    edge = np.empty(key.shape[0], np.int32)
    vertex = np.empty(key.shape[0], np.int32)
    passed = np.empty((64, 2), np.int64)
    for e in range(shapes.length_m.shape[0]):
        f = shapes.other[e]
        if not shapes.usable[e] or (0 <= f < e and shapes.usable[f]):
            continue
        for v in range(shapes.offset[e], shapes.offset[e + 1] - 1):
            ends = shapes.x[v], shapes.y[v], shapes.x[v + 1], shapes.y[v + 1]
            count = _walk(*ends, empty, passed)
            if count > passed.shape[0]:
                passed = np.empty((2 * count, 2), np.int64)
                _walk(*ends, empty, passed)
            while size + count > key.shape[0]:
                key = np.concatenate((key, np.empty_like(key)))
                edge = np.concatenate((edge, np.empty_like(edge)))
                vertex = np.concatenate((vertex, np.empty_like(vertex)))
            for i in range(count):
                key[size] = passed[i, 0] * empty.columns + passed[i, 1]
                edge[size], vertex[size] = e, v
                size += 1
    return key[:size], edge[:size], vertex[:size]


def build(shapes: Shapes, cell_m: float) -> Grid:
    """Put the segments of usable edges in cells; of two that have the same vertices only the first.

    Cells are larger than cell_m where there would be more of them than eight for each vertex.
    """
    west, south = float(shapes.x.min()), float(shapes.y.min())
    width, height = float(shapes.x.max()) - west, float(shapes.y.max()) - south
    most = 8 * len(shapes.x) + 4096
    cell_m = max(cell_m, (width * height / most) ** 0.5, 2.0 * max(width, height) / most)
    # Divided as `_walk` does it: // rounds otherwise where the last vertex is on the border of a cell.
    rows, columns = int(height / cell_m) + 1, int(width / cell_m) + 1
    none = np.zeros(1, np.int32), np.empty(0, SEGMENT), np.empty(0)
    key, edge, vertex = _place(shapes, Grid(cell_m, west, south, rows, columns, *none))
    order = np.argsort(key, kind="stable")
    edge, vertex = edge[order], vertex[order]
    offset = np.searchsorted(key[order], np.arange(rows * columns + 1)).astype(np.int32)
    segment = np.zeros(len(edge), SEGMENT)
    for name, values in (("x", shapes.x), ("y", shapes.y), ("along_m", shapes.along)):
        segment[name] = values[vertex]
    for name, values in (("dx", shapes.x), ("dy", shapes.y), ("length_m", shapes.along)):
        segment[name] = values[vertex + 1] - values[vertex]
    other = shapes.other[edge]
    segment["edge"], segment["edge_m"] = edge, shapes.length_m[edge]
    segment["other"] = np.where((other >= 0) & shapes.usable[other], other, -1)
    return Grid(cell_m, west, south, rows, columns, offset, segment, shapes.length_m)


@njit(cache=True, nogil=True)
def _box(x: float, y: float, radius_m: float, grid: Grid) -> tuple[int, int, int, int]:
    """First and last row, first and last column of cells around a point; a last before its first: none."""
    south = max(0, math.floor((y - radius_m - grid.south) / grid.cell_m))
    north = min(grid.rows - 1, math.floor((y + radius_m - grid.south) / grid.cell_m))
    west = max(0, math.floor((x - radius_m - grid.west) / grid.cell_m))
    east = min(grid.columns - 1, math.floor((x + radius_m - grid.west) / grid.cell_m))
    return south, north, west, east


@njit(cache=True, nogil=True)
def _around(
    x: float,
    y: float,
    radius_m: float,
    grid: Grid,
    near: NDArray[Any],
    edges: NDArray[Any],
    square: NDArray[Any],
    offset: NDArray[Any],
) -> int:
    """Edges within a radius of a point and how many: edges, by the segments `near` that are nearest on them.

    square: of how far each is; offset: where along it.
    """
    count = 0
    most = radius_m * radius_m
    row, top, west, east = _box(x, y, radius_m, grid)
    if west > east:
        return 0
    segments = grid.segment
    while row <= top:
        # The cells of a row follow each other.
        first, last = grid.offset[row * grid.columns + west], grid.offset[row * grid.columns + east + 1]
        for s in range(first, last):
            segment = segments[s]
            dx, dy = segment["dx"], segment["dy"]
            from_x, from_y = x - segment["x"], y - segment["y"]
            length2 = dx * dx + dy * dy
            share = (from_x * dx + from_y * dy) / length2 if length2 > 0.0 else 0.0
            share = min(1.0, max(0.0, share))
            away_x, away_y = from_x - share * dx, from_y - share * dy
            d = away_x * away_x + away_y * away_y
            if d > most:
                continue
            e = segment["edge"]
            slot = 0
            while slot < count and edges[slot] != e:
                slot += 1
            if slot == edges.shape[0]:
                slot = int(np.argmax(square))
            elif slot == count:
                square[slot] = np.inf
                count += 1
                soon(grid.edge_m, segment["other"])
            if d < square[slot]:
                near[slot], edges[slot], square[slot] = s, e, d
                # Rounded, the last vertex may be a hair beyond the end of the edge.
                offset[slot] = min(segment["along_m"] + share * segment["length_m"], segment["edge_m"])
        row += 1
    return count


@njit(cache=True, nogil=True)
def _foresee(x: float, y: float, radius_m: float, grid: Grid, of_cells: bool) -> None:
    """Hint that the cells around a point will be read; where not of_cells, what they hold."""
    row, top, west, east = _box(x, y, radius_m, grid)
    if west > east:
        return
    while row <= top:
        first, last = row * grid.columns + west, row * grid.columns + east + 1
        if of_cells:
            soon(grid.offset, first)
        else:
            for s in range(grid.offset[first], grid.offset[last]):
                soon(grid.segment, s)
        row += 1


@njit(cache=True, nogil=True)
def _insert(
    e: int,
    d: float,
    at: float,
    edge: NDArray[Any],
    distance: NDArray[Any],
    offset: NDArray[Any],
) -> None:
    """Put an edge in its place among the nearest; of two as near the first of all edges comes first."""
    slot = edge.shape[0] - 1
    if d > distance[slot] or (d == distance[slot] and e > edge[slot]):
        return
    while slot > 0 and (distance[slot - 1] > d or (distance[slot - 1] == d and edge[slot - 1] > e)):
        edge[slot], distance[slot], offset[slot] = edge[slot - 1], distance[slot - 1], offset[slot - 1]
        slot -= 1
    edge[slot], distance[slot], offset[slot] = e, d, at


@njit(cache=True, nogil=True)
def nearest(
    x: NDArray[Any],
    y: NDArray[Any],
    radius_m: NDArray[Any],
    wide_radius_m: float,
    k: int,
    grid: Grid,
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Find the k nearest edges of each point within its radius, or the wide one where that has none.

    x, y, radius_m (n,) f64 metres. -> edge (n, k) i32, -1 where there are fewer; distance (n, k) f64 m,
    infinite there; offset along the edge (n, k) f64 m.
    """
    n = x.shape[0]
    edge = np.full((n, k), -1, np.int32)
    distance = np.full((n, k), np.inf)
    offset = np.zeros((n, k))
    near, edges = np.empty(_MOST, np.int64), np.empty(_MOST, np.int32)
    square, at = np.empty(_MOST), np.empty(_MOST)
    for i in range(n):
        # Cells first, as where their segments are is read in them.
        if i + CELLS_AHEAD < n:
            j = i + CELLS_AHEAD
            _foresee(x[j], y[j], radius_m[j], grid, True)
        if i + SEGMENTS_AHEAD < n:
            j = i + SEGMENTS_AHEAD
            _foresee(x[j], y[j], radius_m[j], grid, False)
        count = _around(x[i], y[i], radius_m[i], grid, near, edges, square, at)
        if count == 0 and wide_radius_m > radius_m[i]:
            count = _around(x[i], y[i], wide_radius_m, grid, near, edges, square, at)
        for j in range(count):
            d = math.sqrt(square[j])
            _insert(edges[j], d, at[j], edge[i], distance[i], offset[i])
            segment = grid.segment[near[j]]
            if segment["other"] >= 0:
                there = grid.edge_m[segment["other"]]
                if segment["edge_m"] > 0.0:
                    there *= 1.0 - at[j] / segment["edge_m"]
                _insert(segment["other"], d, there, edge[i], distance[i], offset[i])
    return edge, distance, offset
