"""One step of the filter over bins and speed classes, forward and backward, and of sampled paths.

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
def _keep(
    dense: NDArray[Any], touched: NDArray[Any], n: int, at: NDArray[Any], prune: float, worth: NDArray[Any]
) -> tuple[NDArray[np.int32], NDArray[np.float32], float]:
    """Take what is over `prune` of the whole out of dense (b, classes), scaled to 1, and clear it.

    worth (n,) f64: what each bin counts for when that is judged.
    """
    classes = dense.shape[1]
    total, worthy = 0.0, 0.0
    held = np.empty(n)
    for i in range(n):
        mass = 0.0
        for c in range(classes):
            mass += dense[touched[i], c]
        held[i] = mass * worth[i]
        total += mass
        worthy += held[i]
    kept = 0
    bins = np.empty(n, np.int32)
    for i in range(n):
        b = touched[i]
        if held[i] > prune * worthy:
            bins[kept] = b
            kept += 1
        else:
            for c in range(classes):
                dense[b, c] = 0.0
        at[b] = -1
    bins = bins[:kept].copy()
    values = np.empty((kept, classes), np.float32)
    for i in range(kept):
        for c in range(classes):
            values[i, c] = dense[bins[i], c] / total
            dense[bins[i], c] = 0.0
    return bins, values, math.log(total) if total > 0.0 else -math.inf


@njit(cache=True, nogil=True)
def forward(
    bins: NDArray[Any],
    values: NDArray[Any],
    offset: NDArray[Any],
    target: NDArray[Any],
    weight: NDArray[Any],
    chain: NDArray[Any],
    bin_type: NDArray[Any],
    prune: float,
    dense: NDArray[Any],
    touched: NDArray[Any],
    at: NDArray[Any],
) -> tuple[NDArray[np.int32], NDArray[np.float32], float]:
    """a'(j, d) = sum over i of w(i, d, j) sum over c of a(i, c) chain(type(i), c, d).

    bins (k,) i32, values (k, classes) f32; rows of `bin_steps.step_matrix`; chain (types, classes, classes)
    f64; bin_type (b,) u8. Scratch: dense (b, classes) f64 zero, touched (b,) i32, at (b,)
    i32 of -1; left so. -> bins, values that sum to 1, and the logarithm of what they summed to.
    """
    classes = values.shape[1]
    n = 0
    for i in range(bins.shape[0]):
        b = bins[i]
        p = chain[bin_type[b]]
        for d in range(classes):
            mass = 0.0
            for c in range(classes):
                mass += values[i, c] * p[c, d]
            if mass == 0.0:
                continue
            row = b * classes + d
            for k in range(offset[row], offset[row + 1]):
                j = target[k]
                if weight[k] == 0.0:
                    continue
                if at[j] < 0:
                    at[j] = n
                    touched[n] = j
                    n += 1
                dense[j, d] += mass * weight[k]
    return _keep(dense, touched, n, at, prune, np.ones(n))


@njit(cache=True, nogil=True)
def backward(
    bins: NDArray[Any],
    values: NDArray[Any],
    offset: NDArray[Any],
    source: NDArray[Any],
    weight: NDArray[Any],
    chain: NDArray[Any],
    bin_type: NDArray[Any],
    came_m: NDArray[Any],
    reach_m: float,
    reached: NDArray[Any],
    cell_m: float,
    prior: NDArray[Any],
    prune: float,
    dense: NDArray[Any],
    touched: NDArray[Any],
    at: NDArray[Any],
) -> tuple[NDArray[np.int32], NDArray[np.float32], float]:
    """b(i, c) = sum over d of chain(type(i), c, d) sum over j of w(i, d, j) b'(j, d).

    As `forward`, with the rows of `bin_steps.transpose`. Bins with came_m (b,) f64 beyond reach_m are left
    out: nobody can be there yet. What is pruned is judged with what can have come forward: prior (b,) f64
    times reached (r,) f64, the probability of having come so far by now, in cells of cell_m.
    """
    classes = values.shape[1]
    n = 0
    for i in range(bins.shape[0]):
        b = bins[i]
        for d in range(classes):
            mass = values[i, d]
            if mass == 0.0:
                continue
            row = b * classes + d
            for k in range(offset[row], offset[row + 1]):
                j = source[k]
                if came_m[j] > reach_m or weight[k] == 0.0:
                    continue
                if at[j] < 0:
                    at[j] = n
                    touched[n] = j
                    n += 1
                dense[j, d] += mass * weight[k]
    mixed, worth = np.empty(classes), np.empty(n)
    for i in range(n):
        b = touched[i]
        worth[i] = prior[b] * reached[min(int(min(came_m[b], reach_m) / cell_m), reached.shape[0] - 1)]
        p = chain[bin_type[b]]
        for c in range(classes):
            mass = 0.0
            for d in range(classes):
                mass += p[c, d] * dense[b, d]
            mixed[c] = mass
        for c in range(classes):
            dense[b, c] = mixed[c]
    return _keep(dense, touched, n, at, prune, worth)


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
