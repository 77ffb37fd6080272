"""Giving memory back to the system that is free in this process.

Arrow and the C library keep what was freed for what comes next. Work that goes on for minutes beside others
keeps it from them.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import pyarrow as pa


def _trim() -> Callable[[int], Any] | None:
    """Return ``malloc_trim`` of the GNU C library (Linux man-pages, malloc_trim(3)), where that is there."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


_TRIM = _trim()


def give_back() -> None:
    """Give back what is free, which takes some milliseconds; others may ask for memory meanwhile."""
    pa.default_memory_pool().release_unused()
    if _TRIM is not None:
        _TRIM(0)
