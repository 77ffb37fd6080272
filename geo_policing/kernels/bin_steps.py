"""Where one comes in a step of time from somewhere in a bin of an edge: a sparse matrix a speed class.

Edges are cut into bins of equal length, numbered along each edge. Who is in a bin may be anywhere in it, so a
step of d metres ends evenly over [d, d + h) metres from the bin's start, h its length, along every way that
leads on.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def step_matrix(
    bin_m: NDArray[Any],
    bin_edge: NDArray[Any],
    first_bin: NDArray[Any],
    turn_offset: NDArray[Any],
    turn_edge: NDArray[Any],
    turn_weight: NDArray[Any],
    band: NDArray[Any],
    distance_m: NDArray[Any],
    aside: NDArray[Any],
    aside_m: float,
    aside_weight: NDArray[Any],
    least: float,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Weights w of the bins j that a step from bin i in speed class c ends in, rows i * classes + c.

    bin_m (b,) f64 lengths; bin_edge (b,) i32; first_bin (m + 1,) i32, bins of edge e are
    first_bin[e]:first_bin[e + 1]; turns from edge e to turn_edge[turn_offset[e]:turn_offset[e + 1]] are taken
    with the shares turn_weight (t, bands) f64, which sum to 1 over the turns from an edge in each band;
    band (classes,) i32 of each class; distance_m (classes,) f64 of a step. aside (b, 2) i32: bins to turn
    back to and to fall back to, -1 none, each in a step with aside_weight (classes, 2) f64 as if by a way of
    aside_m. Ways on that are taken less often than `least` are not followed.
    -> offset (b * classes + 1,) i64, bin i32, weight f32, and the way (f32, m) from the middle of the one bin
    to that of the other, the shortest if several are followed. A row sums to 1; where no road leads on, it is
    the last bin that holds the rest.
    """
    n, classes = bin_m.shape[0], distance_m.shape[0]
    offset = np.zeros(n * classes + 1, np.int64)
    target = np.empty(4 * n * classes + 64, np.int32)
    weight = np.empty(4 * n * classes + 64, np.float32)
    way = np.empty(4 * n * classes + 64, np.float32)
    stack_bin = np.empty(4096, np.int32)
    stack_start = np.empty(4096)
    stack_share = np.empty(4096)
    used = 0
    for i in range(n):
        h = bin_m[i]
        for c in range(classes):
            d = distance_m[c]
            first = used
            total = 0.0
            stack_bin[0], stack_start[0], stack_share[0] = i, 0.0, 1.0
            size = 1
            while size > 0:
                size -= 1
                j, start, share = stack_bin[size], stack_start[size], stack_share[size]
                end = start + bin_m[j]
                e = bin_edge[j]
                last_of_edge = j + 1 == first_bin[e + 1]
                dead_end = last_of_edge and turn_offset[e] == turn_offset[e + 1]
                low, high = max(d, start), min(d + h, end)
                if dead_end:
                    high = d + h
                w = share * max(0.0, high - low) / h
                if w > 0.0:
                    k = first
                    while k < used and target[k] != j:
                        k += 1
                    if k == used:
                        if used == target.shape[0]:
                            target = np.concatenate((target, np.empty(used, np.int32)))
                            weight = np.concatenate((weight, np.empty(used, np.float32)))
                            way = np.concatenate((way, np.empty(used, np.float32)))
                        target[used] = j
                        weight[used] = 0.0
                        way[used] = np.inf
                        used += 1
                    weight[k] += w
                    way[k] = min(way[k], start + (bin_m[j] - h) / 2)
                    total += w
                if end >= d + h or dead_end:
                    continue
                if not last_of_edge:
                    stack_bin[size], stack_start[size], stack_share[size] = j + 1, end, share
                    size += 1
                    continue
                for t in range(turn_offset[e], turn_offset[e + 1]):
                    follow = share * turn_weight[t, band[c]]
                    if follow > least and size < stack_bin.shape[0]:
                        stack_bin[size] = first_bin[turn_edge[t]]
                        stack_start[size], stack_share[size] = end, follow
                        size += 1
            leaves = 0.0
            for s in range(2):
                if aside[i, s] >= 0:
                    leaves += aside_weight[c, s]
            for k in range(first, used):
                weight[k] *= (1.0 - leaves) / total
            for s in range(2):
                if aside[i, s] >= 0 and aside_weight[c, s] > 0.0:
                    if used == target.shape[0]:
                        target = np.concatenate((target, np.empty(used, np.int32)))
                        weight = np.concatenate((weight, np.empty(used, np.float32)))
                        way = np.concatenate((way, np.empty(used, np.float32)))
                    target[used], weight[used], way[used] = aside[i, s], aside_weight[c, s], aside_m
                    used += 1
            offset[i * classes + c + 1] = used
    return offset, target[:used].copy(), weight[:used].copy(), way[:used].copy()


@njit(cache=True, nogil=True)
def transpose(
    offset: NDArray[Any], target: NDArray[Any], weight: NDArray[Any], way: NDArray[Any], classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Turn rows (from bin, class) -> to bin into rows (to bin, class) -> from bin, in ascending order."""
    rows = offset.shape[0] - 1
    back = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        for k in range(offset[row], offset[row + 1]):
            back[target[k] * classes + row % classes + 1] += 1
    for row in range(rows):
        back[row + 1] += back[row]
    at = back[:-1].copy()
    source = np.empty(target.shape[0], np.int32)
    share = np.empty(target.shape[0], np.float32)
    metres = np.empty(target.shape[0], np.float32)
    for row in range(rows):
        for k in range(offset[row], offset[row + 1]):
            to = target[k] * classes + row % classes
            source[at[to]] = row // classes
            share[at[to]] = weight[k]
            metres[at[to]] = way[k]
            at[to] += 1
    return back, source, share, metres


@njit(cache=True, nogil=True)
def cut_out(
    bins: NDArray[Any],
    number: NDArray[Any],
    to_go_m: NDArray[Any],
    penalty: float,
    classes: int,
    offset: NDArray[Any],
    source: NDArray[Any],
    weight: NDArray[Any],
    way: NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Rows of `transpose` of some bins, from the same bins alone, with exp(-penalty * detour) of each step.

    bins (r,) i32 are those, number (b,) i32 says which one each is, -1 for none of them; to_go_m (r,) f64:
    way left to the goal from each; penalty in 1/m. The detour is what a step drives without coming nearer to
    the goal. Along a path the detours add up to its length less that of the shortest one, so what is on a
    straight way keeps its size and is not pruned, however long the way. -> offset (r * classes + 1,) i64,
    source (i32, of the r) and weight (f32).
    """
    rows = bins.shape[0] * classes
    start = np.zeros(rows + 1, np.int64)
    for i in range(bins.shape[0]):
        for c in range(classes):
            row = bins[i] * classes + c
            inside = 0
            for k in range(offset[row], offset[row + 1]):
                inside += number[source[k]] >= 0
            start[i * classes + c + 1] = start[i * classes + c] + inside
    origin = np.empty(start[rows], np.int32)
    share = np.empty(start[rows], np.float32)
    at = 0
    for i in range(bins.shape[0]):
        for row in range(bins[i] * classes, (bins[i] + 1) * classes):
            for k in range(offset[row], offset[row + 1]):
                j = number[source[k]]
                if j >= 0:
                    origin[at] = j
                    detour_m = way[k] - (to_go_m[j] - to_go_m[i])
                    share[at] = weight[k] * np.exp(-penalty * detour_m) if detour_m > 0.0 else weight[k]
                    at += 1
    return start, origin, share
