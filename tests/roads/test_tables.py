"""A network from two CSV tables."""

from pathlib import Path

import numpy as np
import pytest

from geo_policing.errors import InvalidFile
from geo_policing.roads.network import RoadNetwork
from geo_policing.roads.tables import read_tables
from tests.shared_data import shared

NODES = "node,lon,lat\n10,113.13,27.83\n20,113.131,27.83\n"
EDGES = (
    "edge,from_node,to_node,length_m,wkt\n"
    '7,10,20,98.5,"LINESTRING (113.13 27.83, 113.131 27.83)"\n'
    '8,20,10,98.5,"LINESTRING (113.131 27.83, 113.13 27.83)"\n'
)


def read(folder: Path, nodes: str, edges: str) -> RoadNetwork:
    (folder / "nodes.csv").write_text(nodes)
    (folder / "edges.csv").write_text(edges)
    return read_tables(folder / "nodes.csv", folder / "edges.csv")


def test_edge_ids_and_lengths_are_those_of_the_source(tmp_path):
    network = read(tmp_path, NODES, EDGES)
    assert network.edge_ids == ["7", "8"]
    assert network.length_m.tolist() == [98.5, 98.5]
    assert network.from_node.tolist() == [0, 1]
    assert network.to_node.tolist() == [1, 0]
    assert network.reverse.tolist() == [1, 0]
    np.testing.assert_allclose(network.lonlat(0), [[113.13, 27.83], [113.131, 27.83]], atol=1e-9)


@pytest.mark.parametrize(
    ("nodes", "edges", "says"),
    [
        (NODES, EDGES.replace("8,20,10", "8,20,99"), "row 3: to_node 99 is not in"),
        (NODES, EDGES.replace("LINESTRING (113.131 27.83, ", "POINT ("), "row 3: wkt is no LINESTRING"),
        (NODES.replace("lat", "y"), EDGES, "no column lat; it has node, lon, y"),
        (NODES, EDGES.replace("wkt", "shape"), "no column wkt"),
        (NODES.replace("20,", "10,"), EDGES, "row 3: node 10 is there twice; give each node one row"),
        (NODES.replace("113.131", "east"), EDGES, "row 3: lon 'east' is no finite number; correct it"),
        (NODES, EDGES.replace("7,10,20,98.5", "7,10,20,"), "row 2: length_m 'nan' is no finite number"),
        ("", EDGES, r"nodes\.csv is no CSV file"),
        (NODES, EDGES + '9,"open quote', r"edges\.csv is no CSV file"),
    ],
    ids=[
        "unknown node",
        "point",
        "no latitude",
        "no geometry",
        "node twice",
        "no number",
        "no length",
        "empty",
        "broken",
    ],
)
def test_a_table_that_cannot_be_used_is_named_with_its_row_or_column(tmp_path, nodes, edges, says):
    with pytest.raises(InvalidFile, match=says):
        read(tmp_path, nodes, edges)


def test_a_real_network_survives_saving(tmp_path):
    folder = shared("matching") / "tracks" / "003"
    network = read_tables(folder / "nodes.csv.gz", folder / "edges.csv.gz")
    network.save(tmp_path / "city.roads")
    again = RoadNetwork.load(tmp_path / "city.roads")
    assert (again.n_nodes, again.n_edges) == (9138, 5963)
    assert again.edge_ids == network.edge_ids
    np.testing.assert_array_equal(again.vertex_x, network.vertex_x)
