"""The city as files: ``city.roads`` and ``city.gpkg``."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely

from geo_policing.roads.network import Access, EdgeFlag, RoadClass, RoadNetwork
from geo_policing_sample_city.city import City

#: What keeps the bytes the same: GDAL notes when a layer was changed, and indexes in a thread of its own.
SAME_BYTES = {"OGR_CURRENT_DATE": "2026-01-01T00:00:00.000Z", "OGR_GPKG_ALLOW_THREADED_RTREE": "NO"}
LAYERS = ("urban_area", "districts", "water", "green", "buildings", "places", "precincts", "cameras")


def write_city(city: City, out: Path) -> None:
    """Write the city into a folder, which is made if need be; files of an earlier city are replaced."""
    out.mkdir(parents=True, exist_ok=True)
    city.network.save(out / "city.roads")
    layers = {layer: getattr(city, layer) for layer in LAYERS}
    write_layers({**layers, "roads": roads_frame(city.network)}, out / "city.gpkg")


def write_layers(layers: Mapping[str, gpd.GeoDataFrame], path: Path) -> None:
    """Write frames as the layers of one GeoPackage; the same frames, the same bytes."""
    path.unlink(missing_ok=True)
    with _same_bytes():
        for layer, frame in layers.items():
            pyogrio.write_dataframe(frame, path, layer=layer, driver="GPKG")


def roads_frame(network: RoadNetwork) -> gpd.GeoDataFrame:
    """Return the edges as features, one for each direction, in the columns that an import of roads knows."""
    lon, lat = network.plane.inverse(network.vertex_x, network.vertex_y)
    edge = np.repeat(np.arange(network.n_edges), np.diff(network.vertex_offset))
    modes = {bits: " ".join(str(m.name).lower() for m in Access if bits & m) for bits in range(8)}
    columns = {
        "edge_id": network.edge_ids,
        "name": [network.name_of(e) for e in range(network.n_edges)],
        "class": [RoadClass(k).name.lower() for k in network.road_class],
        "oneway": "yes",
        "speed_kmh": (network.speed_mps.astype(np.float64) * 3.6).round(1),
        "access": [modes[bits] for bits in network.access.tolist()],
        "bridge": np.where(network.flags & EdgeFlag.BRIDGE, "yes", "no"),
        "tunnel": np.where(network.flags & EdgeFlag.TUNNEL, "yes", "no"),
        "from_node": [f"N{n}" for n in network.from_node],
        "to_node": [f"N{n}" for n in network.to_node],
        "length_m": network.length_m.round(1),
    }
    lines = shapely.linestrings(np.column_stack([lon, lat]), indices=edge)
    return gpd.GeoDataFrame(columns, geometry=lines, crs="EPSG:4326")


@contextmanager
def _same_bytes() -> Iterator[None]:
    before = {option: pyogrio.get_gdal_config_option(option) for option in SAME_BYTES}
    pyogrio.set_gdal_config_options(SAME_BYTES)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)
