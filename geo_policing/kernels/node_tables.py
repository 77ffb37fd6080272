"""Least ways between near nodes, worked out beforehand.

A row holds the nodes nearest to one, with what the way to each costs, the edge it starts by and the edge it
ends by. Rows are contiguous, so that the fixes of a trace, which are near each other, find them in the cache.
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


class Table(NamedTuple):
    """Least ways from each of n nodes to the nearest others; turns inside a way count, those at its ends not.

    offset (n + 1,) i64; target (z,) u16 or u32, ascending in a row; cost (z,) u16 in UNIT_M; first, last (z,)
    u8: which edge of those that leave the node, and of those that come to the target; complete_m (n,) f64: no
    node that is missing in a row is nearer; in_offset (n + 1,) i32, in_edge i32: edges by their last node.
    """

    offset: NDArray[Any]
    target: NDArray[Any]
    cost: NDArray[Any]
    first: NDArray[Any]
    last: NDArray[Any]
    complete_m: NDArray[Any]
    in_offset: NDArray[Any]
    in_edge: NDArray[Any]


@njit(cache=True, nogil=True)
def rows(
    ways: Ways, in_offset: NDArray[Any], in_edge: NDArray[Any], most: int
) -> tuple[
    NDArray[np.int64],
    NDArray[np.int32],
    NDArray[np.uint16],
    NDArray[np.uint8],
    NDArray[np.uint8],
    NDArray[np.float64],
]:
    """Ways from each node to the `most` nearest: offset, target, cost, first, last, complete_m of a `Table`.

    Dijkstra over nodes: of the ways to a node only the least is followed, with the turn out of its last edge.
    Of a node with more than 256 edges the others are not followed.
    """
    n = ways.out_offset.shape[0] - 1
    m = ways.to_node.shape[0]
    offset = np.zeros(n + 1, np.int64)
    target = np.empty(n * most, np.int32)
    cost = np.empty(n * most, np.uint16)
    first, last = np.empty(n * most, np.uint8), np.empty(n * most, np.uint8)
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
    for u in range(n):
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
                complete_m[u] = reached if shut else np.inf
                break
            v, so_far = heap_node[0], heap_cost[0]
            if count == most or so_far > _LONGEST_M:
                complete_m[u] = so_far
                break
            heap = _pop(heap_cost, heap_node, heap)
            settled[v] = u
            reached = so_far
            row[count] = v
            count += 1
        complete_m[u] = min(complete_m[u], beyond)
        for v in np.sort(row[:count]):
            target[size] = v
            cost[size] = np.uint16(label[v] / UNIT_M + 0.5)
            first[size], last[size] = start[v], slot_in[via[v]]
            size += 1
        offset[u + 1] = size
    return (
        offset,
        target[:size].copy(),
        cost[:size].copy(),
        first[:size].copy(),
        last[:size].copy(),
        complete_m,
    )


def build(ways: Ways, most: int) -> Table:
    """Make the table of a network, `most` nodes a row; 0 for an empty one."""
    n = len(ways.out_offset) - 1
    usable = np.sort(ways.out_edge)
    order = usable[np.argsort(ways.to_node[usable], kind="stable")].astype(np.int32)
    in_offset = np.zeros(n + 1, np.int32)
    np.cumsum(np.bincount(ways.to_node[usable], minlength=n), out=in_offset[1:])
    offset, target, cost, first, last, complete_m = rows(ways, in_offset, order, most)
    narrow = target.astype(np.uint16 if n <= 65536 else np.uint32)
    return Table(offset, narrow, cost, first, last, complete_m, in_offset, order)


@njit(cache=True, nogil=True)
def find_in(target: NDArray[Any], low: int, end: int, v: int) -> int:
    """Where node v is in target[low:end], ascending; -1 if it is not there."""
    size = end - low
    # Without a branch that has to be guessed.
    while size > 1:
        half = size // 2
        low = low + half if target[low + half] <= v else low
        size -= half
    return low if size > 0 and target[low] == v else -1


@njit(cache=True, nogil=True)
def find(u: int, v: int, table: Table) -> int:
    """Where in a table the way from node u to node v is, -1 if it is not there."""
    return find_in(table.target, table.offset[u], table.offset[u + 1], v)


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
    last = table.in_edge[table.in_offset[v] + table.last[at]]
    into = ways.turn_cost[ways.turn_offset[a] + table.first[at]]
    return into + table.cost[at] * UNIT_M + turn_between(last, b, ways)


@njit(cache=True, nogil=True)
def edges_between(a: int, b: int, at: int, table: Table, ways: Ways) -> NDArray[np.int32]:
    """Edges (e,) i32 between edges a and b by the way at that place of the table, neither included."""
    u, v = ways.to_node[a], ways.from_node[b]
    out = np.empty(16, np.int32)
    size = 0
    while v != u:
        if size == out.shape[0]:
            out = np.concatenate((out, np.empty_like(out)))
        e = table.in_edge[table.in_offset[v] + table.last[at]]
        out[size] = e
        size += 1
        v = ways.from_node[e]
        if v != u:
            at = find(u, v, table)
    return out[:size][::-1].copy()
