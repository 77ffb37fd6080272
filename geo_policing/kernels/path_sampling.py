"""Sequences of states drawn from their posterior, and how each came from state to state."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.map_matching import (
    AHEAD,
    BACK,
    BY_WAY,
    HELD,
    JUMP,
    Links,
    Model,
    detour_logp,
    jump_logp,
)

#: Weights of transitions are kept in 32 bits: what differs by less than this share is the same.
ROUNDING = 1e-5


@njit(cache=True, nogil=True)
def drawn(links: Links, first: int, after: NDArray[Any], chance: NDArray[Any]) -> NDArray[np.int16]:
    """Draw q sequences of states of b fixes from the fix first on: forward filter, backward sampling.

        P(z[n - 1]) = ahead[n - 1, z],  P(z[i - 1] | z[i]) ~ ahead[i - 1, h] weight[i, h, z[i]]

    links of `map_matching.posterior`; after (q,) i16, states of the fix that follows, not read if none does;
    chance (b, q) f64, uniform in [0, 1), that of the last fix first. -> (q, b) i16.
    After S. Chib, "Calculating posterior distributions and modal estimates in Markov mixture models", 1996.
    """
    b, q = chance.shape
    n, s = links.ahead.shape
    out = np.empty((q, b), np.int16)
    # For each state that may follow: shares added up, and the last state that has one.
    upto, possible = np.empty((s, s)), np.zeros(s, np.int64)
    for row in range(b):
        i, at = first + b - 1 - row, b - 1 - row
        for j in range(s if i < n - 1 else 1):
            total = 0.0
            for h in range(s):
                share = links.ahead[i, h]
                if i < n - 1:
                    share *= links.weight[i + 1, h, j]
                total += share
                upto[j, h] = total
                if share > 0.0:
                    possible[j] = h
        for r in range(q):
            j = 0
            if i < n - 1:
                j = out[r, at + 1] if row > 0 else after[r]
            level, h = chance[row, r] * upto[j, s - 1], 0
            while h < possible[j] and not level < upto[j, h]:
                h += 1
            out[r, at] = h
    return out


@njit(cache=True, nogil=True)
def arrivals(
    chosen: NDArray[Any],
    x: NDArray[Any],
    y: NDArray[Any],
    edge: NDArray[Any],
    offset: NDArray[Any],
    emission: NDArray[Any],
    step: NDArray[Any],
    length_m: NDArray[Any],
    reverse: NDArray[Any],
    model: Model,
) -> NDArray[np.int8]:
    """How each state of a sequence was reached: AHEAD, BACK, BY_WAY, JUMP or HELD of `map_matching`.

    `forward` keeps that of the best transition only. Of any other it is the one that weighs what it weighs.
    chosen (n,) i64; x, y (n,) f64 m, emission (n, k), edge, offset (n, s), step (n, s, s) of the lattice;
    length_m, reverse (m,). -> (n,) i8; HELD for the first.
    """
    n, k = emission.shape
    out = np.full(n, HELD, np.int8)
    seen = 0
    for i in range(1, n):
        j = chosen[i]
        if j >= k:
            continue
        a, a_m = edge[i - 1, chosen[i - 1]], offset[i - 1, chosen[i - 1]]
        b, b_m = edge[i, j], offset[i, j]
        straight_m = math.hypot(x[i] - x[seen], y[i] - y[seen])
        seen = i
        beta_m = model.beta_m + model.beta_share * straight_m
        weight = step[i, chosen[i - 1], j]
        same = ROUNDING * (1.0 + abs(weight))
        over, arrival = np.inf, BY_WAY
        if a == b and b_m >= a_m - model.backward_m:
            over, arrival = abs(max(0.0, b_m - a_m) - straight_m), AHEAD
        elif a != b and reverse[a] == b:
            over, arrival = abs(length_m[a] - b_m - a_m) + model.turn_back_m - straight_m, BACK
        if weight <= jump_logp(straight_m, beta_m, model) + emission[i, j] + same:
            out[i] = JUMP
        elif over < np.inf and weight <= detour_logp(over, beta_m, model.detour_cost) + emission[i, j] + same:
            out[i] = arrival
        else:
            out[i] = BY_WAY
    return out
