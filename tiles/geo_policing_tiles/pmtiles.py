"""Write PMTiles: all tiles of a map in one file that browsers read by ranges of bytes.

Source: PMTiles specification, version 3.
"""

import gzip
import json
import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

#: The header and the root directory must lie in the first 16 KiB.
ROOT_BYTES = 16384 - 127
LEAF_ENTRIES = 4096
GZIP, MVT = 2, 1

#: tile id, offset, length, run length
Entry = tuple[int, int, int, int]


def tile_id(z: int, x: int, y: int) -> int:
    """Return the number of a tile: zoom by zoom, along the Hilbert curve of each."""
    number = (4**z - 1) // 3
    side = 1 << (z - 1) if z else 0
    while side:
        right, low = int((x & side) > 0), int((y & side) > 0)
        number += side * side * ((3 * right) ^ low)
        if not low:
            if right:
                x, y = side - 1 - x, side - 1 - y
            x, y = y, x
        side >>= 1
    return number


def write_pmtiles(
    path: Path,
    tiles: Mapping[tuple[int, int, int], bytes],
    bounds: tuple[float, float, float, float],
    metadata: Mapping[str, Any],
) -> None:
    """Write an archive of vector tiles, whole or not at all; the same tiles give the same bytes.

    Parameters
    ----------
    path : Path
        File to write or replace.
    tiles : mapping
        (z, x, y), y from the north, to the tile's MVT, not compressed.
    bounds : tuple of float
        west, south, east, north in degrees.
    metadata : mapping
        What becomes JSON; ``vector_layers`` describes the layers.
    """
    content: dict[bytes, tuple[int, int]] = {}
    parts: list[bytes] = []
    entries: list[Entry] = []
    size = 0
    for number, key in sorted((tile_id(*key), key) for key in tiles):
        tile = tiles[key]
        if tile not in content:
            part = gzip.compress(tile, 9, mtime=0)
            content[tile] = size, len(part)
            parts.append(part)
            size += len(part)
        offset, length = content[tile]
        if entries and entries[-1][1:3] == (offset, length) and entries[-1][0] + entries[-1][3] == number:
            entries[-1] = (*entries[-1][:3], entries[-1][3] + 1)
        else:
            entries.append((number, offset, length, 1))
    root, leaves = _directories(entries)
    about = gzip.compress(json.dumps(metadata, ensure_ascii=False, sort_keys=True).encode(), 9, mtime=0)
    zooms = [z for z, _, _ in tiles]
    start_about = 127 + len(root)
    start_leaves = start_about + len(about)
    start_tiles = start_leaves + len(leaves)
    west, south, east, north = (round(v * 1e7) for v in bounds)
    header = struct.pack(
        "<7sB 8Q 3Q 6B 4i B2i",
        *(b"PMTiles", 3),
        *(127, len(root), start_about, len(about), start_leaves, len(leaves), start_tiles, size),
        *(len(tiles), len(entries), len(content)),
        *(1, GZIP, GZIP, MVT, min(zooms), max(zooms)),
        *(west, south, east, north),
        *(min(zooms), (west + east) // 2, (south + north) // 2),
    )
    _write_whole(path, [header, root, about, leaves, *parts])


def _directories(entries: list[Entry]) -> tuple[bytes, bytes]:
    """Return the root directory and, when one is too small, the leaves it points to."""
    root = _directory(entries)
    if len(root) <= ROOT_BYTES:
        return root, b""
    each = LEAF_ENTRIES
    while True:
        leaves, pointers, size = [], [], 0
        for first in range(0, len(entries), each):
            leaf = _directory(entries[first : first + each])
            # A run length of 0 says that the entry is a directory.
            pointers.append((entries[first][0], size, len(leaf), 0))
            leaves.append(leaf)
            size += len(leaf)
        root = _directory(pointers)
        if len(root) <= ROOT_BYTES:
            return root, b"".join(leaves)
        each *= 2


def _directory(entries: list[Entry]) -> bytes:
    out = bytearray(_varint(len(entries)))
    before = 0
    for number, *_ in entries:
        out += _varint(number - before)
        before = number
    for *_, run in entries:
        out += _varint(run)
    for _, _, length, _ in entries:
        out += _varint(length)
    end = -1
    for _, offset, length, _ in entries:
        out += _varint(0 if offset == end else offset + 1)
        end = offset + length
    return gzip.compress(bytes(out), 9, mtime=0)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _write_whole(path: Path, parts: Iterable[bytes]) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as out:
            out.writelines(parts)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
