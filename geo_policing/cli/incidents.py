"""``geo-policing import-incidents``: a file of incidents goes into the records."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from geo_policing.ingest.incident_files import Read
    from geo_policing.model import Incident

_SHOWN = 300  # characters of an error that lists ids; it must stay a line


def import_incidents(
    file: Annotated[Path, typer.Argument(help="CSV, GeoJSON or Excel (.xlsx) file.")],
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="Which column is what: id, occurred (or date and time), kind, severity, lon, lat, address, "
            "summary, state; columns joined by +, like occurred=Date+Time. Not needed where names agree.",
        ),
    ] = None,
    crs: Annotated[
        str, typer.Option(help="System of the coordinates: EPSG code, gcj02, bd09.")
    ] = "EPSG:4326",
    time_zone: Annotated[
        str | None, typer.Option(help="Zone of times without a UTC offset, like Asia/Shanghai.")
    ] = None,
    day_first: Annotated[bool, typer.Option("--day-first", help="Dates are like 31/12/2026.")] = False,
    month_first: Annotated[bool, typer.Option("--month-first", help="Dates are like 12/31/2026.")] = False,
    default_kind: Annotated[str | None, typer.Option(help="Kind of rows that name none.")] = None,
    default_state: Annotated[str, typer.Option(help="State of rows that name none.")] = "closed",
    keep_good: Annotated[
        bool, typer.Option("--keep-good", help="Take the good rows although others are refused.")
    ] = False,
    refused: Annotated[
        Path | None, typer.Option(help="CSV file for the rows refused, with row number and reason.")
    ] = None,
    within: Annotated[
        str | None, typer.Option(help="Where incidents may lie: west,south,east,north in degrees.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of a CSV; found out by default.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of a workbook; the first by default.")] = None,
    header_row: Annotated[int, typer.Option(help="Row of the names of the columns.")] = 1,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the databases; the service's by default.")
    ] = None,
) -> None:
    """Import incidents, all of a file or nothing; what is refused is told with its row and the reason."""
    from datetime import UTC, datetime, timedelta

    from rich.console import Console

    from geo_policing.errors import InvalidInput
    from geo_policing.ingest.incident_files import parse_mapping, read_incidents, write_refused
    from geo_policing.model import BoundingBox, IncidentState

    if day_first and month_first:
        raise InvalidInput("say either --day-first or --month-first", field="date_order")
    if default_state not in list(IncidentState):
        raise InvalidInput(
            f"state {default_state!r} is none of {', '.join(IncidentState)}", field="default_state"
        )
    with Console(stderr=True).status(f"reading {file}"):
        read = read_incidents(
            file,
            parse_mapping(mapping or []),
            crs=crs,
            time_zone=time_zone,
            date_order="dmy" if day_first else "mdy" if month_first else "ymd",
            default_kind=default_kind,
            default_state=IncidentState(default_state),
            keep_good=keep_good,
            within=BoundingBox.parse(within) if within else None,
            not_after=datetime.now(UTC) + timedelta(days=1),  # a day for clocks and zones
            encoding=encoding,
            sheet=sheet,
            header_row=header_row,
        )
    if refused is not None:
        write_refused(read, refused)
    _check_refused(file, read, refused, keep_good=keep_good)
    _save(read.incidents, data_dir)
    again = f"; {read.ambiguous} in an hour that the clocks repeated, taken for the first"
    print(
        f"{file}: {len(read.incidents):,} incidents imported, refused: {len(read.refused):,}"
        + (again if read.ambiguous else ""),
        file=sys.stderr,
    )


def _check_refused(file: Path, read: "Read", written: Path | None, *, keep_good: bool) -> None:
    """Say what was refused; raise InvalidFile unless the good rows are to be kept, or none is good."""
    from geo_policing.errors import InvalidFile

    if not read.refused:
        return
    first = read.refused[0]
    see = f"see {written}" if written else "--refused FILE lists them"
    said = f"{len(read.refused):,} of {read.rows:,} rows refused, row {first.row}: {first.reason}; {see}"
    if not read.incidents:
        remedy = "correct them" if keep_good else "correct them or say --keep-good"
        raise InvalidFile(f"{file}: nothing imported: {said}; {remedy}", field="file")
    print(f"{file}: {said}", file=sys.stderr)


def _save(incidents: "list[Incident]", data_dir: Path | None) -> None:
    from rich.console import Console
    from rich.progress import track

    from geo_policing.cli.options import given
    from geo_policing.errors import Conflict
    from geo_policing.settings import ServiceSettings
    from geo_policing.store import open_records

    settings = given(ServiceSettings, data_dir=data_dir)
    with open_records(settings.data_dir, settings.records_url) as records:
        console = Console(stderr=True)
        saving = track(incidents, "saving", console=console, transient=True, disable=not console.is_terminal)
        try:
            records.incidents.save_all(saving)
        except Conflict as error:
            text = str(error)
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
            raise Conflict(f"nothing imported: {shown}; was the file imported already?") from None
