"""``geo-policing sample-city``: an invented city as files, from a seed."""

from pathlib import Path
from typing import Annotated

import typer


def sample_city(
    out: Annotated[Path, typer.Argument(help="Folder to write into; made if need be.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same city.")] = 7,
) -> None:
    """Invent a city and write its roads and shapes."""
    from geo_policing_sample_city.city import build_city
    from geo_policing_sample_city.write import write_city
    from rich.console import Console

    with Console(stderr=True).status("Laying out the city"):
        city = build_city(seed)
        write_city(city, out)
    print(f"{out}: {city.network.n_edges} directed edges, {len(city.places)} places")
