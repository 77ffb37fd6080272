"""A piece cut out of the city: a small city of its own."""

from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo_policing.model import BoundingBox
from geo_policing.roads.network import RoadNetwork
from geo_policing_sample_city.city import City

#: Layers of which what reaches into the box is cut at its edge; of the others whole features are kept.
CUT = ("urban_area", "districts", "precincts", "water", "green")
WHOLE = ("buildings", "places")


def clip_city(city: City, box: BoundingBox) -> City:
    """Cut a city to a box; of the roads, those that lie in it and can all be reached from each other."""
    square = shapely.box(box.west, box.south, box.east, box.north)
    network = _cut_network(city.network, square)
    frames = {name: _within(getattr(city, name), square) for name in (*CUT, *WHOLE)}
    for name in CUT:
        parts = shapely.intersection(frames[name].geometry.to_numpy(), square)
        frames[name] = frames[name].set_geometry(gpd.GeoSeries(parts, crs=frames[name].crs))
    cameras = city.cameras[city.cameras["edge_id"].isin(network.edge_ids)].reset_index(drop=True)
    return replace(city, network=network, cameras=cameras, **frames)


def _within(frame: gpd.GeoDataFrame, square: shapely.Polygon) -> gpd.GeoDataFrame:
    return frame[shapely.intersects(frame.geometry.to_numpy(), square)].reset_index(drop=True)


def _cut_network(network: RoadNetwork, square: shapely.Polygon) -> RoadNetwork:
    lonlat = [network.lonlat(e) for e in range(network.n_edges)]
    edges = np.flatnonzero(_reached(network, shapely.covers(square, [shapely.LineString(p) for p in lonlat])))
    place = np.full(network.n_edges, -1, np.int32)
    place[edges] = np.arange(len(edges))
    turns = place[network.forbidden_turn]
    nodes, ends = np.unique([network.from_node[edges], network.to_node[edges]], return_inverse=True)
    lon, lat = network.plane.inverse(network.node_x[nodes], network.node_y[nodes])
    ends = ends.reshape(2, -1).astype(np.int32)
    return RoadNetwork.build(
        node_lon=lon,
        node_lat=lat,
        edge_id=[network.edge_ids[e] for e in edges.tolist()],
        from_node=ends[0],
        to_node=ends[1],
        geometry_lonlat=[lonlat[e] for e in edges.tolist()],
        speed_mps=network.speed_mps[edges],
        road_class=network.road_class[edges],
        access=network.access[edges],
        flags=network.flags[edges],
        edge_name=[network.name_of(e) for e in edges.tolist()],
        length_m=network.length_m[edges],
        forbidden_turn=turns[(turns >= 0).all(axis=1)],
        plane=network.plane,
        source=network.source,
    )


def _reached(network: RoadNetwork, inside: NDArray[Any]) -> NDArray[np.bool_]:
    """Those of some edges that are in the largest piece."""
    n = network.n_nodes
    ends = network.from_node[inside], network.to_node[inside]
    graph = coo_array((np.ones(len(ends[0])), ends), shape=(n, n))
    label = connected_components(graph, connection="strong")[1]
    largest = label == np.bincount(label).argmax()
    return np.asarray(inside & largest[network.from_node] & largest[network.to_node])
