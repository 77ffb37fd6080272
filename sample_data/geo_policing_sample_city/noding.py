"""From lines to a graph: cut where they meet on one level, close corners joined, loose ends taken off."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from geo_policing.roads.network import RoadClass
from geo_policing_sample_city.lines import Line, along, lengths
from geo_policing_sample_city.terrain import Array

#: Meeting points closer than this are one junction, metres.
JUNCTION_M = 14.0
#: A loose end of a road that may end openly is kept if it is longer than this.
YARD_M = 35.0


@dataclass(frozen=True, eq=False)
class Graph:
    """Pieces of roads between junctions, not yet directed.

    Parameters
    ----------
    node : (n, 2) float64
        Junctions.
    ends : (p, 2) int64
        First and last junction of each piece.
    line : (p,) int64
        The line each piece is of.
    shape : p arrays (k, 2)
        Where each piece runs, its ends at its junctions.
    """

    node: Array
    ends: NDArray[np.int64]
    line: NDArray[np.int64]
    shape: list[Array]


def node_lines(
    lines: list[Line], level: NDArray[np.int64], free: Any, rim: Any, breaks: list[tuple[int, Array]]
) -> Graph:
    """Cut lines where they meet.

    Parameters
    ----------
    lines : list of Line
        The roads.
    level : (n,) int64
        Lines of level 0 meet; one of level 1 only ramps' ends, where ``breaks`` say.
    free : geometry
        In here, roads that pass through meet nothing.
    rim : geometry
        In here, roads may leave the city.
    breaks : list of (int, (2,))
        Further points of single lines, as ramps leave there, or a bridge begins.
    """
    shapes = np.array([shapely.linestrings(one.xy) for one in lines])
    own, ground, place = _meetings(lines, level, free)
    more = np.array([i for i, _ in breaks], np.int64)
    points = np.array([p for _, p in breaks]).reshape(-1, 2)
    ends, end_at = _ends(shapes, own, ground)
    line = np.concatenate([own, more, ends])
    fixed_row = np.repeat([False, True, False], [len(own), len(more), len(ends)])
    at = np.concatenate([ground, shapely.line_locate_point(shapes[more], shapely.points(points)), end_at])
    xy = np.concatenate([place, points, _coordinates(shapely.line_interpolate_point(shapes[ends], end_at))])
    rank = np.array([one.road_class for one in lines])[line]
    ramp_end = (rank == RoadClass.EXPRESSWAY_RAMP) & (np.arange(len(line)) >= len(line) - len(ends))
    corner, node = _join(xy, rank, np.maximum(level[line], ramp_end))
    order = np.lexsort((at, line))
    line, at, corner = line[order], at[order], corner[order]
    follows = (line[1:] == line[:-1]) & (corner[1:] != corner[:-1])
    pieces = np.column_stack([corner[:-1], corner[1:]])[follows]
    of, begin, end = line[:-1][follows], at[:-1][follows], at[1:][follows]
    exits = shapely.contains_xy(rim, node[:, 0], node[:, 1])
    keep = _without_loose_ends(lines, pieces, of, end - begin, exits)
    pieces, of, begin, end = pieces[keep], of[keep], begin[keep], end[keep]
    fixed = np.unique(corner[fixed_row[order]])
    pieces, of, begin, end = _without_waypoints(pieces, of, begin, end, fixed, len(node))
    first = _without_doubles(lines, pieces, of, end - begin)
    pieces, of, begin, end = pieces[first], of[first], begin[first], end[first]
    used, ends_ = np.unique(pieces, return_inverse=True)
    node = node[used]
    ends_ = ends_.reshape(-1, 2)
    shape = [
        _shape(lines[i].xy, b, e, node[a], node[z])
        for i, b, e, (a, z) in zip(of.tolist(), begin, end, ends_.tolist(), strict=True)
    ]
    return Graph(node, ends_, of, shape)


def _meetings(
    lines: list[Line], level: NDArray[np.int64], free: Any
) -> tuple[NDArray[np.int64], Array, Array]:
    """Line, distance along it and place of each meeting of two lines, once for each of them."""
    ground = np.flatnonzero(level == 0)
    shapes = np.array([shapely.linestrings(lines[i].xy) for i in ground])
    a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    a, b = a[a < b], b[a < b]
    common = shapely.intersection(shapes[a], shapes[b])
    xy, pair = shapely.get_coordinates(common, return_index=True)
    through = np.array([lines[i].through for i in ground])
    passes = through[a] | through[b]
    shapely.prepare(free)
    met = ~(passes[pair] & shapely.contains_xy(free, xy[:, 0], xy[:, 1]))
    xy, pair = xy[met], pair[met]
    both = np.concatenate([a[pair], b[pair]])
    at = shapely.line_locate_point(shapes[both], np.tile(shapely.points(xy), 2))
    return ground[both], np.asarray(at), np.tile(xy, (2, 1))


def _ends(shapes: Any, line: NDArray[np.int64], at: Array) -> tuple[NDArray[np.int64], Array]:
    """Return the lines' ends, but for those just beyond a meeting: streets end a little behind others."""
    length = shapely.length(shapes)
    first, last = np.full(len(shapes), np.inf), np.full(len(shapes), -np.inf)
    np.minimum.at(first, line, at)
    np.maximum.at(last, line, at)
    begins, stops = np.flatnonzero(first > JUNCTION_M), np.flatnonzero(length - last > JUNCTION_M)
    return np.concatenate([begins, stops]), np.concatenate([np.zeros(len(begins)), length[stops]])


def _coordinates(points: Any) -> Array:
    return np.asarray(shapely.get_coordinates(points))


def _join(xy: Array, rank: NDArray[np.int64], level: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array]:
    """Give each point its junction, and place junctions at the point of its most important road."""
    stacked = np.column_stack([xy, level * 1000.0])
    pairs = cKDTree(stacked).query_pairs(JUNCTION_M, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(xy), len(xy)))
    count, label = connected_components(graph, directed=False)
    best = np.lexsort((np.arange(len(xy)), rank, label))
    first = np.searchsorted(label[best], np.arange(count))
    return label.astype(np.int64), xy[best[first]]


def _without_loose_ends(
    lines: list[Line], ends: NDArray[np.int64], of: NDArray[np.int64], length: Array, exits: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Pieces that remain when those that end nowhere are taken off, again and again."""
    open_end = np.array([one.open_end for one in lines])[of] & (length > YARD_M)
    yard = np.array([one.road_class >= RoadClass.SERVICE for one in lines])[of]
    may_end = open_end[:, None] & (yard[:, None] | exits[ends])
    keep = np.arange(len(ends))
    while True:
        degree = np.bincount(ends[keep].ravel(), minlength=len(exits))
        loose = ((degree[ends[keep]] == 1) & ~may_end[keep]).any(axis=1)
        if not loose.any():
            return keep
        keep = keep[~loose]


def _without_waypoints(
    ends: NDArray[np.int64],
    of: NDArray[np.int64],
    begin: Array,
    end: Array,
    fixed: NDArray[np.int64],
    n: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, Array]:
    """Join pieces of one line where nothing else meets it any more."""
    degree = np.bincount(ends.ravel(), minlength=n)
    degree[fixed] = 9
    same = (of[1:] == of[:-1]) & (ends[1:, 0] == ends[:-1, 1]) & (degree[ends[1:, 0]] == 2)
    run = np.concatenate([[0], np.cumsum(~same)])
    first = np.searchsorted(run, np.arange(run[-1] + 1))
    last = np.append(first[1:], len(run)) - 1
    joined = np.column_stack([ends[first, 0], ends[last, 1]])
    keep = joined[:, 0] != joined[:, 1]
    return joined[keep], of[first][keep], begin[first][keep], end[last][keep]


def _without_doubles(
    lines: list[Line], ends: NDArray[np.int64], of: NDArray[np.int64], length: Array
) -> NDArray[np.bool_]:
    """Keep one of two-way pieces that join the same junctions and are about as long: the more important."""
    seen: dict[tuple[int, int], float] = {}
    keep = np.ones(len(ends), bool)
    rank = np.array([one.road_class for one in lines])[of]
    for p in np.lexsort((length, rank)).tolist():
        key = (int(ends[p].min()), int(ends[p].max()))
        if lines[of[p]].one_way:
            continue
        if key in seen and length[p] < max(1.25 * seen[key], 4 * JUNCTION_M):
            keep[p] = False
        seen.setdefault(key, float(length[p]))
    return keep


def _shape(xy: Array, begin: float, end: float, first: Array, last: Array) -> Array:
    """Points of a line between two distances, its ends moved to the junctions."""
    total = lengths(xy)
    room = min(JUNCTION_M, (end - begin) / 3)
    inner = xy[(total > begin + room) & (total < end - room)]
    if len(inner) == 0 and np.abs(along(xy, np.array([begin, end])) - [first, last]).max() > 5:
        inner = along(xy, np.array([(begin + end) / 2]))
    return np.concatenate([first[None], inner, last[None]])
