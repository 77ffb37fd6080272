"""What holds of every trace, whatever it is."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from geo_policing.errors import InvalidInput
from geo_policing.kernels import edge_grid
from geo_policing.matching import Matcher
from geo_policing.roads import Access
from tests.matching.city import LAT, LON, STEP, grid

TOWN = grid(6, one_way=("2>1", "9>8", "20>14"), forbidden=[("0>1", "1>7"), ("7>8", "8>14")])
MATCHER = Matcher(TOWN)
ON_ROADS = st.tuples(st.floats(-0.5, 5.5), st.floats(-0.5, 5.5))
ANYWHERE = st.tuples(st.floats(-40.0, 40.0), st.floats(-40.0, 40.0))
PAUSE = st.sampled_from([0.0, 1.0, 4.0, 15.0, 60.0, 3600.0])


@st.composite
def traces(draw, place=ON_ROADS | ANYWHERE):
    """t_s, lon, lat of a walk in leaps and bounds: on streets and off, with repeated times and places."""
    places = draw(st.lists(place, min_size=1, max_size=25))
    pauses = draw(st.lists(PAUSE, min_size=len(places), max_size=len(places)))
    x, y = np.array(places).T
    return np.cumsum(pauses), LON + STEP * x, LAT + STEP * y


def away_m(lon, lat):
    """Distance of each fix to the nearest street of the grid, metres; infinite beyond its rim."""
    x, y = TOWN.plane.forward(lon, lat)
    grid, shapes = MATCHER._graph.grid, MATCHER._graph.shapes
    return edge_grid.nearest(
        np.atleast_1d(x), np.atleast_1d(y), np.full(np.size(x), 210.0), 0.0, 1, grid, shapes
    )[1][:, 0]


@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much])
@given(traces())
@example((np.zeros(1), np.array([LON]), np.array([LAT])))
# Places at the ends of edges, which rounding must not put beyond them.
@example((np.zeros(2), np.array([113.138, 113.13]), np.array([27.836, 27.83])))
@example((np.zeros(3), np.array([113.13, 113.14, 113.13]), np.array([27.83, 27.834, 27.834])))
@example((np.zeros(3), np.array([LON, LON + 5 * STEP, LON]), np.full(3, LAT)))
def test_what_touches_the_network_gets_connected_pieces_that_touch_and_what_does_not_gets_none(trace):
    t, lon, lat = trace
    found = MATCHER.match(t, lon, lat)
    near = away_m(lon, lat)
    # Whether what is as far as the radius of the model touches is for the model to say.
    assume(not ((near > 190.0) & (near < np.inf)).any())
    assert bool(found.pieces) == bool((near <= 190.0).any())
    length_m = TOWN.length_m
    for piece in found.pieces:
        a, b = piece.edges[:-1], piece.edges[1:]
        assert (TOWN.to_node[a] == TOWN.from_node[b]).all()
        turns = set(zip(a.tolist(), b.tolist(), strict=True))
        assert not turns & {tuple(pair) for pair in TOWN.forbidden_turn.tolist()}
        assert 0.0 <= piece.start_m <= length_m[piece.edges[0]] + 1e-6
        assert 0.0 <= piece.end_m <= length_m[piece.edges[-1]] + 1e-6
        assert len(piece.edges) > 1 or piece.start_m <= piece.end_m
        assert (np.diff(piece.enter_s) >= 0).all()
        assert t[0] <= piece.enter_s[0]
        assert piece.enter_s[-1] <= t[-1]
        assert 0.0 <= piece.confidence <= 1.0
        drawn_lon, drawn_lat = piece.drawn(TOWN)
        assert len(drawn_lon) == len(drawn_lat) >= 2
        x, y = TOWN.plane.forward(drawn_lon, drawn_lat)
        drawn_m = float(np.hypot(np.diff(x), np.diff(y)).sum())
        whole_m = length_m[piece.edges].sum() - piece.start_m - (length_m[piece.edges[-1]] - piece.end_m)
        assert drawn_m == pytest.approx(whole_m, abs=0.01)
    for before, after in zip(found.pieces, found.pieces[1:], strict=False):
        if before.inferred or after.inferred:
            assert (before.edges[-1], before.end_m) == (after.edges[0], after.start_m)
    assert sum(len(path) for path in found.paths()) <= sum(len(piece.edges) for piece in found.pieces)


@settings(max_examples=60)
@given(traces(ON_ROADS))
def test_the_places_of_fixes_lie_on_the_path(trace):
    found = MATCHER.match(*trace)
    on_path = {e for path in found.paths() for e in path.tolist()}
    used = found.edge >= 0
    assert used.any()
    assert set(found.edge[used].tolist()) <= on_path
    assert (found.offset_m[used] <= TOWN.length_m[found.edge[used]] + 1e-6).all()


@settings(max_examples=60)
@given(traces())
def test_a_trace_can_be_turned_round(trace):
    t, lon, lat = trace
    back = MATCHER.match(t[-1] - t[::-1], lon[::-1], lat[::-1])
    assert bool(back.pieces) == bool(MATCHER.match(t, lon, lat).pieces)


@settings(max_examples=60)
@given(traces(ON_ROADS), st.floats(-1e9, 1e9))
def test_it_does_not_matter_when_the_clock_starts(trace, start_s):
    t, lon, lat = trace
    here, there = MATCHER.match(t, lon, lat), MATCHER.match(t + round(start_s), lon, lat)
    assert here.edge.tolist() == there.edge.tolist()
    assert [p.edges.tolist() for p in here.pieces] == [p.edges.tolist() for p in there.pieces]


@settings(max_examples=60)
@given(traces(), st.integers(2, 4))
def test_fixes_that_come_several_times_count_once(trace, times):
    once = MATCHER.match(*trace)
    often = MATCHER.match(*(np.repeat(column, times) for column in trace))
    assert [p.edges.tolist() for p in often.pieces] == [p.edges.tolist() for p in once.pieces]
    for ours, theirs in zip(often.pieces, once.pieces, strict=True):
        assert (ours.start_m, ours.end_m, ours.inferred) == (theirs.start_m, theirs.end_m, theirs.inferred)
        assert ours.confidence == pytest.approx(theirs.confidence)
        assert ours.enter_s == pytest.approx(theirs.enter_s)


@settings(max_examples=40)
@given(traces(), st.data())
def test_a_position_that_is_no_number_is_refused_with_its_name_and_fix(trace, data):
    t, lon, lat = trace
    at = data.draw(st.integers(0, len(t) - 1))
    name = data.draw(st.sampled_from(["t_s", "lon", "lat"]))
    columns = {"t_s": t.copy(), "lon": lon.copy(), "lat": lat.copy()}
    columns[name][at] = data.draw(st.sampled_from([math.nan, math.inf, -math.inf]))
    with pytest.raises(InvalidInput, match=f"fix {at}: {name} is") as raised:
        MATCHER.match(**columns)
    assert raised.value.field == name


@settings(max_examples=40)
@given(traces(ON_ROADS))
def test_who_may_use_few_roads_is_on_those_only(trace):
    walkers = {"2>3", "3>2", "14>15", "15>14", "3>9", "9>3"}
    town = grid(6, footways=walkers)
    found = Matcher(town, access=Access.CAR).match(*trace)
    driven = {town.edge_ids[e] for path in found.paths() for e in path.tolist()}
    assert driven
    assert not driven & walkers
