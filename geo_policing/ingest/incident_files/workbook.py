"""A sheet of an Excel workbook: the results of its formulas, dates as dates."""

import warnings
import zipfile
import zlib
from pathlib import Path
from xml.etree.ElementTree import ParseError

import numpy as np
import openpyxl
import pandas as pd
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from geo_policing.errors import InvalidFile
from geo_policing.ingest.incident_files.table import Table, as_text, too_many, unique_names

#: What openpyxl raises on workbooks whose parts are not what they should be.
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, ParseError, EOFError, OSError, NotImplementedError),
    *(LookupError, ValueError, TypeError, AttributeError, ArithmeticError),
)


def read_workbook(path: Path, *, sheet: str | None, header_row: int, max_rows: int) -> Table:
    """Read one sheet.

    Parameters
    ----------
    path : Path
        An .xlsx file.
    sheet : str, optional
        Name of the sheet; the first when not given.
    header_row : int
        Row of the names of the columns, from 1.
    max_rows : int
        More are refused.

    Returns
    -------
    Table
        Cells as Excel has them: text, numbers, dates; a formula is the result that was saved with it.

    Raises
    ------
    InvalidFile
        If it cannot be read, has no such sheet, or is too long.
    """
    try:
        # Opened here: openpyxl goes by the name of a path. What it does not know of a workbook's looks it
        # warns of, and that is nothing to us.
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore", UserWarning)
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            try:
                return _read(path, book, sheet, header_row, max_rows)
            finally:
                book.close()
    except _DAMAGED as error:
        why = " ".join(str(error).split())
        raise InvalidFile(
            f"{path} is a damaged Excel file ({why}); open it in Excel and save it again", field="file"
        ) from None


def _read(path: Path, book: openpyxl.Workbook, sheet: str | None, header_row: int, max_rows: int) -> Table:
    names = [found.title for found in book.worksheets]
    if not names or (sheet is not None and sheet not in names):
        raise InvalidFile(
            f"{path} has no sheet {sheet!r}; it has {', '.join(names) or 'none'}", field="sheet"
        )
    page = book[sheet or names[0]]
    page.reset_dimensions()  # other programs than Excel write them wrong, and rows would be lost
    header: list[str] = []
    cells: list[tuple[object, ...]] = []
    row: list[int] = []
    for number, values in enumerate(page.iter_rows(values_only=True), 1):
        if number < header_row:
            continue
        if number == header_row:
            header = [as_text(value) for value in values]
            while header and not header[-1]:
                header.pop()
        elif any(as_text(value) for value in values):
            if len(row) == max_rows:
                raise too_many(path, max_rows)
            cells.append((values + (None,) * len(header))[: len(header)])
            row.append(number)
    if not header:
        raise InvalidFile(
            f"{path}: row {header_row} of sheet {page.title!r} is empty; say where the names of the columns "
            "are, like --header-row 3",
            field="header_row",
        )
    frame = pd.DataFrame(cells, columns=unique_names(header), dtype=object)
    return Table(frame, np.asarray(row, np.int64), dates_from_1904=book.epoch == CALENDAR_MAC_1904)
