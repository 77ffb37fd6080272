"""Ways drawn onward from bin to bin, wherever they lead."""

import math
from typing import Any

from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def wander(
    at: NDArray[Any],
    speed: NDArray[Any],
    uniform: NDArray[Any],
    offset: NDArray[Any],
    target: NDArray[Any],
    weight: NDArray[Any],
    way: NDArray[Any],
    chain: NDArray[Any],
    kind: NDArray[Any],
    went_m: NDArray[Any],
) -> None:
    """Move each of s a step on, in place: to the next class by the chain, and on by the weights of that.

    at, speed (s,) i32: bin and class of each; uniform (s,) f64 in [0, 1). offset, target, weight, way: rows
    (bin, class) as of `bin_steps.step_matrix`; chain (kinds, classes, classes) f64; kind (b,) u8 of each bin.
    went_m (s,) f64 is written: the way of the step. Whom nothing leads on gets bin -1 and inf, and stays so.
    """
    for s in range(at.shape[0]):
        b = at[s]
        went_m[s] = math.inf
        if b < 0:
            continue
        p = chain[kind[b], speed[s]]
        at[s] = -1
        left, d = uniform[s] * p.sum(), -1
        for c in range(p.shape[0]):
            if p[c] > 0.0:
                d = c
                if left < p[c]:
                    break
                left -= p[c]
        if d < 0:
            continue
        speed[s] = d
        row = b * p.shape[0] + d
        left *= weight[offset[row] : offset[row + 1]].sum() / p[d]
        for k in range(offset[row], offset[row + 1]):
            if weight[k] > 0.0:
                at[s], went_m[s] = target[k], way[k]
                if left < weight[k]:
                    break
                left -= weight[k]
