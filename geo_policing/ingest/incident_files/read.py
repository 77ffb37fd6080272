"""Incidents of a file, and the rows that give none."""

import csv
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo_policing.errors import InvalidFile, InvalidInput
from geo_policing.ingest.incident_files import table as tables
from geo_policing.ingest.incident_files.columns import resolve, text_of
from geo_policing.ingest.incident_files.delimited import read_delimited
from geo_policing.ingest.incident_files.geojson import read_geojson
from geo_policing.ingest.incident_files.moments import DateOrder
from geo_policing.ingest.incident_files.places import locate
from geo_policing.ingest.incident_files.times import read_instants
from geo_policing.ingest.incident_files.workbook import read_workbook
from geo_policing.model import BoundingBox, Incident, IncidentState, Severity, from_us, to_us

#: Ids stand in addresses of pages.
MAX_ID = 200
_SEVERITIES = {str(int(s)): s for s in Severity} | {s.name.lower(): s for s in Severity}
_STATES = {s.value: s for s in IncidentState}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that gives no incident: its number as a spreadsheet shows it, why, and its cells as text."""

    row: int
    reason: str
    cells: tuple[str, ...]


@dataclass(slots=True)
class Read:
    """What a file came to.

    Parameters
    ----------
    incidents : list of Incident
        Those of the good rows; none if a row was refused and the good were not to be kept.
    refused : list of Refused
        The rows that give none, in their order.
    columns : tuple of str
        Names of the file's columns.
    rows : int
        Rows that are not empty.
    ambiguous : int
        Rows in an hour that the clocks repeated, taken for the first.
    """

    incidents: list[Incident] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    rows: int = 0
    ambiguous: int = 0


def read_incidents(
    path: Path,
    mapping: Mapping[str, str] | None = None,
    *,
    crs: str | int = "EPSG:4326",
    time_zone: str | None = None,
    date_order: DateOrder = "ymd",
    default_kind: str | None = None,
    default_state: IncidentState = IncidentState.CLOSED,
    keep_good: bool = False,
    within: BoundingBox | None = None,
    not_after: datetime | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    header_row: int = 1,
    max_rows: int = tables.MAX_ROWS,
) -> Read:
    """Read the incidents of a CSV, GeoJSON or Excel file, all of them or none.

    Parameters
    ----------
    path : Path
        The file; its kind is told by its content.
    mapping : mapping of str to str, optional
        From our fields (`FIELDS`) to columns, several joined by ``+``. A field that is not mapped is taken
        from the column of its own name where there is one. Without ``id`` an id is made of what the row says.
    crs : str or int
        System of the coordinates: EPSG code, WKT, ``gcj02`` or ``bd09``.
    time_zone : str, optional
        IANA zone of times without a UTC offset.
    date_order : {"ymd", "dmy", "mdy"}
        How dates with the year last are written.
    default_kind : str, optional
        Kind of the rows that name none.
    default_state : IncidentState
        State of the rows that name none; closed, so that old records do not open on the dispatcher's map.
    keep_good : bool
        Whether the good rows are taken although others are refused.
    within : BoundingBox, optional
        Where incidents may lie, degrees WGS 84; the area that the system was made for when not given.
    not_after : datetime, optional
        What is said to have occurred later is refused.
    encoding, sheet, header_row
        Encoding of a CSV file (found out when not given), sheet of a workbook (the first), and the row of
        the names of the columns, from 1.
    max_rows : int
        Files with more are refused, so that memory is bounded.

    Returns
    -------
    Read
        The incidents, and the rows refused with the reasons.

    Raises
    ------
    InvalidFile
        If the file is of the wrong kind, is damaged, or has no column that is needed.
    InvalidCoordinates
        If the system is unknown, or most places lie where they cannot: the system is another.
    InvalidInput
        If the mapping, the time zone or the order of the dates cannot be right.
    """
    if header_row < 1:
        raise InvalidInput("the header's row counts from 1", field="header_row", value=header_row)
    kind = tables.kind_of(path)
    if kind == "geojson":
        table = read_geojson(path, crs=crs, max_rows=max_rows)
    elif kind == "xlsx":
        table = read_workbook(path, sheet=sheet, header_row=header_row, max_rows=max_rows)
    else:
        table = read_delimited(path, encoding=encoding, header_row=header_row, max_rows=max_rows)
    columns = resolve(table, mapping or {})
    if not len(table.row):
        raise InvalidFile(f"{path} has a header but no rows", field="file")
    rows = _Rows(table, columns, path.name)
    rows.check_not_empty()
    rows.read_times(time_zone, date_order, not_after)
    rows.read_places(crs, within)
    rows.read_kinds(default_kind)
    severity = rows.read_choice("severity", _SEVERITIES, Severity.ORDINARY)
    state = rows.read_choice("state", _STATES, default_state)
    rows.read_ids()
    refused = rows.refused()
    read = Read([], refused, tuple(table.frame.columns), len(table.row), rows.ambiguous)
    if keep_good or not refused:
        read.incidents = rows.incidents(severity, state)
    return read


def write_refused(read: Read, path: Path) -> None:
    """Write the refused rows as CSV: row, reason, and the file's own columns; UTF-8 that Excel recognises."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "reason", *read.columns])
        writer.writerows([refused.row, refused.reason, *refused.cells] for refused in read.refused)


class _Rows:
    """The rows of a table while their fields are read; each step notes what it refuses."""

    def __init__(self, table: tables.Table, columns: Mapping[str, list[str]], source: str) -> None:
        self._table = table
        self._columns = columns
        self._source = source
        self._n = len(table.row)
        self._flaws: dict[int, list[str]] = {i: [reason] for i, reason in table.broken.items()}
        self._broken = np.zeros(self._n, np.bool_)
        self._broken[list(table.broken)] = True
        self.ambiguous = 0
        self._time_us: NDArray[np.int64] = np.zeros(self._n, np.int64)
        self._lon = self._lat = np.full(self._n, np.nan)
        self._text = {
            name: text_of(table, columns[name], name).to_numpy(object)
            for name in ("id", "kind", "severity", "state", "address", "summary")
            if name in columns
        }

    def check_not_empty(self) -> None:
        """Raise InvalidFile for a column that is needed and has nothing in it."""
        for name in ("occurred", "lon", "lat"):
            for column in self._columns.get(name, []):
                if self._table.xy is not None and name != "occurred":
                    continue
                if not self._table.frame[column].map(tables.as_text).any():
                    raise InvalidFile(
                        f"column {column!r} for {name} has no value; if it has formulas, open the file "
                        "in Excel and save it, so that their results are saved too",
                        field=name,
                    )

    def read_times(self, time_zone: str | None, order: DateOrder, not_after: datetime | None) -> None:
        """Read when each occurred."""
        whole = ~self._broken
        instants = read_instants(
            [self._table.frame.loc[whole, column] for column in self._columns["occurred"]],
            time_zone=time_zone,
            date_order=order,
            dates_from_1904=self._table.dates_from_1904,
        )
        position = np.flatnonzero(whole)
        self._time_us[position] = instants.time_us
        self.ambiguous = instants.ambiguous
        for i, reason in instants.flaws.items():
            self._refuse(int(position[i]), reason)
        if not_after is not None:
            for i in np.flatnonzero(self._time_us > to_us(not_after)).tolist():
                self._refuse(i, f"occurred: {from_us(int(self._time_us[i])).isoformat()} is in the future")

    def read_places(self, crs: str | int, within: BoundingBox | None) -> None:
        """Read where each occurred."""
        if self._table.xy is not None:
            x, y = self._table.xy
        else:
            x, y = self._read_numbers("lon"), self._read_numbers("lat")
        x, y = np.where(self._broken, np.nan, x), np.where(self._broken, np.nan, y)
        self._lon, self._lat, flaws = locate(x, y, crs, within)
        for i, reason in flaws.items():
            self._refuse(i, reason)

    def _read_numbers(self, name: str) -> NDArray[np.float64]:
        texts = text_of(self._table, self._columns[name], name)
        plain = texts
        if self._table.decimal_comma:
            plain = texts.where(
                texts.str.contains(".", regex=False), texts.str.replace(",", ".", regex=False)
            )
        numbers = np.array(pd.to_numeric(plain, errors="coerce"), np.float64)
        numbers[~np.isfinite(numbers)] = np.nan
        for i in np.flatnonzero(np.isnan(numbers) & ~self._broken).tolist():
            shown = texts.iloc[i]
            self._refuse(i, f"{name}: {shown!r} is no number" if shown else f"{name}: is empty")
        return numbers

    def read_kinds(self, default: str | None) -> None:
        """Read the kinds; raise InvalidInput when nothing names any."""
        if "kind" not in self._text:
            if not default:
                raise InvalidInput(
                    "nothing says of what kind the incidents are; say --map kind=COLUMN "
                    "or --default-kind KIND",
                    field="kind",
                )
            self._text["kind"] = np.full(self._n, default, object)
        kinds = self._text["kind"]
        empty = (kinds == "") & ~self._broken
        if default:
            kinds[empty] = default
        else:
            self._refuse_where(empty, lambda _: "kind: is empty")

    def read_choice(self, name: str, known: Mapping[str, T], default: T) -> list[T]:
        """Read a field that has a few values, whatever the case of its letters."""
        texts = self._text.get(name)
        if texts is None:
            return [default] * self._n
        plain = [text.lower().replace(" ", "_").replace("-", "_") for text in texts]
        wrong = np.fromiter((bool(text) and text not in known for text in plain), np.bool_, self._n)
        self._refuse_where(
            wrong & ~self._broken, lambda i: f"{name}: {texts[i]!r} is none of {', '.join(known)}"
        )
        return [known.get(text, default) for text in plain]

    def read_ids(self) -> None:
        """Read the ids, or make them of what the rows say, so that a second import is recognised."""
        if "id" not in self._text:
            self._text["id"] = self._made_ids()
            return
        ids = self._text["id"]
        self._refuse_where((ids == "") & ~self._broken, lambda _: "id: is empty")
        odd = np.fromiter((len(key) > MAX_ID or not key.isprintable() for key in ids), np.bool_, self._n)
        self._refuse_where(
            odd & ~self._broken,
            lambda _: f"id: is longer than {MAX_ID} characters, or has a line end or tab in it",
        )
        first: dict[str, int] = {}
        for i, key in enumerate(ids):
            if not key or self._broken[i]:
                continue
            before = first.setdefault(key, i)
            if before != i:
                self._refuse(i, f"id: {key} is also in row {self._table.row[before]}")

    def _made_ids(self) -> NDArray[np.object_]:
        """Ids of the content; of rows that say the same the second and later are numbered."""
        parts = [np.char.mod("%.8f", self._lon), np.char.mod("%.8f", self._lat), self._time_us.astype(str)]
        parts += [self._text[name] for name in ("kind", "address", "summary") if name in self._text]
        content = pd.Series(["\x1f".join(row) for row in zip(*parts, strict=True)])
        repeat = content.groupby(content).cumcount()
        made = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in content]
        ids = [f"{key}-{again + 1}" if again else key for key, again in zip(made, repeat, strict=True)]
        return np.array(ids, object)

    def _refuse(self, i: int, reason: str) -> None:
        self._flaws.setdefault(i, []).append(reason)

    def _refuse_where(self, rows: NDArray[np.bool_], reason: Callable[[int], str]) -> None:
        for i in np.flatnonzero(rows).tolist():
            self._refuse(i, reason(i))

    def refused(self) -> list[Refused]:
        """Return the rows that give no incident, with all that is wrong with each."""
        frame = self._table.frame
        return [
            Refused(
                int(self._table.row[i]),
                "; ".join(self._flaws[i]),
                tuple(tables.as_text(cell) for cell in frame.iloc[i]),
            )
            for i in sorted(self._flaws)
        ]

    def incidents(self, severity: list[Severity], state: list[IncidentState]) -> list[Incident]:
        """Return the incidents of the rows that nothing is wrong with."""
        nothing = np.full(self._n, "", object)
        summary, address = self._text.get("summary", nothing), self._text.get("address", nothing)
        ids, kinds = self._text["id"], self._text["kind"]
        return [
            Incident(
                id=ids[i],
                kind=kinds[i],
                occurred=from_us(int(self._time_us[i])),
                lon=float(self._lon[i]),
                lat=float(self._lat[i]),
                state=state[i],
                severity=severity[i],
                summary=summary[i],
                address=address[i],
                source=self._source,
            )
            for i in range(self._n)
            if i not in self._flaws
        ]
