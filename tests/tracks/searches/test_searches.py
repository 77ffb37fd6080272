"""Every search equals its naive twin on random small towns, with touched borders, two-way roads, midnight."""

import math
from datetime import timedelta, timezone
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import shapely

from geo_policing.errors import InvalidGeometry, InvalidInput, InvalidTimeWindow
from geo_policing.kernels import area_presence
from geo_policing.model import from_us
from geo_policing.tracks.searches import (
    Area,
    collision,
    companions,
    first_entry,
    footholds,
    frequent,
    night_activity,
    presences,
    vanished,
)
from geo_policing.tracks.searches.company import SHIFTS_S
from tests.tracks.searches import naive
from tests.tracks.searches.towns import (
    DAY_US,
    EVER,
    MIDNIGHT,
    MINUTE,
    SOUTH,
    STEP,
    WEST,
    MemoryHistory,
    over_days,
    polygon,
    random_window,
    town,
    window,
)

ZONE = ZoneInfo("Asia/Shanghai")
TOWNS = range(200)


@cache
def everywhere():
    return Area(shapely.box(WEST - STEP, SOUTH - STEP, WEST + 11 * STEP, SOUTH + 11 * STEP)).cells


def truth(found, area, w):
    edges = area.edges.tolist()
    every = {name: naive.presences(track, edges, w.start_us, w.end_us) for name, track in found.items()}
    return {name: spans for name, spans in every.items() if spans}


def check(found, expected):
    """Compare presences with those of the twin: the same, to a microsecond."""
    by_device = {}
    for presence in found:
        by_device.setdefault(presence.device, []).append((presence.enter_us, presence.leave_us))
        assert presence.first_fix_us <= presence.enter_us + 1
        assert presence.leave_us <= presence.last_fix_us + 1
    assert by_device.keys() == expected.keys()
    for name, spans in expected.items():
        assert len(by_device[name]) == len(spans)
        for mine, theirs in zip(by_device[name], spans, strict=True):
            assert all(abs(a - b) <= 1 for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("seed", TOWNS)
def test_presences_and_what_is_made_of_them(seed):
    rng = np.random.default_rng(seed)
    found = town(rng)
    history = MemoryHistory(found)
    places = [(Area(polygon(rng)), random_window(rng)) for _ in range(3)]
    expected = [truth(found, *place) for place in places]
    check(presences(history, *places[0]), expected[0])

    for at_least in (1, 2, 3):
        met = collision(history, places, at_least)
        counts = {n: sum(n in e for e in expected) for n in found}
        assert list(met) == sorted((n for n in found if counts[n] >= at_least), key=lambda n: (-counts[n], n))
        for n, of_place in enumerate(expected):
            flat = [p for of_name in met.values() for p in of_name[n]]
            check(flat, {name: spans for name, spans in of_place.items() if name in met})

    area, w = places[0]
    times = int(rng.integers(1, 4))
    often = frequent(history, area, w, times)
    counts = {n: len(spans) for n, spans in expected[0].items() if len(spans) >= times}
    assert {n: len(p) for n, p in often.items()} == counts
    assert list(often) == sorted(counts, key=lambda n: (-counts[n], n))


@pytest.mark.parametrize("seed", TOWNS)
def test_who_is_new_and_who_is_gone_after_days(seed):
    rng = np.random.default_rng(seed)
    found = over_days(rng, town(rng, devices=4, fixes=12), 3)
    history = MemoryHistory(found)
    area, w, days = Area(polygon(rng)), random_window(rng), int(rng.integers(1, 4))
    now = truth(found, area, w)
    before = truth(found, area, window(w.start_us - days * DAY_US, w.start_us))
    new = first_entry(history, area, w, days)
    assert [p.device for p in new] == sorted(now.keys() - before.keys())
    assert all(abs(p.enter_us - now[p.device][0][0]) <= 1 for p in new)

    moment = w.start_us - int(rng.integers(0, 2)) * DAY_US
    least, most = int(rng.integers(1, 4)), int(rng.integers(0, 3))
    before = truth(found, area, window(moment - days * DAY_US, moment))
    after = truth(found, area, window(moment, moment + days * DAY_US))
    gone = vanished(history, area, from_us(moment), days=days, before=least, after=most)
    assert [p.device for p in gone] == [
        n for n in sorted(before) if len(before[n]) >= least and len(after.get(n, ())) <= most
    ]
    assert all(abs(p.leave_us - before[p.device][-1][1]) <= 1 for p in gone)


@pytest.mark.parametrize("seed", TOWNS)
def test_hours_of_the_night_and_of_the_day_are_those_of_plain_loops(seed):
    rng = np.random.default_rng(seed)
    found = over_days(rng, town(rng, devices=4, fixes=12), 3)
    area = Area(polygon(rng))
    # From one midnight, at which all are on their way, to another one.
    end, offset = MIDNIGHT - int(rng.integers(0, 3)) * DAY_US, int(rng.integers(-11, 12))
    w = window(end - int(rng.integers(1, 4)) * DAY_US, end + int(rng.integers(0, 2)) * MINUTE)
    night = (int(rng.integers(0, 24)), int(rng.integers(0, 24)))
    night = night if night[0] != night[1] else (22, 6)
    at_night, by_day = int(rng.integers(1, 3)), int(rng.integers(0, 3))
    dark = {night[0] + n for n in range((night[1] - night[0]) % 24)}
    expected = {}
    for name, spans in truth(found, area, w).items():
        hours = [(hour + offset) % 24 for hour in naive.hours(spans, w.end_us)]
        nights = sum(hour in dark or hour + 24 in dark for hour in hours)
        if nights >= at_night and len(hours) - nights <= by_day:
            expected[name] = (nights, len(hours) - nights)
    zone = timezone(timedelta(hours=offset))
    met = night_activity(MemoryHistory(found), area, w, zone, night=night, at_night=at_night, by_day=by_day)
    assert met == expected
    assert list(met) == sorted(expected, key=lambda n: (-expected[n][0], n))


@pytest.mark.parametrize("seed", TOWNS)
def test_companions_share_the_places_that_plain_loops_count(seed):
    rng = np.random.default_rng(seed)
    found = town(rng, devices=5)
    follower = [(t + int(rng.integers(0, 30)) * 1_000_000, x, y) for t, x, y in found["d0"]]
    found["follower"] = sorted(follower)
    history = MemoryHistory(found)
    w = window(MIDNIGHT - 86_400_000_000, MIDNIGHT + 86_400_000_000)
    visits = history.visits(everywhere(), w.start_us, w.end_us)
    stays = {}
    for code, *stay in zip(
        *(getattr(visits, n).tolist() for n in ("device", "cell", "first_s", "last_s")), strict=True
    ):
        stays.setdefault(visits.names[code], []).append(tuple(stay))
    met = {c.device: c for c in companions(history, "d0", w, within_s=30, places=2)}
    for name in found.keys() - {"d0"}:
        count = len(naive.places_shared(stays["d0"], stays[name], 30))
        assert (name in met) == (count >= 2)
        if name in met:
            shifted = [len(naive.places_shared(stays["d0"], stays[name], 30, int(s))) for s in SHIFTS_S]
            assert met[name].places == count
            assert met[name].by_chance == pytest.approx((sum(shifted) + 0.5) / len(SHIFTS_S))
    assert next(iter(met)) == "follower"


def test_a_bus_that_meets_everybody_is_no_company():
    rng = np.random.default_rng(5)
    start = MIDNIGHT - 5 * 3600 * 1_000_000
    walk = np.clip(np.cumsum(rng.integers(-1, 2, (60, 2)), axis=0) + 5, 0, 10)
    mine = [
        (start + 30_000_000 * i, WEST + x * STEP, SOUTH + y * STEP) for i, (x, y) in enumerate(walk.tolist())
    ]
    friend = [(t + 20_000_000, x, y) for t, x, y in mine[:40]]
    # The bus drives all ways all day, so fast that it meets everybody at every place, always.
    bus = [(MIDNIGHT - 12 * 3600 * 1_000_000 + 10_000_000 * i, *mine[i % 60][1:]) for i in range(6 * 60 * 24)]
    history = MemoryHistory({"me": mine, "friend": friend, "bus": bus})
    met = companions(history, "me", window(start, start + 3600 * 1_000_000), within_s=300)
    assert [c.device for c in met] == ["friend", "bus"]
    assert met[1].places >= met[0].places
    assert met[0].surprise > 10
    assert met[1].surprise < 1


@pytest.mark.parametrize("seed", TOWNS)
def test_footholds_are_those_of_plain_loops(seed):
    rng = np.random.default_rng(seed)
    found = town(rng, devices=1, fixes=80)
    offset_s = int(rng.integers(-47, 48)) * 900
    zone = timezone(timedelta(seconds=offset_s))
    expected = naive.footholds(found["d0"], 250, 300, offset_s)
    holds = footholds(MemoryHistory(found), "d0", EVER, zone, stay_s=300, radius_m=250)
    assert [(f.stays, f.total_s, f.night_s, f.work_s) for f in holds] == [place[2:] for place in expected]
    assert [(f.lon, f.lat) for f in holds] == [pytest.approx(place[:2]) for place in expected]
    homes = [f.night_s for f in holds if f.guess == "home"]
    assert homes == [max(place[4] for place in expected)] * any(place[4] for place in expected)


def test_home_is_where_the_nights_are_and_work_where_the_days_are():
    night = MIDNIGHT - 8 * 3600 * 1_000_000  # midnight in Shanghai, of a Monday
    home, work = (WEST, SOUTH), (WEST + 8 * STEP, SOUTH)
    track = []
    for day in range(5):
        for hour, place in (
            (0, home),
            (3, home),
            (7, home),
            (9, work),
            (13, work),
            (17, work),
            (20, home),
            (23, home),
        ):
            track.append((night + (day * 24 + hour) * 3600 * 1_000_000, *place))
    w = window(night, night + 5 * 86_400_000_000)
    found = footholds(MemoryHistory({"car": track}), "car", w, ZONE)
    assert [(f.guess, (f.lon, f.lat)) for f in found] == [("home", home), ("work", work)]
    assert found[1].total_s == 5 * 8 * 3600
    assert found[1].work_s == 5 * 8 * 3600
    assert found[1].night_s == 0


def test_who_is_about_by_night_and_not_by_day():
    night = MIDNIGHT - 8 * 3600 * 1_000_000
    area = Area(shapely.box(WEST - STEP, SOUTH - STEP, WEST + STEP, SOUTH + STEP))

    def seen(hours):
        return [(night + h * 3600 * 1_000_000 + 5 * MINUTE, WEST, SOUTH) for h in hours]

    found = {"owl": seen([23, 24, 26, 27]), "lark": seen([8, 9, 10, 23]), "both": seen([9, 11, 23, 24, 25])}
    w = window(night, night + 2 * 86_400_000_000)
    assert night_activity(MemoryHistory(found), area, w, ZONE, at_night=3, by_day=1) == {"owl": (4, 0)}
    assert list(night_activity(MemoryHistory(found), area, w, ZONE, at_night=3, by_day=2)) == ["owl", "both"]


def test_a_device_or_a_place_never_seen_is_nobody():
    history = MemoryHistory({})
    area = Area.circle(113.13, 27.83, 100)
    w = window(MIDNIGHT, MIDNIGHT + MINUTE)
    assert presences(history, area, w) == []
    assert first_entry(history, area, w, 30) == []
    assert collision(history, [(area, w), (area, w)]) == {}
    assert companions(history, "ghost", w) == []
    assert footholds(history, "ghost", w, ZONE) == []


def test_a_circle_is_its_radius_and_cells_are_their_borders():
    circle = Area.circle(113.13, 27.83, 500)
    lon, lat = circle.edges[:, 0], circle.edges[:, 1]
    east = (lon - 113.13) * 111_320 * math.cos(math.radians(27.83))
    assert np.hypot(east, (lat - 27.83) * 110_850) == pytest.approx(500, rel=5e-3)
    assert len(Area.of_cells(["8a411cb1a6effff"]).cells) == 7  # itself, and its neighbours that it touches


BOW_TIE = {"type": "Polygon", "coordinates": [[[113, 27], [114, 28], [114, 27], [113, 28], [113, 27]]]}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Area(shapely.Polygon()), "not empty"),
        (lambda: Area(shapely.Point(113, 27)), "Polygon or MultiPolygon"),
        (lambda: Area.from_geojson(BOW_TIE), "not valid: Self-intersection"),
        (lambda: Area.from_geojson({"type": "Polygon"}), "no GeoJSON geometry"),
        (lambda: Area(shapely.box(113, 27, 200, 28)), "off the earth"),
        (lambda: Area(shapely.box(100, 20, 120, 30)).cells, "larger than 4 square degrees"),
        (lambda: Area.of_cells(["nothing"]), "an H3 cell that is none"),
    ],
)
def test_an_area_that_is_none_is_refused(make, said):
    with pytest.raises(InvalidGeometry, match=said):
        make()


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        (lambda h, a, w: collision(h, [(a, w)]), InvalidInput, "places 1 is not at least 2"),
        (
            lambda h, a, w: collision(h, [(a, w), (a, w)], 3),
            InvalidInput,
            "at_least 3 is not at least 1 and at most 2",
        ),
        (lambda h, a, w: collision(h, [(a, w), (a, w)], 0), InvalidInput, "at_least 0"),
        (
            lambda h, a, w: presences(h, a, window(0, 3650 * 86_400_000_000)),
            InvalidTimeWindow,
            "longer than 31 days",
        ),
        (lambda h, a, w: first_entry(h, a, w, 0), InvalidInput, "days 0"),
        (lambda h, a, w: companions(h, "car", w, within_s=3600), InvalidInput, "within_s 3600"),
        (lambda h, a, w: footholds(h, "car", w, ZONE, radius_m=5), InvalidInput, "radius_m 5"),
        (lambda h, a, w: night_activity(h, a, w, ZONE, night=(6, 6)), InvalidInput, "the same hour"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(ask, error, said):
    with pytest.raises(error, match=said) as caught:
        ask(MemoryHistory({}), Area.circle(113.13, 27.83, 100), window(MIDNIGHT, MIDNIGHT + MINUTE))
    assert "\n" not in str(caught.value)


def test_the_tail_of_a_poisson_variable():
    for count, mean in ((1, 0.5), (3, 0.02), (20, 4.0)):
        below = sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(count))
        if below < 0.999:
            assert area_presence.poisson_tail_log10(count, mean) == pytest.approx(
                math.log10(1 - below), abs=1e-9
            )
    assert area_presence.poisson_tail_log10(20, 4.0) == pytest.approx(-8.07, abs=0.1)
    assert area_presence.poisson_tail_log10(0, 4.0) == 0
