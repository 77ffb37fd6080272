"""How a vehicle moves along a route: always as fast as all that lies ahead can still be braked for.

Kernels: arrays of n pieces of a route, metres and seconds. u² + 2 b (d - v dt) = v² decides: the step of dt
is still driven at v, and braked in what is left of d.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

STEP_S = 0.5


def _leaving_speed(
    way: NDArray[Any],
    turn_mps: float,
    turn_offset: NDArray[Any],
    turn_to: NDArray[Any],
    turn_deg: NDArray[Any],
    opposite: NDArray[Any],
) -> Any:
    """Speed (n,) f64 at which each of the ways (n,) may be left: slower the sharper the turn, 0 at the end.

    turn_mps is the speed of a right angle; turn_offset (w + 1,), turn_to, turn_deg (t,), opposite (w,) as in
    Ways.
    """
    leave = np.full(way.shape[0], 1e9)
    for k in range(way.shape[0] - 1):
        if way[k + 1] == opposite[way[k]]:
            leave[k] = 1.5
        elif way[k + 1] != way[k]:
            for t in range(turn_offset[way[k]], turn_offset[way[k] + 1]):
                if turn_to[t] == way[k + 1] and abs(turn_deg[t]) > 20.0:
                    leave[k] = turn_mps * (90.0 / abs(turn_deg[t])) ** 0.7
    leave[-1] = 0.0
    return leave


def _allowed_speed(
    k: int,
    at: float,
    v: float,
    t: float,
    slot: int,
    temper: float,
    from_m: NDArray[Any],
    to_m: NDArray[Any],
    leave: NDArray[Any],
    free_mps: NDArray[Any],
    load: NDArray[Any],
    cycle_s: NDArray[Any],
    phase_s: NDArray[Any],
    green_s: NDArray[Any],
    brake: float,
) -> float:
    """Highest speed, m/s, at offset at of piece k, driving v at time t; arguments as in _drive."""
    n = to_m.shape[0]
    allowed = 1e9
    ahead = 0.0
    done = at
    for j in range(k, n):
        usual = free_mps[j] * temper / (1.0 + load[slot, j])
        allowed = min(allowed, braked_speed(usual, ahead, brake))
        ahead += to_m[j] - done
        done = from_m[min(j + 1, n - 1)]
        limit = leave[j]
        least = 0.6
        red = cycle_s[j] > 0.0 and (t + phase_s[j]) % cycle_s[j] > green_s[j]
        # Who is too near to stop in comfort drives on.
        if red and (j > k or ahead * 2.5 * brake > v * v or v < 1.0):
            limit = 0.0
            least = 0.0 if ahead < 4.0 else 0.6
        allowed = min(allowed, max(braked_speed(limit, max(ahead - 1.0, 0.0), brake), least))
        if ahead > v * v / (2.0 * brake) + 30.0:
            break
    return allowed


def _drive(
    start_s: float,
    end_s: float,
    way: NDArray[Any],
    from_m: NDArray[Any],
    to_m: NDArray[Any],
    leave: NDArray[Any],
    wait_s: NDArray[Any],
    free_mps: NDArray[Any],
    load: NDArray[Any],
    slot_s: float,
    cycle_s: NDArray[Any],
    phase_s: NDArray[Any],
    green_s: NDArray[Any],
    mood: NDArray[Any],
    accel: float,
    brake: float,
    out_way: NDArray[Any],
    out_offset: NDArray[Any],
    out_speed: NDArray[Any],
    enter_s: NDArray[Any],
) -> float:
    """Drive n pieces from start_s on; return when the last was done, or end_s.

    Pieces (n,): way, from_m, to_m, leave (m/s at its end), wait_s (standing there), free_mps, and the light
    at its end: cycle_s (0 for none), phase_s, green_s. load (slots, n) slows down in slots of slot_s; mood
    (k,) scales the speed second by second. Written are the rows out_* of the whole seconds passed, and
    enter_s (n,).
    """
    n = way.shape[0]
    t = start_s
    k = 0
    at = from_m[0]
    v = 0.0
    enter_s[0] = t
    while t < end_s:
        slot = min(int(t / slot_s), load.shape[0] - 1)
        temper = mood[int(t) % mood.shape[0]]
        most = allowed_speed(
            k, at, v, t, slot, temper, from_m, to_m, leave, free_mps, load, cycle_s, phase_s, green_s, brake
        )
        v = min(v + accel * STEP_S, most) if most > v else max(most, v - 2.5 * brake * STEP_S)
        at += v * STEP_S
        while at >= to_m[k] and wait_s[k] == 0.0 and k + 1 < n:
            at -= to_m[k]
            k += 1
            # The moment within the step at which the end was reached.
            enter_s[k] = t + STEP_S - at / max(v, 0.01)
            at += from_m[k]
        stops = at >= to_m[k]
        at = min(at, to_m[k])
        until = t + STEP_S + (wait_s[k] if stops else 0.0)
        while t < min(until, end_s):
            t += STEP_S
            if t == np.floor(t):
                out_way[int(t)], out_offset[int(t)], out_speed[int(t)] = way[k], at, 0.0 if stops else v
        if stops and k + 1 == n:
            return t
        if stops and t < end_s:
            k += 1
            at = from_m[k]
            v = 0.0
            enter_s[k] = t
    return end_s


def _braked_speed(limit: float, ahead_m: float, brake: float) -> float:
    """Highest speed of the coming step from which limit (m/s) is reached ahead_m further on."""
    lag = brake * STEP_S
    return max(np.sqrt(lag * lag + limit * limit + 2.0 * brake * ahead_m) - lag, limit)


leaving_speed = njit(cache=True, nogil=True)(_leaving_speed)
braked_speed = njit(cache=True, nogil=True)(_braked_speed)
allowed_speed = njit(cache=True, nogil=True)(_allowed_speed)
drive = njit(cache=True, nogil=True)(_drive)
