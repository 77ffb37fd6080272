"""Lines that touch become edges between nodes, and none of their length is lost."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo_policing.roads.joining import join
from geo_policing.roads.report import Report


def joined(*lines, ids=None, snap_m=0.5):
    """Edges as (line, from, to, vertices), and the report."""
    report = Report()
    start, end = zip(*(ids or [("", "")] * len(lines)), strict=True)
    found = join([np.array(line, float) for line in lines], start, end, snap_m, report)
    columns = (found.line.tolist(), found.from_node.tolist(), found.to_node.tolist(), found.geometry)
    for _, a, b, xy in zip(*columns, strict=True):
        assert xy[0].tolist() == [found.node_x[a], found.node_y[a]]
        assert xy[-1].tolist() == [found.node_x[b], found.node_y[b]]
    return [(line, a, b, xy.tolist()) for line, a, b, xy in zip(*columns, strict=True)], report


def test_ends_within_the_tolerance_are_one_node_and_lines_are_moved_to_it():
    edges, report = joined([(0, 0), (100, 0)], [(100.3, 0.3), (200, 0)])
    assert [e[:3] for e in edges] == [(0, 0, 1), (1, 1, 2)]
    assert edges[1][3][0] == [100, 0]
    assert report.snapped_ends == 1


def test_ends_beyond_the_tolerance_stay_apart():
    edges, report = joined([(0, 0), (100, 0)], [(100.6, 0), (200, 0)])
    assert [e[1:3] for e in edges] == [(0, 1), (2, 3)]
    assert report.snapped_ends == 0


def test_lines_that_cross_at_a_shared_vertex_are_split_there():
    edges, report = joined([(0, 0), (50, 0), (100, 0)], [(50, -40), (50, 0), (50, 40)])
    assert [e[0] for e in edges] == [0, 0, 1, 1]
    assert edges[0][2] == edges[1][1] == edges[2][2] == edges[3][1]
    assert report.split_lines == 2


def test_lines_that_cross_without_a_shared_vertex_do_not_meet():
    edges, report = joined([(0, 0), (100, 0)], [(50, -40), (50, 40)])
    assert len(edges) == 2
    assert report.split_lines == 0


def test_a_line_is_split_at_its_vertex_where_another_ends():
    edges, _ = joined([(0, 0), (50, 0), (100, 0)], [(50.2, 0.2), (50, 60)])
    assert [e[0] for e in edges] == [0, 0, 1]
    assert edges[0][2] == edges[1][1] == edges[2][1]


def test_a_line_is_split_where_another_ends_between_its_vertices():
    edges, report = joined([(0, 0), (100, 0)], [(30, 0.2), (30, 60)], [(70, 0), (70, -60)])
    assert [(e[0], e[3][0], e[3][-1]) for e in edges[:3]] == [
        (0, [0, 0], [30, 0.2]),
        (0, [30, 0.2], [70, 0]),
        (0, [70, 0], [100, 0]),
    ]
    assert (report.touching_ends, report.split_lines) == (2, 1)


def test_a_line_that_crosses_itself_at_a_vertex_is_split_there():
    edges, _ = joined([(0, 0), (50, 0), (80, 30), (50, 60), (50, 0), (50, -40)])
    assert [e[1:3] for e in edges] == [(0, 2), (2, 2), (2, 1)]


def test_a_ring_is_one_edge_from_a_node_to_itself():
    edges, _ = joined([(0, 0), (50, 0), (50, 50), (0, 0)])
    assert [e[1:3] for e in edges] == [(0, 0)]


def test_vertices_close_to_an_end_do_not_cut_it_off():
    edges, report = joined([(0, 0), (0.2, 0), (0.4, 0), (50, 0), (99.8, 0), (100, 0)], [(100, 0), (200, 0)])
    assert [e[:3] for e in edges] == [(0, 0, 1), (1, 1, 2)]
    assert report.split_lines == 0


def test_a_line_within_the_tolerance_has_no_length():
    edges, report = joined([(0, 0), (0.3, 0)], [(0, 0), (100, 0)])
    assert [e[0] for e in edges] == [1]
    assert report.zero_length == 1


def test_node_ids_of_the_file_decide_what_is_joined():
    over, under = [(0, 0), (50, 0), (100, 0)], [(50, -40), (50, 0), (50, 40)]
    edges, report = joined(over, under, [(100.0, 3.0), (200, 0)], ids=[("a", "b"), ("c", "d"), ("b", "e")])
    assert [e[:3] for e in edges] == [(0, 0, 1), (1, 2, 3), (2, 1, 4)]
    assert (report.split_lines, report.snapped_ends, report.ends_without_id) == (0, 1, 0)


def test_an_end_without_an_id_is_joined_by_its_place():
    edges, report = joined([(0, 0), (100, 0)], [(100.2, 0), (200, 0)], ids=[("a", "b"), ("", "c")])
    assert [e[:3] for e in edges] == [(0, 0, 1), (1, 1, 2)]
    assert report.ends_without_id == 1


def test_an_end_far_from_the_place_of_its_node_id_does_not_lie_there():
    edges, report = joined([(0, 0), (100, 0)], [(5000, 0), (6000, 0)], ids=[("a", "b"), ("b", "c")])
    assert len({n for e in edges for n in e[1:3]}) == 4
    assert report.ends_apart == 1


@settings(max_examples=100, deadline=None)
@given(data=st.data(), snap_m=st.sampled_from([0.0, 0.5, 2.0]))
def test_no_length_is_lost_and_every_edge_runs_from_node_to_node(data, snap_m):
    place = st.tuples(st.integers(0, 6), st.integers(0, 6))
    jitter = st.tuples(*[st.floats(-0.1, 0.1)] * 2) if snap_m else st.just((0.0, 0.0))
    lines = []
    for _ in range(data.draw(st.integers(1, 8))):
        corners = data.draw(st.lists(place, min_size=2, max_size=5))
        corners = [c for i, c in enumerate(corners) if i == 0 or c != corners[i - 1]]
        if len(corners) < 2:
            corners.append((corners[0][0] + 1, corners[0][1]))
        lines.append([(100.0 * x + dx, 100.0 * y + dy) for x, y in corners for dx, dy in [data.draw(jitter)]])
    edges, _ = joined(*lines, snap_m=snap_m)
    for i, line in enumerate(lines):
        mine = [np.array(e[3]) for e in edges if e[0] == i]
        before = np.hypot(*np.diff(np.array(line), axis=0).T).sum()
        after = sum(np.hypot(*np.diff(xy, axis=0).T).sum() for xy in mine)
        assert after == pytest.approx(before, abs=1.0 * len(line) + 1e-6)
        for one, following in itertools.pairwise(mine):
            assert one[-1].tolist() == following[0].tolist()
