"""Where one comes in a step of time from somewhere in a bin of an edge: a sparse matrix a speed class.

Edges are cut into bins of equal length, numbered along each edge. Who is in a bin may be anywhere in it, so a
step of d metres ends evenly over [d, d + h) metres from the bin's start, h its length, along every way that
leads on.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: What `_row` says where it cannot say where the row ends.
FULL, CUT_OFF, TOO_MANY = -1, -2, -3
#: So many bins are passed without an end of any way before the likeliest way alone is followed. Where tiny
#: edges lead to each other and to nothing else there are more ways than can ever be followed.
MOST_PASSED = 1 << 16


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
    bins: NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Weights w of the bins j that a step in speed class c ends in, from each of some bins (r,) i32.

    bin_m (b,) f64 lengths; bin_edge (b,) i32; first_bin (m + 1,) i32, bins of edge e are
    first_bin[e]:first_bin[e + 1]; turns from edge e to turn_edge[turn_offset[e]:turn_offset[e + 1]] are taken
    with the shares turn_weight (t, bands) f64, which sum to 1 over the turns from an edge in each band;
    band (classes,) i32 of each class; distance_m (classes,) f64 of a step. aside (b, 2) i32: bins to turn
    back to and to fall back to, -1 none, each in a step with aside_weight (classes, 2) f64 as if by a way of
    aside_m. Ways on that are taken less often than `least` are not followed; where all are, than a tenth of
    that, and so on; where those are too many, all but the likeliest at each crossing.
    -> rows n * classes + c of the n-th: offset (rows + 1,) i64, bin i32, weight f32, and the way (f32, m)
    from the middle of the one bin to that of the other, the shortest if several are followed. A row sums to
    1; where no road leads on, it is the last bin that holds the rest.
    """
    classes = distance_m.shape[0]
    offset = np.zeros(bins.shape[0] * classes + 1, np.int64)
    target = np.empty(4 * bins.shape[0] * classes + 64, np.int32)
    weight, way = np.empty(target.shape[0], np.float32), np.empty(target.shape[0], np.float32)
    at = np.full(bin_m.shape[0], -1)
    stack_bin = np.empty(4096, np.int32)
    stack_start, stack_share = np.empty(4096), np.empty(4096)
    for n in range(bins.shape[0]):
        i = bins[n]
        for c in range(classes):
            row, followed, likeliest = n * classes + c, least, False
            while True:
                used = _row(
                    *(i, c, bin_m, bin_edge, first_bin, turn_offset, turn_edge, turn_weight, band),
                    *(
                        distance_m,
                        aside,
                        aside_m,
                        aside_weight,
                        followed,
                        likeliest,
                        stack_bin,
                        stack_start,
                        stack_share,
                    ),
                    *(at, offset[row], target, weight, way),
                )
                if used >= 0:
                    break
                if used == TOO_MANY:
                    likeliest = True
                    continue
                if used == CUT_OFF and followed > 0.0 and not likeliest:
                    followed *= 0.1
                    continue
                if used == CUT_OFF:  # nobody takes any of the turns
                    used = offset[row]
                    break
                more = target.shape[0]
                target = np.concatenate((target, np.empty(more, np.int32)))
                weight = np.concatenate((weight, np.empty(more, np.float32)))
                way = np.concatenate((way, np.empty(more, np.float32)))
            offset[row + 1] = used
    used = offset[-1]
    return offset, target[:used].copy(), weight[:used].copy(), way[:used].copy()


@njit(cache=True, nogil=True)
def _row(
    i: int,
    c: int,
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
    likeliest: bool,
    stack_bin: NDArray[Any],
    stack_start: NDArray[Any],
    stack_share: NDArray[Any],
    at: NDArray[Any],
    first: int,
    target: NDArray[Any],
    weight: NDArray[Any],
    way: NDArray[Any],
) -> int:
    """Write the row of bin i in class c of `step_matrix` from `first` on, and say where it ends.

    `FULL` if there is no room, `CUT_OFF` if no way was followed to its end, `TOO_MANY` if none was within
    `MOST_PASSED` bins. At each crossing only the likeliest turn is taken, as by everybody, if so wanted.

    Scratch: at (b,) i64 of anything below `first` or naming another bin: where in the row each bin is.
    """
    h, d = bin_m[i], distance_m[c]
    used, full = first, target.shape[0]
    total, passed = 0.0, 0
    stack_bin[0], stack_start[0], stack_share[0] = i, 0.0, 1.0
    size = 1
    while size > 0:
        passed += 1
        if passed > MOST_PASSED and total == 0.0 and not likeliest:
            return TOO_MANY
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
            k = at[j]
            if k < first or k >= used or target[k] != j:
                if used == full:
                    return FULL
                k = at[j] = used
                target[k], weight[k], way[k] = j, 0.0, np.inf
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
        if likeliest:
            most = turn_offset[e]
            for t in range(most + 1, turn_offset[e + 1]):
                if turn_weight[t, band[c]] > turn_weight[most, band[c]]:
                    most = t
            if turn_weight[most, band[c]] > 0.0:
                stack_bin[0], stack_start[0] = first_bin[turn_edge[most]], end
                size = 1
            continue
        for t in range(turn_offset[e], turn_offset[e + 1]):
            follow = share * turn_weight[t, band[c]]
            if follow > least and size < stack_bin.shape[0]:
                stack_bin[size] = first_bin[turn_edge[t]]
                stack_start[size], stack_share[size] = end, follow
                size += 1
    if total == 0.0:
        return CUT_OFF
    leaves = 0.0
    for s in range(2):
        if aside[i, s] >= 0:
            leaves += aside_weight[c, s]
    for k in range(first, used):
        weight[k] *= (1.0 - leaves) / total
    for s in range(2):
        if aside[i, s] >= 0 and aside_weight[c, s] > 0.0:
            if used == full:
                return FULL
            target[used], weight[used], way[used] = aside[i, s], aside_weight[c, s], aside_m
            used += 1
    return used


@njit(cache=True, nogil=True)
def in_order(
    nth: NDArray[Any],
    classes: int,
    offset: NDArray[Any],
    target: NDArray[Any],
    weight: NDArray[Any],
    way: NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Put rows of `step_matrix` of all b bins in their order; nth (b,) i32: where each bin now stands."""
    sorted_offset = np.zeros(nth.shape[0] * classes + 1, np.int64)
    used = offset[nth.shape[0] * classes]
    to, share = np.empty(used, np.int32), np.empty(used, np.float32)
    metres = np.empty(used, np.float32)
    at = 0
    for b in range(nth.shape[0]):
        for c in range(classes):
            row = nth[b] * classes + c
            for k in range(offset[row], offset[row + 1]):
                to[at], share[at], metres[at] = target[k], weight[k], way[k]
                at += 1
            sorted_offset[b * classes + c + 1] = at
    return sorted_offset, to, share, metres


@njit(cache=True, nogil=True)
def cut_out(
    bins: NDArray[Any],
    number: NDArray[Any],
    to_go_m: NDArray[Any],
    penalty: float,
    classes: int,
    nth: NDArray[Any],
    offset: NDArray[Any],
    target: NDArray[Any],
    weight: NDArray[Any],
    way: NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.float32]]:
    """Rows of `step_matrix` between some bins, to each from where, with exp(-penalty * detour) of each step.

    bins (r,) i32 are those, number (b,) i32 says which one each is, -1 for none of them; to_go_m (r,) f64:
    way left to the goal from each; penalty in 1/m; nth (b,) i32: the how many-th of the rows are each of
    those bins'. The detour is what a step drives without coming nearer to the goal. Along a path the detours
    add up to its length less that of the shortest one, so what is on a straight way keeps its size and is
    not pruned, however long the way. -> rows (to bin, class): offset (r * classes + 1,) i64, places (u32)
    number * classes + class of the sources, in the order of the bins, and weight (f32).
    """
    start = np.zeros(bins.shape[0] * classes + 1, np.int64)
    most = 0
    for i in range(bins.shape[0]):
        row = nth[bins[i]] * classes
        most += offset[row + classes] - offset[row]
    into, n = np.empty(most, np.int32), 0
    for i in range(bins.shape[0]):
        for c in range(classes):
            row = nth[bins[i]] * classes + c
            for k in range(np.uint64(offset[row]), np.uint64(offset[row + 1])):
                j = number[target[k]]
                into[n] = j * classes + c if j >= 0 else -1
                if j >= 0:
                    start[into[n] + 1] += 1
                n += 1
    for row in range(bins.shape[0] * classes):
        start[row + 1] += start[row]
    room = start[:-1].copy()
    place, share = np.empty(start[-1], np.uint32), np.empty(start[-1], np.float32)
    n = 0
    for i in range(bins.shape[0]):
        for c in range(classes):
            row = nth[bins[i]] * classes + c
            for k in range(np.uint64(offset[row]), np.uint64(offset[row + 1])):
                to = into[n]
                n += 1
                if to < 0:
                    continue
                at = room[to]
                room[to] = at + 1
                place[at] = i * classes + c
                weighs = weight[k]
                detour_m = way[k] - (to_go_m[i] - to_go_m[to // classes])
                if penalty * detour_m > 0.0:
                    weighs *= np.float32(math.exp(-penalty * detour_m))
                share[at] = weighs
    return start, place, share
