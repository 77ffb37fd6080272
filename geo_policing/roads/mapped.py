"""Named arrays and a piece of JSON in one file, which processes map into memory and share.

The file is 8 bytes magic, 4 bytes length and 4 bytes CRC-32 of the header (little endian), the header as
JSON, and the arrays, each aligned to 64 bytes. The header carries the CRC-32 of the arrays.
"""

import json
import math
import os
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidFile

_MAGIC = b"GPROADS2"
_FAMILY = 7
"""Bytes of the magic that all versions share."""
_ALIGN = 64


def write_arrays(
    path: Path, arrays: dict[str, NDArray[Any]], extra: dict[str, Any], magic: bytes = _MAGIC
) -> None:
    """Write arrays and JSON, whole or not at all; magic (8 bytes) says of what kind the file is."""
    head: dict[str, Any] = {"extra": extra, "arrays": {}}
    offset = crc = 0
    for key, array in arrays.items():
        head["arrays"][key] = {"dtype": array.dtype.str, "shape": array.shape, "offset": offset}
        offset += -(-array.nbytes // _ALIGN) * _ALIGN
        crc = zlib.crc32(_padded(array), crc)
    head |= {"bytes": offset, "crc32": crc}
    text = json.dumps(head, ensure_ascii=False).encode()
    text = text.ljust(-(-(16 + len(text)) // _ALIGN) * _ALIGN - 16)
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with part.open("wb") as out:
            out.write(magic + len(text).to_bytes(4, "little") + zlib.crc32(text).to_bytes(4, "little"))
            out.write(text)
            for array in arrays.values():
                out.write(_padded(array))
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_arrays(path: Path, magic: bytes = _MAGIC) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Map the arrays of `write_arrays`, read-only, and return them with the JSON.

    Raises
    ------
    InvalidFile
        If the file is of another kind or version, cut short or damaged.
    """
    with path.open("rb") as file:
        first = file.read(16)
        if first[:8] != magic and first[:_FAMILY] == magic[:_FAMILY]:
            raise InvalidFile(
                f"{path} was written by another version of geo-policing; import the roads again",
                field="roads",
                value=str(path),
            )
        if len(first) < 16 or first[:8] != magic:
            # Another name than that of what was given: it may be the source, and would be written over.
            stem = path.name.partition(".")[0]
            new = f"{stem}.roads" if path.name != f"{stem}.roads" else f"{stem}-new.roads"
            raise InvalidFile(
                f"{path} is no road network; make one with `geo-policing import-roads SRC -o {new}`",
                field="roads",
                value=str(path),
            )
        start = 16 + int.from_bytes(first[8:12], "little")
        size = path.stat().st_size
        text = file.read(start - 16) if start <= size else b""
    if start > size:
        raise InvalidFile(
            f"{path} is cut short: {size} bytes, its header alone has {start}; import the roads again",
            field="roads",
            value=str(path),
        )
    if zlib.crc32(text) != int.from_bytes(first[12:16], "little"):
        raise _damaged(path)
    try:
        head = json.loads(text)
        total = start + head["bytes"]
        if size < total:
            raise InvalidFile(
                f"{path} is cut short: {size} of {total} bytes; import the roads again",
                field="roads",
                value=str(path),
            )
        data = np.memmap(path, np.uint8, "r")
        if zlib.crc32(data[start:total].data) != head["crc32"]:
            raise _damaged(path)
        arrays = {key: _array(data, start, part) for key, part in head["arrays"].items()}
        return arrays, head["extra"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error


def _padded(array: NDArray[Any]) -> bytes:
    data = np.ascontiguousarray(array).tobytes()
    return data.ljust(-(-len(data) // _ALIGN) * _ALIGN, b"\0")


def _array(data: NDArray[np.uint8], start: int, part: dict[str, Any]) -> NDArray[Any]:
    dtype = np.dtype(part["dtype"])
    if min(part["shape"], default=0) < 0 or part["offset"] < 0:
        raise ValueError("an array of negative size or place")
    count = math.prod(part["shape"])
    flat = np.frombuffer(data, dtype, count, start + part["offset"]) if count else np.empty(0, dtype)
    return flat.reshape(part["shape"])


def _damaged(path: Path) -> InvalidFile:
    return InvalidFile(f"{path} is damaged; import the roads again", field="roads", value=str(path))
