"""Arrays laid together in memory, where looking up places far apart in them costs least."""

import contextlib
import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Width of a line of the cache, on which each array begins.
LINE = 64
#: A huge page. What is less is not worth one.
PAGE = 2 << 20


def pack(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Copy arrays into one stretch of memory, read-only, each from a line of the cache on.

    The system is asked for huge pages: with those of 4 KB, each place of a large table that is looked up
    costs a second look-up, of the page it is on. What is mapped from a file stays where it is, so that
    processes share it. So does what is small, all together.

    Parameters
    ----------
    arrays : list of ndarray
        Contiguous ones, of any types and shapes.

    Returns
    -------
    list of ndarray
        The same values, in the same order.
    """
    # One that is there twice is packed once.
    named = [(array.ctypes.data, array.dtype.str, array.shape) for array in arrays]
    own = {name: array for name, array in zip(named, arrays, strict=True) if not _is_mapped(array)}
    ends = np.cumsum([-(-array.nbytes // LINE) * LINE for array in own.values()], dtype=np.int64).tolist()
    if ends and ends[-1] >= PAGE:
        memory = _huge(ends[-1])
        for name, array, begin in zip(list(own), list(own.values()), [0, *ends[:-1]], strict=True):
            own[name] = memory[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
            own[name][...] = array
    packed = [own.get(name, array).view() for name, array in zip(named, arrays, strict=True)]
    for array in packed:
        array.flags.writeable = False
    return packed


def _huge(size: int) -> NDArray[np.uint8]:
    """Take memory that begins on a huge page and, where the system has them, consists of such."""
    # Private, as a process that is forked may have it, but not write to that of others.
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    memory = mmap.mmap(-1, size + PAGE, **private)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        # That Python knows of them does not mean that the kernel it runs on was built with them.
        with contextlib.suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, np.uint8)
    begin = -whole.ctypes.data % PAGE
    return whole[begin : begin + size]


def _is_mapped(array: NDArray[Any]) -> bool:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, mmap.mmap)
