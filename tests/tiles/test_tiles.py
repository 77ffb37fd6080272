"""The basemap, read back by GDAL and byte by byte."""

import gzip
import json
import struct
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from geo_policing_tiles import LAYERS, build_pmtiles
from geo_policing_tiles.pmtiles import tile_id, write_pmtiles
from geo_policing_tiles.shapes import place_points, road_lines
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.roads.network import EdgeFlag, RoadClass, RoadNetwork

WEST, SOUTH = 113.10, 27.80


def a_network() -> RoadNetwork:
    """An arterial of two two-way stretches over a bridge, and an alley that leaves it."""
    lon = np.array([WEST, WEST + 0.01, WEST + 0.02, WEST + 0.01])
    lat = np.array([SOUTH, SOUTH, SOUTH, SOUTH + 0.01])
    ends = [(0, 1), (1, 0), (1, 2), (2, 1), (1, 3)]
    return RoadNetwork.build(
        node_lon=lon,
        node_lat=lat,
        edge_id=[f"e{i}" for i in range(5)],
        from_node=np.array([a for a, _ in ends], np.int32),
        to_node=np.array([b for _, b in ends], np.int32),
        geometry_lonlat=[np.column_stack([lon[list(pair)], lat[list(pair)]]) for pair in ends],
        road_class=np.array([RoadClass.ARTERIAL] * 4 + [RoadClass.RESIDENTIAL], np.uint8),
        flags=np.array([0, 0, EdgeFlag.BRIDGE, EdgeFlag.BRIDGE, 0], np.uint8),
        edge_name=["天元大道"] * 4 + ["小巷"],
    )


def shapes() -> dict[str, gpd.GeoDataFrame]:
    def frame(geometry, **columns):
        return gpd.GeoDataFrame(columns, geometry=[geometry], crs="EPSG:4326")

    box = shapely.box(WEST - 0.01, SOUTH - 0.01, WEST + 0.03, SOUTH + 0.02)
    house = shapely.box(WEST + 0.002, SOUTH + 0.002, WEST + 0.0024, SOUTH + 0.0024)
    river = shapely.box(WEST + 0.012, SOUTH - 0.01, WEST + 0.016, SOUTH + 0.02)
    return {
        "urban_area": frame(box, name=["城区"]),
        "districts": frame(box, name=["天元区"], pinyin=["Tianyuan"]),
        "water": frame(river, name=["湘江"]),
        "green": frame(house, name=["公园"]),
        "buildings": frame(house, height_m=[24.0], use=["home"]),
        "places": frame(shapely.Point(WEST, SOUTH), kind=["hospital"], name=["第一医院"], id=["P1"]),
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("tiles") / "city.pmtiles"
    assert build_pmtiles(a_network(), shapes(), out) == out.stat().st_size
    return out


def layer(path: Path, name: str, zoom: int = 15) -> gpd.GeoDataFrame:
    return pyogrio.read_dataframe(path, layer=name, ZOOM_LEVEL=zoom).to_crs(4326)


def test_gdal_reads_every_layer_back(built):
    names = {name for name, _ in pyogrio.list_layers(built)}
    assert names == {"roads", *LAYERS}
    for name in names:
        assert len(layer(built, name)) > 0, name


def test_a_known_road_is_where_it_was(built):
    roads = layer(built, "roads")
    arterial = roads[roads["name"] == "天元大道"]
    assert set(arterial["class"]) == {"arterial"}
    drawn = shapely.union_all(arterial.geometry.to_numpy())
    for lon in np.linspace(WEST, WEST + 0.02, 21):
        assert shapely.distance(drawn, shapely.Point(lon, SOUTH)) < 1e-5  # a metre
    bridge = arterial[arterial["bridge"] == 1]
    assert bridge.total_bounds[0] == pytest.approx(WEST + 0.01, abs=1e-5)


def test_names_of_districts_and_waters_stand_among_the_places(built):
    places = layer(built, "places")
    assert {"天元区", "湘江", "公园", "第一医院"} == set(places["name"])


@pytest.mark.parametrize(("zoom", "names"), [(9, {"天元大道"}), (13, {"天元大道", "小巷"})])
def test_small_roads_wait_for_their_zoom(built, zoom, names):
    assert set(layer(built, "roads", zoom)["name"]) == names


def test_buildings_come_with_their_height(built):
    assert layer(built, "buildings", 15)["height_m"].tolist() == [24]


def test_the_same_city_gives_the_same_bytes(built, tmp_path):
    build_pmtiles(a_network(), shapes(), tmp_path / "again.pmtiles")
    assert (tmp_path / "again.pmtiles").read_bytes() == built.read_bytes()


def test_shapes_in_another_system_are_brought_to_degrees(built, tmp_path):
    moved = {name: frame.to_crs(4547) for name, frame in shapes().items()}
    build_pmtiles(a_network(), moved, tmp_path / "moved.pmtiles")
    expected, got = layer(built, "water"), layer(tmp_path / "moved.pmtiles", "water")
    assert got.total_bounds == pytest.approx(expected.total_bounds, abs=2e-5)


def test_roads_alone_make_a_map(tmp_path):
    build_pmtiles(a_network(), {}, tmp_path / "roads.pmtiles")
    assert {name for name, _ in pyogrio.list_layers(tmp_path / "roads.pmtiles")} == {"roads"}


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    out = tmp_path / "city.pmtiles"
    out.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        build_pmtiles(a_network(), {}, out)
    assert out.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["city.pmtiles"]


def test_a_two_way_street_is_drawn_once_and_a_road_in_one_line():
    lines = road_lines(a_network())
    assert len(lines) == 3
    assert shapely.length(lines.geometry.to_numpy()).sum() == pytest.approx(0.03, abs=1e-9)


def test_a_long_river_is_named_along_its_way():
    river = gpd.GeoDataFrame({"name": ["湘江"]}, geometry=[shapely.box(0, 0, 0.01, 0.2)], crs="EPSG:4326")
    points = place_points({"water": river})
    assert len(points) == 4
    assert points.geometry.y.diff().dropna().abs().min() > 0.04


# The first numbers of the specification's curve: zoom 0, then the four tiles of zoom 1.
@pytest.mark.parametrize(
    ("z", "x", "y", "number"),
    [(0, 0, 0, 0), (1, 0, 0, 1), (1, 0, 1, 2), (1, 1, 1, 3), (1, 1, 0, 4), (2, 0, 0, 5)],
)
def test_tile_numbers(z, x, y, number):
    assert tile_id(z, x, y) == number


@given(st.integers(1, 9))
def test_tile_numbers_of_a_zoom_are_each_used_once_and_neighbours_touch(zoom):
    side = min(2**zoom, 64)
    first = (4**zoom - 1) // 3
    numbers = {tile_id(zoom, x, y): (x, y) for x in range(side) for y in range(side)}
    assert len(numbers) == side * side
    assert set(numbers) == set(range(first, first + side * side))
    order = [numbers[n] for n in sorted(numbers)]
    assert all(abs(a - c) + abs(b - d) == 1 for (a, b), (c, d) in pairwise(order))


def find(archive: bytes, wanted: int) -> bytes | None:
    """Look a tile up as the specification says, by its directories."""

    def varints(data: bytes) -> list[int]:
        out, value, shift = [], 0, 0
        for byte in data:
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                out.append(value)
                value = shift = 0
        return out

    root, root_size, _, _, leaves, _, tiles, _ = struct.unpack_from("<8Q", archive, 8)
    at, size = root, root_size
    for _ in range(3):
        n, *rest = varints(gzip.decompress(archive[at : at + size]))
        ids = np.cumsum(rest[:n]).tolist()
        runs, lengths, raw = rest[n : 2 * n], rest[2 * n : 3 * n], rest[3 * n :]
        offsets: list[int] = []
        for i, value in enumerate(raw):
            offsets.append(offsets[-1] + lengths[i - 1] if value == 0 else value - 1)
        i = int(np.searchsorted(ids, wanted, "right")) - 1
        if i < 0:
            return None
        if runs[i] == 0:
            at, size = leaves + offsets[i], lengths[i]
            continue
        if wanted >= ids[i] + runs[i]:
            return None
        begin = tiles + offsets[i]
        return gzip.decompress(archive[begin : begin + lengths[i]])
    raise AssertionError("directories too deep")


def test_an_archive_with_leaves_finds_every_tile(tmp_path):
    rng = np.random.default_rng(1)
    tiles = {
        (12, int(x), int(y)): int(v).to_bytes(4, "big")
        for x, y, v in zip(*rng.integers(0, 4096, (2, 20_000)), rng.integers(0, 9000, 20_000), strict=True)
    }
    write_pmtiles(tmp_path / "many.pmtiles", tiles, (0.0, 0.0, 1.0, 1.0), {"name": "many"})
    archive = (tmp_path / "many.pmtiles").read_bytes()
    assert struct.unpack_from("<8Q", archive, 8)[5] > 0, "no leaves"
    for key in list(tiles)[::37]:
        assert find(archive, tile_id(*key)) == tiles[key]
    assert find(archive, tile_id(11, 0, 0)) is None


def test_equal_tiles_are_kept_once(tmp_path):
    tiles = {(3, x, y): b"sea" * 100 for x in range(8) for y in range(8)}
    write_pmtiles(tmp_path / "sea.pmtiles", tiles, (0.0, 0.0, 1.0, 1.0), {})
    archive = (tmp_path / "sea.pmtiles").read_bytes()
    assert struct.unpack_from("<3Q", archive, 72) == (64, 1, 1)


def test_the_metadata_name_layers_and_fields(built):
    archive = built.read_bytes()
    at, size = struct.unpack_from("<2Q", archive, 24)
    about = json.loads(gzip.decompress(archive[at : at + size]))
    fields = {part["id"]: part["fields"] for part in about["vector_layers"]}
    assert fields["roads"] == {"name": "String", "class": "String", "bridge": "Number", "tunnel": "Number"}
    assert fields["buildings"] == {"height_m": "Number", "use": "String"}
