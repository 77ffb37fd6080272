"""Areas are what they say to the centimetre: circles, stretches of road, cells, polygons with holes."""

import math

import h3
import numpy as np
import pytest
import shapely

from geo_policing.errors import InvalidGeometry, InvalidInput
from geo_policing.geodesy import LocalPlane
from geo_policing.kernels import area_presence
from geo_policing.tracks.searches import Area, DrawnPath, presences
from tests.naive import distance_to_line
from tests.roads.town import grid
from tests.tracks.searches.towns import EVER, MIDNIGHT, SOUTH, STEP, WEST, MemoryHistory


def contains(area, lon, lat):
    return area_presence.inside(float(lon), float(lat), area.edges)


def test_a_circle_is_all_within_its_radius():
    circle = Area.circle(113.13, 27.83, 500)
    plane = LocalPlane.around(113.13, 27.83)
    rng = np.random.default_rng(1)
    for x, y in rng.uniform(-600, 600, (300, 2)).tolist():
        lon, lat = (float(v[0]) for v in plane.inverse(x, y))
        if abs(math.hypot(x, y) - 500) > 0.02:  # 360 corners: 19 mm within it
            assert contains(circle, lon, lat) == (math.hypot(x, y) < 500)


@pytest.mark.parametrize("seed", range(20))
def test_a_stretch_of_road_is_all_within_half_its_width_between_its_ends(seed):
    rng = np.random.default_rng(seed)
    turns = np.cumsum(rng.normal(0, 0.7, 6))
    path = 113.13 + np.cumsum(np.cos(turns)) * 1e-3, 27.83 + np.cumsum(np.sin(turns)) * 1e-3
    drawn = DrawnPath([np.column_stack(path)])
    plane, (line,) = drawn.lines()
    from_m, to_m = sorted(rng.uniform(0, line.length, 2).tolist())
    width_m = float(rng.uniform(5, 60))
    area = Area.along(drawn, width_m, from_m=from_m, to_m=to_m)
    corners = shapely.get_coordinates(line).tolist()
    for at in rng.uniform(0, line.length, 150).tolist():
        x, y = shapely.get_coordinates(line.interpolate(at))[0] + rng.uniform(-1, 1, 2) * width_m
        distance, along = distance_to_line(x, y, corners)
        # A point at the border, or beside an end as well as beside the path, may be either.
        close = abs(distance - width_m / 2) < 0.005
        if close or not (
            from_m + width_m < along < to_m - width_m or along < from_m - width_m or along > to_m + width_m
        ):
            continue
        lon, lat = (float(v[0]) for v in plane.inverse(x, y))
        assert contains(area, lon, lat) == (distance < width_m / 2 and from_m < along < to_m)


def test_a_stretch_ends_square_to_the_road():
    network = grid(4)
    edges = [network.edge_ids.index(name) for name in ("0>1", "1>2")]
    area = Area.along(DrawnPath.of_edges(network, edges), 20, from_m=50, to_m=300)
    start, _ = network.lonlat(edges[0])
    plane, (line,) = DrawnPath.of_edges(network, edges).lines()
    x, y = shapely.get_coordinates(line)[0]
    for ahead_m, beside_m, there in [
        (49.9, 0, False),
        (50.1, 9.9, True),
        (50.1, 10.1, False),
        (299.9, -9.9, True),
        (300.1, 0, False),
    ]:
        lon, lat = (float(v[0]) for v in plane.inverse(x + ahead_m, y + beside_m))
        assert contains(area, lon, lat) == there
    assert plane.forward(*start)[0][0] == pytest.approx(x)


def test_the_carriageway_beside_is_another_road():
    # Two antiparallel carriageways, 15 m apart.
    aside = 15 / 111_320
    there = [(MIDNIGHT + n * 20_000_000, WEST + n * STEP, SOUTH) for n in range(4)]
    back = [(MIDNIGHT + n * 20_000_000, WEST + (3 - n) * STEP, SOUTH + aside) for n in range(4)]
    history = MemoryHistory({"there": there, "back": back})
    road = DrawnPath([np.array([(WEST + STEP, SOUTH), (WEST + 2 * STEP, SOUTH)])])
    assert [p.device for p in presences(history, Area.along(road, 12), EVER)] == ["there"]
    (both, _) = found = presences(history, Area.along(road, 40), EVER)
    assert [p.device for p in found] == ["back", "there"]
    assert (both.enter_us, both.leave_us) == pytest.approx(
        (MIDNIGHT + 20_000_000, MIDNIGHT + 40_000_000), abs=50_000
    )


@pytest.mark.parametrize("resolution", [8, 9, 10, 11])
def test_a_set_of_cells_is_its_cells_without_a_seam(resolution):
    cells = h3.grid_disk(h3.latlng_to_cell(27.83, 113.13, resolution), 3)
    area = Area.of_cells(cells)
    assert area.shape.geom_type == "Polygon"
    assert not area.shape.interiors
    # A straight way through it is one presence, whatever borders of cells it crosses.
    west, south, east, north = area.shape.bounds
    x, y = (west + east) / 2, (south + north) / 2
    size = (east - west) / 8
    rng = np.random.default_rng(resolution)
    for angle in rng.uniform(0, 2 * math.pi, 20).tolist():
        dx, dy = size * math.cos(angle), size * math.sin(angle)
        track = [(MIDNIGHT, x - dx, y - dy), (MIDNIGHT + 100_000_000, x + dx, y + dy)]
        (one,) = presences(MemoryHistory({"car": track}), area, EVER)
        assert (one.enter_us, one.leave_us) == (MIDNIGHT, MIDNIGHT + 100_000_000)
    lon, lat = rng.uniform(west, east, 300), rng.uniform(south, north, 300)
    for at in zip(lon.tolist(), lat.tolist(), strict=True):
        assert contains(area, *at) == (h3.latlng_to_cell(at[1], at[0], resolution) in cells)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Area.circle(math.nan, 27, 100), InvalidGeometry, "nan, 27 of the circle is off the earth"),
        (lambda: Area.circle(113, 95, 100), InvalidGeometry, "off the earth"),
        (lambda: Area.circle(113, 27, 0), InvalidInput, "radius 0 m is not above 0"),
        (lambda: Area.circle(113, 27, math.nan), InvalidInput, "radius nan m"),
        (lambda: Area.of_cells([]), InvalidGeometry, "not empty"),
        (lambda: Area.circle(113, 27, 90_000).cells, InvalidGeometry, "larger than 4,000 km²"),
        (lambda: Area.along(ROAD, 0.5), InvalidInput, "width_m 0.5"),
        (lambda: Area.along(ROAD, 10, from_m=500), InvalidGeometry, "from 500 to inf m of a path of 99 m"),
        (lambda: Area.along(ROAD, 10, from_m=50, to_m=40), InvalidGeometry, "has no length"),
        (lambda: Area.along(ROAD, 10, from_m=math.nan), InvalidGeometry, "has no length"),
    ],
)
def test_an_area_that_is_none_is_refused(make, error, says):
    with pytest.raises(error, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)


ROAD = DrawnPath([np.array([(113.0, 27.0), (113.001, 27.0)])])
