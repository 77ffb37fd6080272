"""``geo-policing import-roads``: an OpenStreetMap extract becomes a road network."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def import_roads(
    source: Annotated[Path, typer.Argument(help="OpenStreetMap extract, .osm.pbf.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Road network to write.")] = Path("city.roads"),
) -> None:
    """Import roads into one file; what could not be used is counted on standard error."""
    from geo_policing.errors import InvalidFile
    from geo_policing.roads.osm import read_osm

    if source.suffix != ".pbf":
        raise InvalidFile(f"{source} is no .pbf file; give an OpenStreetMap PBF extract", field="source")
    network, report = read_osm(source)
    network.save(out)
    print(
        f"{out}: {network.n_edges} edges, {network.n_nodes} nodes of {report.ways} ways; "
        f"{report.restrictions} turn restrictions, {report.unusable_restrictions} not usable, "
        f"{report.missing_nodes} nodes outside the extract",
        file=sys.stderr,
    )
