"""Least ways between near nodes, worked out beforehand.

A row holds the nodes nearest to one, with what the way to each costs, the edge it starts by and the edge it
ends by. Rows are contiguous, in blocks as wide as a line of the cache, and the last nodes of the blocks of a
row lie in one line more: what is looked for is found in two lines, each compared with as a whole.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.edge_search import _pop, _push
from geo_policing.kernels.way_search import Ways

#: Costs are kept in 16 bits, in units of this many metres.
UNIT_M = 0.25
_LONGEST_M = UNIT_M * 65534.0

#: Nodes in a block of a row. A row has fewer blocks than that.
BLOCK = 32
#: Nodes that a row can hold.
MOST = (BLOCK - 1) * BLOCK

NODE = np.dtype(
    [(name, np.int32) for name in ("rank", "leaving")]
    + [("turns", np.int64), ("row", np.int64), ("complete_m", np.float64)]
)
EDGE = np.dtype(
    [(name, np.int32) for name in ("from_node", "to_node", "reverse", "out_slot")]
    + [("turns", np.int64), ("length_m", np.float64), ("cost_m", np.float64)]
)


class Table(NamedTuple):
    """Least ways from each of n nodes to the nearest others; turns inside a way count, those at its ends not.

    What is looked up together lies together. node (n,) of NODE: rank, another number for each node, such that
    those near each other have near numbers; leaving, how many edges leave it; turns, where the costs of
    turning at it begin; row, where its row does; complete_m: no node that is missing in its row is nearer.
    edge (m,) of EDGE: what a transition asks of edges. last (n, BLOCK) u16 or u32: the last rank of each
    block of a row, and after them the greatest number of all, which is no rank; target (z,) of the same:
    ranks, ascending in a row, filled up to whole blocks with that number; way (z,) u32: cost in UNIT_M, 16
    bits, then 8 for which of the edges that leave the node comes first, then 8 for which of those that come
    to the target is last; in_offset (n + 1,) i32, in_edge i32: edges by their last node.
    """

    node: NDArray[Any]
    edge: NDArray[Any]
    last: NDArray[Any]
    target: NDArray[Any]
    way: NDArray[Any]
    in_offset: NDArray[Any]
    in_edge: NDArray[Any]


@njit(cache=True, nogil=True)
def cost_of(way: int) -> float:
    """Cost of a way of the table, metres."""
    return (way >> 16) * UNIT_M


@njit(cache=True, nogil=True)
def first_of(way: int) -> int:
    """Which of the edges that leave its node a way of the table begins by."""
    return (way >> 8) & 0xFF


@njit(cache=True, nogil=True)
def last_of(way: int) -> int:
    """Which of the edges that come to its target a way of the table ends by."""
    return way & 0xFF


def morton_ranks(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return numbers of points along a curve that keeps what is near together (G. M. Morton, 1966).

    x, y (n,) f64 -> (n,) i32.
    """
    key = np.zeros(len(x), np.uint64)
    for shift, values in enumerate((x, y)):
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        cells = ((values - low) / max(high - low, 1e-9) * 65535.0).astype(np.uint64)
        for bit in range(16):
            key |= ((cells >> np.uint64(bit)) & np.uint64(1)) << np.uint64(2 * bit + shift)
    rank = np.empty(len(x), np.int32)
    rank[np.argsort(key, kind="stable")] = np.arange(len(x), dtype=np.int32)
    return rank


@njit(cache=True, nogil=True)
def rows(
    ways: Ways, in_offset: NDArray[Any], in_edge: NDArray[Any], rank: NDArray[Any], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint32], NDArray[np.float64]]:
    """Ways from each node to the `most` nearest, rows one after the other in the order of their ranks.

    -> offset (n + 1,) i64 of rows; target (z,) i32, way (z,) u32 and complete_m (n,) f64 as in `Table`.

    Dijkstra over nodes: of the ways to a node only the least is followed, with the turn out of its last edge.
    Of a node with more than 256 edges the others are not followed.
    """
    n = ways.out_offset.shape[0] - 1
    m = ways.to_node.shape[0]
    offset = np.zeros(n + 1, np.int64)
    target = np.empty(n * most, np.int32)
    way = np.empty(n * most, np.uint32)
    node_of = np.empty(n, np.int32)
    for v in range(n):
        node_of[rank[v]] = v
    complete_m = np.full(n, np.inf)
    slot_in = np.zeros(m, np.int64)
    for v in range(n):
        for j in range(in_offset[v], in_offset[v + 1]):
            slot_in[in_edge[j]] = j - in_offset[v]
    label = np.empty(n)
    seen, settled = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    via, start = np.empty(n, np.int32), np.empty(n, np.int32)
    heap_cost, heap_node = np.empty(m + 16), np.empty(m + 16, np.int32)
    row = np.empty(most, np.int32)
    size = 0
    for r in range(n):
        u = node_of[r]
        count = 0
        heap = 0
        shut = False
        reached = 0.0
        beyond = np.inf
        v, so_far = u, 0.0
        settled[u] = u
        while True:
            for j in range(ways.out_offset[v], ways.out_offset[v + 1]):
                e = ways.out_edge[j]
                if j - ways.out_offset[v] > 255 or slot_in[e] > 255:
                    beyond = min(beyond, so_far)
                    continue
                w = ways.to_node[e]
                c = so_far + ways.cost_m[e]
                if v != u:
                    c += ways.turn_cost[ways.turn_offset[via[v]] + j - ways.out_offset[v]]
                    shut = shut or not c < np.inf
                if settled[w] == u or not c < np.inf or (seen[w] == u and label[w] <= c):
                    continue
                seen[w], label[w], via[w] = u, c, e
                start[w] = j - ways.out_offset[u] if v == u else start[v]
                heap = _push(heap_cost, heap_node, heap, c, w)
            while heap > 0 and (settled[heap_node[0]] == u or label[heap_node[0]] < heap_cost[0]):
                heap = _pop(heap_cost, heap_node, heap)
            if heap == 0:
                # What a forbidden turn shuts off here may be open to a longer way.
                complete_m[r] = reached if shut else np.inf
                break
            v, so_far = heap_node[0], heap_cost[0]
            if count == most or so_far > _LONGEST_M:
                complete_m[r] = so_far
                break
            heap = _pop(heap_cost, heap_node, heap)
            settled[v] = u
            reached = so_far
            row[count] = rank[v]
            count += 1
        complete_m[r] = min(complete_m[r], beyond)
        for t in np.sort(row[:count]):
            v = node_of[t]
            target[size] = t
            cost = np.uint32(label[v] / UNIT_M + 0.5)
            way[size] = (cost << np.uint32(16)) | np.uint32(start[v] << 8) | np.uint32(slot_in[via[v]])
            size += 1
        offset[r + 1] = size
    return offset, target[:size].copy(), way[:size].copy(), complete_m


def build(ways: Ways, rank: NDArray[np.int32], most: int) -> Table:
    """Make the table of a network, `most` nodes a row, 0 for none, MOST at most; rank of `morton_ranks`."""
    if most > MOST:
        raise ValueError(f"{most} nodes a row; {MOST} at most")
    n = len(ways.out_offset) - 1
    order = np.argsort(ways.to_node, kind="stable").astype(np.int32)
    in_offset = np.zeros(n + 1, np.int32)
    np.cumsum(np.bincount(ways.to_node, minlength=n), out=in_offset[1:])
    offset, target, way, complete_m = rows(ways, in_offset, order, rank, most)
    row, last, target, way = _blocks(offset, target, way, rank)
    node = np.zeros(n, NODE)
    node["rank"], node["leaving"] = rank, np.diff(ways.out_offset)
    turns = np.diff(in_offset) * np.diff(ways.out_offset)
    node["turns"] = np.cumsum(turns) - turns
    node["row"], node["complete_m"] = row, complete_m[rank]
    edge = np.zeros(len(ways.to_node), EDGE)
    for name in ("from_node", "to_node", "reverse", "out_slot", "length_m", "cost_m"):
        edge[name] = getattr(ways, name)
    edge["turns"] = ways.turn_offset
    return Table(node, edge, last, target, way, in_offset, order)


def _blocks(
    offset: NDArray[np.int64], target: NDArray[np.int32], way: NDArray[np.uint32], rank: NDArray[np.int32]
) -> tuple[NDArray[Any], ...]:
    """Fill rows up to whole blocks: where that of each node begins (n,) i64; last, target, way of `Table`."""
    n = len(rank)
    narrow: type[np.uint16 | np.uint32] = np.uint16 if n < 65536 else np.uint32
    none = np.iinfo(narrow).max
    count = -(-np.diff(offset) // BLOCK)
    begin = (np.cumsum(count) - count) * BLOCK
    size = int(count.sum()) * BLOCK
    last, targets, ways = (
        np.full((n, BLOCK), none, narrow),
        np.full(size, none, narrow),
        np.zeros(size, np.uint32),
    )
    _fill(offset, target, way, begin, last, targets, ways)
    return begin[rank], last[rank], targets, ways


@njit(cache=True, nogil=True)
def _fill(
    offset: NDArray[Any],
    target: NDArray[Any],
    way: NDArray[Any],
    begin: NDArray[Any],
    last: NDArray[Any],
    targets: NDArray[Any],
    ways: NDArray[Any],
) -> None:
    """Copy each row to where it begins, and the last target of each of its blocks to `last`; all by rank."""
    for r in range(begin.shape[0]):
        for i in range(offset[r + 1] - offset[r]):
            at = offset[r] + i
            targets[begin[r] + i], ways[begin[r] + i] = target[at], way[at]
            last[r, i // BLOCK] = target[at]


@njit(cache=True, nogil=True)
def block_of(last: NDArray[Any], u: int, row: int, rank: int) -> int:
    """Where the block begins that has the node of that rank, if the row of node u has it; -1 if none can.

    row is where that row begins, rank a number of the table's type: all of a line is compared at once.
    """
    block = 0
    for i in range(BLOCK):
        block += last[u, i] < rank
    return row + block * BLOCK if last[u, block] != last[u, BLOCK - 1] else -1


@njit(cache=True, nogil=True)
def within(target: NDArray[Any], block: int, rank: int) -> int:
    """Where in that block the node of that rank is; -1 if it is not there."""
    nth = 0
    for i in range(BLOCK):
        nth += target[block + i] < rank
    return block + nth if target[block + nth] == rank else -1


@njit(cache=True, nogil=True)
def find(u: int, v: int, table: Table) -> int:
    """Where in a table the way from node u to node v is, -1 if it is not there."""
    rank = table.target.dtype.type(table.node[v]["rank"])
    block = block_of(table.last, u, table.node[u]["row"], rank)
    return within(table.target, block, rank) if block >= 0 else -1


@njit(cache=True, nogil=True)
def turn_between(a: int, b: int, ways: Ways) -> float:
    """Cost of following edge a by edge b, infinite if it does not leave where a ends or may not follow."""
    if ways.from_node[b] != ways.to_node[a]:
        return np.inf
    return ways.turn_cost[ways.turn_offset[a] + ways.out_slot[b]]


@njit(cache=True, nogil=True)
def cost_between(a: int, b: int, at: int, table: Table, ways: Ways) -> float:
    """Cost from the end of edge a to the start of edge b by the way at that place of the table, of `find`."""
    v = ways.from_node[b]
    way = table.way[at]
    last = table.in_edge[table.in_offset[v] + last_of(way)]
    into = ways.turn_cost[ways.turn_offset[a] + first_of(way)]
    return into + cost_of(way) + turn_between(last, b, ways)
