"""``geo-policing build-tiles``: the basemap of a city as one file."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer


def build_tiles(
    city: Annotated[Path, typer.Argument(help="Folder with city.roads and, for shapes, city.gpkg.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="PMTiles to write.")] = Path("city.pmtiles"),
) -> None:
    """Build vector tiles of roads, water, green, buildings and places, for maps without internet."""
    import pyogrio
    from geo_policing_tiles import LAYERS, build_pmtiles
    from pyogrio.errors import DataSourceError
    from rich.console import Console

    from geo_policing.errors import InvalidFile
    from geo_policing.roads.network import RoadNetwork

    roads, shapes = city / "city.roads", city / "city.gpkg"
    if not roads.is_file():
        raise InvalidFile(
            f"{roads} is not there; make a city with geo-policing sample-city {city}, "
            f"or import your roads with geo-policing import-roads SOURCE -o {roads}",
            field="city",
            value=str(city),
        )
    network = RoadNetwork.load(roads)
    layers = {}
    if shapes.is_file():
        try:
            names = {str(name) for name, _ in pyogrio.list_layers(shapes)}
            layers = {name: pyogrio.read_dataframe(shapes, layer=name) for name in LAYERS if name in names}
        except DataSourceError as error:
            raise InvalidFile(
                f"{shapes} is no GeoPackage: {error}", field="city", value=str(shapes)
            ) from None
    began = time.perf_counter()
    with Console(stderr=True).status("Cutting the city into tiles"):
        size = build_pmtiles(network, layers, out)
    missing = [name for name in LAYERS if name not in layers]
    without = f"; without {', '.join(missing)}" if missing else ""
    print(
        f"{out}: {size / 1e6:.2f} MB in {time.perf_counter() - began:.0f} s, {network.n_edges} edges"
        f"{''.join(f', {len(frame)} {name}' for name, frame in layers.items())}{without}",
        file=sys.stderr,
    )
