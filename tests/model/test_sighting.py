"""What a sighting may say, and how rows are read."""

import json
from datetime import UTC, datetime

import pytest
import shapely

from geo_policing.errors import InvalidFile, InvalidGeometry, InvalidInput
from geo_policing.model import Sighting, SightingKind, Watch, geojson_rows, read_rows

T = "2026-03-02T08:00:00+08:00"
LATER = "2026-03-02T08:10:00+08:00"
AT = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
SQUARE = {
    "type": "Polygon",
    "coordinates": [[[113.1, 27.8], [113.102, 27.8], [113.102, 27.802], [113.1, 27.802], [113.1, 27.8]]],
}
POINT = {"time": T, "lon": "113.1", "lat": "27.8"}


def one(row, edge_place=None):
    seen, watched = read_rows([row], edge_place)
    return [*seen, *watched][0]


def test_a_point_with_all_that_can_be_said_of_it():
    row = POINT | {
        "accuracy_m": "35",
        "probability": 0.8,
        "observer": "C7",
        "kind": "camera",
        "edge": "12",
        "until": LATER,
    }
    found = one(row)
    assert (found.lon, found.lat, found.accuracy_m, found.probability) == (113.1, 27.8, 35.0, 0.8)
    assert (found.observer, found.kind, found.edge) == ("C7", SightingKind.CAMERA, "12")
    assert (found.last - found.time).total_seconds() == 600


def test_an_area_is_a_geometry_its_text_or_wkt():
    shape = shapely.geometry.shape(SQUARE)
    for area in (SQUARE, shape.wkt, json.dumps(SQUARE)):
        found = one({"time": T, "area": area})
        assert found.area.equals(shape)
        assert (found.lon, found.lat) == pytest.approx((113.101, 27.801))
        # Half the diagonal: 98.3 m east and 111 m north.
        assert found.reach_m == pytest.approx(148, rel=0.02)


def test_a_cell_and_an_edge_without_a_place():
    found = one({"time": T, "cell": "8a40d8b2d28ffff"})
    assert found.cell == "8a40d8b2d28ffff"
    assert 60 < found.reach_m < 90
    camera = one({"time": T, "edge": "12"}, lambda edge: (113.2, 27.9, 50.0) if edge == "12" else None)
    assert (camera.edge, camera.lon, camera.lat, camera.accuracy_m) == ("12", 113.2, 27.9, 50.0)


def test_watches_of_a_circle_an_edge_and_an_area():
    no = {"seen": "no", "time": T, "until": LATER}
    circle = one(no | {"lon": 113.1, "lat": 27.8, "radius_m": 40, "detection": 0.7})
    assert isinstance(circle, Watch)
    assert (circle.radius_m, circle.detection) == (40.0, 0.7)
    assert one(no | {"area": SQUARE}).area.equals(shapely.geometry.shape(SQUARE))
    assert one(no | {"edge": "12"}, lambda _: (113.2, 27.9, 50.0)).edge == "12"


def test_rows_of_geojson_are_those_of_a_table():
    features = [
        {"geometry": {"type": "Point", "coordinates": [113.1, 27.8]}, "properties": {"time": T}},
        {"geometry": SQUARE, "properties": {"time": T, "observer": "w"}},
        {"geometry": None, "properties": {"time": T, "cell": "8a40d8b2d28ffff"}},
    ]
    seen, _ = read_rows(geojson_rows({"type": "FeatureCollection", "features": features}))
    assert [bool(s.area) for s in seen] == [False, True, False]
    assert seen[2].cell


BOW = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}


@pytest.mark.parametrize(
    ("row", "field", "says"),
    [
        ({"lon": 113, "lat": 27}, "time", "no time; give it like"),
        (POINT | {"time": "2026-03-02T08:00:00"}, "time", "no UTC offset; append"),
        (POINT | {"until": T}, "until", "is not after time .* exchange them"),
        (POINT | {"until": "2026-03-02T07:00:00+08:00"}, "until", "is not after time"),
        ({"time": T}, "lon", "no lon, lat; give lon and lat, an edge, a cell or an area"),
        ({"time": T, "lon": 1}, "lat", "no lat; give"),
        (POINT | {"lon": "x"}, "lon", "lon 'x' is no number; write digits"),
        (POINT | {"lon": "inf"}, "lon", "no number"),
        (POINT | {"lon": True}, "lon", "no number"),
        (POINT | {"lat": 127}, "lon,lat", "not on the earth; give degrees"),
        (POINT | {"accuracy_m": 0}, "accuracy_m", "no distance; give metres above 0"),
        (POINT | {"probability": 80}, "probability", "not from 0 to 1; write 0.8"),
        (POINT | {"kind": "rumour"}, "kind", "'rumour' is unknown; write one of camera"),
        (POINT | {"seen": "maybe"}, "seen", "neither yes nor no"),
        (POINT | {"seen": "no"}, "until", "a watch has no until"),
        (POINT | {"seen": "no", "until": T}, "end", "not after its start"),
        (POINT | {"seen": "no", "until": LATER, "detection": 2}, "detection", "not from 0 to 1"),
        (POINT | {"acuracy_m": 5}, "acuracy_m", "is not known; call it accuracy_m"),
        ({"time": T, "cell": "zz"}, "cell", "no H3 cell; write its index"),
        ({"time": T, "cell": "8a40d8b2d28ffff", "area": SQUARE}, "cell", "leave one of them out"),
        ({"time": T, "area": "POLYGON ((0 0"}, "area", "cannot be read; write GeoJSON, or WKT"),
        ({"time": T, "area": "GEOMETRYCOLLECTION(" * 40_000}, "area", "cannot be read"),
        ({"time": T, "cell": "8a40d8b2d28ffff0000"}, "cell", "no H3 cell"),
        ({"time": T, "lon": 113.1, "lat": 27.8, "observer": "a\ud800"}, "observer", "is no name"),
        ({"time": T, "lon": 113.1, "lat": 27.8, "edge": "x" * 201}, "edge", "is no name"),
        ({"time": T, "area": "POINT (1 1)"}, "area", "cannot be read; write GeoJSON, or WKT"),
        ({"time": T, "area": BOW}, "area", "not valid .* draw its border without crossings"),
        ({"time": T, "area": {"type": "Polygon", "coordinates": "x"}}, "area", "cannot be read"),
        ({"time": T, "area": "POLYGON EMPTY"}, "area", "empty"),
        (POINT | {None: ["more"]}, "row", "more values than columns"),
    ],
)
def test_a_bad_value_is_refused_with_row_field_and_remedy(row, field, says):
    with pytest.raises(InvalidFile, match=f"sighting 2: .*{says}") as refused:
        read_rows([POINT, row])
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("collection", "says"),
    [
        ([], "no GeoJSON FeatureCollection"),
        ({"features": [3]}, "sighting 1: no GeoJSON feature"),
        ({"features": [{"geometry": {"type": "Point", "coordinates": []}}]}, "sighting 1: coordinates"),
        ({"features": [{"geometry": {"type": "LineString"}}]}, "sighting 1: geometry 'LineString'"),
    ],
)
def test_what_is_no_geojson_of_sightings_is_refused(collection, says):
    with pytest.raises(InvalidFile, match=says):
        geojson_rows(collection)


def test_an_area_off_the_earth_is_refused():
    with pytest.raises(InvalidInput, match="not on the earth"):
        Sighting.in_area(AT, shapely.box(170, 80, 190, 95))
    with pytest.raises(InvalidGeometry, match="is a LineString"):
        Sighting.in_area(AT, {"type": "LineString", "coordinates": [[0, 0], [1, 1]]})
