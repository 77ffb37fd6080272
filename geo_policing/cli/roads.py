"""``geo-policing import-roads``: an OpenStreetMap extract becomes a road network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from geo_policing.roads.report import Report


def import_roads(
    source: Annotated[Path, typer.Argument(help="OpenStreetMap extract, .osm.pbf or .osm.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Road network to write.")] = Path("city.roads"),
    min_piece_nodes: Annotated[
        int, typer.Option(min=0, help="Disconnected pieces of fewer nodes are dropped.")
    ] = 10,
    keep_pieces: Annotated[bool, typer.Option("--keep-pieces", help="Keep all pieces.")] = False,
    report: Annotated[Path | None, typer.Option(help="JSON to write: what was read and mended.")] = None,
) -> None:
    """Import roads into one file; what was mended or left out is counted on standard error."""
    import json

    from rich.console import Console

    from geo_policing.errors import InvalidFile
    from geo_policing.roads.osm import read_osm

    if not source.name.endswith((".pbf", ".osm")):
        raise InvalidFile(f"{source} is no .pbf file; give an OpenStreetMap PBF extract", field="source")
    console = Console(stderr=True)
    with console.status("reading") as status:
        network, counts = read_osm(
            source, min_piece_nodes=0 if keep_pieces else min_piece_nodes, tell=status.update
        )
        network.save(out)
    _print(counts, out, console)
    if report is not None:
        report.write_text(json.dumps(counts.to_json(), ensure_ascii=False, indent=2), encoding="utf-8")


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
        console.print(f"note: {note}")
