"""Where the row groups are described in the footer of a Parquet file.

The footer is a ``FileMetaData`` (parquet.thrift of the Apache Parquet format) in Thrift's compact protocol
("Thrift compact protocol encoding", Apache Thrift): what a row group is takes as many bytes as it takes, so
that all before it must be gone through to find it.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Field of `FileMetaData` that lists the row groups.
_ROW_GROUPS = 4
_BYTE, _I16, _I64, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 3, 4, 6, 7, 8, 9, 10, 12
_DEEPEST = 32


@njit(cache=True, nogil=True)
def _varint(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """Read seven bits a byte, the lowest first, until one is below 128 -> the number, and where it ends."""
    value, shift = 0, 0
    while at < data.shape[0]:
        byte = int(data[at])
        at += 1
        if shift < 63:
            value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return value, at


@njit(cache=True, nogil=True)
def _end(data: NDArray[np.uint8], at: int, kind: int) -> int:
    """Where a value of a type ends that begins at a byte; beyond the data if it is damaged."""
    beyond = data.shape[0] + 1
    # Of the lists and structs around: the type of the elements, 0 in a struct, and how many are left.
    inner = np.zeros(_DEEPEST, np.int64)
    left = np.zeros(_DEEPEST, np.int64)
    depth = 0
    while True:
        if kind == _BYTE:
            at += 1
        elif _I16 <= kind <= _I64:
            _, at = _varint(data, at)
        elif kind == _DOUBLE:
            at += 8
        elif kind == _BINARY:
            length, at = _varint(data, at)
            at += length
        elif kind in (_LIST, _SET, _STRUCT):
            depth += 1
            if depth >= _DEEPEST or at >= data.shape[0]:
                return beyond
            inner[depth] = 0
            if kind != _STRUCT:
                head = int(data[at])
                count, at = (head >> 4, at + 1) if head < 240 else _varint(data, at + 1)
                # In a list a truth is a byte; in a struct it is in the head of its field.
                inner[depth], left[depth] = max(head & 15, _BYTE), count
        elif kind > 2:  # a map, or nothing that there is
            return beyond
        # What comes next, after the ends of what ends here.
        while depth > 0:
            if at >= data.shape[0] or at < 0:
                return beyond
            if inner[depth] > 0:
                if left[depth] > 0:
                    left[depth] -= 1
                    kind = inner[depth]
                    break
                depth -= 1
                continue
            head = int(data[at])
            at += 1
            if head == 0:
                depth -= 1
                continue
            if head < 16:  # the number of the field, which is not that of the one before and a few more
                _, at = _varint(data, at)
            kind = head & 15
            break
        if depth == 0:
            return at if at >= 0 else beyond


@njit(cache=True, nogil=True)
def row_groups(footer: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where a footer (n,) u8 describes its row groups.

    -> (g + 2,) i64: where the list of them begins; where each of them begins; where the last one ends. Empty
    if it is damaged or has no such list.
    """
    n = footer.shape[0]
    at, field = 0, 0
    while at < n and footer[at] != 0:
        head = int(footer[at])
        at += 1
        if head < 16:
            number, at = _varint(footer, at)
            field = (number >> 1) ^ -(number & 1)
        else:
            field += head >> 4
        if field != _ROW_GROUPS or head & 15 != _LIST:
            at = _end(footer, at, head & 15)
            continue
        if at >= n:
            break
        out = [at]
        count, at = (int(footer[at]) >> 4, at + 1) if footer[at] < 240 else _varint(footer, at + 1)
        for _ in range(count):
            if at >= n:
                return np.empty(0, np.int64)
            out.append(at)
            at = _end(footer, at, _STRUCT)
        out.append(at)
        return np.array(out) if at < n else np.empty(0, np.int64)
    return np.empty(0, np.int64)
