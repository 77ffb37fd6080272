"""The least way from each bin to those that a step can end in, as a driver feels it."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.edge_search import _pop, _push


@njit(cache=True, nogil=True)
def step_ways(
    offset: NDArray[Any],
    target: NDArray[Any],
    classes: int,
    arc_offset: NDArray[Any],
    arc_to: NDArray[Any],
    arc_m: NDArray[Any],
    bins: NDArray[Any],
) -> NDArray[np.float32]:
    """Way (k,) f32 m of each entry of `bin_steps.step_matrix`: the least sum of arcs from bin to bin.

    offset (rows + 1,) i64 and target (k,) i32 of the matrix, for some bins (r,) i32; arcs between
    bins in rows by the bin they leave: arc_offset (b + 1,) i64, arc_to (a,) i32, arc_m (a,) f64. inf where no
    arcs lead there. A search from a bin (E. W. Dijkstra, 1959) ends when all that a step from it reaches are
    known.
    """
    b = arc_offset.shape[0] - 1
    way = np.full(target.shape[0], np.inf, np.float32)
    best = np.full(b, math.inf)
    stamp = np.full(b, -1, np.int64)
    wanted = np.full(b, -1, np.int64)
    done = np.full(b, -1, np.int64)
    heap_m, heap_bin = np.empty(arc_to.shape[0] + 1), np.empty(arc_to.shape[0] + 1, np.int64)
    for i in range(bins.shape[0]):
        first, last = offset[i * classes], offset[(i + 1) * classes]
        left = 0
        for k in range(first, last):
            if wanted[target[k]] != i:
                wanted[target[k]] = i
                left += 1
        origin = np.int64(bins[i])
        best[origin], stamp[origin] = 0.0, i
        size = _push(heap_m, heap_bin, 0, 0.0, origin)
        while size > 0 and left > 0:
            so_far, j = heap_m[0], heap_bin[0]
            size = _pop(heap_m, heap_bin, size)
            if done[j] == i:
                continue
            done[j] = i
            if wanted[j] == i:
                left -= 1
            for k in range(arc_offset[j], arc_offset[j + 1]):
                to, total = np.int64(arc_to[k]), so_far + arc_m[k]
                if stamp[to] != i or total < best[to]:
                    best[to], stamp[to] = total, i
                    size = _push(heap_m, heap_bin, size, total, to)
        for k in range(first, last):
            if done[target[k]] == i:
                way[k] = best[target[k]]
    return way
