import math

import numpy as np
import pytest

from benchmarks.online_matching import agreement, read
from geo_policing.errors import InvalidInput
from geo_policing.matching import Matcher, MatcherParameters, OnlineMatcher
from tests.matching.city import LAT, LON, STEP, drive, grid
from tests.shared_data import shared

NETWORK = grid()
MATCHER = Matcher(NETWORK)
#: Uses every fix: a whole trace has a median of all its intervals and a last fix, which it always uses.
EVERY = Matcher(NETWORK, MatcherParameters(thin_m=5.0))
ROUTES = [
    ["0>1", "1>2", "2>8", "8>14", "14>13", "13>12"],
    ["30>31", "31>25", "25>26", "26>27", "27>21", "21>15"],
    ["5>11", "11>10", "10>9", "9>15", "15>21", "21>20"],
]


def joined(parts):
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


def fed(online, t, lon, lat, device=0):
    """All that became final of one device, fed fix by fix."""
    parts = [online.feed([device], [t[i]], [lon[i]], [lat[i]]) for i in range(len(t))]
    return joined([*parts, online.finish([device])])


@pytest.mark.parametrize("seed", range(6))
def test_fed_fix_by_fix_a_drive_has_the_places_of_the_whole_trace(seed):
    lon, lat = drive(NETWORK, ROUTES[seed % 3], noise_m=8.0, seed=seed)
    # An outlier, so that a held state is on the way.
    lat[6] += STEP * 0.9
    t = 4.0 * np.arange(len(lon))
    whole = EVERY.match(t, lon, lat)
    online = OnlineMatcher(EVERY, 1, lag_s=math.inf, lag_fixes=40)
    _, fix, time_s, edge, offset_m, _ = fed(online, t, lon, lat)
    assert np.array_equal(time_s, t[fix])
    placed = edge >= 0
    assert np.array_equal(fix[placed], np.flatnonzero(whole.edge >= 0))
    assert np.array_equal(edge[placed], whole.edge[fix[placed]])
    assert offset_m[placed] == pytest.approx(whole.offset_m[fix[placed]])
    assert 6 in fix[~placed]


@pytest.mark.parametrize("seed", range(4))
def test_speed_course_and_accuracy_count_as_for_the_whole_trace(seed):
    lon, lat = drive(NETWORK, ROUTES[seed % 3], noise_m=25.0, seed=seed)
    rng, n = np.random.default_rng(seed), len(lon)
    known = {
        "speed_mps": rng.uniform(1.0, 12.0, n),
        "course_deg": np.where(rng.random(n) < 0.2, np.nan, rng.uniform(0.0, 360.0, n)),
        "accuracy_m": np.where(rng.random(n) < 0.2, np.nan, rng.uniform(2.0, 60.0, n)),
    }
    t = 4.0 * np.arange(n)
    sharp = Matcher(NETWORK, MatcherParameters(thin_m=5.0, course_kappa=4.0))

    def fed_with(columns):
        online = OnlineMatcher(sharp, 1, lag_s=math.inf, lag_fixes=40)
        each = ({name: column[i : i + 1] for name, column in columns.items()} for i in range(n))
        parts = [online.feed([0], [t[i]], [lon[i]], [lat[i]], **more) for i, more in enumerate(each)]
        _, fix, _, edge, offset_m, _ = joined([*parts, online.finish([0])])
        return fix[edge >= 0], edge[edge >= 0], offset_m[edge >= 0]

    fix, edge, offset_m = fed_with(known)
    whole = sharp.match(t, lon, lat, **known)
    assert np.array_equal(fix, np.flatnonzero(whole.edge >= 0))
    assert np.array_equal(edge, whole.edge[fix])
    assert offset_m == pytest.approx(whole.offset_m[fix])
    # Each of them told something.
    for name in known:
        without = fed_with({other: column for other, column in known.items() if other != name})
        assert without[1].tolist() != edge.tolist()


def test_what_is_said_without_having_to_is_what_the_whole_trace_says():
    lon, lat = drive(NETWORK, ROUTES[0], noise_m=8.0, seed=3)
    t = 4.0 * np.arange(len(lon))
    whole = EVERY.match(t, lon, lat)
    online = OnlineMatcher(EVERY, 1, lag_s=math.inf, lag_fixes=40)
    early = [online.feed([0], [t[i]], [lon[i]], [lat[i]]) for i in range(len(t))]
    _, fix, _, edge, _, _ = joined(early)
    assert len(fix) > len(t) / 2
    assert np.array_equal(edge[edge >= 0], whole.edge[fix[edge >= 0]])


def test_many_devices_in_one_call_are_as_each_by_itself():
    drives = [drive(NETWORK, route, spacing_m=15.0, noise_m=6.0, seed=9) for route in ROUTES]
    t = [1.5 * np.arange(len(lon)) for lon, _ in drives]
    alone = [fed(OnlineMatcher(MATCHER, 1), t[d], *drives[d]) for d in range(3)]
    columns = np.concatenate([np.full(len(t[d]), d) for d in range(3)]), np.concatenate(t)
    lon, lat = np.concatenate(drives, axis=1)
    order = np.argsort(columns[1], kind="stable")
    device, t_all = (column[order] for column in columns)
    online = OnlineMatcher(MATCHER, 3)
    cuts = np.array_split(np.arange(len(order)), 7)
    parts = [online.feed(device[c], t_all[c], lon[order][c], lat[order][c]) for c in cuts]
    together = joined([*parts, online.finish([0, 1, 2])])
    for d in range(3):
        mine = [column[together[0] == d] for column in together]
        for ours, theirs in zip(mine[1:], alone[d][1:], strict=True):
            assert np.array_equal(ours, theirs)


def waiting(lag_s, lag_fixes):
    """Fixes that are not final, and seconds since the one after the oldest of them, after each one fed."""
    # Between two streets it stays open which one it is.
    lon, lat = LON + STEP * np.linspace(0.1, 4.9, 60), LAT + STEP / 2
    online = OnlineMatcher(MATCHER, 1, lag_s=lag_s, lag_fixes=lag_fixes)
    found = []
    for i in range(60):
        online.feed([0], [2.0 * i], [lon[i]], [lat])
        of = online._devices
        second = (of.first[0] + of.kept[0] - of.waiting[0] + 1) % of.fix.shape[1]
        found.append((of.waiting[0], 2.0 * i - of.time_s[0, second] if of.waiting[0] > 1 else 0.0))
    return np.array(found)


@pytest.mark.parametrize(("lag_s", "lag_fixes"), [(10.0, 5), (math.inf, 2), (4.0, 9), (0.0, 0)])
def test_no_place_waits_longer_than_the_lag(lag_s, lag_fixes):
    fixes, seconds = waiting(lag_s, lag_fixes).T
    assert fixes.max() <= lag_fixes
    assert seconds.max() <= lag_s
    # Without the bounds it would wait for longer.
    fixes, seconds = waiting(math.inf, 40).T
    assert fixes.max() > 5
    assert seconds.max() > 10.0


def test_a_place_is_known_at_once_and_final_later():
    lon, lat = drive(NETWORK, ROUTES[0])
    online = OnlineMatcher(MATCHER, 2)
    assert online.now([0, 1]).edge.tolist() == [-1, -1]
    # 9 m beside the street.
    online.feed([0], [7.0], lon[:1], lat[:1] + 9.0 / 110_900)
    now = online.now([0, 1])
    street = NETWORK.edge_ids[now.edge[0]]
    assert street in ("0>1", "1>0")
    assert now.offset_m[0] == pytest.approx(10.0 if street == "0>1" else 187.0, abs=1.0)
    assert (now.lon[0], now.lat[0]) == pytest.approx((lon[0], lat[0]), abs=1e-6)
    assert now.distance_m[0] == pytest.approx(9.0, abs=0.05)
    assert now.time_s[0] == 7.0
    assert now.edge[1] == -1
    assert np.isnan([now.offset_m[1], now.lon[1], now.lat[1], now.distance_m[1], now.time_s[1]]).all()


def test_the_place_of_one_that_stands_is_that_of_the_fix_that_told_where():
    lon, lat = drive(NETWORK, ROUTES[0])
    online = OnlineMatcher(MATCHER, 1)
    online.feed([0, 0], [0.0, 4.0], lon[:2], lat[:2])
    moving = online.now([0])
    online.feed([0] * 3, [60.0, 120.0, 180.0], [lon[1]] * 3, [lat[1] + 1e-6] * 3)
    standing = online.now([0])
    assert standing.time_s == moving.time_s == 4.0
    assert (standing.edge, standing.offset_m) == (moving.edge, moving.offset_m)


def test_where_no_road_is_near_there_is_no_place_until_one_is_again():
    lon, lat = drive(NETWORK, ROUTES[0])
    online = OnlineMatcher(MATCHER, 1)
    online.feed([0], [0.0], lon[:1], lat[:1])
    assert online.now([0]).edge[0] >= 0
    # Half a kilometre south of the town, and a little on from there, which tells nothing new.
    online.feed([0, 0], [60.0, 61.0], lon[:2], [LAT - 0.005, LAT - 0.00501])
    assert online.now([0]).edge[0] == -1
    online.feed([0], [120.0], lon[1:2], lat[1:2])
    assert NETWORK.edge_ids[online.now([0]).edge[0]] in ("0>1", "1>0")


@pytest.mark.parametrize(("off", "at_once"), [(0.4, None), (0.9, "another street")])
def test_an_outlier_has_no_place_unless_it_may_be_on_another_street_and_in_the_end_it_has_none(off, at_once):
    lon, lat = drive(NETWORK, ROUTES[0])
    t = 4.0 * np.arange(len(lon))
    lat[2] += STEP * off
    online = OnlineMatcher(EVERY, 1)
    now = []
    for i in range(5):
        online.feed([0], t[i : i + 1], lon[i : i + 1], lat[i : i + 1])
        now.append(int(online.now([0]).edge[0]))
    street = NETWORK.edge_ids.index("0>1")
    assert now[:2] == now[3:] == [street] * 2
    assert now[2] != street
    assert (now[2] == -1) == (at_once is None)
    final = fed(OnlineMatcher(EVERY, 1), t[:5], lon[:5], lat[:5])
    assert final[3].tolist() == [street, street, -1, street, street]


@pytest.mark.parametrize("grown_to", [4, 64])
def test_room_for_more_devices_changes_nothing_for_those_there_are(grown_to):
    drives = [drive(NETWORK, route, spacing_m=15.0, noise_m=6.0, seed=4) for route in ROUTES]
    t = [1.5 * np.arange(len(lon)) for lon, _ in drives]
    small, wide = OnlineMatcher(MATCHER, 2), OnlineMatcher(MATCHER, grown_to)
    at = len(t[0]) // 2
    expected, found = [], []
    for i in range(len(t[0])):
        if i == at:
            waiting = small._devices.waiting.tolist()
            small.grow(grown_to)
            assert small.n_devices == grown_to
            assert small._devices.waiting.tolist() == waiting + [0] * (grown_to - 2)
        who = [0, 1] if i < at else [0, 1, 3]
        fixes = [(d, t[d % 3][i], drives[d % 3][0][i], drives[d % 3][1][i]) for d in who]
        columns = [np.array(column) for column in zip(*fixes, strict=True)]
        found.append(small.feed(*columns))
        expected.append(wide.feed(*columns))
    rest = [0, 1, 3]
    for ours, theirs in zip(
        joined([*found, small.finish(rest)]), joined([*expected, wide.finish(rest)]), strict=True
    ):
        assert np.array_equal(ours, theirs)
    assert len(joined(found)[0]) > 40


def test_room_is_not_taken_away():
    online = OnlineMatcher(MATCHER, 3)
    with pytest.raises(InvalidInput, match="3 devices already and 2 would be fewer"):
        online.grow(2)


def test_a_late_fix_is_passed_over_and_counted():
    lon, lat = drive(NETWORK, ROUTES[0])
    t = 4.0 * np.arange(len(lon))
    straight = fed(OnlineMatcher(MATCHER, 1), t, lon, lat)
    at = 8
    late = [np.insert(column, at, value) for column, value in ((t, 3.0), (lon, LON), (lat, LAT))]
    with_late = fed(OnlineMatcher(MATCHER, 1), *late)
    assert np.array_equal(with_late[3], straight[3])
    assert np.array_equal(with_late[1], straight[1] + (straight[1] >= at))


def test_after_the_end_of_a_drive_the_device_starts_anew():
    online = OnlineMatcher(MATCHER, 1)
    t = 4.0 * np.arange(200)
    first, second = drive(NETWORK, ROUTES[0]), drive(NETWORK, ROUTES[1])
    fed(online, t[: len(first[0])], *first)
    again = fed(online, t[: len(second[0])], *second)
    alone = fed(OnlineMatcher(MATCHER, 1), t[: len(second[0])], *second)
    assert np.array_equal(again[3], alone[3])
    assert np.array_equal(again[1], alone[1] + len(first[0]))


def test_state_is_of_fixed_size_and_small():
    online = OnlineMatcher(MATCHER, 50)
    before = online.state_bytes
    lon, lat = drive(NETWORK, ROUTES[0], spacing_m=10.0)
    fed(online, np.arange(len(lon)) * 1.0, lon, lat, device=7)
    assert online.state_bytes == before < 2048


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"device": [3]}, "device"),
        ({"device": [-1]}, "device"),
        ({"device": [0.5]}, "device"),
        ({"device": [0, 1]}, "device"),
        ({"t_s": [math.nan]}, "t_s"),
        ({"lon": [LON, LON]}, "lon"),
        ({"lat": [91.0]}, "lat"),
    ],
)
def test_what_cannot_be_matched_is_refused_by_name(given, field):
    fix = {"device": [0], "t_s": [0.0], "lon": [LON], "lat": [LAT]} | given
    with pytest.raises(InvalidInput) as refused:
        OnlineMatcher(MATCHER, 2).feed(**fix)
    assert refused.value.field == field


@pytest.mark.parametrize(("argument", "value"), [("devices", 0), ("lag_s", math.nan), ("lag_fixes", -1)])
def test_a_matcher_that_makes_no_sense_is_refused(argument, value):
    with pytest.raises(InvalidInput) as refused:
        OnlineMatcher(MATCHER, **({"devices": 1} | {argument: value}))
    assert refused.value.field == argument


def test_real_drives_fed_fix_by_fix_agree_with_the_whole_ones():
    folders = [shared("matching") / "tracks" / name for name in ("003", "061", "099")]
    drives = [read(folder) for folder in folders]
    both = sum(np.array(agreement(matcher, fixes, 10.0, 5)) for matcher, fixes in drives)
    assert both[0] >= 0.99 * both[1]
