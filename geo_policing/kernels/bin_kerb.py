"""Stepping off a road and onto one: what a step of `bin_steps` leads to, joined at the kerb."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def joined(
    offset: NDArray[Any],
    target: NDArray[Any],
    weight: NDArray[Any],
    classes: int,
    over_offset: NDArray[Any],
    over_bin: NDArray[Any],
    over_share: NDArray[Any],
    stepping: NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """w'(i, c, k) = w(i, c, k) (1 - s(k, c)) + sum over j of w(i, c, j) s(j, c) over(j, k).

    offset (r * classes + 1,) i64, target i32, weight f32: rows of `bin_steps.step_matrix` of some bins.
    over: what is beside the bin that a step ends in, beyond the kerb, in rows over_offset (b + 1,) i64 of
    over_bin i32 and over_share f64, which sum to 1; stepping (b, classes) f64: how often one steps over it, 0
    where nothing is beside. -> the same rows, in ascending order of bins; they sum to what they did.
    """
    rows = offset.shape[0] - 1
    b = stepping.shape[0]
    new_offset = np.zeros(rows + 1, np.int64)
    to = np.empty(4 * target.shape[0] + 64, np.int32)
    held = np.empty(to.shape[0], np.float32)
    whole = np.zeros(b)
    there = np.empty(b, np.int32)
    used = 0
    for row in range(rows):
        c = row % classes
        n = 0
        for k in range(offset[row], offset[row + 1]):
            j, w = target[k], float(weight[k])
            over = w * stepping[j, c]
            if whole[j] == 0.0 and w > over:
                there[n] = j
                n += 1
            whole[j] += w - over
            if over > 0.0:
                for s in range(over_offset[j], over_offset[j + 1]):
                    beside = over_bin[s]
                    if whole[beside] == 0.0 and over_share[s] > 0.0:
                        there[n] = beside
                        n += 1
                    whole[beside] += over * over_share[s]
        while used + n > to.shape[0]:
            to = np.concatenate((to, np.empty(to.shape[0], np.int32)))
            held = np.concatenate((held, np.empty(held.shape[0], np.float32)))
        found = np.sort(there[:n])
        for i in range(n):
            to[used], held[used] = found[i], whole[found[i]]
            whole[found[i]] = 0.0
            used += 1
        new_offset[row + 1] = used
    return new_offset, to[:used].copy(), held[:used].copy()
