"""``geo-policing sample-city``: an invented city and a stretch of its life as files, from a seed."""

from pathlib import Path
from typing import Annotated

import typer


def sample_city(
    out: Annotated[
        Path, typer.Argument(help="Folder to write; made if need be, an earlier sample city is replaced.")
    ],
    seed: Annotated[int, typer.Option(help="The same seed makes the same bytes.")] = 7,
    vehicles: Annotated[int, typer.Option(help="Size of the fleet, 1 to 5000.")] = 300,
    hours: Annotated[float, typer.Option(help="How long it drives, up to 48.")] = 2.0,
    start: Annotated[
        str, typer.Option(help="Begin, RFC 3339 with its offset.")
    ] = "2026-03-02T07:00:00+08:00",
    city_map: Annotated[
        bool, typer.Option("--map/--no-map", help="Write city.roads and city.gpkg too, or only the life.")
    ] = True,
) -> None:
    """Invent a city: roads and shapes, a fleet's NMEA with the truth, incidents, and one theft."""
    from geo_policing_sample_city.simulate import make_sample_city
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from geo_policing.model.instant import parse_instant

    begin = parse_instant(start, field="start")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("Laying out the city", total=1.0)
        make_sample_city(
            out,
            seed,
            vehicles,
            hours,
            start=begin,
            city_map=city_map,
            progress=lambda what, share: bars.update(bar, description=what, completed=share),
        )
    size_mb = sum(file.stat().st_size for file in out.iterdir()) / 1e6
    print(f"{out}: {vehicles} vehicles for {hours:g} hours, {size_mb:.0f} MB")
