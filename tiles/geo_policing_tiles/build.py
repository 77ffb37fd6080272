"""Build the basemap: GDAL cuts each band into vector tiles, which one archive then holds."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio

from geo_policing.roads.network import RoadNetwork
from geo_policing_tiles.pmtiles import write_pmtiles
from geo_policing_tiles.shapes import Band, bands

#: Shapes that are drawn if they are given, beside the roads.
LAYERS = ("urban_area", "districts", "water", "green", "buildings", "places")
#: Units a tile's side is divided into; at the last zoom one is 0.3 m.
EXTENT = 4096
#: Lines are drawn up to this many units outside the tile, so that their width does not end at its edge.
BUFFER = 96
#: What a line may move to have fewer vertices, in units: a sixteenth of a pixel.
SIMPLIFICATION = 1.0
ATTRIBUTION = "geo_policing"


def build_pmtiles(network: RoadNetwork, layers: Mapping[str, gpd.GeoDataFrame], out: Path) -> int:
    """Build the tiles of a city, zoom 9 to 15.

    Parameters
    ----------
    network : RoadNetwork
        Becomes the layer ``roads``.
    layers : mapping of str to GeoDataFrame
        Any of urban_area, districts, water, green, buildings and places, in EPSG:4326.
    out : Path
        File to write or replace, whole or not at all.

    Returns
    -------
    int
        Bytes of the file.
    """
    tiles: dict[tuple[int, int, int], bytearray] = defaultdict(bytearray)
    fields: dict[str, dict[str, str]] = {}
    zooms: dict[str, tuple[int, int]] = {}
    boxes = []
    with tempfile.TemporaryDirectory(prefix="tiles-") as folder, _one_thread():
        for number, band in enumerate(bands(network, layers)):
            if band.frame.empty:
                continue
            # A tile is a list of layers: those of several files, one after the other, are one tile.
            for key, tile in _cut(band, Path(folder) / str(number)):
                tiles[key] += tile
            boxes.append(band.frame.total_bounds)
            low, high = zooms.get(band.layer, (band.min_zoom, band.max_zoom))
            zooms[band.layer] = min(low, band.min_zoom), max(high, band.max_zoom)
            fields[band.layer] = {
                name: "Number" if kind.kind in "iuf" else "String"
                for name, kind in band.frame.drop(columns=band.frame.geometry.name).dtypes.items()
            }
    bounds = (
        float(min(b[0] for b in boxes)),
        float(min(b[1] for b in boxes)),
        float(max(b[2] for b in boxes)),
        float(max(b[3] for b in boxes)),
    )
    metadata: dict[str, Any] = {
        "name": "city",
        "attribution": ATTRIBUTION,
        "vector_layers": [
            {"id": name, "fields": fields[name], "minzoom": zooms[name][0], "maxzoom": zooms[name][1]}
            for name in fields
        ],
    }
    write_pmtiles(out, {key: bytes(tile) for key, tile in tiles.items()}, bounds, metadata)
    return out.stat().st_size


def _cut(band: Band, folder: Path) -> Iterator[tuple[tuple[int, int, int], bytes]]:
    pyogrio.write_dataframe(
        band.frame,
        folder,
        layer=band.layer,
        driver="MVT",
        dataset_options={
            "FORMAT": "DIRECTORY",
            "TILE_EXTENSION": "mvt",
            "COMPRESS": "NO",
            "MINZOOM": band.min_zoom,
            "MAXZOOM": band.max_zoom,
            "EXTENT": EXTENT,
            "BUFFER": BUFFER,
            "SIMPLIFICATION": SIMPLIFICATION,
            "SIMPLIFICATION_MAX_ZOOM": 0.5,
            "MAX_SIZE": 2_000_000,
            "MAX_FEATURES": 100_000,
        },
    )
    for path in sorted(folder.glob("*/*/*.mvt")):
        z, x, y = (int(part) for part in (path.parts[-3], path.parts[-2], path.stem))
        yield (z, x, y), path.read_bytes()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep GDAL from threads, in which the order of features is left to chance."""
    before = pyogrio.get_gdal_config_option("GDAL_NUM_THREADS")
    pyogrio.set_gdal_config_options({"GDAL_NUM_THREADS": "1"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"GDAL_NUM_THREADS": before})
