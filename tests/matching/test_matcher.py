import itertools
import json
import math
import re
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from benchmarks import matching
from geo_policing.errors import InvalidFile, InvalidInput
from geo_policing.kernels import gap_routes, trace_matching
from geo_policing.kernels.prefetching import soon
from geo_policing.matching import Matcher, MatcherParameters
from geo_policing.roads import Access, RoadNetwork
from tests.matching.city import LAT, LON, STEP, drive, grid
from tests.shared_data import shared

DOCS = Path(__file__).resolve().parents[2] / "docs" / "matching.md"


def ids(network, match):
    return [[network.edge_ids[e] for e in path.tolist()] for path in match.paths()]


def matched(network, lon, lat, t=None):
    return Matcher(network).match(np.arange(len(lon)) * 4.0 if t is None else t, lon, lat)


ROUTE = ["0>1", "1>2", "2>8", "8>14", "14>13", "13>12"]


@pytest.mark.parametrize("seed", range(5))
def test_a_noisy_drive_is_matched_to_its_route(seed):
    network = grid()
    found = matched(network, *drive(network, ROUTE, noise_m=5.0, seed=seed))
    assert ids(network, found) == [ROUTE]
    assert 0.5 < found.pieces[0].confidence <= 1.0


def test_edges_are_entered_in_order_and_between_the_first_and_the_last_fix():
    network = grid()
    found = matched(network, *drive(network, ROUTE))
    (piece,) = found.pieces
    assert (np.diff(piece.enter_s) > 0).all()
    # 200 m a street at 40 m each 4 s: 20 s a street.
    assert np.diff(piece.enter_s)[1:] == pytest.approx(20.0, abs=3.0)


def test_an_outlier_does_not_bend_the_path():
    network = grid()
    lon, lat = drive(network, ROUTE)
    lat = lat.copy()
    lat[7] += STEP * 0.9
    found = matched(network, lon, lat)
    assert ids(network, found) == [ROUTE]
    assert found.edge[7] == -1


def test_a_loop_driven_twice_is_there_twice():
    network = grid()
    loop = ["0>1", "1>7", "7>6", "6>0"] * 2
    assert ids(network, matched(network, *drive(network, loop))) == [loop]


def test_a_forbidden_turn_is_not_driven():
    network = grid(forbidden=[("0>1", "1>7")])
    lon, lat = drive(network, ["0>1", "1>7"], spacing_m=190.0)
    (path,) = ids(network, matched(network, lon, lat))
    assert ("0>1", "1>7") not in itertools.pairwise(path)


def test_a_one_way_street_is_not_driven_backward():
    network = grid(one_way=("2>1",))
    lon, lat = drive(network, ["0>1", "1>7", "7>8", "8>2"])
    assert all("1>2" not in path for path in ids(network, matched(network, lon, lat)))


def test_turning_back_at_the_end_of_a_road_is_matched_as_driven():
    network = grid()
    route = ["0>1", "1>2", "2>1", "1>0"]
    assert ids(network, matched(network, *drive(network, route))) == [route]


def test_a_gap_makes_a_new_piece_and_the_way_between_is_inferred():
    network = grid(12)
    lon1, lat1 = drive(network, ["0>1", "1>2"])
    lon2, lat2 = drive(network, ["140>141", "141>142"])
    found = matched(network, np.concatenate([lon1, lon2]), np.concatenate([lat1, lat2]))
    assert [piece.inferred for piece in found.pieces] == [False, True, False]
    (path,) = ids(network, found)
    assert path[0] == "0>1"
    assert path[-1] == "141>142"
    assert all(a.split(">")[1] == b.split(">")[0] for a, b in itertools.pairwise(path))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_standing_still_gives_the_edge_stood_on(n):
    network = grid()
    found = matched(network, np.full(n, LON + STEP / 2), np.full(n, LAT))
    assert ids(network, found) in ([["0>1"]], [["1>0"]])


@pytest.mark.parametrize(("course_deg", "edge"), [(80.0, "0>1"), (265.0, "1>0")])
def test_the_course_of_who_moves_tells_the_direction(course_deg, edge):
    network = grid()
    matcher = Matcher(network)
    found = matcher.match([0], [LON + STEP / 2], [LAT], speed_mps=[9.0], course_deg=[course_deg])
    assert ids(network, found) == [[edge]]
    # Said of both by the one who does not move: nothing.
    slow = matcher.match([0], [LON + STEP / 2], [LAT], speed_mps=[0.4], course_deg=[course_deg])
    unknown = matcher.match([0], [LON + STEP / 2], [LAT], speed_mps=[9.0], course_deg=[math.nan])
    assert ids(network, slow) == ids(network, unknown)
    assert slow.pieces[0].confidence == pytest.approx(0.5)
    assert found.pieces[0].confidence > 0.8


def test_a_fix_said_to_be_inaccurate_pulls_less():
    network = grid()
    lon, lat = drive(network, ["0>1", "1>2"], spacing_m=20.0)
    lat = lat.copy()
    lat[8] += STEP * 0.2  # 44 m beside the road
    sure = Matcher(network).match(np.arange(len(lon)) * 2.0, lon, lat)
    accuracy_m = np.where(np.arange(len(lon)) == 8, 30.0, np.nan)
    unsure = Matcher(network).match(np.arange(len(lon)) * 2.0, lon, lat, accuracy_m=accuracy_m)
    assert sure.edge[8] == -1
    assert network.edge_ids[unsure.edge[8]] in ("0>1", "1>2")


def test_a_trace_off_the_network_has_no_pieces_and_a_trace_near_it_has():
    network = grid()
    assert matched(network, [LON + 0.1], [LAT + 0.1]).pieces == ()
    assert matched(network, [LON + STEP / 2], [LAT - 0.0012]).pieces != ()
    assert matched(network, [], []).pieces == ()


@pytest.mark.parametrize(
    ("columns", "field", "says"),
    [
        ({"t_s": [0, 1, 0.5]}, "t_s", "fix 2: time runs backward from 1 to 0.5"),
        ({"t_s": [0, 1]}, "lon", "lon has 3 values but t_s has 2"),
        ({"t_s": ["a", "b", "c"]}, "t_s", "t_s is not numeric"),
        ({"t_s": [0, math.inf, 2]}, "t_s", "fix 1: t_s is inf"),
        ({"lon": [LON, math.nan, LON]}, "lon", "fix 1: lon is nan"),
        ({"lat": [LAT, LAT, -math.inf]}, "lat", "fix 2: lat is -inf"),
        ({"lat": [[LAT, LAT, LAT]]}, "lat", "lat has the shape"),
        ({"lon": [LAT] * 3, "lat": [LON] * 3}, "lat", "fix 0: .* look swapped"),
        ({"lon": [LON, 503000.0, LON]}, "lon", "fix 1: .* if these are metres"),
        ({"speed_mps": [1.0]}, "speed_mps", "speed_mps has 1 values but t_s has 3"),
        ({"course_deg": [1.0, 2.0]}, "course_deg", "course_deg has 2 values"),
        ({"accuracy_m": ["x", "y", "z"]}, "accuracy_m", "accuracy_m is not numeric"),
    ],
)
def test_a_bad_trace_names_the_argument_and_says_what_is_wrong(columns, field, says):
    trace = {"t_s": [0, 1, 2], "lon": [LON] * 3, "lat": [LAT] * 3} | columns
    with pytest.raises(InvalidInput, match=says) as raised:
        Matcher(grid()).match(**trace)
    assert raised.value.field == field


def test_edges_are_looked_for_as_far_as_the_accuracy_of_a_fix_says():
    network = grid()
    lon, lat = drive(network, ROUTE[:2])
    street, across = network.vertices(network.edge_ids.index("0>1")), len(lon) // 2
    x, y = network.plane.forward(lon, lat)
    # 30 m from the street that crosses, 60 m from the one that is driven.
    x[across], y[across] = street[1, 0] - 30.0, street[1, 1] + 60.0
    lon, lat = network.plane.inverse(x, y)
    accuracy_m = np.full(len(lon), np.nan)
    t = np.arange(len(lon)) * 4.0
    assert Matcher(network).match(t, lon, lat, accuracy_m=accuracy_m).edge[across] == -1
    accuracy_m[across] = 25.0
    edge = Matcher(network).match(t, lon, lat, accuracy_m=accuracy_m).edge[across]
    assert network.edge_ids[edge] in ROUTE


def test_a_thousand_fixes_do_not_underflow():
    network = grid(12)
    there = [f"{i}>{i + 1}" for i in range(11)]
    back = [f"{i + 1}>{i}" for i in range(10, -1, -1)]
    lon, lat = drive(network, (there + back) * 10, spacing_m=30.0, noise_m=4.0)
    found = matched(network, lon, lat)
    assert len(lon) > 1000
    assert sum(map(len, ids(network, found))) >= 220


def test_a_network_mapped_from_a_file_matches_alike_and_compiles_nothing_again(tmp_path):
    network = grid(forbidden=[("0>1", "1>7")])
    network.save(tmp_path / "town.roads")
    lon, lat = drive(network, ROUTE, noise_m=5.0)
    lon, lat = np.concatenate([lon, lon[:1]]), np.concatenate([lat, lat[:1]])  # and a leap at the end
    kernels = [trace_matching.match_trace, gap_routes.fastest_of]
    here = matched(network, lon, lat)
    compiled = [len(kernel.signatures) for kernel in kernels]
    for matcher in (Matcher(RoadNetwork.load(tmp_path / "town.roads")), Matcher(network, access=Access.CAR)):
        there = matcher.match(np.arange(len(lon)) * 4.0, lon, lat)
        assert [p.edges.tolist() for p in there.pieces] == [p.edges.tolist() for p in here.pieces]
    assert compiled == [len(kernel.signatures) for kernel in kernels]
    assert 0 not in compiled


def test_hints_at_what_will_be_read_reach_the_processor():
    @njit
    def hint(array):
        soon(array, 1)

    hint(np.zeros(2))
    (code,) = hint.inspect_asm().values()
    # What x86 and Arm call it.
    assert "prefetch" in code or "prfm" in code


def test_every_parameter_is_documented_with_its_default():
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    said = {
        name: float(value)
        for names, values in rows
        for name, value in zip(re.findall(r"`(\w+)`", names), values.split(","), strict=False)
        if name in {field.name for field in fields(MatcherParameters)}
    }
    assert said == asdict(MatcherParameters())


def test_real_drives_are_matched_as_well_as_before_and_none_is_empty(tmp_path, monkeypatch):
    monkeypatch.setattr(matching, "PASSES", 1)  # one that is timed: how fast it is is not asked
    at_most = {1: 0.011, 15: 0.011, 30: 0.016, 60: 0.0341, 120: 0.070, 300: 0.165}
    folder, out = shared("matching"), tmp_path / "out.json"
    sampling = ",".join(map(str, at_most))
    assert matching.main(["--data", str(folder), "--json", str(out), "--sampling", sampling]) == 0
    for row in json.loads(out.read_text()):
        assert row["empty"] == 0
        assert row["RMF"] <= at_most[row["sampling"]]


def test_a_saved_network_comes_back_and_a_cut_one_is_refused(tmp_path):
    network = grid(forbidden=[("0>1", "1>7")])
    path = tmp_path / "town.roads"
    network.save(path)
    back = RoadNetwork.load(path)
    assert back.edge_ids == network.edge_ids
    assert back.forbidden_turn.tolist() == network.forbidden_turn.tolist()
    assert back.length_m == pytest.approx(network.length_m)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidFile, match="cut short"):
        RoadNetwork.load(path)
