"""The movement through each of some larger cells, as rows that lie together and need no others.

A *block* is an H3 cell. A way from one fix to the next belongs to every block and every hour that it leads
through; its two fixes are among the rows of each, wherever they lie.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels.cell_visits import crossed

#: What is said of a row: its fix lies in this block, in this hour; its device's next fix is the next row.
HERE = 1
ONWARD = 2
#: Its fix is the first, or the last, of its device among all that were looked at.
FIRST = 4
LAST = 8

HOUR_US = 3_600_000_000


@njit(cache=True, nogil=True)
def _is_double(
    device: NDArray[np.int32],
    time: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    i: int,
) -> bool:
    """Whether fix i and the next one, which is there, are of one device and instant, at different places."""
    return bool(
        device[i] == device[i + 1]
        and time[i] == time[i + 1]
        and (lon[i] != lon[i + 1] or lat[i] != lat[i + 1])
    )


@njit(cache=True, nogil=True)
def rows(
    device: NDArray[np.int32],
    time: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    block: NDArray[np.uint64],
    resolution: int,
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint8]]:
    """Rows of the movement through n fixes, sorted by device and time.

    device (n,) i32 codes; time (n,) i64 us; lon, lat (n,) f64 degrees; block (n,) u64 at the resolution, of
    each fix.
    -> fix (r,) i64: of which fix each row is; block (r,) u64 and hour (r,) i64 since 1970 that it belongs to;
    flags (r,) u8: `HERE` of exactly one row of each fix, `ONWARD` where a way leads through the block and the
    hour to the next row of the same device, block and hour, by time. That way is known
    (`cell_visits.joined`). `FIRST` and `LAST` of all rows of a fix. With a fix that is not the only one of
    its device at its instant goes one at another place, wherever that is, so that the rows tell of it.
    """
    n = time.shape[0]
    _, of_block, _, _, begin, end = crossed(device, time, lon, lat, block, np.ones(n, np.bool_), resolution)
    size = 0
    for v in range(of_block.shape[0]):
        hours = time[end[v]] // HOUR_US - time[begin[v]] // HOUR_US
        size += end[v] - begin[v] + 3 + 2 * hours
    out_fix = np.empty(size, np.int64)
    out_block = np.empty(size, np.uint64)
    out_hour = np.empty(size, np.int64)
    out_flags = np.empty(size, np.uint8)
    is_told = np.zeros(n, np.bool_)  # a line that grazes a corner may be in a block twice
    r = 0
    for v in range(of_block.shape[0]):
        # A fix that is there again is one: of the last one, none of them leads on.
        last = end[v]
        while last > begin[v] and (
            time[last - 1] == time[last] and lon[last - 1] == lon[last] and lat[last - 1] == lat[last]
        ):
            last -= 1
        before, after = begin[v] - 1, end[v] + 1
        is_before = before >= 0 and _is_double(device, time, lon, lat, before)
        is_after = after < n and _is_double(device, time, lon, lat, after - 1)
        for i in range(before if is_before else begin[v], after + 1 if is_after else after):
            hour = time[i] // HOUR_US
            told = 0
            if i == 0 or device[i - 1] != device[i]:
                told |= FIRST
            if i + 1 == n or device[i + 1] != device[i]:
                told |= LAST
            if not begin[v] <= i < after:
                out_fix[r], out_block[r], out_hour[r], out_flags[r] = i, of_block[v], hour, told
                r += 1
                continue
            out_fix[r], out_block[r], out_hour[r], out_flags[r] = i, of_block[v], hour, told
            if i < last:
                out_flags[r] |= ONWARD
            if of_block[v] == block[i] and not is_told[i]:
                out_flags[r] |= HERE
                is_told[i] = True
            r += 1
            if i == end[v] or time[i + 1] // HOUR_US == hour:
                continue
            # The way lasts into the next hour: both of its ends belong to both hours.
            out_fix[r], out_block[r], out_hour[r], out_flags[r] = i, of_block[v], hour + 1, told | ONWARD
            r += 1
            told = 0
            if i + 2 == n or device[i + 2] != device[i]:
                told |= LAST
            out_fix[r], out_block[r], out_hour[r], out_flags[r] = i + 1, of_block[v], hour, told
            r += 1
    return out_fix[:r], out_block[:r], out_hour[:r], out_flags[:r]


@njit(cache=True, nogil=True)
def near(
    time: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    flags: NDArray[np.uint8],
    box: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Which rows the ways need whose bounds meet a box, in the order in which `rows` are kept.

    time (r,) i64 us; lon, lat (r,) f64 degrees; flags (r,) u8; box (4,) f64 west, south, east, north.
    -> the rows (k,) i64, and their flags (k,) u8, without `ONWARD` where the way does not meet the box. What
    is not decided here stays: the ends of what there is, fixes of one instant, first and last fixes.
    """
    n = time.shape[0]
    out = np.empty(n, np.int64)
    out_flags = np.empty(n, np.uint8)
    k = 0
    is_end = False
    for i in range(n):
        j = i + 1 if flags[i] & ONWARD and i + 1 < n else i
        meets = (
            max(lon[i], lon[j]) >= box[0]
            and min(lon[i], lon[j]) <= box[2]
            and max(lat[i], lat[j]) >= box[1]
            and min(lat[i], lat[j]) <= box[3]
        )
        same = (i > 0 and time[i - 1] == time[i]) or (i + 1 < n and time[i + 1] == time[i])
        kept = meets or same or i == 0 or i + 1 == n or flags[i] & (FIRST | LAST) != 0
        if kept or is_end:
            out[k] = i
            out_flags[k] = flags[i]
            if flags[i] & ONWARD and not (meets or same or i + 1 == n):
                out_flags[k] -= ONWARD
            k += 1
        is_end = flags[i] & ONWARD != 0 and (meets or same)
    return out[:k], out_flags[:k]


@njit(cache=True, nogil=True)
def merged(
    device: NDArray[np.int32],
    time: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    flags: NDArray[np.uint8],
    devices: int,
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.bool_]]:
    """Rows of fixes, each once, of rows sorted by device and time, and what all say of it.

    device (r,) i32 below devices; the others as in `near`. Of a device that has two fixes of one instant some
    may be there twice.
    -> the rows (k,) i64, their flags (k,) u8, and (devices,) bool: which have two fixes of one instant.
    """
    n = time.shape[0]
    out = np.empty(n, np.int64)
    out_flags = np.empty(n, np.uint8)
    is_double = np.zeros(devices, np.bool_)
    k = 0
    for i in range(n):
        if i > 0 and device[i] == device[i - 1] and time[i] == time[i - 1]:
            if lon[i] == lon[i - 1] and lat[i] == lat[i - 1]:
                out_flags[k - 1] |= flags[i]
                continue
            is_double[device[i]] = True
        out[k], out_flags[k] = i, flags[i]
        k += 1
    return out[:k], out_flags[:k], is_double


@njit(cache=True, nogil=True)
def covered(
    device: NDArray[np.int32],
    time: NDArray[np.int64],
    onward: NDArray[np.bool_],
    stay_device: NDArray[np.int64],
    first_us: NDArray[np.int64],
    last_us: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Whether each of some times [first, last] lies on ways of a device that follow each other without a gap.

    device, time, onward (n,): fixes sorted by device and time, and whether a way leads to the next row;
    stay_device, first_us, last_us (s,) -> (s,) bool; a device below 0 is nobody.
    """
    n = time.shape[0]
    until = np.empty(n, np.int64)  # when the ways end that lead on from each fix
    for i in range(n - 1, -1, -1):
        until[i] = until[i + 1] if onward[i] and i + 1 < n else time[i]
    out = np.zeros(stay_device.shape[0], np.bool_)
    for k in range(stay_device.shape[0]):
        if stay_device[k] < 0:
            continue
        low = np.searchsorted(device, stay_device[k])
        high = np.searchsorted(device, stay_device[k], side="right")
        at = low + np.searchsorted(time[low:high], first_us[k], side="right") - 1
        out[k] = at >= low and until[at] >= last_us[k]
    return out


@njit(cache=True, nogil=True)
def chained(device: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return the flags of n fixes that are all there are, sorted by device (n,) i32 and time: (n,) u8."""
    n = device.shape[0]
    out = np.zeros(n, np.uint8)
    for i in range(n):
        if i == 0 or device[i - 1] != device[i]:
            out[i] |= FIRST
        out[i] |= LAST if i + 1 == n or device[i + 1] != device[i] else ONWARD
    return out
