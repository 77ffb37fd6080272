"""What is said of stretches where nothing was received."""

import math

import numpy as np
import pytest

from geo_policing.matching import Matcher, gaps
from tests.matching.city import drive, grid

#: West to east along the southernmost row, 200 m a street.
ROUTE = ["0>1", "1>2", "2>3", "3>4", "4>5"]


def gone(network, away_s, first=8, last=18, n=6):
    """Match a drive along ROUTE, a fix each 40 m and 8 s, of which first to last are missing for a time."""
    lon, lat = drive(grid(n), ROUTE)
    t = np.arange(len(lon)) * 8.0
    t[last:] += away_s - (t[last] - t[first - 1])
    seen = np.ones(len(lon), bool)
    seen[first:last] = False
    return Matcher(network).match(t[seen], lon[seen], lat[seen])


def inferred(network, match):
    """Edges of the one inferred piece, and how sure it is."""
    (piece,) = [piece for piece in match.pieces if piece.inferred]
    return [network.edge_ids[e] for e in piece.edges.tolist()], piece.confidence


def all_but_the_row():
    """All streets but those of ROUTE."""
    return [e for e in grid().edge_ids if max(map(int, e.split(">"))) >= 6]


def test_the_way_across_is_the_fastest_not_the_shortest():
    # The bridge 2-3 is slow; round by the street above it is three times as long and ten times as fast.
    slow = {"2>3": 1.0, "3>2": 1.0}
    fast = {f"{a}>{b}": 20.0 for a, b in [(2, 8), (8, 9), (9, 3)]}
    network = grid(speeds=slow | fast)
    path, _ = inferred(network, gone(network, 100.0))
    assert path[path.index("1>2") :][:4] == ["1>2", "2>8", "8>9", "9>3"]
    plain = grid()
    path, _ = inferred(plain, gone(plain, 100.0))
    assert path == ["1>2", "2>3", "3>4"]


def test_the_only_way_is_surer_than_one_of_two():
    alone = grid(closed=all_but_the_row())
    _, sure = inferred(alone, gone(alone, 90.0))
    twin = {f"{a}>{b}": 60.0 for a, b in [(1, 7), (2, 8), (7, 8), (8, 9), (9, 10), (9, 3), (10, 4)]}
    many = grid(speeds=twin)
    _, unsure = inferred(many, gone(many, 90.0))
    assert sure > 0.98
    assert unsure < 0.96 * sure


def test_time_left_over_makes_it_less_sure_and_so_does_too_little():
    network = grid()
    enough, a_while, long, longer = (
        inferred(network, gone(network, t))[1] for t in (60.0, 240.0, 900.0, 3600.0)
    )
    assert enough == a_while > long > longer > 0.0
    slow = grid(speeds=dict.fromkeys(network.edge_ids, 1.0))
    _, hasty = inferred(slow, gone(slow, 60.0))
    assert hasty < 0.5 * enough


def test_a_share_is_worth_what_it_was_on_real_drives():
    # log(q / (1 - q)) = 0.58 log(p / (1 - p)) + 2.13
    assert gaps.calibrated(0.5) == pytest.approx(1.0 / (1.0 + math.exp(-2.13)))
    assert gaps.calibrated(0.9) == pytest.approx(0.9678, abs=1e-4)
    shares = [gaps.calibrated(p) for p in np.linspace(0.0, 1.0, 21)]
    assert sorted(shares) == shares
    assert shares[0] == gaps.calibrated(0.01) > 0.0
    assert shares[-1] == gaps.calibrated(0.995) < 1.0


def test_where_no_road_leads_across_the_path_breaks():
    cut = ["2>3", "3>2", *all_but_the_row()]
    network = grid(closed=cut)
    found = gone(network, 60.0)
    assert [piece.inferred for piece in found.pieces] == [False, False]
    assert [[network.edge_ids[e] for e in path.tolist()] for path in found.paths()] == [
        ["0>1", "1>2"],
        ["3>4", "4>5"],
    ]


def test_a_detour_is_believed_if_there_was_time_for_it():
    # From west to east only over the northernmost of the bridges from column 2 to column 3.
    n = 12
    closed = {f"{a}>{b}" for r in range(0, n * n - n, n) for a, b in [(r + 2, r + 3), (r + 3, r + 2)]}
    network = grid(n, closed=closed)
    at_once = gone(network, 60.0, n=n)
    assert not any(piece.inferred for piece in at_once.pieces)
    assert len(at_once.paths()) == 2
    path, confidence = inferred(network, gone(network, 900.0, n=n))
    assert "134>135" in path
    assert 0.01 < confidence <= 1.0


def test_a_stay_without_fixes_is_no_gap_and_neither_is_a_slow_receiver():
    network = grid()
    lon, lat = drive(network, ROUTE)
    t = np.arange(len(lon)) * 8.0
    t[10:] += 3600.0  # parked between two fixes 40 m apart
    parked = Matcher(network).match(t, lon, lat)
    assert [piece.inferred for piece in parked.pieces] == [False]
    sparse = Matcher(network).match(np.arange(len(lon))[::5] * 60.0, lon[::5], lat[::5])
    assert [piece.inferred for piece in sparse.pieces] == [False]


def test_edges_across_a_gap_are_entered_one_after_the_other_within_it():
    network = grid()
    found = gone(network, 300.0)
    before, across, after = found.pieces
    assert (np.diff(across.enter_s) > 0).all()
    assert across.enter_s[0] >= before.enter_s[-1]
    assert across.enter_s[-1] <= after.enter_s[0]
    assert after.enter_s[0] - across.enter_s[0] == pytest.approx(300.0)
