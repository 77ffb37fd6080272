"""Tiles written into a page: those of a PMTiles file that lie in a box, for pages without a server.

Source: PMTiles specification, version 3.
"""

import base64
import gzip
import math
import struct
from bisect import bisect_right
from pathlib import Path

from geo_policing.errors import InvalidFile
from geo_policing.model import BoundingBox

#: tile id, run length, length, offset
Entry = tuple[int, int, int, int]
GZIP, MVT = 2, 1


class PmtilesFile:
    """A PMTiles archive of vector tiles, read from memory.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    InvalidFile
        If it is no archive of gzipped vector tiles, or cut short.
    """

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        if len(self._data) < 127 or self._data[:8] != b"PMTiles\x03":
            raise InvalidFile(
                f"{path} is no PMTiles archive of version 3; make one with geo-policing build-tiles",
                field="tiles",
                value=str(path),
            )
        root, root_size, _, _, self._leaves, _, self._tiles, size = struct.unpack_from("<8Q", self._data, 8)
        if len(self._data) < self._tiles + size:
            raise InvalidFile(f"{path} is cut short; build it again", field="tiles", value=str(path))
        _, inner, outer, kind, self.min_zoom, self.max_zoom = struct.unpack_from("<6B", self._data, 96)
        if (inner, outer, kind) != (GZIP, GZIP, MVT):
            raise InvalidFile(
                f"{path} holds no gzipped vector tiles; make them with geo-policing build-tiles",
                field="tiles",
                value=str(path),
            )
        west, south, east, north = (v / 1e7 for v in struct.unpack_from("<4i", self._data, 102))
        self.bounds = BoundingBox(west, south, east, north)
        self._root = _entries(self._data[root : root + root_size])

    def tile(self, z: int, x: int, y: int) -> bytes | None:
        """Return a tile, gzipped as it is in the file; None where there is none."""
        wanted = tile_id(z, x, y)
        entries = self._root
        while True:
            at = bisect_right(entries, wanted, key=lambda entry: entry[0]) - 1
            if at < 0:
                return None
            first, run, length, offset = entries[at]
            if run:
                begin = self._tiles + offset
                return self._data[begin : begin + length] if wanted < first + run else None
            begin = self._leaves + offset
            entries = _entries(self._data[begin : begin + length])


def embedded_tiles(path: Path, box: BoundingBox | None = None) -> dict[str, str]:
    """Return the tiles that touch a box, as ``z/x/y`` to base64 of the gzipped tile.

    Parameters
    ----------
    path : Path
        PMTiles archive.
    box : BoundingBox, optional
        Where tiles are wanted; everywhere by default.
    """
    archive = PmtilesFile(path)
    whole = archive.bounds
    box = box or whole
    found = {}
    for z in range(archive.min_zoom, archive.max_zoom + 1):
        west, north = _tile_of(z, max(box.west, whole.west), min(box.north, whole.north))
        east, south = _tile_of(z, min(box.east, whole.east), max(box.south, whole.south))
        for x in range(west, east + 1):
            for y in range(north, south + 1):
                tile = archive.tile(z, x, y)
                if tile is not None:
                    found[f"{z}/{x}/{y}"] = base64.b64encode(tile).decode("ascii")
    return found


def tile_id(z: int, x: int, y: int) -> int:
    """Return the number of a tile: zoom by zoom, along the Hilbert curve of each."""
    number = (4**z - 1) // 3
    for level in reversed(range(z)):
        side = 1 << level
        right, low = x >> level & 1, y >> level & 1
        number += side * side * (3 * right ^ low)
        if not low:
            if right:
                x, y = ~x & (side - 1), ~y & (side - 1)
            x, y = y, x
    return number


def _tile_of(z: int, lon: float, lat: float) -> tuple[int, int]:
    side = 1 << z
    phi = math.radians(max(-85.05, min(85.05, lat)))
    x = (lon + 180) / 360 * side
    y = (1 - math.asinh(math.tan(phi)) / math.pi) / 2 * side
    return min(side - 1, max(0, int(x))), min(side - 1, max(0, int(y)))


def _entries(directory: bytes) -> list[Entry]:
    values = []
    value = shift = 0
    for byte in gzip.decompress(directory):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            values.append(value)
            value = shift = 0
    n = values[0]
    steps, runs, lengths, raw = (values[1 + k * n : 1 + (k + 1) * n] for k in range(4))
    entries: list[Entry] = []
    number = end = 0
    for step, run, length, place in zip(steps, runs, lengths, raw, strict=True):
        number += step
        offset = place - 1 if place else end
        entries.append((number, run, length, offset))
        end = offset + length
    return entries
