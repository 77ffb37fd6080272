"""What stands on the map beside the roads."""

import numpy as np
import pytest
import shapely

from geo_policing.roads.network import Access, EdgeFlag, RoadClass

PLANE = 4547


@pytest.fixture(scope="module")
def lines(city):
    network = city.network
    edge = np.repeat(np.arange(network.n_edges), np.diff(network.vertex_offset))
    return shapely.linestrings(np.column_stack([network.vertex_x, network.vertex_y]), indices=edge)


@pytest.fixture(scope="module")
def buildings(city):
    return city.buildings.to_crs(PLANE)


def test_all_layers_are_in_degrees_and_valid(any_city):
    for layer in ("urban_area", "districts", "water", "green", "buildings", "places", "precincts", "cameras"):
        frame = getattr(any_city, layer)
        assert frame.crs == 4326, layer
        assert frame.geometry.is_valid.all(), layer
        assert not frame.geometry.is_empty.any(), layer
        west, south, east, north = frame.total_bounds
        assert 112.9 < west < east < 113.4, layer
        assert 27.6 < south < north < 28.1, layer


def test_there_are_15_000_to_40_000_buildings_for_all_that_people_do(buildings):
    assert 15_000 <= len(buildings) <= 40_000
    assert set(buildings["use"]) == {
        "residential",
        "commercial",
        "office",
        "industrial",
        "school",
        "hospital",
        "police",
    }
    assert buildings.area.between(50, 5000).all()


def test_buildings_stand_off_roads_and_water_and_each_other(city, buildings, lines):
    shapes = buildings.geometry.to_numpy()
    road, _ = shapely.STRtree(lines).query(shapes, predicate="dwithin", distance=2.5)
    assert len(road) == 0
    wet = shapely.union_all(city.water.to_crs(PLANE).geometry.to_numpy())
    assert not shapely.intersects(wet, shapes).any()
    a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    assert (a == b).all()


def test_towers_stand_near_the_centres(city, buildings):
    tall = buildings["height_m"] > 70
    assert tall.sum() > 150
    middle = shapely.get_coordinates(buildings.geometry.centroid.to_numpy())
    x, y = city.network.plane.forward(113.13, 27.83)
    away = np.hypot(*(middle - [x[0], y[0]]).T)
    assert np.median(away[tall]) < np.median(away[~tall])
    assert buildings["height_m"].between(3, 200).all()


def test_parks_hills_and_banks_are_green_and_dry(city):
    green = city.green.to_crs(PLANE)
    assert (green["name"].str.endswith("公园")).sum() >= 12
    assert (green["name"].str.endswith("山")).sum() == 3
    wet = shapely.union_all(city.water.to_crs(PLANE).geometry.to_numpy())
    assert shapely.area(shapely.intersection(green.geometry.to_numpy(), wet)).sum() < 1.0


def test_every_station_stands_in_its_own_precinct(city):
    stations = city.places.set_index("id").loc[city.precincts["station"]]
    assert (stations["kind"] == "police_station").all()
    assert shapely.contains(city.precincts.geometry.to_numpy(), stations.geometry.to_numpy()).all()
    assert len(stations) == (city.places["kind"] == "police_station").sum()


def test_there_are_police_stations_hospitals_and_schools_in_every_district(any_city):
    places = any_city.places.sjoin(any_city.districts[["pinyin", "geometry"]], predicate="within")
    assert len(places) == len(any_city.places)
    count = places.groupby(["kind", "pinyin"]).size().unstack(fill_value=0)
    assert (count.loc[["police_station", "school"]] >= 2).all(axis=None)
    assert count.loc["hospital"].sum() >= 8
    assert count.loc["school"].sum() > count.loc["police_station"].sum() > count.loc["hospital"].sum()


def test_places_have_names_of_their_own(city):
    places = city.places
    assert places["name"].is_unique
    assert places["id"].is_unique
    assert set(places["kind"]) == {"police_station", "hospital", "school"}
    assert places[places["kind"] == "hospital"]["name"].str.endswith("院").all()
    school = places[places["kind"] == "school"]["name"]
    assert school.str.contains("学").all()


def test_cameras_lie_on_their_edges_and_look_along_them(city, lines):
    network = city.network
    number = {name: e for e, name in enumerate(network.edge_ids)}
    edge = np.array([number[i] for i in city.cameras["edge_id"]])
    points = city.cameras.to_crs(PLANE).geometry.to_numpy()
    assert shapely.distance(lines[edge], points).max() < 0.05
    at = shapely.line_locate_point(lines[edge], points)
    behind, ahead = (shapely.line_interpolate_point(lines[edge], at + d) for d in (-1.5, 1.5))
    way = shapely.get_coordinates(ahead) - shapely.get_coordinates(behind)
    bearing = np.degrees(np.arctan2(way[:, 0], way[:, 1])) % 360
    off = (city.cameras["heading_deg"].to_numpy() - bearing + 180) % 360 - 180
    assert np.abs(off).max() < 10
    assert (network.access[edge] & Access.CAR > 0).all()


def test_about_300_cameras_watch_large_roads(city):
    network = city.network
    number = {name: e for e, name in enumerate(network.edge_ids)}
    cameras = city.cameras[city.cameras["kind"] == "camera"]
    assert 270 <= len(cameras) <= 330
    kinds = {RoadClass(network.road_class[number[i]]) for i in cameras["edge_id"]}
    assert kinds <= {RoadClass.EXPRESSWAY, RoadClass.ARTERIAL, RoadClass.SECONDARY}


def test_every_bridge_tunnel_expressway_entrance_and_exit_has_a_checkpoint(city):
    network = city.network
    watched = set(city.cameras[city.cameras["kind"] == "checkpoint"]["edge_id"])
    for edge in np.flatnonzero(network.flags & (EdgeFlag.BRIDGE | EdgeFlag.TUNNEL)):
        assert network.edge_ids[edge] in watched
    joined = network.from_node[network.road_class == RoadClass.EXPRESSWAY]
    entrances = (network.road_class == RoadClass.EXPRESSWAY_RAMP) & np.isin(network.to_node, joined)
    assert entrances.sum() >= 16
    assert {network.edge_ids[e] for e in np.flatnonzero(entrances)} <= watched
    names = city.cameras["name"]
    assert names.str.endswith("出城卡口").sum() >= 10
    assert names.str.endswith("出城卡口").sum() == names.str.endswith("进城卡口").sum()
