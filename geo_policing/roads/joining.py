"""Lines that touch become edges between nodes.

Ends within a tolerance of each other are one node. Lines are split at vertices they share, and where another
line ends on them; where the file names the nodes at both ends of a line, it is taken as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from geo_policing.roads.report import Report

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

#: An end further than this from the place of its node id does not lie there.
_APART_M = 25.0
#: Moves below this are the rounding of the source.
_MOVED_M = 1e-3
#: Vertices that two lines share are written with the same digits: a millimetre.
_SHARED_PER_M = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """n nodes and m undirected edges.

    Parameters
    ----------
    node_x, node_y : (n,) float64
        Metres.
    line : (m,) int64
        The line an edge was part of.
    from_node, to_node : (m,) int32
        Ends.
    geometry : m arrays (k, 2) float64
        x, y from end to end.
    """

    node_x: Array
    node_y: Array
    line: Ids
    from_node: NDArray[np.int32]
    to_node: NDArray[np.int32]
    geometry: list[Array]


def join(
    lines: Sequence[Array], start_id: Sequence[str], end_id: Sequence[str], snap_m: float, report: Report
) -> Joined:
    """Join l lines (k, 2) x, y in metres, k >= 2.

    Parameters
    ----------
    lines : sequence of (k, 2) float64
        x, y in metres, k >= 2.
    start_id, end_id : sequence of str
        Node ids of the file, empty where it has none.
    snap_m : float
        Ends this near to each other are one node.
    report : Report
        Counts are added to it.
    """
    ends = np.array([(line[0], line[-1]) for line in lines]).reshape(-1, 2)
    ids = np.array([i for pair in zip(start_id, end_id, strict=True) for i in pair], dtype=object)
    node_of_end, first_end = _nodes(ends, ids, snap_m, report)
    node = ends[first_end]
    fixed = (ids[0::2] != "") & (ids[1::2] != "")
    report.snapped_ends += int((np.hypot(*(node[node_of_end] - ends).T) > _MOVED_M).sum())
    parts = [line.copy() for line in lines]
    for i, part in enumerate(parts):
        part[0], part[-1] = node[node_of_end[2 * i]], node[node_of_end[2 * i + 1]]
    _insert_touching(parts, fixed, node, snap_m, report)
    label, node = _labels(parts, fixed, node, node_of_end.reshape(-1, 2), snap_m)
    return _cut(parts, label, node, snap_m, report)


def _nodes(ends: Array, ids: NDArray[np.object_], snap_m: float, report: Report) -> tuple[Ids, Ids]:
    """Node of each end, and the end of the file that each node lies at."""
    group = np.full(len(ends), -1, np.int64)
    named = np.flatnonzero(ids != "")
    if len(named):
        report.ends_without_id += len(ends) - len(named)
    place: dict[str, int] = {}
    for end in named.tolist():
        at = place.setdefault(ids[end], end)
        if np.hypot(*(ends[end] - ends[at])) <= max(_APART_M, snap_m):
            group[end] = at
        else:
            report.ends_apart += 1
    free = np.flatnonzero(group < 0)
    if len(free) and place:
        known = np.array(list(place.values()))
        distance, nearest = cKDTree(ends[known]).query(ends[free])
        near = distance <= snap_m
        group[free[near]] = known[nearest[near]]
        free = free[~near]
    if len(free):
        a, b = cKDTree(ends[free]).query_pairs(snap_m, output_type="ndarray").T
        joined = coo_array((np.ones(len(a)), (a, b)), shape=(len(free), len(free)))
        _, piece = connected_components(joined, directed=False)
        _, first = np.unique(piece, return_index=True)
        group[free] = free[first[piece]]
    first_end, node_of_end = np.unique(group, return_inverse=True)
    return node_of_end.astype(np.int64), first_end


def _insert_touching(
    parts: list[Array], fixed: NDArray[np.bool_], node: Array, snap_m: float, report: Report
) -> None:
    """Give lines a vertex where a node lies on them between two of theirs."""
    line_of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    drawn = np.asarray(shapely.linestrings(np.concatenate(parts), indices=line_of), dtype=object)
    pairs = shapely.STRtree(drawn).query(shapely.points(node), predicate="dwithin", distance=snap_m)
    onto: dict[int, list[int]] = {}
    for n, line in pairs.T.tolist():
        apart = np.hypot(*(parts[line] - node[n]).T)
        if not fixed[line] and apart.min() > snap_m:
            onto.setdefault(line, []).append(n)
    for line, nodes in onto.items():
        part = parts[line]
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(part, axis=0).T))])
        at = np.atleast_1d(shapely.line_locate_point(drawn[line], shapely.points(node[nodes])))
        order = np.argsort(at, kind="stable")
        parts[line] = np.insert(part, np.searchsorted(along, at[order]), node[np.array(nodes)[order]], axis=0)
        report.touching_ends += len(nodes)


def _labels(
    parts: list[Array], fixed: NDArray[np.bool_], node: Array, ends: Ids, snap_m: float
) -> tuple[list[Ids], Array]:
    """Node of each vertex of each line, -1 where none; and the nodes, those at shared vertices added."""
    xy = np.concatenate(parts)
    offset = np.cumsum([0, *map(len, parts)])
    label = np.full(len(xy), -1, np.int64)
    inner = np.repeat(~fixed, np.diff(offset))
    inner[offset[:-1]] = inner[offset[1:] - 1] = False
    inside = np.flatnonzero(inner)
    if len(inside):
        distance, nearest = cKDTree(node).query(xy[inside])
        near = distance <= snap_m
        label[inside[near]] = nearest[near]
        lonely = inside[~near]
        rounded = (xy[lonely] * _SHARED_PER_M).round().astype(np.int64)
        _, first, number, uses = np.unique(
            rounded, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        shared = np.cumsum(uses > 1) - 1 + len(node)
        of = np.where(uses > 1, shared, -1)[number.reshape(-1)]
        label[lonely] = of
        node = np.concatenate([node, xy[lonely[first[uses > 1]]]])
    label[offset[:-1]], label[offset[1:] - 1] = ends[:, 0], ends[:, 1]
    return np.split(label, offset[1:-1]), node


def _cut(parts: list[Array], labels: list[Ids], node: Array, snap_m: float, report: Report) -> Joined:
    """Cut lines at their labelled vertices; what stays within the tolerance of one node is no stretch."""
    rows: list[tuple[int, int, int]] = []
    geometry: list[Array] = []
    for line, (part, label) in enumerate(zip(parts, labels, strict=True)):
        stops = [0]
        for v in np.flatnonzero(label >= 0)[1:].tolist():
            stays = label[v] == label[stops[-1]]
            if stays and np.hypot(*(part[stops[-1] : v + 1] - node[label[v]]).T).max() <= snap_m:
                if v < len(part) - 1:
                    continue
                # The end belongs to the stretch before it; a line of such a stretch alone has no length.
                stops.pop()
                report.zero_length += not stops
            if stops:
                stops.append(v)
        report.split_lines += len(stops) > 2
        for a, b in pairwise(stops):
            piece = part[a : b + 1].copy()
            piece[0], piece[-1] = node[label[a]], node[label[b]]
            rows.append((line, int(label[a]), int(label[b])))
            geometry.append(piece)
    table = np.array(rows, np.int64).reshape(-1, 3)
    return Joined(
        node_x=node[:, 0],
        node_y=node[:, 1],
        line=table[:, 0],
        from_node=table[:, 1].astype(np.int32),
        to_node=table[:, 2].astype(np.int32),
        geometry=geometry,
    )
