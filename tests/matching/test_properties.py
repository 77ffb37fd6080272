"""What holds of every trace, whatever it is."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from geo_policing.errors import InvalidInput
from geo_policing.kernels import edge_grid
from geo_policing.matching import Matcher
from geo_policing.roads import Access, RoadNetwork
from tests.matching.city import LAT, LON, STEP, drive, grid

TOWN = grid(6, one_way=("2>1", "9>8", "20>14"), forbidden=[("0>1", "1>7"), ("7>8", "8>14")])
MATCHER = Matcher(TOWN)
TWO_WAY = grid(6)
TWO_WAY_MATCHER = Matcher(TWO_WAY)
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


@st.composite
def drives(draw, network):
    """t_s, lon, lat of a drive of up to 8 streets that never turns back, with noise; a fix each 30 s.

    So far apart that no fix is left out as telling nothing new.
    """
    route = [draw(st.integers(0, network.n_edges - 1))]
    for _ in range(draw(st.integers(2, 7))):
        onward = np.flatnonzero(network.from_node == network.to_node[route[-1]])
        forbidden = network.forbidden_turn[network.forbidden_turn[:, 0] == route[-1], 1]
        onward = onward[(onward != network.reverse[route[-1]]) & ~np.isin(onward, forbidden)]
        if len(onward) == 0:
            break
        route.append(int(draw(st.sampled_from(onward.tolist()))))
    names = [network.edge_ids[e] for e in route]
    spacing_m, noise_m = draw(st.floats(40.0, 90.0)), draw(st.floats(0.0, 5.0))
    lon, lat = drive(network, names, spacing_m, noise_m, seed=draw(st.integers(0, 10_000)))
    return 30.0 * np.arange(len(lon)), lon, lat


def moved(network, lon, lat, turned_deg, east_m, north_m):
    """Turn and shift a network and places on it."""
    turned = math.radians(turned_deg)

    def move(lon, lat):
        x, y = network.plane.forward(lon, lat)
        return network.plane.inverse(
            math.cos(turned) * x - math.sin(turned) * y + east_m,
            math.sin(turned) * x + math.cos(turned) * y + north_m,
        )

    node_lon, node_lat = move(*network.plane.inverse(network.node_x, network.node_y))
    there = RoadNetwork.build(
        node_lon=node_lon,
        node_lat=node_lat,
        edge_id=network.edge_ids,
        from_node=network.from_node,
        to_node=network.to_node,
        geometry_lonlat=[
            np.column_stack(move(*network.plane.inverse(*network.vertices(e).T)))
            for e in range(network.n_edges)
        ],
        speed_mps=network.speed_mps,
        access=network.access,
        forbidden_turn=network.forbidden_turn,
    )
    return there, *move(lon, lat)


def edges_of(match):
    """Edges of each connected stretch."""
    return [path.tolist() for path in match.paths()]


def away_m(lon, lat):
    """Distance of each fix to the nearest street of the grid, metres; infinite beyond its rim."""
    x, y = TOWN.plane.forward(lon, lat)
    return edge_grid.nearest(
        np.atleast_1d(x), np.atleast_1d(y), np.full(np.size(x), 210.0), 0.0, 1, MATCHER.graph.grid
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


@settings(max_examples=60)
@given(drives(TWO_WAY), st.data())
def test_a_fix_more_where_it_was_matched_to_does_not_change_the_path(trace, data):
    t, lon, lat = trace
    found = TWO_WAY_MATCHER.match(*trace)
    at = data.draw(st.sampled_from(np.flatnonzero(found.edge >= 0)[:-1].tolist()))
    edge = int(found.edge[at])
    share = found.offset_m[at] / TWO_WAY.length_m[edge]
    there = TWO_WAY.plane.inverse(
        *(np.array(ends) @ [1.0 - share, share] for ends in TWO_WAY.vertices(edge).T)
    )
    more = TWO_WAY_MATCHER.match(
        np.insert(t, at + 1, t[at] + 1.0), np.insert(lon, at + 1, there[0]), np.insert(lat, at + 1, there[1])
    )
    assert edges_of(more) == edges_of(found)


@settings(max_examples=40, deadline=None)
@given(drives(TOWN), st.floats(0.0, 360.0), st.floats(-20e3, 20e3), st.floats(-20e3, 20e3))
def test_it_does_not_matter_which_way_is_north_nor_where_the_town_lies(trace, turned_deg, east_m, north_m):
    t, lon, lat = trace
    town, far_lon, far_lat = moved(TOWN, lon, lat, turned_deg, east_m, north_m)
    here, there = MATCHER.match(t, lon, lat), Matcher(town).match(t, far_lon, far_lat)
    assert edges_of(here) == edges_of(there)
    assert here.edge.tolist() == there.edge.tolist()
    assert there.offset_m == pytest.approx(here.offset_m, abs=0.1)
    assert there.confidence == pytest.approx(here.confidence, abs=0.01, nan_ok=True)


@settings(max_examples=60)
@given(drives(TWO_WAY))
def test_time_reversed_gives_the_path_reversed_where_all_streets_are_two_way(trace):
    t, lon, lat = trace
    there = TWO_WAY_MATCHER.match(t, lon, lat)
    back = TWO_WAY_MATCHER.match(t[-1] - t[::-1], lon[::-1], lat[::-1])
    assert edges_of(back) == [TWO_WAY.reverse[path[::-1]].tolist() for path in there.paths()][::-1]


@settings(max_examples=60)
@given(drives(TOWN), st.data())
def test_a_trace_cut_in_two_gives_the_two_pieces_of_its_path(trace, data):
    t, lon, lat = trace
    whole = MATCHER.match(t, lon, lat)
    # At a crossing what comes after says which street it is; there are no turns in the middle of one.
    inside = (whole.edge >= 0) & (whole.offset_m > 50.0)
    inside &= whole.offset_m < TOWN.length_m[whole.edge] - 50.0
    cuts = [int(c) for c in np.flatnonzero(inside) if 2 <= c <= len(t) - 3]
    assume(cuts)
    cut = data.draw(st.sampled_from(cuts))
    first = MATCHER.match(t[: cut + 1], lon[: cut + 1], lat[: cut + 1])
    second = MATCHER.match(t[cut:], lon[cut:], lat[cut:])
    (head,), (tail,) = edges_of(first), edges_of(second)
    assert head[-1] == tail[0] == whole.edge[cut]
    assert [head + tail[1:]] == edges_of(whole)
    assert first.pieces[-1].end_m == pytest.approx(second.pieces[0].start_m)
