import numpy as np
import pytest

from geo_policing.errors import InvalidFile
from geo_policing.kernels import node_tables, trace_matching
from geo_policing.matching import Matcher, MatcherParameters
from geo_policing.roads import Access, RoadNetwork
from tests.matching.city import drive, grid

ROUTE = ["0>1", "1>2", "2>8", "8>14", "14>13", "13>12"]


@pytest.fixture
def roads(tmp_path):
    path = tmp_path / "town.roads"
    grid(forbidden=[("0>1", "1>7")]).save(path)
    return path


@pytest.fixture
def built(monkeypatch):
    """Tables made, one entry for each."""
    made, build = [], node_tables.build
    monkeypatch.setattr(node_tables, "build", lambda *given: made.append(given) or build(*given))
    return made


def kept_of(roads, who="any"):
    return roads.with_name(f"{roads.name}.{who}.ways")


def ids(matcher):
    lon, lat = drive(grid(), ROUTE, noise_m=5.0)
    found = matcher.match(np.arange(len(lon)) * 4.0, lon, lat)
    return [[matcher.network.edge_ids[e] for e in path] for path in found.paths()], found.offset_m.tolist()


def matcher(roads, parameters=None, access=None):
    return Matcher(RoadNetwork.load(roads), parameters, access=access)


def test_the_second_matcher_makes_no_table_and_matches_as_one_in_memory(roads, built):
    first, second = matcher(roads), matcher(roads)
    assert len(built) == 1
    in_memory = Matcher(grid(forbidden=[("0>1", "1>7")]))
    assert ids(first) == ids(second) == ids(in_memory)
    assert ids(second)[0] == [ROUTE]


def test_both_the_first_and_the_second_map_the_file_and_compile_nothing_again(roads):
    ids(Matcher(grid()))
    compiled = len(trace_matching.match_trace.signatures)
    whole = kept_of(roads)
    for one in (matcher(roads), matcher(roads)):
        for column in one._graph.table:
            base = column
            while base.base is not None and not isinstance(base, np.memmap):
                base = base.base
            assert isinstance(base, np.memmap)
            assert base.filename == whole
            assert not column.flags.writeable
        ids(one)
    assert len(trace_matching.match_trace.signatures) == compiled


def test_every_column_comes_back_as_it_was_made(roads):
    made = Matcher(grid(forbidden=[("0>1", "1>7")]))._graph.table
    kept = (matcher(roads), matcher(roads))[1]._graph.table
    for ours, theirs in zip(made, kept, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "parameters", [MatcherParameters(right_angle_m=30.0), MatcherParameters(through_share=0.0)]
)
def test_a_parameter_that_changes_ways_makes_the_table_anew(roads, built, parameters):
    ids(matcher(roads))
    changed = matcher(roads, parameters)
    assert len(built) == 2
    np.testing.assert_array_equal(
        changed._graph.table.way, Matcher(grid(forbidden=[("0>1", "1>7")]), parameters)._graph.table.way
    )
    matcher(roads, parameters)
    assert len(built) == 3  # that in memory is the third


def test_a_parameter_that_no_way_depends_on_does_not(roads, built):
    matcher(roads)
    matcher(roads, MatcherParameters(sigma_m=9.0))
    assert len(built) == 1


def test_other_roads_under_the_same_name_make_the_table_anew(roads, built):
    matcher(roads)
    grid().save(roads)
    assert ids(matcher(roads)) == ids(Matcher(grid()))
    assert len(built) == 3
    matcher(roads)
    assert len(built) == 3


def test_another_row_length_or_other_code_makes_the_table_anew(roads, built, monkeypatch, tmp_path):
    matcher(roads)
    monkeypatch.setattr("geo_policing.matching.graph.ROW", 20)
    matcher(roads)
    assert len(built) == 2
    other = tmp_path / "node_tables.py"
    other.write_text("# another algorithm")
    monkeypatch.setattr(node_tables, "__file__", str(other))
    matcher(roads)
    assert len(built) == 3


def test_each_kind_of_traveller_has_a_table_and_none_replaces_that_of_another(roads, built):
    for _ in range(2):
        for access in (None, Access.CAR, Access.CAR | Access.FOOT):
            matcher(roads, access=access)
    assert len(built) == 3
    names = {path.name for path in roads.parent.iterdir()}
    assert names == {"town.roads", "town.roads.any.ways", "town.roads.car.ways", "town.roads.car-foot.ways"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-2000] + bytes([data[-2000] ^ 1]) + data[-1999:],
        lambda _: b"",
        lambda _: b"not a table of ways at all",
        lambda data: b"GPROADS2" + data[8:],
    ],
)
def test_a_damaged_file_is_made_anew(roads, built, damage):
    expected = ids(matcher(roads))
    whole = kept_of(roads).read_bytes()
    kept_of(roads).write_bytes(damage(whole))
    assert ids(matcher(roads)) == expected
    assert len(built) == 2
    assert kept_of(roads).read_bytes() == whole
    assert {path.name for path in roads.parent.iterdir()} == {"town.roads", "town.roads.any.ways"}


def test_where_it_cannot_be_written_it_is_made_in_memory(roads, built):
    kept_of(roads).mkdir()  # a folder of that name cannot be replaced, by whoever it is
    assert ids(matcher(roads)) == ids(Matcher(grid(forbidden=[("0>1", "1>7")])))
    assert [path.name for path in sorted(roads.parent.iterdir())] == ["town.roads", "town.roads.any.ways"]


def test_a_disk_that_fills_up_leaves_no_part_of_a_file(roads, built, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("geo_policing.roads.mapped.os.fsync", full)
    assert ids(matcher(roads))[0] == [ROUTE]
    assert [path.name for path in roads.parent.iterdir()] == ["town.roads"]


def test_a_network_made_in_memory_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Matcher(grid())
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_no_road_network(roads):
    matcher(roads)
    with pytest.raises(InvalidFile, match="is no road network"):
        RoadNetwork.load(kept_of(roads))
