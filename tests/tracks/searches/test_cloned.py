"""One identity in two places: strands and impossible steps are those of plain loops."""

import itertools
import math
import threading

import numpy as np
import pytest

from geo_policing.errors import Cancelled, InvalidInput, InvalidTimeWindow
from geo_policing.kernels.road_times import PLACES, WIDE_M
from geo_policing.model import Halt, TimeWindow, from_us
from geo_policing.roads.times import RoadTimes
from geo_policing.tracks.searches import cloned
from tests.roads import naive as naive_roads
from tests.roads.town import STEP_DEG, grid
from tests.tracks.searches import naive
from tests.tracks.searches.towns import DAY_US, EVER, MIDNIGHT, MemoryHistory, streets, town


@pytest.mark.parametrize("seed", range(200))
def test_impossible_steps_are_those_of_plain_loops(seed):
    rng = np.random.default_rng(seed)
    mine, other, still = town(rng, devices=3, fixes=12).values()
    network = streets(rng)
    roads = RoadTimes(network)
    accuracy = rng.choice([np.nan, 5.0, 40.0, 900.0], 24, p=[0.3, 0.5, 0.15, 0.05]).tolist()
    car = [(*f, "tcp:7001", accuracy.pop()) for f in mine] + [(*f, "tcp:7002", accuracy.pop()) for f in other]
    parked = [(t, *still[0][1:]) for t, *_ in still]
    history = MemoryHistory({"car": sorted(car, key=lambda f: f[:3]), "parked": parked})
    limits = {
        "apart_m": 300.0,
        "tolerance_s": float(rng.choice([0, 20])),
        "haste": float(rng.choice([1, 1.5])),
    }

    track = [
        (t, x, y, 50.0 if math.isnan(acc) else max(50.0, 3 * acc), source)
        for t, x, y, source, acc in history.town["car"]
        if not acc > 100
    ]
    is_open = np.ones(network.n_edges, bool)
    near = [naive_roads.stretches(network, is_open, *fix[1:4], WIDE_M, PLACES) for fix in track]
    known = {}

    def by_road_s(i, j):
        if (i, j) not in known:
            known[i, j] = naive_roads.least_time(network, is_open, near[i], near[j])
        return known[i, j]

    strand, broken = naive.strands(track, by_road_s, 120 / 3.6, **limits)
    found = cloned(history, roads, ["car", "parked", "ghost"], EVER, **limits, support=2)
    assert [c.device for c in found] == ["car"] * bool(broken)
    if not broken:
        return
    (one,) = found
    firm = [min(strand.count(strand[j - 1]), strand.count(strand[j])) >= 2 for j in broken]
    assert (one.firm, one.leaps) == (sum(firm), len(firm) - sum(firm))
    assert [s.fixes for s in one.strands] == [strand.count(n) for n in range(max(strand) + 1)]
    assert [s.sources for s in one.strands] == [
        tuple(sorted({track[j][4] for j in range(len(track)) if strand[j] == n}))
        for n in range(max(strand) + 1)
    ]
    shown = sorted(zip(broken, firm, strict=True), key=lambda step: not step[1])
    for step, (j, is_firm) in zip(one.steps, shown, strict=True):
        assert [(s.at_us, s.lon, s.lat, s.source) for s in (step.before, step.after)] == [
            (*track[i][:3], track[i][4]) for i in (j - 1, j)
        ]
        assert step.firm == is_firm
        assert step.needed_s == pytest.approx(
            naive.needed_s(track[j - 1], track[j], by_road_s(j - 1, j), 120 / 3.6, limits["haste"])
        )
        assert step.needed_s > step.elapsed_s + limits["tolerance_s"]


#: A town of 20 x 20 crossings, 4 km wide; 13.9 m/s everywhere.
NETWORK = grid(20)


def at(column, row):
    return 113.13 + STEP_DEG * column, 27.83 + STEP_DEG * row


def drive(start_s, columns, row, source="tcp:7001", every_s=20):
    """Along a street, a crossing (about 200 m) every 20 seconds."""
    return [
        (MIDNIGHT + (start_s + every_s * n) * 1_000_000, *at(column, row), source, 5.0)
        for n, column in enumerate(columns)
    ]


def asked(*tracks, **options):
    history = MemoryHistory({"plate": sorted(itertools.chain(*tracks)), "other": drive(0, range(5), 3)})
    return cloned(history, RoadTimes(NETWORK), ["plate", "other", "ghost"], EVER, **options)


def test_a_plate_that_two_cars_wear_is_two_strands_each_of_its_receiver():
    (one,) = asked(drive(-60, range(8), 0), drive(-55, range(19, 11, -1), 19, source="tcp:7002"))
    assert one.device == "plate"
    assert (one.firm, one.leaps) == (15, 0)
    assert [(s.fixes, s.sources) for s in one.strands] == [(8, ("tcp:7001",)), (8, ("tcp:7002",))]
    step = one.steps[0]
    assert step.elapsed_s == 5
    # 19 streets up and 19 across less 50 m around both ends, at 13.9 m/s and half as fast again.
    assert step.straight_m == pytest.approx(5_640, rel=0.01)
    assert step.needed_s == pytest.approx((19 * (197 + 222) - 100) / (13.9 * 1.5), rel=0.01)


def test_a_position_that_leaps_away_and_back_is_told_as_a_leap():
    car = drive(0, range(10), 0)
    car[5] = (car[5][0], *at(15, 19), *car[5][3:])
    (one,) = asked(car)
    assert (one.firm, one.leaps) == (0, 2)
    assert [s.fixes for s in one.strands] == [9, 1]
    assert asked(car, support=1)[0].firm == 2
    car[5] = (*car[5][:4], 800.0)  # a receiver that says itself how little it knows
    assert asked(car) == []


def test_a_plate_that_appears_elsewhere_and_never_comes_back_is_one_firm_step():
    (one,) = asked(drive(0, range(5), 0), drive(120, range(15, 20), 19, source="tcp:7002"))
    assert (one.firm, one.leaps) == (1, 0)
    assert one.steps[0].before.source == "tcp:7001"
    assert one.steps[0].after.source == "tcp:7002"
    assert asked(drive(0, range(5), 0), drive(900, range(15, 20), 19)) == []


def test_what_positions_are_worth_is_a_parameter():
    # 1.8 km in 20 s, which is 60 s too short; that much is 1.2 km at 13.9 m/s and half as fast again.
    car = [(*fix[:4], 40.0) for fix in drive(0, [0, 0, 0], 0) + drive(60, [9, 9, 9], 0)]
    assert asked(car)[0].steps[0].needed_s > 50
    assert asked(car, sigmas=15 / 4, radius_m=500) == []
    assert asked(car, sigmas=10) == []
    assert asked(car, sigmas=0)[0].steps[0].needed_s > asked(car)[0].steps[0].needed_s


def test_off_the_roads_the_straight_way_at_120_km_h_counts():
    def far(elapsed_s):
        at_sea = [(MIDNIGHT + n * 20_000_000, 120.0, 27.83, "tcp:7001", 5.0) for n in range(3)]
        inland = [
            (at_sea[-1][0] + (elapsed_s + n * 20) * 1_000_000, 120.05, 27.83, "tcp:7002", 5.0)
            for n in range(3)
        ]
        return asked(at_sea, inland)

    (one,) = far(60)
    assert one.steps[0].needed_s == pytest.approx((one.steps[0].straight_m - 100) / (120 / 3.6 * 1.5))
    assert far(300) == []


def test_a_river_without_a_bridge_makes_what_is_near_far():
    # Rows 9 and 10 are 220 m apart; no street joins them but at the western end.
    bridged = {f"{180 + c}>{200 + c}" for c in range(1, 20)} | {f"{200 + c}>{180 + c}" for c in range(1, 20)}
    kept = [i for i, name in enumerate(NETWORK.edge_ids) if name not in bridged]
    river = type(NETWORK).build(
        node_lon=np.array([at(n % 20, n // 20)[0] for n in range(400)]),
        node_lat=np.array([at(n % 20, n // 20)[1] for n in range(400)]),
        edge_id=[NETWORK.edge_ids[i] for i in kept],
        from_node=NETWORK.from_node[kept],
        to_node=NETWORK.to_node[kept],
        geometry_lonlat=[NETWORK.lonlat(i) for i in kept],
    )
    car = drive(0, [19] * 4, 9) + drive(80, [19] * 4, 11)
    history = MemoryHistory({"plate": car})
    (one,) = cloned(history, RoadTimes(river), ["plate"], EVER, apart_m=300)
    assert one.firm == 1
    assert one.steps[0].needed_s > 19 * 2 * 190 / (13.9 * 1.5)
    assert cloned(history, RoadTimes(NETWORK), ["plate"], EVER, apart_m=300) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tolerance_s": -1}, "tolerance_s -1 is not at least 0 and at most 3600"),
        ({"haste": math.nan}, "haste nan"),
        ({"apart_m": math.inf}, "apart_m inf"),
        ({"sigmas": 11}, "sigmas 11"),
        ({"radius_m": 0}, "radius_m 0 is not at least 1"),
        ({"support": 0}, "support 0 is not at least 1"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(options, says):
    with pytest.raises(InvalidInput, match=says) as caught:
        asked(drive(0, range(3), 0), **options)
    assert "\n" not in str(caught.value)


def test_a_window_of_ten_years_and_too_many_identities_are_refused():
    roads = RoadTimes(NETWORK)
    with pytest.raises(InvalidTimeWindow, match="longer than 31 days"):
        cloned(MemoryHistory({}), roads, ["a"], TimeWindow(from_us(0), from_us(3650 * DAY_US)))
    with pytest.raises(InvalidInput, match="10001 devices are more than 10000"):
        cloned(MemoryHistory({}), roads, [str(n) for n in range(10_001)], EVER)
    assert cloned(MemoryHistory({}), roads, [], EVER) == []


def test_a_device_whose_fixes_take_for_ever_ends_when_it_must():
    """Every fix of it is somewhere else: each is held against all that were before, roads and all."""
    rng = np.random.default_rng(5)
    places = rng.uniform((100.0, 20.0), (120.0, 40.0), (20_000, 2)).tolist()
    history = MemoryHistory({"many": [(MIDNIGHT + n * 1_000_000, *at) for n, at in enumerate(places)]})
    halt = Halt()
    threading.Timer(1.0, halt.end, ["enough"]).start()
    with halt, pytest.raises(Cancelled, match="enough"):
        cloned(history, RoadTimes(NETWORK), ["many"], EVER, halt=halt)
    assert halt.done == "0 of 1 devices"
