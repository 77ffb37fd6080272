"""Receivers measure at intervals of their own, and err as receivers do."""

import numpy as np
import pytest
from geo_policing_sample_city.receivers import (
    FITTED,
    FIX,
    NO_TIME,
    SLEEP_AFTER_S,
    WEEK_MS,
    Surroundings,
    observe,
)
from geo_policing_sample_city.simulate import START
from geo_policing_sample_city.traffic import Movement

from geo_policing.model import DeviceKind
from geo_policing.model.instant import to_us

START_MS = to_us(START) // 1000
HOUR = 3600


@pytest.fixture(scope="module")
def around(city, world):
    return Surroundings(city, world.ways)


@pytest.fixture(scope="module")
def open_way(world, around):
    """A way with nothing beside it."""
    return int(np.flatnonzero(around.canyon(*world.ways.middle) == 0.0)[0])


def standing(world, way, seconds, *, speed_mps=0.0):
    """Be on a way for so long; speed is what the receiver is told, the place stays."""
    n = seconds + 1
    x, y = (np.full(n, part[way]) for part in world.ways.middle)
    return Movement(
        x=x,
        y=y,
        speed_mps=np.full(n, speed_mps),
        course_deg=np.zeros(n),
        way=np.full(n, way, np.int32),
        off=np.zeros(n, np.bool_),
        edge=world.ways.edge[[way]],
        enter_s=np.zeros(1),
    )


def measure(movement, around, seed, kind=DeviceKind.PATROL_CAR):
    """What is observed, and how far off east and north it is, (k, 2)."""
    seen = observe(movement, kind, around, START_MS, np.random.default_rng(seed))
    second = (seen.true_ms - START_MS) // 1000
    x, y = around.plane.forward(seen.lon, seen.lat)
    return seen, np.column_stack([x - movement.x[second], y - movement.y[second]])


def test_every_receiver_keeps_its_own_interval_of_1_to_60_s(life):
    intervals = set()
    for member, seen in zip(life.members, life.observed, strict=True):
        steps = np.diff(seen.true_ms) // 1000
        if len(steps):
            intervals.add(int(steps.min()))
            assert steps.min() in FITTED[member.kind][1]
            assert (steps % steps.min() == 0).all()
    assert len(intervals) >= 5
    assert {1, 60} <= {s for _, fitted in FITTED.values() for s in fitted}
    assert all(1 <= s <= 60 for s in intervals)


def test_errors_drift_slowly_instead_of_scattering(world, around, open_way):
    near, far = [], []
    for seed in range(12):
        seen, error = measure(standing(world, open_way, 2 * HOUR), around, seed)
        good = (np.hypot(*error.T) < 30.0) & (np.arange(len(error)) > 300 // 5)
        step_s = int(np.diff(seen.true_ms).min() // 1000)
        east = np.where(good, error[:, 0], 0.0)
        for lag_s, found in ((10, near), (1200, far)):
            found.append(np.corrcoef(east[: -lag_s // step_s], east[lag_s // step_s :])[0, 1])
    assert np.mean(near) > 0.8
    assert np.mean(far) < 0.3


def test_beside_tall_buildings_positions_are_worse_and_the_receiver_says_so(world, around, open_way):
    way = int(around.canyon(*world.ways.middle).argmax())
    off, said = {}, {}
    for place in (open_way, way):
        runs = [measure(standing(world, place, HOUR), around, seed) for seed in range(6)]
        off[place] = np.median(np.concatenate([np.hypot(*error.T) for _, error in runs]))
        said[place] = [
            np.median(np.concatenate([getattr(seen, c) for seen, _ in runs])) for c in ("sigma_m", "hdop")
        ]
    assert off[way] > 2.5 * off[open_way]
    assert 1.0 < off[open_way] < 6.0
    assert said[way][0] > 2.5 * said[open_way][0]
    assert said[way][1] > 1.4 * said[open_way][1]


def test_in_a_tunnel_there_is_no_position_and_soon_after_there_is(world, around, open_way):
    movement = standing(world, open_way, 600, speed_mps=15.0)
    movement.way[200:260] = np.flatnonzero(world.ways.tunnel)[0]
    for seed in range(10):
        seen, _ = measure(movement, around, seed)
        second = (seen.true_ms - START_MS) // 1000
        inside = (second >= 200) & (second < 260)
        assert inside.sum() >= 10
        assert (seen.state[inside] != FIX).all()
        assert (seen.state[(second >= 267)] == FIX).all()
        assert (seen.state[(second >= 100) & (second < 200)] == FIX).all()


def test_now_and_then_a_few_positions_are_far_off(world, around, open_way):
    jumps = longest = 0
    for seed in range(40):
        _, error = measure(standing(world, open_way, 2 * HOUR), around, seed)
        away = np.hypot(*error.T)[300:] > 70.0
        edges = np.flatnonzero(np.diff(np.concatenate([[0], away.astype(int), [0]])))
        jumps += len(edges) // 2
        longest = max(longest, int(np.diff(edges)[::2].max(initial=0)))
        assert away.mean() < 0.02
    assert 12 <= jumps <= 60
    assert longest <= 6  # two that meet


def test_a_parked_car_falls_silent_and_starts_cold_or_warm(world, around, open_way):
    movement = standing(world, open_way, 1800, speed_mps=10.0)
    movement.off[100:1200] = True
    waits, blank = [], 0
    for seed in range(60):
        seen, _ = measure(movement, around, seed, DeviceKind.PRIVATE_CAR)
        second = (seen.true_ms - START_MS) // 1000
        assert not ((second >= 100 + SLEEP_AFTER_S) & (second < 1200)).any()
        again = second >= 1200
        fixed = second[again & (seen.state == FIX)]
        waits.append(fixed[0] - 1200)
        blank += (seen.state[again] == NO_TIME).any()
    assert max(waits) < 120
    assert blank > 5
    assert sum(w > 20 for w in waits) > 10
    assert sum(w < 15 for w in waits) > 5


def test_the_first_positions_after_a_cold_start_are_rough(world, around, open_way):
    movement = standing(world, open_way, 1800)
    movement.off[:600] = True
    early, late = [], []
    for seed in range(60):
        seen, error = measure(movement, around, seed, DeviceKind.E_BIKE)
        second = (seen.true_ms - START_MS) // 1000
        good = (seen.state == FIX) & (np.hypot(*error.T) < 70.0)
        early += np.hypot(*error[good & (second > 600) & (second < 650)].T).tolist()
        late += np.hypot(*error[good & (second > 900)].T).tolist()
    assert np.mean(early) > 1.5 * np.mean(late)


def test_clocks_are_wrong_seldom_and_in_ways_that_clocks_are(world, around, open_way):
    movement = standing(world, open_way, HOUR)
    movement.off[:600] = True
    wrong = {"zone": 0, "few seconds": 0, "week": 0}
    runs = 150
    for seed in range(runs):
        seen, _ = measure(movement, around, seed, DeviceKind.E_BIKE)
        off_ms = seen.time_ms - seen.true_ms
        wrong["zone"] += (off_ms == 8 * 3_600_000).any()
        wrong["few seconds"] += ((off_ms != 0) & (np.abs(off_ms) <= 30_000)).any()
        wrong["week"] += (off_ms == -1024 * WEEK_MS).any()
        assert set(np.unique(off_ms[np.abs(off_ms) > 30_000])) <= {8 * 3_600_000, -1024 * WEEK_MS}
    assert all(0 < count < 0.25 * runs for count in wrong.values()), wrong


def test_bytes_arrive_in_order_after_they_were_measured_and_some_late_in_a_bunch(life):
    late = 0
    for seen in life.observed:
        assert (np.diff(seen.received_ms) >= 0).all()
        assert (seen.received_ms > seen.true_ms).all()
        late += ((seen.received_ms - seen.true_ms) > 20_000).any()
    assert 0 < late < 0.5 * len(life.observed)
