"""The least way from an edge to others where turning costs: Dijkstra over edges.

As `edge_search`, but what a turn costs comes from a table of all turns, and the scratch arrays are made when
first needed. They are stamped, never cleared, so a search costs what it visits.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.edge_search import _pop, _push


class Ways(NamedTuple):
    """m directed edges and what driving them costs.

    from_node, to_node (m,) i32; length_m (m,) f64; cost_m (m,) f64, length as a driver feels it; out_offset
    (n + 1,) i32, out_edge i32: edges by the node they leave; reverse (m,) i32, -1 none; turn_offset (m,) i64,
    turn_cost f64 of `turning.turn_costs`; out_slot (m,) i32 of `out_slots`.
    """

    from_node: NDArray[Any]
    to_node: NDArray[Any]
    length_m: NDArray[Any]
    cost_m: NDArray[Any]
    out_offset: NDArray[Any]
    out_edge: NDArray[Any]
    reverse: NDArray[Any]
    turn_offset: NDArray[Any]
    turn_cost: NDArray[Any]
    out_slot: NDArray[Any]


@njit(cache=True, nogil=True)
def out_slots(m: int, out_offset: NDArray[Any], out_edge: NDArray[Any]) -> NDArray[np.int32]:
    """Which of those that leave its first node each of m edges is: (m,) i32, 0 for one of no use."""
    slot = np.zeros(m, np.int32)
    for u in range(out_offset.shape[0] - 1):
        for j in range(out_offset[u], out_offset[u + 1]):
            slot[out_edge[j]] = j - out_offset[u]
    return slot


class Scratch(NamedTuple):
    """What a search writes on; stamps are equal to its own where they count."""

    target: NDArray[Any]
    seen: NDArray[Any]
    settled: NDArray[Any]
    label: NDArray[Any]
    before: NDArray[Any]
    heap_cost: NDArray[Any]
    heap_edge: NDArray[Any]


@njit(cache=True, nogil=True)
def scratch(m: int) -> Scratch:
    """Make scratch for m edges; 0 for none."""
    return Scratch(
        np.zeros(m, np.int32),
        np.zeros(m, np.int32),
        np.zeros(m, np.int32),
        np.empty(m),
        np.empty(m, np.int32),
        np.empty(4 * m + 16),
        np.empty(4 * m + 16, np.int32),
    )


@njit(cache=True, nogil=True)
def search(
    start: int, start_cost: float, limit: float, wanted: int, stamp: int, ways: Ways, on: Scratch
) -> None:
    """Settle edges in order of the cost at their start until `wanted` targets are, or it passes `limit`.

    start: edge whose end is left at start_cost (m). An edge is a target where on.target is stamp. It is
    settled where on.settled is stamp; then on.label is the cost at its start, on.before the edge before it.
    """
    size = 0
    current = start
    cost = start_cost
    while True:
        first = ways.out_offset[ways.to_node[current]]
        turn = ways.turn_offset[current] - first
        for j in range(first, ways.out_offset[ways.to_node[current] + 1]):
            e = ways.out_edge[j]
            c = cost + ways.turn_cost[turn + j]
            # An infinite cost is a forbidden turn, also where there is no limit.
            if not c < np.inf or c > limit or (on.seen[e] == stamp and on.label[e] <= c):
                continue
            if size >= on.heap_cost.shape[0]:
                continue
            on.seen[e] = stamp
            on.label[e] = c
            on.before[e] = current
            size = _push(on.heap_cost, on.heap_edge, size, c, e)
        while size > 0 and (
            on.settled[on.heap_edge[0]] == stamp or on.label[on.heap_edge[0]] < on.heap_cost[0]
        ):
            size = _pop(on.heap_cost, on.heap_edge, size)
        if size == 0:
            return
        current = on.heap_edge[0]
        cost = on.heap_cost[0] + ways.cost_m[current]
        size = _pop(on.heap_cost, on.heap_edge, size)
        on.settled[current] = stamp
        if on.target[current] == stamp:
            wanted -= 1
            if wanted == 0:
                return
