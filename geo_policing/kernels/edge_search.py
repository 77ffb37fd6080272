"""Least cost from the end of one edge to the starts of others: Dijkstra over edges, so that turns can cost.

The state is an edge, its label the cost at its start. Scratch arrays are stamped, never cleared, so a search
costs what it visits, not what the network holds.
"""

from typing import Any

from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def forbidden(turn: NDArray[Any], a: int, b: int) -> bool:
    """Whether (a, b) is a row of turn (k, 2), which is in lexicographic order."""
    low, high = 0, turn.shape[0]
    while low < high:
        middle = (low + high) // 2
        if turn[middle, 0] < a or (turn[middle, 0] == a and turn[middle, 1] < b):
            low = middle + 1
        else:
            high = middle
    return low < turn.shape[0] and turn[low, 0] == a and turn[low, 1] == b


@njit(cache=True, nogil=True)
def _push(cost: NDArray[Any], edge: NDArray[Any], size: int, c: float, e: int) -> int:
    i = size
    while i > 0:
        up = (i - 1) // 2
        if cost[up] <= c:
            break
        cost[i], edge[i] = cost[up], edge[up]
        i = up
    cost[i], edge[i] = c, e
    return size + 1


@njit(cache=True, nogil=True)
def _pop(cost: NDArray[Any], edge: NDArray[Any], size: int) -> int:
    size -= 1
    c, e = cost[size], edge[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and cost[child + 1] < cost[child]:
            child += 1
        if cost[child] >= c:
            break
        cost[i], edge[i] = cost[child], edge[child]
        i = child
    cost[i], edge[i] = c, e
    return size


@njit(cache=True, nogil=True)
def search(
    start: int,
    start_cost: float,
    limit: float,
    wanted: int,
    stamp: int,
    to_node: NDArray[Any],
    length_m: NDArray[Any],
    out_offset: NDArray[Any],
    out_edge: NDArray[Any],
    reverse: NDArray[Any],
    turn: NDArray[Any],
    u_turn_m: float,
    target: NDArray[Any],
    seen: NDArray[Any],
    settled: NDArray[Any],
    label: NDArray[Any],
    before: NDArray[Any],
    heap_cost: NDArray[Any],
    heap_edge: NDArray[Any],
) -> None:
    """Settle edges in order of the cost at their start until `wanted` targets are, or it passes `limit`.

    start: edge whose end is left at start_cost (m). A forbidden turn is not taken; turning back on a two-way
    road costs u_turn_m, nothing at a dead end. Per edge (m,): target i64 equals stamp where wanted;
    seen, settled i64 equal stamp where label f64 (cost at the start) and before i32 (edge it came from) hold.
    heap_cost, heap_edge: at least 4 m long.
    """
    size = 0
    current = start
    cost = start_cost
    while True:
        node = to_node[current]
        first, last = out_offset[node], out_offset[node + 1]
        for j in range(first, last):
            e = out_edge[j]
            c = cost
            if turn.shape[0] > 0 and forbidden(turn, current, e):
                continue
            if e == reverse[current] and last - first > 1:
                c += u_turn_m
            if c > limit or (seen[e] == stamp and label[e] <= c) or size >= heap_cost.shape[0]:
                continue
            seen[e] = stamp
            label[e] = c
            before[e] = current
            size = _push(heap_cost, heap_edge, size, c, e)
        while size > 0 and (settled[heap_edge[0]] == stamp or label[heap_edge[0]] < heap_cost[0]):
            size = _pop(heap_cost, heap_edge, size)
        if size == 0:
            return
        current = heap_edge[0]
        cost = heap_cost[0] + length_m[current]
        size = _pop(heap_cost, heap_edge, size)
        settled[current] = stamp
        if target[current] == stamp:
            wanted -= 1
            if wanted == 0:
                return
