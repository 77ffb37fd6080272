"""Which gates a suspect has passed since last seen."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import shapely

from geo_policing.errors import InvalidInput
from geo_policing.model import TimeWindow, Watch
from geo_policing.roads.network import EdgeFlag, RoadClass
from geo_policing.tracks import Gate, GateKind, containment, gates_of, reconstruct
from geo_policing.tracks.moments import region_features
from tests.matching.city import grid
from tests.tracks.test_reconstruct import at, seen


@pytest.fixture(scope="module")
def town():
    return grid(6)


@pytest.fixture(scope="module")
def fled(town):
    """Seen twice on the southern road going east; then 90 s of nothing."""
    return reconstruct(town, [seen(0.3, 0, 0), seen(1.5, 0, 24)], window=TimeWindow(at(0), at(114)))


def gate(town, *names):
    return Gate.given(town, [town.edge_ids.index(name) for name in names])


def test_bridges_ramps_and_exits_are_found_and_both_directions_are_one_gate(town):
    flags, classes = town.flags.copy(), town.road_class.copy()
    index = town.edge_ids.index
    for name in ("7>8", "8>7", "8>9", "9>8"):
        flags[index(name)] = EdgeFlag.BRIDGE
    classes[index("20>26")] = RoadClass.EXPRESSWAY_RAMP
    marked = replace(town, flags=flags, road_class=classes)
    found = gates_of(marked)
    assert [(g.kind, {town.edge_ids[e] for e in g.edges}) for g in found] == [
        (GateKind.BRIDGE, {"7>8", "8>7", "8>9", "9>8"}),
        (GateKind.RAMP, {"20>26"}),
    ]
    dead_end = grid(6, closed=("4>5", "5>4"))
    classes = dead_end.road_class.copy()
    classes[:] = RoadClass.ARTERIAL
    exits = gates_of(replace(dead_end, road_class=classes))
    assert [(g.kind, [dead_end.edge_ids[e] for e in g.edges]) for g in exits] == [(GateKind.BORDER, ["11>5"])]


def test_a_cut_all_round_is_passed_as_often_as_the_occupancy_lies_beyond_it(town, fled):
    """Column 2 parts the town: who is east of it has passed one of the edges that lead over it."""
    over = [f"{6 * row + 2}>{6 * row + 3}" for row in range(6)]
    moments = [at(24 + 30 * k) for k in range(4)]
    passing = containment(fled, [gate(town, *over)], moments)[0]
    lattice = fled.lattice
    x_cut = town.node_x[2] + 5.0
    east = lattice.point_x[np.searchsorted(lattice.point_bin, np.arange(len(lattice)))] > x_cut
    for moment, passed in zip(moments, passing.passed, strict=True):
        step = round((moment - fled.window.start).total_seconds() / fled.step_s)
        beyond = float(fled.smoothed.mass[step] @ east[fled.smoothed.bins[step]])
        # Some have come back; the rest is the noise of 2,000 ways.
        assert beyond - 0.05 <= passed <= beyond + 0.15
    assert passing.passed[0] == 0.0
    assert (np.diff(passing.passed) >= 0).all()
    assert passing.passed[-1] > 0.3


def test_nobody_has_passed_a_gate_before_the_earliest_time(town, fled):
    moments = [at(24 + 5 * k) for k in range(19)]
    for passing in containment(fled, [gate(town, "3>4"), gate(town, "20>21")], moments):
        early = [p for moment, p in zip(moments, passing.passed, strict=True) if moment < passing.earliest]
        assert early
        assert max(early) == 0.0


def test_gates_that_cannot_be_reached_in_the_window_are_left_out_and_the_likeliest_comes_first(town):
    short = reconstruct(town, [seen(0.3, 0, 0), seen(1.5, 0, 24)], window=TimeWindow(at(0), at(30)))
    found = containment(short, [gate(town, "34>35"), gate(town, "7>13"), gate(town, "1>2")], [at(30)])
    assert [[town.edge_ids[e] for e in p.gate.edges] for p in found][-1] != ["34>35"]
    assert all(p.earliest <= at(30) for p in found)
    assert [p.passed[-1] for p in found] == sorted((p.passed[-1] for p in found), reverse=True)


def test_the_same_seed_gives_the_same_answer_and_another_nearly_so(town, fled):
    gates, moments = [gate(town, "2>3")], [at(60), at(110)]
    first, again, other = (containment(fled, gates, moments, seed=s)[0].passed for s in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first == pytest.approx(other, abs=0.06)


def test_a_gate_that_was_watched_in_vain_has_less_probably_been_passed(town):
    """By Bayes' rule, for a gate passed with probability p and watched with rate r: p (1 - r) / (1 - p r)."""
    ends, window = [seen(0.3, 0, 0), seen(1.5, 0, 24)], TimeWindow(at(0), at(114))
    lon, lat = town.lonlat(town.edge_ids.index("2>3")).mean(axis=0)
    watch = Watch(at(26), at(114), lon, lat, radius_m=80.0, detection=0.9, edge="2>3")
    before, after = (
        containment(
            reconstruct(town, ends, window=window, watches=watches), [gate(town, "3>4", "3>9")], [at(114)]
        )[0].passed[-1]
        for watches in ([], [watch])
    )
    assert before > 0.3
    assert after == pytest.approx(before * 0.1 / (1 - before * 0.9), abs=0.12)


def test_moments_outside_the_window_are_refused(town, fled):
    with pytest.raises(InvalidInput, match="is outside"):
        containment(fled, [gate(town, "2>3")], [at(114) + timedelta(seconds=60)])


def test_regions_are_valid_polygons_of_just_the_cells_that_hold_their_share(fled):
    there = fled.occupancy(at(90))
    for feature in region_features(there):
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid
        kept = there.region(feature["properties"]["share"])
        assert there.probability[: len(kept)].sum() >= feature["properties"]["share"]
        assert there.probability[: len(kept) - 1].sum() < feature["properties"]["share"]
        parts = shape.geoms if shape.geom_type == "MultiPolygon" else [shape]
        assert all(part.exterior.is_ccw for part in parts)
        metres = shape.area * 111_320 * 110_900 * np.cos(np.radians(27.83))
        assert metres / 1e6 == pytest.approx(feature["properties"]["area_km2"], rel=0.02)
