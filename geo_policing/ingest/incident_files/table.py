"""A file of any kind as cells in columns, and what kind a file is by how it begins."""

import zipfile
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo_policing.errors import InvalidFile

#: More rows than this are refused, so that memory is bounded: about 1 KB a row was measured.
MAX_ROWS = 1_000_000
MAX_BYTES = 1 << 30
_HEAD = 4096

#: How files begin that are often sent by mistake, and what to do with them.
_WRONG_KINDS = (
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls) or one with a password; save it as .xlsx without one"),
    (b"\x89PNG", "an image (PNG)"),
    (b"\xff\xd8\xff", "an image (JPEG)"),
    (b"GIF8", "an image (GIF)"),
    (b"II*\x00", "an image (TIFF)"),
    (b"%PDF", "a PDF; ask for the table that it was printed from"),
    (b"\x1f\x8b", "compressed (gzip); unpack it first"),
    (b"Rar!", "compressed (RAR); unpack it first"),
    (b"7z\xbc\xaf", "compressed (7-Zip); unpack it first"),
    (b"SQLite format 3", "a database (SQLite or GeoPackage); export the layer as CSV or GeoJSON"),
    (b"PAR1", "a Parquet file; save it as CSV"),
    (b"\x00\x00\x27\x0a", "a shapefile; save it as GeoJSON or CSV"),
)


@dataclass(slots=True)
class Table:
    """Cells of a file.

    Parameters
    ----------
    frame : DataFrame
        A column for each of the file's, text or what Excel and GeoJSON have in a cell; (n,) rows, the empty
        ones left out.
    row : (n,) int64
        The number that a spreadsheet shows beside each; in GeoJSON the how-manieth feature it is.
    broken : dict of int to str
        Why a row, by its position, cannot be read at all.
    xy : tuple of two (n,) float64, optional
        Coordinates of the geometries, where the file has such; they win over columns.
    decimal_comma : bool
        Whether numbers may be written like ``27,83``.
    dates_from_1904 : bool
        Whether serial numbers of dates count from 1904, as Excel's do in files of old Macintoshes.
    """

    frame: pd.DataFrame
    row: NDArray[np.int64]
    broken: dict[int, str] = field(default_factory=dict)
    xy: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    decimal_comma: bool = False
    dates_from_1904: bool = False


def kind_of(path: Path) -> str:
    """Kind of a file, ``csv``, ``geojson`` or ``xlsx``, by its content; its name may say anything.

    Raises
    ------
    InvalidFile
        If it is empty, too large, or of another kind; the message says which and what to do.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InvalidFile(f"{path} has {size >> 20} MiB, more than {MAX_BYTES >> 20}; split it", field="file")
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.strip():
        raise InvalidFile(f"{path} is empty", field="file")
    for start, what in _WRONG_KINDS:
        if head.startswith(start):
            raise InvalidFile(f"{path} is {what}; incidents come as CSV, GeoJSON or .xlsx", field="file")
    if head.startswith(b"PK"):
        return _kind_of_zip(path)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        raise InvalidFile(
            f"{path} is a web page or XML, not a table; was the download answered by a sign-in page?",
            field="file",
        )
    return "geojson" if text[:1] in {b"{", b"["} else "csv"


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            size = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError):
        raise InvalidFile(
            f"{path} is cut or damaged: an Excel or zip file without its end; get it again", field="file"
        ) from None
    if "content.xml" in names:
        raise InvalidFile(f"{path} is an OpenDocument file; save it as .xlsx or CSV", field="file")
    if "xl/workbook.xml" not in names:
        raise InvalidFile(f"{path} is a zip file; unpack it and import what is in it", field="file")
    if size > MAX_BYTES:
        raise InvalidFile(f"{path} unpacks to {size >> 20} MiB, more than {MAX_BYTES >> 20}", field="file")
    return "xlsx"


def too_many(path: Path, limit: int) -> InvalidFile:
    """Return what to raise when a file has more rows than the limit."""
    return InvalidFile(f"{path} has more than {limit:,} rows; split it", field="file")


def unique_names(header: list[str]) -> list[str]:
    """Names of the columns: ``column 3`` for a third without a name, ``Date (2)`` for a second ``Date``."""
    names: list[str] = []
    for number, text in enumerate(header, 1):
        name = text.strip() or f"column {number}"
        repeat, given = 1, name
        while name in names:
            repeat += 1
            name = f"{given} ({repeat})"
        names.append(name)
    return names


def as_text(value: object) -> str:
    """Return a cell as a reader would write it: whole numbers without ``.0``, instants as ISO 8601."""
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if value != value else f"{value:.0f}" if value.is_integer() else repr(value)  # noqa: PLR0124
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
