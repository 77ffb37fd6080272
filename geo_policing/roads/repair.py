"""What every import mends: edges of no length, duplicates, pieces that hang together with nothing."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo_policing.errors import InvalidFile
from geo_policing.roads.draft import Draft
from geo_policing.roads.network import RoadNetwork
from geo_policing.roads.report import Report

#: Pieces of fewer nodes are dropped: yards and paths whose way out the source does not have.
MIN_PIECE_NODES = 10
#: Edges no longer than this have no length: the source's own rounding.
ZERO_M = 0.01


def mend(draft: Draft, report: Report, *, min_piece_nodes: int = MIN_PIECE_NODES) -> RoadNetwork:
    """Make a network of a draft, and count in the report what was mended and what it holds.

    Parameters
    ----------
    draft : Draft
        What was read.
    report : Report
        Counts are added to it.
    min_piece_nodes : int
        Pieces of fewer nodes are dropped, never the largest; 0 keeps all.
    """
    draft = merge_duplicates(drop_zero_length(draft, report), report)
    report.self_loops = int((draft.from_node == draft.to_node).sum())
    draft = drop_small_pieces(draft, report, min_piece_nodes)
    network = draft.build()
    report.nodes, report.edges = network.n_nodes, network.n_edges
    report.length_m = float(network.length_m.sum())
    report.bounds = network.bounds
    return network


def drop_zero_length(draft: Draft, report: Report) -> Draft:
    """Drop edges no longer than `ZERO_M`; the nodes at their ends become one, so that nothing comes apart."""
    zero = draft.lengths_m() <= ZERO_M
    if zero.all():
        raise InvalidFile(
            f"{draft.source}: all roads have no length; check the file and its crs", field="crs"
        )
    report.zero_length += int(zero.sum())
    n = len(draft.node_lon)
    group = _components(n, draft.from_node[zero], draft.to_node[zero])
    report.merged_nodes += n - (int(group.max()) + 1)
    _, first = np.unique(group, return_index=True)
    joined = first[group].astype(np.int32)
    merged = replace(draft, from_node=joined[draft.from_node], to_node=joined[draft.to_node])
    return merged.keep(np.flatnonzero(~zero))


def merge_duplicates(draft: Draft, report: Report) -> Draft:
    """Keep one of the edges between the same nodes along the same line: that of the most important class.

    Who may use any of them may use it, and it has the name of another if it has none.
    """
    same: dict[tuple[int, int, bytes], list[int]] = {}
    for edge, line in enumerate(draft.geometry):
        key = (int(draft.from_node[edge]), int(draft.to_node[edge]), (line * 1e7).round().tobytes())
        same.setdefault(key, []).append(edge)
    if len(same) == len(draft.geometry):
        return draft
    keeper = np.arange(len(draft.geometry), dtype=np.int32)
    access, flags, name = draft.access.copy(), draft.flags.copy(), list(draft.name)
    for edges in same.values():
        best = min(edges, key=lambda e: (draft.road_class[e], e))
        keeper[edges] = best
        access[best] = np.bitwise_or.reduce(draft.access[edges])
        flags[best] = np.bitwise_or.reduce(draft.flags[edges])
        name[best] = next((draft.name[e] for e in [best, *edges] if draft.name[e]), "")
    kept = np.unique(keeper)
    report.duplicates += len(keeper) - len(kept)
    turns = np.unique(keeper[draft.turns], axis=0)
    return replace(draft, access=access, flags=flags, name=name, turns=turns).keep(kept)


def drop_small_pieces(draft: Draft, report: Report, min_piece_nodes: int) -> Draft:
    """Drop pieces of fewer nodes, direction not counted; the largest stays whatever its size."""
    piece = _components(len(draft.node_lon), draft.from_node, draft.to_node)
    size = np.bincount(piece)
    small = size < min_piece_nodes
    small[int(size.argmax())] = False
    report.pieces = len(size)
    report.dropped_pieces = int(small.sum())
    dropped = small[piece[draft.from_node]]
    if not dropped.any():
        return draft
    report.dropped_edges = int(dropped.sum())
    report.dropped_m = float(draft.lengths_m()[dropped].sum())
    return draft.keep(np.flatnonzero(~dropped))


def _components(n: int, a: NDArray[np.int32], b: NDArray[np.int32]) -> NDArray[np.int32]:
    """(n,) number of the piece of each node, numbered from 0."""
    joined = coo_array((np.ones(len(a)), (a, b)), shape=(n, n))
    _, label = connected_components(joined, directed=False)
    return np.asarray(label, np.int32)
