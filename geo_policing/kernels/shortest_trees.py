"""Least length to the nearest of some targets, and how many shortest ways pass each arc; Dijkstra over nodes.

A graph is arcs in rows by the node they leave: those of node i are offset[i]:offset[i + 1].
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def _push(distance: NDArray[Any], node: NDArray[Any], size: int, d: float, i: int) -> int:
    """Add a node to a heap of so many: the nearest first, of those as near the least number."""
    at = size
    while at > 0:
        up = (at - 1) // 2
        if distance[up] < d or (distance[up] == d and node[up] <= i):
            break
        distance[at], node[at] = distance[up], node[up]
        at = up
    distance[at], node[at] = d, i
    return size + 1


@njit(cache=True, nogil=True)
def _pop(distance: NDArray[Any], node: NDArray[Any], size: int) -> int:
    """Take the first node from a heap of so many."""
    size -= 1
    d, i = distance[size], node[size]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (
            distance[other] < distance[child]
            or (distance[other] == distance[child] and node[other] < node[child])
        ):
            child = other
        if distance[child] > d or (distance[child] == d and node[child] >= i):
            break
        distance[at], node[at] = distance[child], node[child]
        at = child
    distance[at], node[at] = d, i
    return size


@njit(cache=True, nogil=True)
def search(
    sources: NDArray[Any],
    offset: NDArray[Any],
    to: NDArray[Any],
    length: NDArray[Any],
    limit: float = math.inf,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Distance (n,) f64 from the nearest source, and the arc (n,) i64 by which each node is reached, or -1.

    sources (k,) int; offset (n + 1,), to (a,) int; length (a,) f64. -> distance inf where there is no way and
    no less than the true one beyond the limit, the arc, and the nodes reached in order of distance.
    """
    n = offset.shape[0] - 1
    distance = np.full(n, math.inf)
    by = np.full(n, -1, np.int64)
    order = np.empty(n, np.int64)
    done = np.zeros(n, np.bool_)
    most = sources.shape[0] + to.shape[0]
    heap_m, heap_node = np.empty(most), np.empty(most, np.int64)
    size = 0
    for source in sources:
        distance[source] = 0.0
        size = _push(heap_m, heap_node, size, 0.0, source)
    settled = 0
    while size > 0:
        d, i = heap_m[0], heap_node[0]
        size = _pop(heap_m, heap_node, size)
        if done[i]:
            continue
        if d > limit:
            break
        done[i] = True
        order[settled] = i
        settled += 1
        for k in range(offset[i], offset[i + 1]):
            j = to[k]
            if d + length[k] < distance[j]:
                distance[j] = d + length[k]
                by[j] = k
                size = _push(heap_m, heap_node, size, distance[j], j)
    return distance, by, order[:settled].copy()


@njit(cache=True, nogil=True)
def flow(
    sources: NDArray[Any], origin: NDArray[Any], offset: NDArray[Any], to: NDArray[Any], length: NDArray[Any]
) -> NDArray[np.float64]:
    """How many shortest ways from each source to every node pass each arc: (a,) f64.

    origin (a,) int: the node each arc leaves. Of several shortest ways the first found counts.
    """
    n = offset.shape[0] - 1
    passed = np.zeros(to.shape[0])
    for s in range(sources.shape[0]):
        _, by, order = search(sources[s : s + 1], offset, to, length)
        below = np.zeros(n)
        for r in range(order.shape[0] - 1, 0, -1):
            i = order[r]
            below[i] += 1.0
            passed[by[i]] += below[i]
            below[origin[by[i]]] += below[i]
    return passed
