"""``geo-policing reconstruct``: sightings of a suspect to paths, and to where the suspect was when."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from geo_policing.model import Sighting, TimeWindow, Watch
    from geo_policing.roads import RoadNetwork
    from geo_policing.tracks import Mode, UnitAt


class Travels(StrEnum):
    """What the suspect travels with."""

    CAR = "car"
    E_BIKE = "e-bike"
    FOOT = "foot"
    ANY = "any"
    UNKNOWN = "unknown"


def reconstruct(
    roads: Annotated[Path, typer.Argument(help="Road network (.roads).")],
    sightings: Annotated[
        Path,
        typer.Argument(
            help="CSV, or GeoJSON with the same names: time[,until] and lon,lat[,accuracy_m], edge, cell "
            "or area; probability, observer and kind if known. With seen=no it is a watch in vain: until, "
            "and radius_m and detection if known."
        ),
    ],
    out: Annotated[Path, typer.Option(help="GeoJSON to write: paths, sightings, and cells at each moment.")],
    mode: Annotated[Travels, typer.Option(help="What the suspect travels with.")] = Travels.CAR,
    prior: Annotated[
        str | None,
        typer.Option(
            help="With --mode unknown, how probable each mode is before anything was seen: "
            "car=0.6,e-bike=0.3,foot=0.1, on any scale; all alike without it."
        ),
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="start/end, RFC 3339; from the first to the last sighting without it.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Seconds between the moments written.")] = 60,
    paths: Annotated[int, typer.Option(min=1, help="How many of the most frequent paths to write.")] = 5,
    resolution: Annotated[int, typer.Option(min=9, max=11, help="Of the H3 cells.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the samples; the same input gives the same file.")] = 0,
    cameras: Annotated[
        Path | None, typer.Option(help="CSV of camera,edge: those to rank by what they would tell.")
    ] = None,
    speeds: Annotated[
        Path | None, typer.Option(help="Speeds by road class and hour: a file of `learn-speeds`.")
    ] = None,
    closed: Annotated[
        Path | None,
        typer.Option(help="GeoJSON of areas that nobody walks across but on roads, like water; with foot."),
    ] = None,
    units: Annotated[
        Path | None,
        typer.Option(
            help="CSV of unit,lon,lat[,time,on_foot]: who can hold the gates, setting off at that time, or "
            "else at the last sighting."
        ),
    ] = None,
    map_: Annotated[Path | None, typer.Option("--map", help="Map to write: HTML, one file.")] = None,
    tiles: Annotated[Path | None, typer.Option(help="Ground of the map (.pmtiles).")] = None,
    report: Annotated[Path | None, typer.Option(help="Report to write: .html or .pdf.")] = None,
    report_at: Annotated[
        str | None,
        typer.Option(help="Moment of the regions in the report's picture, RFC 3339; see the docs without."),
    ] = None,
    memory_mb: Annotated[int, typer.Option(min=1, help="What the filter may take.")] = 1000,
) -> None:
    """Reconstruct a suspect's track: probabilities of places, not of guilt."""
    import json
    from functools import cache

    from geo_policing.cli.writing import write_private
    from geo_policing.errors import InvalidInput
    from geo_policing.model import TimeWindow, parse_instant
    from geo_policing.roads import RoadNetwork
    from geo_policing.tracks import MovementModel, Speeds, answer, mixed_answer
    from geo_policing.tracks.closed import read_areas
    from geo_policing.tracks.drawn_roads import roads_around
    from geo_policing.tracks.mixture import models_of, reconstruct_by
    from geo_policing.tracks.turns import Turns

    for field, path in (("out", out), ("map", map_), ("report", report)):
        if path is not None and not path.parent.is_dir():
            raise InvalidInput(f"{path.parent} is no folder; make it first", field=field, value=str(path))
    if report is not None and report.suffix.lower() not in (".html", ".pdf"):
        raise InvalidInput(
            f"report {report.name} is neither .html nor .pdf; name it so", field="report", value=str(report)
        )
    expected = None if prior is None else read_prior(prior, mode)
    drawn_at = None if report_at is None else parse_instant(report_at, field="report-at")
    network = RoadNetwork.load(roads)
    seen, watched = read_sightings(sightings, network)
    looked_at = None if cameras is None else read_cameras(cameras, network)
    covered = None if window is None else TimeWindow.parse(window, field="window")
    if drawn_at is not None and seen:
        _check_moment(drawn_at, seen, covered)
    ready = [] if units is None or not seen else _units(units, network, seen, covered)
    known = None if speeds is None else Speeds.read(speeds)
    models = models_of(known) if mode is Travels.UNKNOWN else [MovementModel.of(mode.value, known)]
    if closed is not None:
        areas = read_areas(closed)
        models = [model.closing(areas) for model in models]
    turns_of = cache(lambda model: Turns.of(network, model.access))
    wanted = answer.Wanted(every, paths, resolution, looked_at, units=ready)
    found = reconstruct_by(
        *(network, seen, models, covered),
        turns_of=turns_of,
        prior=expected,
        watches=watched,
        seed=seed,
        memory_bytes=memory_mb * 1_000_000,
    )
    features = mixed_answer.read_out(found, models[0], wanted, turns_of=turns_of, seed=seed)
    collection = {
        "type": "FeatureCollection",
        "window": [found.window.start.isoformat(), found.window.end.isoformat()],
        **mixed_answer.about(found, models[0]),
        "every_s": every,
        "resolution": resolution,
        "watches": len(watched),
        "roads": network.source,
        "seed": seed,
        "inputs": {
            "roads": answer.fingerprint(roads),
            "sightings": answer.fingerprint(sightings),
            "model": answer.model_fingerprint(),
        }
        | ({} if cameras is None else {"cameras": answer.fingerprint(cameras)})
        | ({} if closed is None else {"closed": answer.fingerprint(closed)})
        | ({} if speeds is None else {"speeds": answer.fingerprint(speeds)})
        | ({} if units is None else {"units": answer.fingerprint(units)}),
        "versions": answer.versions(),
        "ground": roads_around(network, features, models[0].access if len(models) == 1 else None),
        "features": features,
    }
    write_private(out, json.dumps(collection, ensure_ascii=False, sort_keys=True, separators=(",", ":")))
    if map_ is not None:
        from geo_policing.maps import reconstruction_map, render

        write_private(map_, render(reconstruction_map(collection, tiles_url=tiles), None))
    if report is not None:
        from geo_policing.tracks.report import report_html, report_pdf

        is_pdf = report.suffix.lower() == ".pdf"
        content = report_pdf(collection, drawn_at) if is_pdf else report_html(collection, drawn_at)
        write_private(report, content)


def _check_moment(at: "datetime", seen: "list[Sighting]", window: "TimeWindow | None") -> None:
    """Refuse a moment of which nothing will be known before the long work, not after it."""
    from geo_policing.errors import InvalidInput

    first = min(one.time for one in seen) if window is None else window.start
    last = max(one.last for one in seen) if window is None else window.end
    if not first <= at <= last:
        raise InvalidInput(
            f"report-at {at.isoformat()} is outside {first.isoformat()} to {last.isoformat()}; give a moment "
            "of the window",
            field="report-at",
            value=at.isoformat(),
        )


def _units(
    path: Path, network: "RoadNetwork", seen: "list[Sighting]", window: "TimeWindow | None"
) -> "list[UnitAt]":
    """Units of whom something can be told; else it is refused before the long work."""
    from geo_policing.errors import InvalidInput
    from geo_policing.tracks import Holding

    last = max(one.last for one in seen)
    if window is None or window.end <= last:
        raise InvalidInput(
            f"the window ends with the last sighting, {last.isoformat()}, so nothing is known of the time in "
            "which units could hold gates; give a --window that goes on for longer, or leave --units out",
            field="window",
        )
    ready = read_units(path, last)
    if astray := Holding(network).off_roads(ready):
        raise InvalidInput(
            f"{path}: {', '.join(astray)}: more than half a kilometre from any road that they may use; "
            "correct lon and lat, or leave them out",
            field="units",
            value=astray,
        )
    return ready


def read_prior(text: str, mode: Travels) -> "dict[Mode, float]":
    """Read how probable each mode is before anything was seen, from ``car=0.6,e-bike=0.3,foot=0.1``.

    Raises
    ------
    InvalidInput
        If it is written otherwise, is none for `mixture.prior_of`, or the mode is known.
    """
    from geo_policing.errors import InvalidInput
    from geo_policing.tracks.mixture import prior_of

    if mode is not Travels.UNKNOWN:
        raise InvalidInput(
            f"a prior is of no use with mode {mode.value}; give --mode unknown, or leave --prior out",
            field="prior",
            value=text,
        )
    given: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        try:
            probability = float(number)
        except ValueError:
            raise InvalidInput(
                f"prior {part.strip()!r}: write a mode and a number, like car=0.6,e-bike=0.3,foot=0.1",
                field="prior",
                value=text,
            ) from None
        if name in given:
            raise InvalidInput(f"prior names {name} twice; name it once", field="prior", value=text)
        given[name] = probability
    return prior_of(given)


def read_sightings(path: Path, network: "RoadNetwork") -> "tuple[list[Sighting], list[Watch]]":
    """Read sightings and watches of a CSV or GeoJSON file.

    Raises
    ------
    InvalidFile
        If it is neither, a column is missing, or a row cannot be read: its number and why.
    """
    from geo_policing.errors import InvalidFile
    from geo_policing.model import read_rows
    from geo_policing.tracks.evidence import edge_place

    try:
        return read_rows(rows_of(path), lambda edge: edge_place(network, edge))
    except InvalidFile as error:
        raise InvalidFile(f"{path}: {error}", field=error.field, value=error.value) from None


def read_cameras(path: Path, network: "RoadNetwork") -> dict[str, int]:
    """Read which edges cameras look at: a CSV of camera and edge.

    Raises
    ------
    InvalidFile
        If a column is missing, or an edge is not in the network: its row and why.
    """
    from geo_policing.errors import InvalidFile, InvalidInput
    from geo_policing.tracks.evidence import edge_number

    found = {}
    for number, row in enumerate(rows_of(path), 1):
        missing = [name for name in ("camera", "edge") if not row.get(name)]
        if missing:
            raise InvalidFile(
                f"{path}: camera {number} has no {missing[0]}; give the columns camera,edge", field=missing[0]
            )
        try:
            edge = edge_number(network, str(row["edge"]))
        except InvalidInput as error:
            raise InvalidFile(f"{path}: camera {number}: {error}", field="edge", value=error.value) from None
        assert edge is not None
        found[str(row["camera"])] = edge
    return found


def read_units(path: Path, free: "datetime") -> "list[UnitAt]":
    """Read where units are: a CSV of unit,lon,lat, and time and on_foot where they are given.

    Raises
    ------
    InvalidFile
        If a column is missing, or a row cannot be read: its number, field and why.
    """
    from geo_policing.errors import InvalidFile, InvalidInput
    from geo_policing.tracks import UnitAt

    found = []
    for number, row in enumerate(rows_of(path), 1):
        try:
            found.append(UnitAt.read(row, free))
        except InvalidInput as error:
            raise InvalidFile(
                f"{path}: unit {number}: {error}", field=error.field, value=error.value
            ) from None
    if not found:
        raise InvalidFile(
            f"{path} has no unit; give the columns unit,lon,lat and a row for each",
            field="units",
            value=str(path),
        )
    return found


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Rows of a file by the names of their columns; what is not given is absent or empty."""
    import csv
    import json

    from geo_policing.errors import InvalidFile
    from geo_policing.model import geojson_rows

    try:
        text = path.read_text(encoding="utf-8-sig")
        if not text.lstrip().startswith("{"):
            return [dict(row) for row in csv.DictReader(text.splitlines(), strict=True)]
        collection = json.loads(text)
    except (UnicodeDecodeError, csv.Error, ValueError, RecursionError) as error:
        raise InvalidFile(
            f"{path} is neither CSV nor GeoJSON ({type(error).__name__}: {error}); correct it",
            field="sightings",
            value=str(path),
        ) from None
    except OSError as error:
        raise InvalidFile(
            f"{path} cannot be read ({error.strerror}); correct its name", field="sightings", value=str(path)
        ) from None
    return geojson_rows(collection)
