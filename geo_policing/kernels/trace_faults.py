"""The first fix of a trace that cannot be matched, found in one pass."""

import math
from typing import Any

from numba import njit
from numpy.typing import NDArray

#: What is wrong with a fix: nothing, its time, lon or lat is not finite, it is off the earth, time runs back.
SOUND, NO_TIME, NO_LON, NO_LAT, OFF_EARTH, BACKWARD = range(6)


@njit(cache=True, nogil=True)
def first_fault(t_s: NDArray[Any], lon: NDArray[Any], lat: NDArray[Any], ordered: bool) -> tuple[int, int]:
    """Find the worst fault, of which `NO_TIME` is the worst, and the first fix that has it.

    t_s, lon, lat (n,) f64; ordered, whether time may not run backward. -> fault, fix; SOUND, -1 if none is.
    """
    fault, at = BACKWARD + 1, -1
    for i in range(t_s.shape[0]):
        own = BACKWARD + 1
        if not math.isfinite(t_s[i]):
            own = NO_TIME
        elif not math.isfinite(lon[i]):
            own = NO_LON
        elif not math.isfinite(lat[i]):
            own = NO_LAT
        elif abs(lon[i]) > 180.0 or abs(lat[i]) > 90.0:
            own = OFF_EARTH
        elif ordered and i > 0 and t_s[i] < t_s[i - 1]:
            own = BACKWARD
        if own < fault:
            fault, at = own, i
    return (SOUND, -1) if at < 0 else (fault, at)
