"""CSV of any separator and of the encodings that Chinese and Western offices write."""

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from geo_policing.errors import InvalidFile
from geo_policing.ingest.incident_files.table import Table, too_many, unique_names

_BLOCK = 1 << 20
_ROWS = 50_000  # turned into columns at a time: Python's rows take ten times the memory of columns
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_delimited(path: Path, *, encoding: str | None, header_row: int, max_rows: int) -> Table:
    """Read a CSV file.

    Parameters
    ----------
    path : Path
        The file.
    encoding : str, optional
        Its encoding; found out when not given: by the byte order mark, else UTF-8, else GB 18030.
    header_row : int
        Row of the names of the columns, from 1.
    max_rows : int
        More are refused.

    Returns
    -------
    Table
        Columns of text; a row with too few or too many cells is broken.

    Raises
    ------
    InvalidFile
        If it is no text, its encoding cannot be found out, or it is too long.
    """
    name = encoding or _encoding(path)
    try:
        # What is cut in the middle of a character ends with a replacement character; its row is refused.
        with path.open(encoding=name, errors="replace", newline="") as file:
            return _read(path, file, header_row, max_rows)
    except LookupError:
        raise InvalidFile(
            f"encoding {encoding!r} is unknown; like gb18030, utf-16 or cp1252", field="encoding"
        ) from None


def _read(path: Path, file: TextIO, header_row: int, max_rows: int) -> Table:
    head = file.read(_BLOCK).splitlines()
    if len(head) < header_row:
        raise InvalidFile(f"{path} has no row {header_row} for the header", field="header_row")
    separator = _separator(head[header_row - 1])
    file.seek(0)
    lines = _Lines(file)
    records = _records(csv.reader(lines, delimiter=separator))
    header: list[str] = []
    for _ in range(header_row):
        header, _flaw = next(records)
    lines.take_quotes()
    names = unique_names(header)
    blocks: list[pd.DataFrame] = []
    block: list[list[str]] = []
    row: list[int] = []
    broken: dict[int, str] = {}
    last = header_row
    unclosed = False
    for last, (cells, flaw) in enumerate(records, header_row + 1):
        unclosed = lines.take_quotes() % 2 == 1
        if not flaw and not any(cell.strip() for cell in cells):
            continue
        if len(row) == max_rows:
            raise too_many(path, max_rows)
        reason = flaw or _misfit(cells, len(names))
        if reason:
            broken[len(row)] = reason
        block.append((cells + [""] * len(names))[: len(names)])
        row.append(last)
        if len(block) == _ROWS:
            blocks.append(pd.DataFrame(block, columns=names, dtype="str"))
            block = []
    blocks.append(pd.DataFrame(block, columns=names, dtype="str"))
    if row and row[-1] == last and not _ends_with_newline(path):
        at_end = blocks[-1].iloc[-1] if len(blocks[-1]) else blocks[-2].iloc[-1]
        why = broken.get(len(row) - 1) or ("a quote is not closed" if unclosed else "")
        why = why or ("in a character" if at_end.str.endswith("\ufffd").any() else "")
        if why:
            broken[len(row) - 1] = f"the file is cut in this row ({why}); get it again"
    frame = pd.concat(blocks, ignore_index=True)
    return Table(frame, np.asarray(row, np.int64), broken, decimal_comma=separator != ",")


class _Lines:
    """Lines of a file, with the quotes in them counted: an odd number in a record is one not closed."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._quotes = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self._quotes += line.count('"')
            yield line

    def take_quotes(self) -> int:
        """Return how many quotes there were since this was last asked."""
        count, self._quotes = self._quotes, 0
        return count


def _records(reader: Iterator[list[str]]) -> Iterator[tuple[list[str], str]]:
    """Each record with what is wrong with it; after a cell of over 128 KiB nothing can be trusted."""
    while True:
        try:
            yield next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            yield [], f"cannot be read, nor what follows ({error}): is a quote not closed?"
            return


def _misfit(cells: list[str], expected: int) -> str:
    if len(cells) < expected:
        why = f"{len(cells)} cells for {expected} columns"
    elif any(cell.strip() for cell in cells[expected:]):
        why = f"{len(cells)} cells for {expected} columns: is a separator in a cell not quoted?"
    else:
        return ""
    return why + (" (a quote is not closed)" if any("\n" in cell for cell in cells) else "")


def _separator(header: str) -> str:
    """Take the separator that the header has most of outside quotes; a comma when it has none."""
    bare = "".join(header.split('"')[::2])
    return max(",;\t|", key=bare.count)


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_BLOCK)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    if b"\x00" in head:
        # In UTF-16 text of any script separators and line ends leave a zero in every pair.
        pairs = np.frombuffer(head[: len(head) // 2 * 2], np.uint8).reshape(-1, 2) == 0
        first, second = pairs.mean(axis=0)
        if max(first, second) < 0.1 or min(first, second) > 0.01:
            raise InvalidFile(
                f"{path} is no text (it has zero bytes); incidents come as CSV, GeoJSON or .xlsx",
                field="file",
            )
        return "utf-16-be" if first > second else "utf-16-le"
    for name in ("utf-8", "gb18030"):
        if _decodes(path, name):
            return name
    raise InvalidFile(
        f"{path} is neither UTF-8, UTF-16 nor GB 18030; name its encoding, like --encoding cp1252",
        field="encoding",
    )


def _decodes(path: Path, name: str) -> bool:
    """Whether all of a file is text in an encoding; it may be cut in its last character."""
    decoder = codecs.getincrementaldecoder(name)()
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK):
                decoder.decode(block)
        except UnicodeDecodeError:
            return False
    return True


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-4, 2) if path.stat().st_size >= 4 else file.seek(0)
        return file.read().rstrip(b"\x00 \t").endswith((b"\n", b"\r", b"\n\x00"))
