"""One step of the filter on the way to a sighting, backward and forward, on the bins that lead there.

The bins that matter have numbers of their own, 0 to r - 1, so that what is worked on lies together however
large the city is; rows of `bin_steps.cut_out` say how much comes to each from where. A step may go from one
set of speed classes to another: C before it, D after it. The place of bin i and class d is i * D + d.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Places are looked after in blocks of so many.
BLOCK = 64
#: Classes are mixed so many at once, which a processor does in one go.
AT_ONCE = 4


@njit(cache=True, nogil=True)
def backward(
    bins: NDArray[Any],
    values: NDArray[Any],
    offset: NDArray[Any],
    place: NDArray[Any],
    weight: NDArray[Any],
    chain: NDArray[Any],
    kind: NDArray[Any],
    came_m: NDArray[Any],
    prior: NDArray[Any],
    reach_m: NDArray[Any],
    age: NDArray[Any],
    reached: NDArray[Any],
    cell_m: float,
    prune: float,
    dense: NDArray[Any],
    mark: NDArray[Any],
) -> tuple[NDArray[np.int32], NDArray[np.float32], float]:
    """b(i, c) = sum over d of chain(kind(i), d, c) sum over j of w(i, d, j) b'(j, d).

    bins (k,) i32, values (k, D) f32; rows (j, d) -> i of `bin_steps.cut_out`; chain (kinds, D, C) f32,
    transposed. Several starts s may lead here. came_m (s, r) f32: way from each; a bin beyond reach_m (s,)
    f64 of all of them is left out, nobody can be there yet. A bin is forgotten where for each start it holds
    no more than `prune` of the whole, each counted by its weight times prior (s, r) f32 and reached[age[s]],
    the probability of having come so far by now, in cells of cell_m. Scratch: dense (r * D,) f32 and mark
    (blocks,) bool, one for each BLOCK of it, of 0; left so.
    -> bins in ascending order, values that sum to 1 with what was forgotten, and the logarithm of what they
    summed to.
    """
    after, before, starts = values.shape[1], chain.shape[2], came_m.shape[0]
    size = dense.shape[0] // after
    # Where much of the ground is reached it is faster to look through all of it than to mark what is.
    much = 16 * bins.shape[0] > size
    for i in range(bins.shape[0]):
        for d in range(after):
            mass = values[i, d]
            if mass == 0.0:
                continue
            # Unsigned, so that no index is looked at for being negative.
            row = np.uint64(bins[i] * after + d)
            first, last = np.uint64(offset[row]), np.uint64(offset[row + np.uint64(1)])
            if much:
                for k in range(first, last):
                    dense[place[k]] += mass * weight[k]
            else:
                for k in range(first, last):
                    dense[place[k]] += mass * weight[k]
                    mark[place[k] // np.uint32(BLOCK)] = True
    wide = (before + AT_ONCE - 1) // AT_ONCE * AT_ONCE
    mix = np.zeros((chain.shape[0], after, wide), np.float32)
    mix[:, :, :before] = chain
    there, mixed = np.empty(size, np.int32), np.empty((size, wide), np.float32)
    held, worthy = np.empty((size, starts)), np.zeros(starts)
    total = 0.0
    n = 0
    looked = 0
    for block in range(mark.shape[0]):
        if not (much or mark[block]):
            continue
        mark[block] = False
        first_bin = max(looked, block * BLOCK // after)
        looked = min(((block + 1) * BLOCK - 1) // after + 1, size)
        for b in range(first_bin, looked):
            some = False
            for d in range(after):
                some |= dense[b * after + d] != 0.0
            if not some:
                continue
            near = False
            for s in range(starts):
                near |= came_m[s, b] <= reach_m[s]
            if not near:
                for d in range(after):
                    dense[b * after + d] = 0.0
                continue
            for c in range(wide):
                mixed[n, c] = 0.0
            p = mix[kind[b]]
            for d in range(after):
                x = dense[b * after + d]
                dense[b * after + d] = 0.0
                if x != 0.0:
                    for begin in range(0, wide, AT_ONCE):
                        for c in range(begin, begin + AT_ONCE):
                            mixed[n, c] += p[d, c] * x
            mass = np.float32(0.0)
            for c in range(before):
                mass += mixed[n, c]
            total += mass
            for s in range(starts):
                cell = min(int(min(came_m[s, b], reach_m[s]) / cell_m), reached.shape[1] - 1)
                held[n, s] = mass * prior[s, b] * reached[age[s], cell]
                worthy[s] += held[n, s]
            there[n] = b
            n += 1
    row_of, kept = np.empty(n, np.int32), 0
    for i in range(n):
        worth_it = False
        for s in range(starts):
            worth_it |= held[i, s] > prune * worthy[s]
        if worth_it:
            there[kept], row_of[kept] = there[i], i
            kept += 1
    found, moved = there[:kept].copy(), np.empty((kept, before), np.float32)
    scale = np.float32(1.0 / total) if total > 0.0 else np.float32(0.0)
    for k in range(kept):
        for c in range(before):
            moved[k, c] = mixed[row_of[k], c] * scale
    return found, moved, math.log(total) if total > 0.0 else -math.inf


@njit(cache=True, nogil=True)
def forward(
    bins: NDArray[Any],
    values: NDArray[Any],
    offset: NDArray[Any],
    place: NDArray[Any],
    weight: NDArray[Any],
    chain: NDArray[Any],
    kind: NDArray[Any],
    to_bins: NDArray[Any],
    to_values: NDArray[Any],
    prune: float,
    dense: NDArray[Any],
) -> tuple[NDArray[np.int32], NDArray[np.float32], float, NDArray[np.float64]]:
    """a'(j, d) = sum over i of w(i, d, j) sum over c of a(i, c) chain(kind(i), c, d), and joined with b'.

    As `backward`, but chain (kinds, C, D) f32 is not transposed. to_bins (m,) i32, to_values (m, D) f32:
    what comes backward after the step; other bins are not looked at, and of these no more than `prune` of
    the whole is forgotten. dense (r * D,) f32 of 0, left so. -> bins, values that sum to 1 with what was
    forgotten, the logarithm of what they summed to, and the posterior of the bins (f64), which sums to 1
    with what was forgotten.
    """
    before, after = values.shape[1], to_values.shape[1]
    for i in range(bins.shape[0]):
        b = bins[i]
        p = chain[kind[b]]
        for c in range(before):
            x = values[i, c]
            if x != 0.0:
                for d in range(after):
                    dense[b * after + d] += x * p[c, d]
    m = to_bins.shape[0]
    moved, mass = np.empty((m, after), np.float32), np.empty(m)
    whole, joint = 0.0, 0.0
    for i in range(m):
        mass[i] = 0.0
        for d in range(after):
            x = np.float32(0.0)
            row = to_bins[i] * after + d
            for k in range(np.uint64(offset[row]), np.uint64(offset[row + 1])):
                x += weight[k] * dense[place[k]]
            moved[i, d] = x
            whole += x
            mass[i] += float(x) * float(to_values[i, d])
        joint += mass[i]
    for i in range(bins.shape[0]):
        dense[bins[i] * after : (bins[i] + 1) * after] = 0.0
    kept = 0
    found = np.empty(m, np.int32)
    for i in range(m):
        if mass[i] > prune * joint:
            found[kept] = to_bins[i]
            mass[kept] = mass[i] / joint
            for d in range(after):
                moved[kept, d] = moved[i, d] / whole
            kept += 1
    log = math.log(whole) if whole > 0.0 else -math.inf
    return found[:kept].copy(), moved[:kept].copy(), log, mass[:kept].copy()


@njit(cache=True, nogil=True)
def sample(
    state_bin: NDArray[Any],
    state_class: NDArray[Any],
    uniform: NDArray[Any],
    bins: NDArray[Any],
    values: NDArray[Any],
    nth: NDArray[Any],
    offset: NDArray[Any],
    target: NDArray[Any],
    weight: NDArray[Any],
    way: NDArray[Any],
    to_go_m: NDArray[Any],
    penalty: float,
    chain: NDArray[Any],
    kind: NDArray[Any],
    number: NDArray[Any],
    at: NDArray[Any],
) -> None:
    """Move each sampled path a step on, in place: by the weight of a state times that of all that follows.

    state_bin (s,) i32, as the lattice numbers them, and state_class (s,) i32, of C before and D after;
    uniform (s,) f64 in [0, 1). bins, values: what comes backward after the step, bins numbered by number
    (b,) i32, -1 for none; at (r,) i32 of -1, left so. Rows of `bin_steps.step_matrix`, the nth (b,) i32 of
    which are each bin's, weigh exp(-penalty * detour), by to_go_m (r,) f64; chain (kinds, C, D), kind (r,).
    A path from which nothing is reached gets bin -1 and stays there.
    """
    for i in range(bins.shape[0]):
        at[bins[i]] = i
    after = values.shape[1]
    most = 0
    for row in range(state_bin.shape[0]):
        if state_bin[row] >= 0:
            first, last = offset[nth[state_bin[row]] * after], offset[(nth[state_bin[row]] + 1) * after]
            most = max(most, last - first)
    share = np.empty(most)
    for s in range(state_bin.shape[0]):
        b = state_bin[s]
        if b < 0:
            continue
        here = number[b]
        p = chain[kind[here], state_class[s]]
        total = 0.0
        rows = nth[b] * after
        first = offset[rows]
        for d in range(after):
            for k in range(offset[rows + d], offset[rows + d + 1]):
                there = number[target[k]]
                part = 0.0
                if there >= 0 and at[there] >= 0:
                    detour_m = max(way[k] - (to_go_m[here] - to_go_m[there]), 0.0)
                    part = weight[k] * math.exp(-penalty * detour_m) * p[d] * values[at[there], d]
                share[k - first] = part
                total += part
        left = uniform[s] * total
        state_bin[s] = -1
        chosen = -1
        for k in range(offset[rows + after] - first):
            if share[k] > 0.0:
                chosen = k
                left -= share[k]
                if left < 0.0:
                    break
        if chosen >= 0:
            state_bin[s] = target[first + chosen]
            d = 0
            while offset[rows + d + 1] <= first + chosen:
                d += 1
            state_class[s] = d
    for i in range(bins.shape[0]):
        at[bins[i]] = -1
