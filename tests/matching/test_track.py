import math

import numpy as np
import pytest

from geo_policing.errors import InvalidInput
from geo_policing.matching import Matcher, match_track
from geo_policing.model import Fix, FixColumns, TimeWindow
from geo_policing.model.instant import to_us
from tests.matching.city import LAT, LON, STEP, drive, grid

WINDOW = TimeWindow.parse("2026-03-01T08:00:00+08:00/2026-03-01T09:00:00+08:00")
START_US = to_us(WINDOW.start)
ROUTE = ["0>1", "1>2", "2>8", "8>14"]


def history(lon, lat, t_s=None, **more):
    t_s = np.arange(len(lon)) * 4.0 if t_s is None else t_s
    return FixColumns.from_fixes(
        Fix("patrol-07", START_US + round(t * 1e6), x, y, **more)
        for t, x, y in zip(t_s, lon, lat, strict=True)
    )


def test_the_track_of_a_drive_names_edges_draws_them_and_says_when_each_was_entered():
    network = grid()
    fixes = history(*drive(network, ROUTE))
    track = match_track(Matcher(network), "patrol-07", WINDOW, fixes)
    assert (track.device, track.window, track.fixes) == ("patrol-07", WINDOW, fixes)
    (piece,) = track.pieces
    assert piece.edge_ids == tuple(ROUTE)
    assert piece.enter_us[0] == START_US
    assert (np.diff(piece.enter_us) > 0).all()
    assert piece.enter_us[-1] <= fixes.time[-1]
    assert not piece.inferred
    assert 0.5 < piece.confidence <= 1.0


def test_the_path_is_drawn_from_the_first_fix_to_the_last_and_not_to_the_ends_of_the_edges():
    network = grid()
    lon, lat = drive(network, ROUTE)
    (piece,) = match_track(Matcher(network), "patrol-07", WINDOW, history(lon, lat)).pieces
    assert (piece.lon[0], piece.lat[0]) == pytest.approx((lon[0], lat[0]), abs=1e-7)
    assert (piece.lon[-1], piece.lat[-1]) == pytest.approx((lon[-1], lat[-1]), abs=1e-7)
    # In between the two crossings it passes and the corner it turns.
    assert len(piece.lon) == 5


def test_within_one_edge_only_the_stretch_between_the_fixes_is_drawn():
    network = grid()
    lon = LON + STEP * np.array([0.25, 0.5, 0.75])
    (piece,) = match_track(Matcher(network), "x", WINDOW, history(lon, np.full(3, LAT))).pieces
    assert piece.edge_ids == ("0>1",)
    assert piece.lon == pytest.approx(lon[[0, -1]], abs=1e-7)


def test_an_outage_is_an_inferred_piece_that_begins_and_ends_where_the_fixes_do():
    network = grid()
    route = ["0>1", "1>2", "2>3", "3>4", "4>5"]
    lon, lat = drive(network, route)
    t = np.arange(len(lon)) * 4.0
    seen = (t < 20.0) | (t > 64.0)
    track = match_track(Matcher(network), "x", WINDOW, history(lon[seen], lat[seen], t[seen]))
    assert [p.inferred for p in track.pieces] == [False, True, False]
    before, across, after = track.pieces
    assert across.lon[[0, -1]] == pytest.approx([before.lon[-1], after.lon[0]], abs=1e-9)
    assert across.edge_ids[0] == before.edge_ids[-1]
    assert across.edge_ids[-1] == after.edge_ids[0]
    assert 0.0 < across.confidence <= 1.0
    assert (np.diff(across.enter_us) > 0).all()


def test_fixes_away_from_roads_make_an_inferred_piece():
    network = grid()
    lon, lat = drive(network, ["0>1", "1>2", "2>3"])
    lat = lat.copy()
    lat[5:9] -= STEP
    track = match_track(Matcher(network), "x", WINDOW, history(lon, lat))
    assert [p.inferred for p in track.pieces] == [False, True, False]


@pytest.mark.parametrize("place", [None, (LON + 0.2, LAT + 0.2)])
def test_no_fixes_and_fixes_away_from_any_road_make_a_track_without_path(place):
    fixes = history([place[0]] * 3, [place[1]] * 3) if place else history([], [])
    track = match_track(Matcher(grid()), "x", WINDOW, fixes)
    assert track.pieces == ()
    assert len(track.fixes) == len(fixes)


def test_a_single_fix_makes_a_piece_that_is_a_point():
    (piece,) = match_track(Matcher(grid()), "x", WINDOW, history([LON + STEP / 2], [LAT])).pieces
    assert piece.lon == pytest.approx([LON + STEP / 2] * 2, abs=1e-7)
    assert piece.enter_us.tolist() == [START_US]


def test_fixes_out_of_order_are_put_in_order():
    network = grid()
    fixes = history(*drive(network, ROUTE))
    shuffled = fixes.take(np.random.default_rng(1).permutation(len(fixes)))
    track = match_track(Matcher(network), "x", WINDOW, shuffled)
    assert (np.diff(track.fixes.time) > 0).all()
    assert track.pieces[0].edge_ids == tuple(ROUTE)


def test_a_position_that_is_no_number_is_refused_by_name():
    with pytest.raises(InvalidInput, match="fix 1: lat is nan") as raised:
        match_track(Matcher(grid()), "x", WINDOW, history([LON] * 3, [LAT, math.nan, LAT]))
    assert raised.value.field == "lat"
