import numpy as np
import pytest
import shapely
from geo_policing_sample_city.city import DISTRICTS
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo_policing.roads.gis import read_gis
from geo_policing.roads.network import Access, EdgeFlag, RoadClass

PLANE = 4547


@pytest.fixture(scope="module")
def lines(city):
    """Geometry of every edge, metres in the plane."""
    network = city.network
    edge = np.repeat(np.arange(network.n_edges), np.diff(network.vertex_offset))
    return shapely.linestrings(np.column_stack([network.vertex_x, network.vertex_y]), indices=edge)


@pytest.fixture(scope="module")
def river(city):
    return city.water.to_crs(4547).geometry.iloc[0]


def components(network, keep, connection):
    ones = np.ones(int(keep.sum()))
    ends = (network.from_node[keep], network.to_node[keep])
    graph = coo_array((ones, ends), shape=(network.n_nodes, network.n_nodes))
    return connected_components(graph, connection=connection)[1]


def has(network, flag):
    return (network.flags & flag) > 0


def test_the_urban_area_and_its_shares_measure_310_km2(any_city):
    for frame in (any_city.urban_area, any_city.districts, any_city.precincts):
        assert frame.to_crs(4547).area.sum() == pytest.approx(310e6, rel=0.01)


def test_four_districts_lie_west_of_the_river_and_from_south_to_north_east_of_it(any_city):
    districts = any_city.districts.to_crs(PLANE)
    assert [(d["name"], d["pinyin"]) for _, d in districts.iterrows()] == list(DISTRICTS)
    middle = districts.geometry.representative_point()
    water = any_city.water.to_crs(PLANE).geometry.iloc[0]
    assert middle.x.iloc[0] < water.centroid.x < middle.x.iloc[1:].min()
    assert middle.y.iloc[1:].is_monotonic_increasing
    a, b = shapely.STRtree(districts.geometry).query(districts.geometry, predicate="overlaps")
    assert districts.geometry.iloc[a].intersection(districts.geometry.iloc[b], align=False).area.sum() < 1.0


def test_the_river_runs_from_the_southern_edge_to_the_northern(any_city):
    water = any_city.water.to_crs(PLANE).geometry.iloc[0]
    area = any_city.urban_area.to_crs(PLANE).geometry.iloc[0]
    assert isinstance(water, shapely.Polygon)
    assert len(shapely.get_parts(area.difference(water))) == 2
    west, south, east, north = water.bounds
    assert north - south > 0.9 * (area.bounds[3] - area.bounds[1])
    assert north - south > 3 * (east - west)


def test_there_are_15_000_to_25_000_edges_of_every_class(any_city):
    network = any_city.network
    assert 15_000 <= network.n_edges <= 25_000
    share = np.bincount(network.road_class, minlength=12) / network.n_edges
    assert 0.08 < share[RoadClass.ARTERIAL] < 0.25
    assert 0.12 < share[RoadClass.SECONDARY] < 0.3
    assert share[RoadClass.STREET] + share[RoadClass.RESIDENTIAL] > 0.3
    assert share[RoadClass.SERVICE] > 0.05
    assert share[RoadClass.FOOTWAY] > 0.02
    assert share[RoadClass.EXPRESSWAY] > 0


def test_cars_reach_every_edge_for_cars_from_every_other(any_city):
    network = any_city.network
    cars = (network.access & Access.CAR) > 0
    label = components(network, cars, "strong")
    assert len(np.unique(label[network.from_node[cars]])) == 1
    assert len(np.unique(label[network.to_node[cars]])) == 1


def test_walkers_reach_every_node(any_city):
    network = any_city.network
    assert len(np.unique(components(network, np.ones(network.n_edges, bool), "weak"))) == 1


def test_without_the_bridges_the_banks_are_apart(any_city):
    network = any_city.network
    over = has(network, EdgeFlag.BRIDGE)
    label = components(network, ~over, "weak")
    assert len(np.unique(label)) == 2
    assert (label[network.from_node[over]] != label[network.to_node[over]]).all()


def test_only_bridges_touch_the_river(city, lines, river):
    wet = shapely.intersects(lines, river)
    assert np.array_equal(wet, has(city.network, EdgeFlag.BRIDGE))


def test_seven_bridges_cross_the_river_each_with_a_name_and_both_directions(any_city):
    network = any_city.network
    over = np.flatnonzero(has(network, EdgeFlag.BRIDGE))
    names = [network.name_of(e) for e in over]
    assert len(set(names)) == 7
    assert all(name.endswith("桥") and names.count(name) == 2 for name in names)


def test_two_tunnels_lead_under_hills_one_of_them_the_expressways(any_city):
    network = any_city.network
    under = np.flatnonzero(has(network, EdgeFlag.TUNNEL))
    names = {network.name_of(e): RoadClass(network.road_class[e]) for e in under}
    assert sorted(names.values()) == [RoadClass.EXPRESSWAY, RoadClass.ARTERIAL]
    assert all(name.endswith("隧道") for name in names)
    assert len(under) == 4


def test_the_expressway_meets_nothing_but_its_ramps(any_city):
    network = any_city.network
    fast = network.road_class == RoadClass.EXPRESSWAY
    on_it = np.zeros(network.n_nodes, bool)
    on_it[network.from_node[fast]] = on_it[network.to_node[fast]] = True
    meets = on_it[network.from_node] | on_it[network.to_node]
    assert set(network.road_class[meets]) == {RoadClass.EXPRESSWAY, RoadClass.EXPRESSWAY_RAMP}
    assert (network.reverse[meets] == -1).all()
    assert (network.access[meets] == Access.CAR).all()


def test_ramps_join_the_expressway_to_arterials_both_ways(any_city):
    network = any_city.network
    ramp = network.road_class == RoadClass.EXPRESSWAY_RAMP

    def touches(ends, kind):
        nodes = np.zeros(network.n_nodes, bool)
        of_kind = network.road_class == kind
        nodes[network.from_node[of_kind]] = nodes[network.to_node[of_kind]] = True
        return nodes[ends[ramp]]

    leaves = touches(network.from_node, RoadClass.EXPRESSWAY)
    joins = touches(network.to_node, RoadClass.EXPRESSWAY)
    assert min(leaves.sum(), joins.sum()) >= 10
    assert touches(network.to_node, RoadClass.ARTERIAL)[leaves].mean() > 0.8
    assert touches(network.from_node, RoadClass.ARTERIAL)[joins].mean() > 0.8


def test_the_carriageways_of_the_expressway_run_25_m_apart(city, lines):
    network = city.network
    fast = np.flatnonzero(network.road_class == RoadClass.EXPRESSWAY)
    middles = shapely.line_interpolate_point(lines[fast], 0.5, normalized=True)
    tree = shapely.STRtree(lines[fast])
    ends = np.stack([network.from_node[fast], network.to_node[fast]])
    for own, middle in enumerate(middles):
        near = tree.query(middle, predicate="dwithin", distance=40)
        other = near[~np.isin(ends[:, near], ends[:, own]).any(axis=0)]
        assert shapely.distance(lines[fast][other], middle).min() == pytest.approx(25, abs=2)


def test_footways_are_for_walkers_only_and_alleys_are_slow(city):
    network = city.network
    walk = network.road_class == RoadClass.FOOTWAY
    assert (network.access[walk] == Access.FOOT).all()
    assert (network.speed_mps[walk] < 2).all()
    alley = np.array([network.name_of(e).endswith("巷") for e in range(network.n_edges)])
    assert alley.sum() > 500
    assert (network.speed_mps[alley] < 6).all()
    assert set(network.road_class[alley]) == {RoadClass.SERVICE}


def test_roads_bend(city):
    network = city.network
    bends = np.diff(network.vertex_offset) > 2
    assert bends[network.road_class <= RoadClass.SECONDARY].mean() > 0.5
    assert bends.mean() > 0.4


def test_one_way_streets_lie_in_the_old_centre(city):
    network = city.network
    small = (network.road_class >= RoadClass.STREET) & (network.reverse == -1)
    assert small.sum() > 100
    x, y = network.node_x[network.from_node[small]], network.node_y[network.from_node[small]]
    assert np.hypot(x - x.mean(), y - y.mean()).max() < 2500


def test_the_edges_of_a_named_arterial_are_one_road(city):
    network = city.network
    large = network.road_class == RoadClass.ARTERIAL
    structure = has(network, EdgeFlag.BRIDGE) | has(network, EdgeFlag.TUNNEL)
    for name in np.unique(network.name[large & ~structure]):
        own = (network.name == name) | (large & structure)
        label = components(network, own, "weak")
        used = label[network.from_node[network.name == name]]
        assert np.bincount(used).max() > 0.9 * len(used), network.names[name]


def test_every_road_but_paths_has_a_name(any_city):
    network = any_city.network
    assert (network.name[network.road_class < RoadClass.FOOTWAY] > 0).all()


def test_forbidden_turns_follow_on_each_other_and_leave_a_way_on(city):
    network = city.network
    before, after = network.forbidden_turn.T
    assert np.array_equal(network.to_node[before], network.from_node[after])
    back = network.reverse[before] == after
    assert back.sum() > 500
    assert (~back).sum() > 500
    cars = (network.access & Access.CAR) > 0
    forbidden = {(int(a), int(b)) for a, b in network.forbidden_turn}
    for edge in np.flatnonzero(cars):
        node = network.to_node[edge]
        out = network.out_edge[network.out_offset[node] : network.out_offset[node + 1]]
        assert any(cars[e] and (int(edge), int(e)) not in forbidden for e in out)


def test_left_turns_are_forbidden_to_the_left(city):
    network = city.network
    before, after = network.forbidden_turn[
        (network.reverse[network.forbidden_turn[:, 0]] != network.forbidden_turn[:, 1])
        & (network.road_class[network.forbidden_turn[:, 0]] != RoadClass.EXPRESSWAY_RAMP)
    ].T
    last, first = network.vertex_offset[before + 1] - 1, network.vertex_offset[after]
    came = np.arctan2(*(np.stack([v[last] - v[last - 1] for v in (network.vertex_y, network.vertex_x)])))
    goes = np.arctan2(*(np.stack([v[first + 1] - v[first] for v in (network.vertex_y, network.vertex_x)])))
    turn = np.degrees((goes - came + np.pi) % (2 * np.pi) - np.pi)
    assert ((turn > 40) & (turn < 150)).all()


def test_the_roads_of_the_geopackage_import_as_the_same_network(city, folder):
    read, _ = read_gis(folder / "city.gpkg", layer="roads", min_piece_nodes=0)
    network = city.network
    assert read.edge_ids == network.edge_ids
    for column in ("road_class", "access", "flags"):
        assert np.array_equal(getattr(read, column), getattr(network, column)), column
    assert read.speed_mps == pytest.approx(network.speed_mps, abs=0.02)
    assert [read.name_of(e) for e in range(500)] == [network.name_of(e) for e in range(500)]
    assert np.array_equal(read.reverse >= 0, network.reverse >= 0)


def test_another_seed_lays_out_another_city(city, other_city):
    a, b = (
        set(zip(c.network.node_x.round(), c.network.node_y.round(), strict=True)) for c in (city, other_city)
    )
    assert len(a & b) < 0.01 * len(a)
