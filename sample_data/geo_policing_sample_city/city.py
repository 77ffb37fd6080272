"""The city as a whole, made from one seed."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from shapely import Polygon

from geo_policing.roads.network import RoadNetwork
from geo_policing_sample_city.buildings import raise_buildings
from geo_policing_sample_city.cameras import put_up_cameras
from geo_policing_sample_city.green import make_green
from geo_policing_sample_city.places import choose_places, precincts
from geo_policing_sample_city.streets import make_streets
from geo_policing_sample_city.terrain import Terrain, make_terrain

DISTRICTS = (("天元区", "Tianyuan"), ("芦淞区", "Lusong"), ("荷塘区", "Hetang"), ("石峰区", "Shifeng"))


@dataclass(frozen=True, eq=False)
class City:
    """Roads and shapes; the frames are in EPSG:4326.

    Parameters
    ----------
    network : RoadNetwork
        Roads, in CGCS2000 / 3-degree Gauss-Kruger CM 114E.
    urban_area : GeoDataFrame
        One polygon of 310 km².
    districts : GeoDataFrame
        name, pinyin; they share out the urban area.
    water : GeoDataFrame
        name; the river within the urban area.
    places : GeoDataFrame
        id, kind (police_station, hospital, school), name; points.
    precincts : GeoDataFrame
        id, name, station; they share out the urban area.
    green : GeoDataFrame
        name; parks, hills, banks and woods.
    buildings : GeoDataFrame
        height_m, use; footprints.
    cameras : GeoDataFrame
        id, kind (camera, checkpoint), name, edge_id, heading_deg; points on their edges.
    """

    network: RoadNetwork
    urban_area: gpd.GeoDataFrame
    districts: gpd.GeoDataFrame
    water: gpd.GeoDataFrame
    places: gpd.GeoDataFrame
    precincts: gpd.GeoDataFrame
    green: gpd.GeoDataFrame
    buildings: gpd.GeoDataFrame
    cameras: gpd.GeoDataFrame


def build_city(seed: int) -> City:
    """Invent a city; the same seed gives the same city."""
    rng = np.random.default_rng(seed)
    terrain = make_terrain(rng)
    streets = make_streets(terrain, rng)
    network, blocks = streets.network, streets.blocks
    places = choose_places(blocks, streets.quarters, rng)
    green = make_green(terrain, blocks, streets.quarters, rng)
    buildings = raise_buildings(blocks, network, places, rng)
    cameras = put_up_cameras(network, rng)
    ids = [f"P{i + 1:03d}" for i in range(len(places.kind))]
    stations = places.kind.count("police_station")
    districts = _districts(terrain)
    return City(
        network=network,
        urban_area=_frame(terrain, [terrain.urban_area], name=["城区"]),
        districts=_frame(
            terrain, districts, name=[d[0] for d in DISTRICTS], pinyin=[d[1] for d in DISTRICTS]
        ),
        water=_frame(
            terrain,
            [terrain.river.intersection(terrain.urban_area), *green.lakes],
            name=["湘江", *green.lake_names],
        ),
        places=_frame(terrain, shapely.points(places.xy), id=ids, kind=places.kind, name=places.name),
        precincts=_frame(
            terrain,
            precincts(terrain, places.xy[:stations]),
            id=[f"J{i + 1:02d}" for i in range(stations)],
            name=[f"{name}辖区" for name in places.name[:stations]],
            station=ids[:stations],
        ),
        green=_frame(terrain, green.shape, name=green.name),
        buildings=_frame(terrain, buildings.shape, height_m=buildings.height_m, use=buildings.use),
        cameras=_frame(
            terrain,
            shapely.points(np.array(cameras.xy)),
            id=[f"C{i + 1:03d}" for i in range(len(cameras.kind))],
            kind=cameras.kind,
            name=cameras.name,
            edge_id=[network.edge_ids[e] for e in cameras.edge],
            heading_deg=cameras.heading_deg,
        ),
    )


def _districts(terrain: Terrain) -> list[Any]:
    """West of the river's middle is one; the east falls into three from south to north."""
    y = terrain.y_0 + np.arange(-20000.0, 20001.0, 100.0)
    middle = np.column_stack([terrain.river_x(y), y])
    west = Polygon([*middle.tolist(), (terrain.x_0 - 30000, y[-1]), (terrain.x_0 - 30000, y[0])])
    east = terrain.urban_area.difference(west)
    cuts = terrain.y_0 + np.array([-20000.0, -2800.0, 2600.0, 20000.0])
    strips = [
        shapely.box(terrain.x_0 - 30000, low, terrain.x_0 + 30000, high)
        for low, high in pairwise(cuts.tolist())
    ]
    return [terrain.urban_area.intersection(west), *(east.intersection(strip) for strip in strips)]


def _frame(terrain: Terrain, shapes: Any, **columns: Any) -> gpd.GeoDataFrame:
    def to_degrees(xy: Any) -> Any:
        return np.column_stack(terrain.plane.inverse(xy[:, 0], xy[:, 1])) if len(xy) else xy

    return gpd.GeoDataFrame(
        columns, geometry=shapely.transform(np.array(shapes), to_degrees), crs="EPSG:4326"
    )
