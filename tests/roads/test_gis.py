"""Files that GDAL reads become networks, or are refused in one line."""

import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely

from geo_policing.errors import InvalidCoordinates, InvalidFile, InvalidInput
from geo_policing.geodesy.gcj02 import gcj02_from_wgs84
from geo_policing.model import BoundingBox
from geo_policing.roads import Access, EdgeFlag, RoadClass
from geo_policing.roads.gis import read_gis

WEST, MIDDLE, EAST, NORTH = (113.13, 27.83), (113.132, 27.83), (113.134, 27.83), (113.132, 27.832)
#: A two-way avenue from west to east over a crossing, a one-way bridge from the crossing to the north.
STREETS = {
    "CODE": [11, 12],
    "ROADNAME": ["中山路", "湘江大桥"],
    "DIR": ["B", "T"],
    "LIMIT": [60.0, np.nan],
    "KIND": ["主干路", "arterial"],
    "MODES": ["", "car"],
    "BRIDGE": [0, 1],
}
LINES = [shapely.LineString([WEST, MIDDLE, EAST]), shapely.LineString([NORTH, MIDDLE])]
MAP = {
    "id": "CODE",
    "name": "ROADNAME",
    "oneway": "DIR",
    "speed_kmh": "LIMIT",
    "class": "KIND",
    "access": "MODES",
    "bridge": "BRIDGE",
}


def write(path: Path, lines=LINES, columns=STREETS, crs="EPSG:4326", **options) -> Path:
    frame = gpd.GeoDataFrame(columns, geometry=list(lines), crs=crs)
    if path.suffix == ".csv":
        frame.assign(wkt=frame.geometry.to_wkt()).drop(columns="geometry").to_csv(path, index=False)
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided")
            pyogrio.write_dataframe(frame, path, **options)
    return path


def one_line(error: Exception) -> str:
    assert "\n" not in str(error)
    return str(error)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".csv", ".fgb"])
def test_lines_of_every_format_become_the_same_network(tmp_path, suffix):
    path = write(tmp_path / f"streets{suffix}", **({"encoding": "utf-8"} if suffix == ".shp" else {}))
    crs = "EPSG:4326" if suffix == ".csv" else None
    network, report = read_gis(path, columns=MAP, crs=crs)
    assert sorted(network.edge_ids) == ["11.0+", "11.0-", "11.1+", "11.1-", "12"]
    at = {name: i for i, name in enumerate(network.edge_ids)}
    bridge, avenue = at["12"], at["11.0+"]
    assert (network.name_of(bridge), network.name_of(avenue)) == ("湘江大桥", "中山路")
    assert network.flags[bridge] == EdgeFlag.BRIDGE
    assert network.access[bridge] == Access.CAR
    assert network.road_class[avenue] == RoadClass.ARTERIAL
    assert network.speed_mps[avenue] == pytest.approx(60 / 3.6)
    np.testing.assert_allclose(network.lonlat(bridge), [MIDDLE, NORTH], atol=1e-9)
    np.testing.assert_allclose(network.lonlat(avenue), [WEST, MIDDLE], atol=1e-9)
    assert network.to_node[avenue] == network.from_node[bridge] == network.from_node[at["11.1+"]]
    assert network.reverse[avenue] == at["11.0-"]
    assert (report.roads, report.split_lines, report.edges, report.pieces) == (2, 1, 5, 1)


def test_columns_of_the_usual_names_need_no_mapping(tmp_path):
    names = {"osm_id": ["7", "8"], "Name": ["A", "B"], "fclass": ["primary", "footway"], "oneway": ["F", "B"]}
    network, report = read_gis(write(tmp_path / "streets.gpkg", columns=names))
    assert sorted(network.edge_ids) == ["7.0", "7.1", "8+", "8-"]
    assert set(network.road_class.tolist()) == {RoadClass.ARTERIAL, RoadClass.FOOTWAY}
    assert any("id=osm_id, name=Name, class=fclass, oneway=oneway" in note for note in report.notes)


def test_an_empty_mapping_takes_no_column(tmp_path):
    columns = {"oneway": ["F", "F"], "name": ["A", "B"]}
    network, _ = read_gis(
        write(tmp_path / "streets.gpkg", columns=columns), columns={"oneway": "", "name": ""}
    )
    assert network.n_edges == 6
    assert network.names == ("",)


def test_metres_of_the_national_grid_and_shifted_coordinates_end_up_in_the_same_place(tmp_path):
    plain, _ = read_gis(write(tmp_path / "plain.gpkg"), columns=MAP)
    frame = gpd.GeoDataFrame(STREETS, geometry=LINES, crs=4326).to_crs(4547)
    metres, _ = read_gis(write(tmp_path / "metres.gpkg", frame.geometry, crs=4547), columns=MAP)
    shifted = [
        shapely.LineString(np.column_stack(gcj02_from_wgs84(*shapely.get_coordinates(line).T)))
        for line in LINES
    ]
    mended, report = read_gis(write(tmp_path / "shifted.geojson", shifted), columns=MAP, crs="gcj02")
    for network in (metres, mended):
        np.testing.assert_allclose(network.bounds, plain.bounds, atol=2e-8)
        assert network.edge_ids == plain.edge_ids
    assert "coordinates taken as gcj02; the file says EPSG:4326" in report.notes


def test_parts_of_a_line_are_taken_apart_and_joined_where_they_touch(tmp_path):
    line = shapely.MultiLineString([[WEST, MIDDLE], [MIDDLE, EAST]])
    network, report = read_gis(write(tmp_path / "streets.gpkg", [line], {"id": ["a"]}))
    assert network.edge_ids == ["a.0+", "a.0-", "a.1+", "a.1-"]
    assert (report.multi_lines, report.pieces, network.n_nodes) == (1, 1, 3)


def test_ids_of_nodes_keep_what_only_crosses_apart(tmp_path):
    over, under = LINES[0], shapely.LineString([NORTH, MIDDLE, (113.132, 27.828)])
    columns = {"from": ["w", "n"], "to": ["e", "s"], "id": ["over", "under"]}
    network, report = read_gis(write(tmp_path / "streets.gpkg", [over, under], columns), min_piece_nodes=0)
    assert network.edge_ids == ["over+", "over-", "under+", "under-"]
    assert (report.pieces, network.n_nodes) == (2, 4)


def test_an_id_that_stands_for_several_roads_is_numbered_and_counted(tmp_path):
    network, report = read_gis(write(tmp_path / "streets.gpkg", columns={"id": ["a", "a"], "oneway": [1, 1]}))
    assert network.edge_ids == ["a.0", "a.1", "a#2"]
    assert report.repeated_ids == 1


def test_a_road_drawn_twice_is_one(tmp_path):
    lines = [shapely.LineString([WEST, EAST]), shapely.LineString([EAST, WEST])]
    network, report = read_gis(write(tmp_path / "streets.gpkg", lines, {"id": ["a", "b"]}))
    assert network.edge_ids == ["a+", "a-"]
    assert report.duplicates == 2


def test_what_is_no_line_is_left_out_and_counted(tmp_path):
    shapes = [*LINES, shapely.Point(WEST), None, shapely.LineString()]
    path = write(tmp_path / "streets.geojson", shapes, {"id": list("abcde")})
    network, report = read_gis(path)
    assert network.n_edges == 6
    assert (report.roads, report.no_lines, report.no_geometry) == (2, 1, 2)


def test_chinese_text_of_an_old_shapefile_is_read_with_its_encoding(tmp_path):
    path = write(tmp_path / "streets.shp", encoding="gbk")
    path.with_suffix(".cpg").unlink()
    network, _ = read_gis(path, columns=MAP, encoding="gbk")
    assert "中山路" in network.names


def test_a_roads_open_to_nobody_is_left_out_and_counted(tmp_path):
    network, report = read_gis(write(tmp_path / "s.gpkg", columns={"access": ["all", "private"]}))
    assert set(network.edge_ids) == {"1.0+", "1.0-", "1.1+", "1.1-"}
    assert report.closed == 1


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        (
            {"columns": {"name": "STREET"}},
            InvalidFile,
            "has no column STREET for name; it has CODE, ROADNAME",
        ),
        (
            {"columns": {"colour": "DIR"}},
            InvalidInput,
            "map colour=DIR: colour is unknown; what can be mapped: id",
        ),
        ({"columns": {"from": "CODE"}}, InvalidFile, "from is mapped, to is not; map both or none"),
        ({"layer": "rails"}, InvalidFile, r"has no layer 'rails'; it has streets \(LineString\)"),
        ({"snap_m": -1.0}, InvalidInput, "snap -1.0 m cannot be; give 0 to 100"),
        ({"snap_m": float("nan")}, InvalidInput, "snap nan m cannot be"),
        ({"crs": "EPSG:999999"}, InvalidCoordinates, "crs 'EPSG:999999' is unknown; give an EPSG code"),
        (
            {"crs": "EPSG:4547"},
            InvalidCoordinates,
            "looks like degrees, the system is in metres; use EPSG:4326",
        ),
        (
            {"expect": BoundingBox(7, 43, 8, 44)},
            InvalidCoordinates,
            "is lon 113.13000, lat 27.83000, outside 7,43,8,44 where it is expected; correct it or the crs",
        ),
    ],
)
def test_an_option_that_does_not_fit_is_refused_with_what_would(tmp_path, options, error, says):
    path = write(tmp_path / "streets.gpkg")
    with pytest.raises(error, match=says) as caught:
        read_gis(path, **options)
    one_line(caught.value)


def test_a_system_that_puts_the_city_in_the_sea_is_refused_with_where_that_is(tmp_path):
    metres = gpd.GeoDataFrame(STREETS, geometry=LINES, crs=4326).to_crs(4547).geometry
    path = write(tmp_path / "streets.gpkg", metres, crs=None)
    with pytest.raises(InvalidCoordinates, match=r"does not say its system of coordinates; give --crs"):
        read_gis(path)
    hunan = BoundingBox(108, 24, 115, 31)
    with pytest.raises(
        InvalidCoordinates, match=r"is lon 122\.\d+, lat 27\.\d+, outside 108,24,115,31 where"
    ):
        read_gis(path, crs="EPSG:4550", expect=hunan)
    swapped = [shapely.LineString(shapely.get_coordinates(line)[:, ::-1]) for line in LINES]
    with pytest.raises(InvalidCoordinates, match="the axes look swapped; exchange the columns of lon"):
        read_gis(write(tmp_path / "swapped.gpkg", swapped), expect=hunan)


def test_a_line_from_here_to_elsewhere_is_no_city(tmp_path):
    lines = [*LINES, shapely.LineString([WEST, (121.5, 31.2)])]
    with pytest.raises(InvalidCoordinates, match=r"span 8\.4 degrees.* cut it out or correct the crs"):
        read_gis(write(tmp_path / "streets.gpkg", lines, {"id": [1, 2, 3]}))


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ([shapely.Point(WEST)] * 2, r"streets \(Point\); give the layer of road centre lines"),
        ([shapely.box(113, 27, 114, 28)], r"streets \(Polygon\); give the layer of road centre lines"),
    ],
)
def test_a_layer_of_other_shapes_is_refused(tmp_path, shapes, says):
    path = write(tmp_path / "streets.gpkg", shapes, {"id": list(range(len(shapes)))})
    with pytest.raises(InvalidFile, match=f"has no layer of lines; it has {says}"):
        read_gis(path)
    with pytest.raises(InvalidFile, match=rf"holds {len(shapes)} (points|polygons) and no lines; give"):
        read_gis(path, layer="streets")


def test_of_several_layers_of_lines_one_must_be_named(tmp_path):
    path = write(tmp_path / "city.gpkg", layer="roads")
    write(path, layer="rails", append=True)
    write(path, [shapely.Point(WEST)], {"id": [1]}, layer="places", append=True)
    with pytest.raises(InvalidFile, match=r"several layers of lines: .*; name one with --layer"):
        read_gis(path)
    assert read_gis(path, layer="rails")[0].n_edges == 6


@pytest.mark.parametrize("cut", [".shp", ".dbf"])
def test_a_shapefile_whose_parts_are_cut_short_names_the_part(tmp_path, cut):
    path = write(tmp_path / "streets.shp", encoding="utf-8")
    part = path.with_suffix(cut)
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(InvalidFile, match=rf"streets\{cut} is cut short: \d+ of \d+ bytes; copy it again"):
        read_gis(path, columns=MAP)


def csv(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_wkt_in_a_column_of_any_name_is_read_when_named(tmp_path):
    path = csv(tmp_path / "s.csv", "id,LINIE", '1,"LINESTRING (113.13 27.83, 113.132 27.83)"')
    with pytest.raises(
        InvalidFile, match=r"no column of WKT; name it with --map geometry=COLUMN, it has id, LINIE"
    ):
        read_gis(path, crs="EPSG:4326")
    network, _ = read_gis(path, crs="EPSG:4326", columns={"geometry": "LINIE"})
    assert network.edge_ids == ["1+", "1-"]


def test_rows_of_wkt_that_cannot_be_read_are_counted(tmp_path):
    good = '1,"LINESTRING (113.13 27.83, 113.132 27.83)"'
    path = csv(
        tmp_path / "s.csv", "id,wkt", good, "2,LINESTRING (113.13", "3,", '4,"LINESTRING (113 nan, 1 2)"'
    )
    network, report = read_gis(path, crs="EPSG:4326")
    assert network.edge_ids == ["1+", "1-"]
    assert report.no_geometry == 3


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp"])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_a_file_cut_short_is_refused_in_one_line(tmp_path, suffix, share):
    path = write(tmp_path / f"streets{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InvalidFile, match=r"cut short|cannot be read|holds no") as caught:
        read_gis(path, columns=MAP)
    one_line(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.7 not a map", b"GPROADS2" + bytes(64), b"PK\x03\x04" + bytes(40)]
)
def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "streets.gpkg"
    path.write_bytes(content)
    with pytest.raises(
        InvalidFile, match=r"streets\.gpkg cannot be read .*; give a whole GeoPackage"
    ) as caught:
        read_gis(path)
    one_line(caught.value)


def test_an_empty_layer_is_refused(tmp_path):
    path = tmp_path / "streets.geojson"
    path.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(InvalidFile, match="holds no features; give a file with roads"):
        read_gis(path)


def test_a_missing_file_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_gis(tmp_path / "nowhere.gpkg")
