"""What an import mends, and what it says about it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo_policing.errors import InvalidFile
from geo_policing.roads import Access, RoadClass
from geo_policing.roads.draft import Draft
from geo_policing.roads.repair import mend
from geo_policing.roads.report import Report

M = 0.00001  # degrees, about a metre


def draft(nodes, edges, turns=(), classes=None, access=None, names=None):
    """Nodes as (x, y) in metres from a corner, edges as (from, to) drawn straight or (from, to, via)."""
    lonlat = np.array(nodes, float) * M + [113.13, 27.83]
    lines = []
    for a, b, *via in edges:
        lines.append(np.array([lonlat[a], *(np.array(v) * M + [113.13, 27.83] for v in via), lonlat[b]]))
    m = len(edges)
    return Draft(
        node_lon=lonlat[:, 0],
        node_lat=lonlat[:, 1],
        edge_id=[f"e{i}" for i in range(m)],
        from_node=np.array([e[0] for e in edges], np.int32),
        to_node=np.array([e[1] for e in edges], np.int32),
        geometry=lines,
        speed_mps=np.full(m, 10.0, np.float32),
        road_class=np.array(classes or [RoadClass.STREET] * m, np.uint8),
        access=np.array(access or [Access.ALL] * m, np.uint8),
        flags=np.zeros(m, np.uint8),
        name=list(names or [""] * m),
        turns=np.array(turns, np.int32).reshape(-1, 2),
        source="test",
    )


def mended(*args, min_piece_nodes=0, **kwargs):
    report = Report()
    return mend(draft(*args, **kwargs), report, min_piece_nodes=min_piece_nodes), report


def test_an_edge_of_no_length_goes_and_its_ends_become_one_node():
    network, report = mended([(0, 0), (100, 0), (100, 0), (200, 0)], [(0, 1), (1, 2), (2, 3)])
    assert network.edge_ids == ["e0", "e2"]
    assert network.to_node[0] == network.from_node[1]
    assert (report.zero_length, report.merged_nodes, report.nodes, report.pieces) == (1, 1, 3, 1)


def test_a_chain_of_them_becomes_one_node():
    nodes = [(0, 0), (100, 0), (100, 0), (100, 0), (200, 0)]
    network, report = mended(nodes, [(0, 1), (1, 2), (2, 3), (3, 4)])
    assert network.edge_ids == ["e0", "e3"]
    assert (report.zero_length, report.merged_nodes, network.n_nodes) == (2, 2, 3)


def test_a_loop_is_kept_and_a_loop_of_no_length_is_not():
    edges = [(0, 1), (1, 1, (150, 50), (150, -50)), (1, 1, (100, 0))]
    network, report = mended([(0, 0), (100, 0)], edges)
    assert network.edge_ids == ["e0", "e1"]
    assert (report.self_loops, report.zero_length, report.merged_nodes) == (1, 1, 0)


def test_duplicates_become_the_most_important_of_them_open_to_all_that_any_was_open_to():
    network, report = mended(
        [(0, 0), (100, 0)],
        [(0, 1), (0, 1), (1, 0), (0, 1, (50, 5))],
        classes=[RoadClass.FOOTWAY, RoadClass.STREET, RoadClass.STREET, RoadClass.STREET],
        access=[Access.FOOT, Access.CAR, Access.CAR, Access.CAR],
        names=["河边路", "", "", ""],
    )
    assert network.edge_ids == ["e1", "e2", "e3"]
    assert network.access.tolist() == [Access.FOOT | Access.CAR, Access.CAR, Access.CAR]
    assert network.name_of(0) == "河边路"
    assert network.road_class[0] == RoadClass.STREET
    assert report.duplicates == 1


def test_forbidden_turns_follow_the_edges_that_stay():
    nodes = [(0, 0), (100, 0), (200, 0), (100, 100), (5000, 0), (5100, 0)]
    edges = [(4, 5), (0, 1), (0, 1), (1, 2), (1, 3)]
    network, _ = mended(nodes, edges, turns=[(2, 4), (1, 3)], min_piece_nodes=3)
    named = {(network.edge_ids[a], network.edge_ids[b]) for a, b in network.forbidden_turn}
    assert named == {("e1", "e4"), ("e1", "e3")}


PIECES = [(0, 0), (100, 0), (200, 0), (5000, 0), (5100, 0)]


def test_small_pieces_are_dropped_and_their_length_is_said():
    network, report = mended(PIECES, [(0, 1), (1, 2), (3, 4)], min_piece_nodes=3)
    assert network.edge_ids == ["e0", "e1"]
    assert (report.pieces, report.dropped_pieces, report.dropped_edges, report.nodes) == (2, 1, 1, 3)
    assert report.dropped_m == pytest.approx(98.5, abs=0.5)


def test_all_pieces_are_kept_when_asked():
    network, report = mended(PIECES, [(0, 1), (1, 2), (3, 4)], min_piece_nodes=0)
    assert (network.n_edges, report.pieces, report.dropped_pieces) == (3, 2, 0)


def test_the_largest_piece_stays_whatever_its_size():
    network, report = mended(PIECES, [(0, 1), (1, 2), (3, 4)], min_piece_nodes=100)
    assert network.edge_ids == ["e0", "e1"]
    assert report.dropped_pieces == 1


def test_roads_that_all_have_no_length_are_refused():
    with pytest.raises(InvalidFile, match="all roads have no length; check the file and its crs"):
        mended([(0, 0), (0, 0)], [(0, 1)])


def test_the_report_says_what_is_not_zero_and_goes_through_json():
    _, report = mended(PIECES, [(0, 1), (1, 2), (3, 4)], min_piece_nodes=3)
    rows = dict(report.rows())
    assert rows["small pieces, dropped"] == "1"
    assert "duplicate edges, merged" not in rows
    again = json.loads(json.dumps(report.to_json()))
    assert (again["edges"], again["duplicates"], len(again["bounds"])) == (2, 0, 4)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), least=st.integers(0, 4))
def test_what_is_mended_has_length_is_there_once_and_hangs_together(data, least):
    spots = [(0, 0), (0, 0), (100, 0), (100, 0.001), (200, 50), (300, 0), (900, 900), (950, 900)]
    end = st.integers(0, len(spots) - 1)
    edges = data.draw(st.lists(st.tuples(end, end), min_size=1, max_size=14))
    longest = max(np.hypot(*np.subtract(spots[a], spots[b])) for a, b in edges)
    if longest < 1.0:
        edges.append((0, 4))
    meet = [(i, j) for i, e in enumerate(edges) for j, f in enumerate(edges) if e[1] == f[0]]
    turns = data.draw(st.lists(st.sampled_from(meet), max_size=4)) if meet else []
    network, report = mended(spots, edges, turns=turns, min_piece_nodes=least)
    assert (network.length_m > 0.01).all()
    ends = list(zip(network.from_node.tolist(), network.to_node.tolist(), strict=True))
    assert len(set(ends)) == len(ends)
    assert set(range(network.n_nodes)) == {n for pair in ends for n in pair}
    names = {int(i[1:]) for i in network.edge_ids}
    assert names <= set(range(len(edges)))
    assert len(edges) - report.zero_length - report.duplicates - report.dropped_edges == network.n_edges
