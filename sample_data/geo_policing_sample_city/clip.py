"""A piece cut out of the city, small enough to be committed.

``python -m geo_policing_sample_city.clip OLD_CENTRE.gpkg`` makes the one in ``sample_data/small``.
"""

import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo_policing.model import BoundingBox
from geo_policing_sample_city.city import City, build_city
from geo_policing_sample_city.write import roads_frame, write_layers

#: The old centre, and a bridge to it.
OLD_CENTRE = BoundingBox(113.130, 27.806, 113.165, 27.836)
SHAPES = ("water", "green", "buildings", "places", "cameras")


def clip_city(city: City, box: BoundingBox) -> dict[str, gpd.GeoDataFrame]:
    """Cut layers of a city to a box; of the roads, those that can all be reached from each other."""
    square = shapely.box(box.west, box.south, box.east, box.north)
    roads = roads_frame(city.network)
    kept = roads[_reached(city, shapely.covers(square, roads.geometry.to_numpy()))]
    layers = {"roads": kept.reset_index(drop=True)}
    for name in SHAPES:
        frame: gpd.GeoDataFrame = getattr(city, name)
        inside = frame[shapely.intersects(frame.geometry.to_numpy(), square)]
        if name in ("water", "green"):
            inside = inside.set_geometry(shapely.intersection(inside.geometry.to_numpy(), square))
        if name == "cameras":
            inside = inside[inside["edge_id"].isin(kept["edge_id"])]
        layers[name] = inside.reset_index(drop=True)
    return layers


def _reached(city: City, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those of some edges that are in the largest piece."""
    network = city.network
    n = network.n_nodes
    ends = network.from_node[inside], network.to_node[inside]
    graph = coo_array((np.ones(len(ends[0])), ends), shape=(n, n))
    label = connected_components(graph, connection="strong")[1]
    largest = label == np.bincount(label).argmax()
    return np.asarray(inside & largest[network.from_node] & largest[network.to_node])


if __name__ == "__main__":
    write_layers(clip_city(build_city(7), OLD_CENTRE), Path(sys.argv[1]))
