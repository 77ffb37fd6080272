"""``geo-policing import-roads``: streets of OpenStreetMap or of a GIS file become a road network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from geo_policing.roads import RoadNetwork
    from geo_policing.roads.report import Report

_OSM = (".pbf", ".osm", ".osm.gz", ".osm.bz2")


def import_roads(
    source: Annotated[
        Path,
        typer.Argument(
            help="OpenStreetMap (.osm.pbf, .osm), GeoPackage, GeoJSON, shapefile, CSV with WKT, "
            "or what else GDAL reads."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Road network to write.")] = Path("city.roads"),
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="WHAT=COLUMN",
            help="Column that says it, e.g. name=ROADNAME: id, name, class, oneway, speed_kmh, access, "
            "bridge, tunnel, from, to, geometry (WKT in a CSV). Repeat for each.",
        ),
    ] = None,
    codes: Annotated[
        list[str] | None,
        typer.Option(
            "--code",
            metavar="WHAT:VALUE=MEANING",
            help="Meaning of a value, e.g. oneway:2=forward, class:41000=expressway. Repeat for each.",
        ),
    ] = None,
    crs: Annotated[
        str | None,
        typer.Option(help="EPSG code, WKT, gcj02 or bd09; what the file says by default."),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(metavar="W,S,E,N", help="Box in degrees WGS 84 that all of it must lie in."),
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Layer, where the file has several of lines.")] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of the texts, e.g. gbk, if the file omits it.")
    ] = None,
    snap: Annotated[float, typer.Option(help="Ends this near, in metres, are one node.")] = 0.5,
    min_piece_nodes: Annotated[
        int, typer.Option(min=0, help="Disconnected pieces of fewer nodes are dropped.")
    ] = 10,
    keep_pieces: Annotated[bool, typer.Option("--keep-pieces", help="Keep all pieces.")] = False,
    report: Annotated[Path | None, typer.Option(help="JSON to write: what was read and mended.")] = None,
) -> None:
    """Import roads into one file; what was mended or left out is counted on standard error."""
    import json

    from rich.console import Console

    from geo_policing.errors import InvalidInput
    from geo_policing.model import BoundingBox
    from geo_policing.roads.gis import read_gis
    from geo_policing.roads.osm import read_osm

    least = 0 if keep_pieces else min_piece_nodes

    def read(tell: "Callable[[str], None]") -> "tuple[RoadNetwork, Report]":
        if not source.name.lower().endswith(_OSM):
            return read_gis(
                source,
                columns=dict(_pair("map", text, "name=ROADNAME") for text in columns or []),
                codes=dict(_code(text) for text in codes or []),
                crs=crs,
                expect=BoundingBox.parse(expect) if expect else None,
                layer=layer,
                encoding=encoding,
                snap_m=snap,
                min_piece_nodes=least,
                tell=tell,
            )
        given = {
            "map": columns,
            "code": codes,
            "crs": crs,
            "expect": expect,
            "layer": layer,
            "encoding": encoding,
        }
        for name, value in given.items():
            if value:
                raise InvalidInput(
                    f"--{name} is for GIS files; {source} is OpenStreetMap, which says it itself; "
                    f"leave --{name} out",
                    field=name,
                    value=value,
                )
        return read_osm(source, min_piece_nodes=least, tell=tell)

    for target in (out, report):
        if target is not None and not target.absolute().parent.is_dir():
            raise InvalidInput(
                f"{target.parent} is no folder; make it first, or write elsewhere with -o and --report",
                field="out",
                value=str(target),
            )
    console = Console(stderr=True)
    with console.status("reading") as status:
        network, counts = read(status.update)
        network.save(out)
    _print(counts, out, console)
    if expect is None and not source.name.lower().endswith(_OSM):
        hint = "check that this is where the city is; --expect W,S,E,N refuses what lies elsewhere"
        console.print(hint, highlight=False, soft_wrap=True)
    if report is not None:
        report.write_text(json.dumps(counts.to_json(), ensure_ascii=False, indent=2), encoding="utf-8")


def _pair(option: str, text: str, example: str) -> tuple[str, str]:
    from geo_policing.errors import InvalidInput

    before, sign, after = text.partition("=")
    if not sign or not before:
        raise InvalidInput(
            f"--{option} {text!r} has no '='; write it like {example}", field=option, value=text
        )
    return before, after


def _code(text: str) -> tuple[tuple[str, str], str]:
    from geo_policing.errors import InvalidInput

    left, meaning = _pair("code", text, "oneway:2=forward")
    target, sign, value = left.partition(":")
    if not sign:
        raise InvalidInput(
            f"--code {text!r} has no ':'; write it like oneway:2=forward", field="code", value=text
        )
    return (target, value), meaning


def _print(counts: "Report", out: Path, console: "Console") -> None:
    from rich.table import Table

    table = Table(title=f"{counts.source} to {out}", box=None, show_header=False, title_justify="left")
    table.add_column(justify="right")
    table.add_column()
    for label, number in counts.rows():
        table.add_row(number, label)
    console.print(table)
    if counts.bounds is not None:
        west, south, east, north = counts.bounds
        console.print(f"between lon {west:.5f} and {east:.5f}, lat {south:.5f} and {north:.5f}")
    for note in counts.notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
