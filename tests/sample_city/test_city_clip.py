"""The piece of the city that is committed."""

from pathlib import Path

import numpy as np
import pytest
import shapely
from geo_policing_sample_city.clip import OLD_CENTRE, clip_city
from geo_policing_sample_city.write import write_layers
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo_policing.roads.gis import read_gis

SMALL = Path(__file__).parents[2] / "sample_data" / "small"


def strong_pieces(network):
    ends = (network.from_node, network.to_node)
    graph = coo_array((np.ones(network.n_edges), ends), shape=(network.n_nodes, network.n_nodes))
    return connected_components(graph, connection="strong")[0]


@pytest.fixture(scope="module")
def layers(city):
    return clip_city(city, OLD_CENTRE)


def test_a_clip_holds_whole_roads_that_are_all_reached_from_each_other(layers, tmp_path):
    write_layers(layers, tmp_path / "clip.gpkg")
    network, _ = read_gis(tmp_path / "clip.gpkg", layer="roads", min_piece_nodes=0)
    assert network.n_edges == len(layers["roads"]) > 1500
    assert strong_pieces(network) == 1


def test_what_is_clipped_lies_in_the_box_and_cameras_on_roads_of_it(layers):
    box = shapely.box(OLD_CENTRE.west, OLD_CENTRE.south, OLD_CENTRE.east, OLD_CENTRE.north)
    for name in ("roads", "water", "green", "places", "cameras"):
        assert shapely.covers(box.buffer(1e-9), layers[name].geometry.to_numpy()).all(), name
    assert set(layers["cameras"]["edge_id"]) <= set(layers["roads"]["edge_id"])
    assert (layers["roads"]["bridge"] == "yes").any()


def test_the_committed_clip_is_one_network_and_small():
    path = SMALL / "old-centre.gpkg"
    assert path.stat().st_size < 2e6
    network, report = read_gis(path, layer="roads", min_piece_nodes=0)
    assert network.n_edges > 1500
    assert strong_pieces(network) == 1
    assert report.repeated_ids == 0


def test_the_small_files_stay_small():
    assert sum(file.stat().st_size for file in SMALL.rglob("*") if file.is_file()) < 5e6
