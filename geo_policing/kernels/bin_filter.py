"""One step of the filter over bins and speed classes to wherever it leads, and of sampled paths.

What has no weight is not there: a state is a list of bins with a row of classes each. A step costs what
carries probability, not what the network holds. Weights are scaled to sum to 1 at each step, the logarithm of
the scale is handed back, so nothing underflows.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def forward(
    bins: NDArray[Any],
    values: NDArray[Any],
    offset: NDArray[Any],
    target: NDArray[Any],
    weight: NDArray[Any],
    chain: NDArray[Any],
    kind: NDArray[Any],
    prune: float,
    dense: NDArray[Any],
    touched: NDArray[Any],
    mark: NDArray[Any],
) -> tuple[NDArray[np.int32], NDArray[np.float32], float]:
    """a'(j, d) = sum over i of w(i, d, j) sum over c of a(i, c) chain(kind(i), c, d).

    bins (k,) i32, values (k, C) f32; rows of `bin_steps.step_matrix`; chain (kinds, C, D) f32; kind (b,) u8.
    Bins with no more than `prune` of the whole are left out. Scratch: dense (b, D) f32 of 0, touched (b,)
    i32, mark (b,) i8 of -1; left so. -> bins, values that sum to 1 with what was left out, and the logarithm
    of what they summed to.
    """
    before, after = values.shape[1], chain.shape[2]
    n = 0
    # Where much is reached it is faster to look through all of it than to mark what is.
    much = 16 * bins.shape[0] > touched.shape[0]
    moving = np.empty(after, np.float32)
    for i in range(bins.shape[0]):
        b = bins[i]
        p = chain[kind[b]]
        moving[:] = 0.0
        for c in range(before):
            x = values[i, c]
            for d in range(after):
                moving[d] += x * p[c, d]
        for d in range(after):
            if moving[d] == 0.0:
                continue
            if much:
                for k in range(offset[b * after + d], offset[b * after + d + 1]):
                    dense[target[k], d] += moving[d] * weight[k]
                continue
            for k in range(offset[b * after + d], offset[b * after + d + 1]):
                j = target[k]
                if mark[j] < 0:
                    mark[j] = 0
                    touched[n] = j
                    n += 1
                dense[j, d] += moving[d] * weight[k]
    if much or 16 * n > touched.shape[0]:
        # In order, so that what lies together is worked on together, here and in the next steps.
        n = 0
        for j in range(touched.shape[0]):
            there = mark[j] == 0
            for d in range(after):
                there |= dense[j, d] != 0.0
            if there:
                touched[n] = j
                n += 1
    held = np.zeros(n)
    total = 0.0
    for i in range(n):
        for d in range(after):
            held[i] += float(dense[touched[i], d])
        total += held[i]
    kept = 0
    found, moved = np.empty(n, np.int32), np.empty((n, after), np.float32)
    for i in range(n):
        j = touched[i]
        mark[j] = -1
        found[kept] = j
        for d in range(after):
            moved[kept, d] = dense[j, d] / total
            dense[j, d] = 0.0
        kept += held[i] > prune * total
    return found[:kept].copy(), moved[:kept].copy(), math.log(total) if total > 0.0 else -math.inf


@njit(cache=True, nogil=True)
def join(
    bins_a: NDArray[Any],
    values_a: NDArray[Any],
    bins_b: NDArray[Any],
    values_b: NDArray[Any],
    prune: float,
    at: NDArray[Any],
) -> tuple[NDArray[np.int32], NDArray[np.float64], float, NDArray[np.float32]]:
    """Posterior of bins: what came forward (a) times backward (b), summed over classes, scaled to 1.

    Bins with no more than `prune` of the whole are left out. at (b,) i32 of -1, left so. -> bins, mass (k,)
    f64, logarithm of the sum of the products, and what came forward in these bins.
    """
    for i in range(bins_b.shape[0]):
        at[bins_b[i]] = i
    n, classes = values_a.shape
    mass = np.zeros(n)
    total = 0.0
    for i in range(n):
        j = at[bins_a[i]]
        if j >= 0:
            for c in range(classes):
                mass[i] += float(values_a[i, c]) * float(values_b[j, c])
            total += mass[i]
    for i in range(bins_b.shape[0]):
        at[bins_b[i]] = -1
    kept = np.flatnonzero(mass > prune * total)
    bins = np.empty(kept.shape[0], np.int32)
    values = np.empty((kept.shape[0], classes), np.float32)
    for i in range(kept.shape[0]):
        bins[i] = bins_a[kept[i]]
        values[i] = values_a[kept[i]]
    return bins, mass[kept] / total, math.log(total) if total > 0.0 else -math.inf, values


@njit(cache=True, nogil=True)
def sample(
    state_bin: NDArray[Any],
    state_class: NDArray[Any],
    uniform: NDArray[Any],
    bins: NDArray[Any],
    values: NDArray[Any],
    offset: NDArray[Any],
    target: NDArray[Any],
    weight: NDArray[Any],
    chain: NDArray[Any],
    bin_type: NDArray[Any],
    at: NDArray[Any],
) -> None:
    """Move each sampled path a step on, in place: by the weight of a state times that of all that follows.

    state_bin, state_class (s,) i32; uniform (s,) f64 in [0, 1); bins, values: backward weights after the
    step. at (b,) i32 of -1, left so. A path from which nothing is reached gets bin -1 and stays there.
    """
    for i in range(bins.shape[0]):
        at[bins[i]] = i
    classes = values.shape[1]
    for s in range(state_bin.shape[0]):
        b = state_bin[s]
        if b < 0:
            continue
        p = chain[bin_type[b]]
        total = 0.0
        for d in range(classes):
            share = p[state_class[s], d]
            if share > 0.0:
                row = b * classes + d
                for k in range(offset[row], offset[row + 1]):
                    j = at[target[k]]
                    if j >= 0:
                        total += share * weight[k] * values[j, d]
        left = uniform[s] * total
        state_bin[s] = -1
        if total <= 0.0:
            continue
        found = False
        for d in range(classes):
            share = p[state_class[s], d]
            if share > 0.0:
                row = b * classes + d
                for k in range(offset[row], offset[row + 1]):
                    j = at[target[k]]
                    if j >= 0 and values[j, d] > 0.0:
                        left -= share * weight[k] * values[j, d]
                        state_bin[s] = target[k]
                        next_class = d
                        if left < 0.0:
                            found = True
                            break
            if found:
                break
        state_class[s] = next_class
    for i in range(bins.shape[0]):
        at[bins[i]] = -1


@njit(cache=True, nogil=True)
def summed(
    bins: NDArray[Any], mass: NDArray[Any], dense: NDArray[Any]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Sum masses (k,) f32 of bins (k,) i32 that may be named more than once.

    dense (b,) f64 of 0, left so. -> the bins, as first named, and their shares of it all.
    """
    n = 0
    there = np.empty(bins.shape[0], np.int32)
    for i in range(bins.shape[0]):
        if mass[i] > 0.0:
            if dense[bins[i]] == 0.0:
                there[n] = bins[i]
                n += 1
            dense[bins[i]] += mass[i]
    total = 0.0
    for i in range(n):
        total += dense[there[i]]
    share = np.empty(n, np.float32)
    for i in range(n):
        share[i] = dense[there[i]] / total
        dense[there[i]] = 0.0
    return there[:n].copy(), share
