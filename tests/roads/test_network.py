"""A network is made of what fits together, and comes back from its file or is refused."""

import json
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo_policing.errors import InvalidFile, InvalidInput
from geo_policing.roads import RoadNetwork
from geo_policing.roads.mapped import read_arrays, write_arrays
from tests.roads.town import grid

LINE = np.array([[113.13, 27.83], [113.131, 27.83]])


def parts(**changes):
    """Arguments of `RoadNetwork.build` for a two-way street, some of them changed."""
    return {
        "node_lon": LINE[:, 0],
        "node_lat": LINE[:, 1],
        "edge_id": ["a", "b"],
        "from_node": np.array([0, 1]),
        "to_node": np.array([1, 0]),
        "geometry_lonlat": [LINE, LINE[::-1]],
    } | changes


NOTHING = np.empty(0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"node_lon": NOTHING, "node_lat": NOTHING}, "a road network of no nodes; give at least one"),
        (
            {"edge_id": [], "from_node": NOTHING, "to_node": NOTHING, "geometry_lonlat": []},
            "a road network of no edges; give at least one",
        ),
        ({"from_node": np.array([0])}, "1 from_node but 2 edge_id; give as many"),
        ({"to_node": np.array([1, 7])}, "edge 'b': to_node 7 is not in the network; its nodes are 0 to 1"),
        ({"edge_id": ["a", "a"]}, "edge id 'a' is there twice"),
        ({"geometry_lonlat": [LINE, LINE[:1]]}, r"edge 'b' has a geometry of shape \(1, 2\)"),
        ({"geometry_lonlat": [LINE, LINE * np.nan]}, "vertex 2 at lon nan, lat nan is off the earth"),
        ({"node_lat": np.array([27.83, 2783.0])}, "node 1 at lon 113.131, lat 2783.0 is off the earth"),
        ({"speed_mps": np.array([0.0, 5.0])}, "edge 'a': speed_mps 0.0 cannot be"),
        ({"length_m": np.array([98.0, np.inf])}, "edge 'b': length_m inf cannot be"),
        ({"forbidden_turn": np.array([[0, 2]])}, r"forbidden turn \[0, 2\] joins no edges at a node"),
        ({"forbidden_turn": np.array([[0, 0]])}, r"forbidden turn \[0, 0\] joins no edges at a node"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(changes, says):
    with pytest.raises(InvalidInput, match=says):
        RoadNetwork.build(**parts(**changes))


def test_a_two_way_street_is_two_edges_that_know_each_other():
    network = RoadNetwork.build(**parts(edge_name=["中山路", "中山路"]))
    assert network.reverse.tolist() == [1, 0]
    assert network.name_of(1) == "中山路"
    assert network.length_m[0] == pytest.approx(98.5, abs=0.1)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("roads") / "city.roads"
    grid(3, forbidden=[("0>1", "1>4")]).save(path)
    return path


def header_end(data):
    return 16 + int.from_bytes(data[8:12], "little")


def test_a_network_comes_back_whole(saved):
    network, again = grid(3, forbidden=[("0>1", "1>4")]), RoadNetwork.load(saved)
    arrays, extra = network._parts()
    arrays_again, extra_again = again._parts()
    assert extra == extra_again
    assert arrays.keys() == arrays_again.keys()
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, arrays_again[key])
        assert array.dtype == arrays_again[key].dtype
        assert not arrays_again[key].flags.writeable


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_are_recognised(saved, tmp_path, data):
    original = saved.read_bytes()
    end = data.draw(st.sampled_from([16, header_end(original), len(original)]))
    places = data.draw(st.lists(st.integers(0, end - 1), min_size=1, max_size=4, unique=True))
    flipped = bytearray(original)
    for place in places:
        flipped[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "flipped.roads"
    path.write_bytes(flipped)
    with pytest.raises(InvalidFile):
        RoadNetwork.load(path)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_file_cut_anywhere_is_recognised(saved, tmp_path, share):
    whole = saved.read_bytes()
    path = tmp_path / "cut.roads"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InvalidFile, match=r"cut short|is no road network"):
        RoadNetwork.load(path)


def sealed(text):
    """A file of a header as given, its checksum right."""
    return b"GPROADS2" + len(text).to_bytes(4, "little") + zlib.crc32(text).to_bytes(4, "little") + text


@pytest.mark.parametrize(
    "text",
    [b"{not json", b"\xff\xfe", b"[]", b"{}", b'{"bytes": "many"}', b'{"bytes": 0, "crc32": 0}', b"7"],
)
def test_a_right_beginning_with_a_header_of_nonsense_is_damaged(tmp_path, text):
    path = tmp_path / "city.roads"
    path.write_bytes(sealed(text))
    with pytest.raises(InvalidFile, match=r"city\.roads is damaged; import the roads again"):
        RoadNetwork.load(path)


@pytest.mark.parametrize(
    "part",
    [
        {"dtype": "O", "shape": [1], "offset": 0},
        {"dtype": "<f8", "shape": [9], "offset": 0},
        {"dtype": "<f8", "shape": [-1], "offset": 0},
        {"dtype": "<f8", "shape": "x", "offset": 0},
        {"dtype": "nonsense", "shape": [1], "offset": 0},
        {"dtype": "<f8", "shape": [1], "offset": 10**9},
        {"shape": [1]},
        7,
    ],
)
def test_an_array_that_is_not_in_the_file_is_damage(tmp_path, part):
    path = tmp_path / "city.roads"
    path.write_bytes(
        sealed(json.dumps({"extra": {}, "arrays": {"x": part}, "bytes": 0, "crc32": 0}).encode())
    )
    with pytest.raises(InvalidFile, match="is damaged"):
        read_arrays(path)


def test_a_network_of_another_version_says_so(saved, tmp_path):
    older = tmp_path / "older.roads"
    older.write_bytes(b"GPROADS1" + saved.read_bytes()[8:])
    with pytest.raises(
        InvalidFile, match=r"older\.roads was written by another version of geo-policing; import"
    ):
        RoadNetwork.load(older)
    arrays, extra = read_arrays(saved)
    del arrays["reverse"]
    write_arrays(tmp_path / "less.roads", arrays, extra)
    with pytest.raises(InvalidFile, match=r"less\.roads was written by another version .*'reverse'"):
        RoadNetwork.load(tmp_path / "less.roads")


def test_a_file_of_another_kind_says_how_to_make_one(tmp_path):
    (tmp_path / "city.roads").write_bytes(b"PK\x03\x04 and so on, for long enough")
    with pytest.raises(
        InvalidFile, match=r"make one with `geo-policing import-roads SRC -o city-new\.roads`"
    ):
        RoadNetwork.load(tmp_path / "city.roads")


@pytest.mark.parametrize(
    ("name", "other"),
    [("monaco.osm.pbf", "monaco.roads"), ("fixes.csv", "fixes.roads"), ("city.roads", "city-new.roads")],
)
def test_the_remedy_for_another_file_does_not_write_over_it(tmp_path, name, other):
    (tmp_path / name).write_text("no roads at all")
    with pytest.raises(InvalidFile, match=rf"import-roads SRC -o {other}`"):
        RoadNetwork.load(tmp_path / name)
