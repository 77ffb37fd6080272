"""The city as a whole, made from one seed."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from shapely import MultiPoint, Polygon

from geo_policing.roads.network import RoadNetwork
from geo_policing_sample_city.streets import make_streets
from geo_policing_sample_city.terrain import Terrain, make_terrain

DISTRICTS = (("天元区", "Tianyuan"), ("芦淞区", "Lusong"), ("荷塘区", "Hetang"), ("石峰区", "Shifeng"))
STATIONS = 24


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
    """

    network: RoadNetwork
    urban_area: gpd.GeoDataFrame
    districts: gpd.GeoDataFrame
    water: gpd.GeoDataFrame
    places: gpd.GeoDataFrame
    precincts: gpd.GeoDataFrame


def build_city(seed: int) -> City:
    """Invent a city; the same seed gives the same city."""
    rng = np.random.default_rng(seed)
    terrain = make_terrain(rng)
    network = make_streets(terrain, rng).network
    chosen = rng.choice(network.n_nodes, STATIONS + 12 + 60, replace=False)
    points: Any = shapely.points(network.node_x[chosen], network.node_y[chosen])
    kinds = ["police_station"] * STATIONS + ["hospital"] * 12 + ["school"] * 60
    title = {"police_station": "派出所", "hospital": "医院", "school": "学校"}
    names = [f"第{i + 1}{title[kind]}" for i, kind in enumerate(kinds)]
    cells = shapely.get_parts(
        shapely.voronoi_polygons(MultiPoint(points[:STATIONS].tolist()), extend_to=terrain.urban_area)
    )
    order = [int(np.flatnonzero(shapely.contains(cells, p))[0]) for p in points[:STATIONS]]
    ids = [f"P{i + 1:03d}" for i in range(len(kinds))]
    shares = shapely.intersection(cells[order], terrain.urban_area)
    return City(
        network=network,
        urban_area=_frame(terrain, [terrain.urban_area], name=["城区"]),
        districts=_frame(
            terrain, _districts(terrain), name=[d[0] for d in DISTRICTS], pinyin=[d[1] for d in DISTRICTS]
        ),
        water=_frame(terrain, [terrain.river.intersection(terrain.urban_area)], name=["湘江"]),
        places=_frame(terrain, points, id=ids, kind=kinds, name=names),
        precincts=_frame(
            terrain,
            shares,
            id=[f"J{i + 1:02d}" for i in range(STATIONS)],
            name=[f"{name}辖区" for name in names[:STATIONS]],
            station=ids[:STATIONS],
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


def _frame(terrain: Terrain, shapes: Any, **columns: list[str]) -> gpd.GeoDataFrame:
    def to_degrees(xy: Any) -> Any:
        return np.column_stack(terrain.plane.inverse(xy[:, 0], xy[:, 1])) if len(xy) else xy

    return gpd.GeoDataFrame(
        columns, geometry=shapely.transform(np.array(shapes), to_degrees), crs="EPSG:4326"
    )
