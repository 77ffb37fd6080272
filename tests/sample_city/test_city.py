import numpy as np
import pytest
import shapely
from geo_policing_sample_city.city import City, build_city
from geo_policing_sample_city.write import write_city
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo_policing.roads.network import EdgeFlag


@pytest.fixture(scope="module")
def city() -> City:
    return build_city(7)


def pieces(network, keep):
    ones = np.ones(int(keep.sum()))
    ends = (network.from_node[keep], network.to_node[keep])
    graph = coo_array((ones, ends), shape=(network.n_nodes, network.n_nodes))
    return connected_components(graph, connection="strong")


def test_the_urban_area_and_its_shares_measure_310_km2(city):
    for frame in (city.urban_area, city.districts, city.precincts):
        assert frame.to_crs(4547).area.sum() == pytest.approx(310e6, rel=0.01)


def test_every_street_reaches_every_other(city):
    assert 15_000 <= city.network.n_edges <= 25_000
    assert pieces(city.network, np.ones(city.network.n_edges, bool))[0] == 1


def test_without_the_bridges_the_banks_are_apart(city):
    network = city.network
    over = (network.flags & EdgeFlag.BRIDGE) > 0
    count, label = pieces(network, ~over)
    assert 10 <= over.sum() <= 12
    assert count == 2
    assert (label[network.from_node[over]] != label[network.to_node[over]]).all()


def test_only_bridges_touch_the_river(city):
    network = city.network
    ends = np.stack([network.from_node, network.to_node], axis=1)
    lon, lat = network.plane.inverse(network.node_x, network.node_y)
    lines = shapely.linestrings(np.column_stack([lon, lat])[ends])
    wet = shapely.intersects(lines, city.water.geometry.iloc[0].buffer(-1e-6))
    assert np.array_equal(wet, (network.flags & EdgeFlag.BRIDGE) > 0)


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(city, tmp_path):
    for name, made in (("a", city), ("b", build_city(7)), ("c", build_city(8))):
        write_city(made, tmp_path / name)
    for file in ("city.roads", "city.gpkg"):
        a, b, c = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert a == b
        assert a != c


def test_u_turns_are_forbidden_where_arterials_meet(city):
    before, after = city.network.forbidden_turn.T
    assert len(before) > 50
    assert np.array_equal(city.network.to_node[before], city.network.from_node[after])
    assert np.array_equal(city.network.reverse[before], after)
