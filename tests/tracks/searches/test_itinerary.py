"""The trips, stays and gaps of a device, as plain loops find them."""

import math

import numpy as np
import pytest

from geo_policing.errors import InvalidInput, InvalidTimeWindow
from geo_policing.tracks.searches import LegKind, itinerary
from tests.tracks.searches import naive
from tests.tracks.searches.towns import (
    DAY_US,
    EVER,
    MIDNIGHT,
    SOUTH,
    STEP,
    WEST,
    MemoryHistory,
    random_window,
    town,
    window,
)


@pytest.mark.parametrize("seed", range(200))
def test_legs_are_those_of_plain_loops(seed):
    rng = np.random.default_rng(seed)
    found = town(rng, devices=2, fixes=60)
    leaping = sorted({int(n) for n in rng.integers(0, 60, 3)})
    for n in leaping:
        t, x, y = found["d0"][n]
        found["d0"][n] = (t, x + 0.1, y)
    w = EVER if rng.random() < 0.5 else random_window(rng)
    options = {
        "stay_s": int(rng.choice([60, 180, 600])),
        "radius_m": float(rng.choice([50, 250])),
        "gap_s": int(rng.choice([60, 120, 600])),
    }
    for device in ("d0", "d1"):
        track = [fix for fix in found[device] if w.start_us <= fix[0] < w.end_us]
        left_out = naive.leaps(track)
        kept = [fix for n, fix in enumerate(track) if n not in left_out]
        answer = itinerary(MemoryHistory(found), device, w, **options)
        assert answer.fixes == len(track)
        assert [s.at_us for s in answer.leaps] == [track[n][0] for n in left_out]
        expected = naive.legs(kept, options["radius_m"], options["stay_s"], options["gap_s"])
        assert [(leg.kind, leg.first.at_us, leg.last.at_us, leg.fixes) for leg in answer.legs] == [
            (kind, kept[i][0], kept[j][0], j - i + 1) for kind, i, j in expected
        ]
        for leg, (kind, i, j) in zip(answer.legs, expected, strict=True):
            steps = list(zip(kept[i:j], kept[i + 1 : j + 1], strict=True))
            metres = sum(naive.metres(a, b) for a, b in steps)
            assert leg.length_m == pytest.approx(0 if kind == "stay" else metres)
            assert leg.silent_s == max(b[0] - a[0] for a, b in steps) / 1e6
            if kind == "stay":
                assert leg.lon == pytest.approx(sum(x for _, x, _ in kept[i : j + 1]) / (j - i + 1))
            else:
                assert math.isnan(leg.lon)


def at(minute, x, y=0, source="tcp:7001"):
    return (MIDNIGHT + int(minute * 60) * 1_000_000, WEST + x * STEP, SOUTH + y * STEP, source, 5.0)


def test_an_evening_at_home_a_drive_through_a_tunnel_and_a_night_out():
    home = [at(-120, 0), at(-90, 0), at(-40, 0)]
    drive = [at(-39, 1), at(-38, 2), at(-20, 8, source="tcp:7002"), at(-19, 9, source="tcp:7002")]
    out = [at(-18, 10), at(15, 10)]
    answer = itinerary(MemoryHistory({"car": home + drive + out}), "car", EVER)
    assert [leg.kind for leg in answer.legs] == ["stay", "trip", "gap", "trip", "stay"]
    assert [leg.fixes for leg in answer.legs] == [3, 3, 2, 3, 2]
    stay, _, gap, trip, night = answer.legs
    assert (stay.lon, stay.silent_s) == (WEST, 50 * 60)
    assert (gap.first.source, gap.last.source) == ("tcp:7001", "tcp:7002")
    assert gap.length_m == pytest.approx(6 * STEP * 111_320 * math.cos(math.radians(SOUTH)))
    assert trip.sources == ("tcp:7001", "tcp:7002")
    assert night.first.at_us < MIDNIGHT < night.last.at_us  # midnight ends nothing
    assert all(a.last == b.first for a, b in zip(answer.legs, answer.legs[1:], strict=False))


def test_a_position_that_leaps_away_does_not_end_a_stay():
    track = [at(m, 0) for m in range(30)]
    track[12] = at(12, 100)
    (stay,) = (answer := itinerary(MemoryHistory({"car": track}), "car", EVER)).legs
    assert stay.kind is LegKind.STAY
    assert (stay.fixes, answer.fixes) == (29, 30)
    assert [s.at_us for s in answer.leaps] == [track[12][0]]


def test_a_position_that_wanders_about_a_place_is_one_stay():
    # It parks 90 m on from where the stay began and drifts 40 m, so after a while 130 m away from there.
    metre = 1 / (STEP * 111_320)
    track = [at(0, 0)] + [at(m, 0, (90 + 40 * math.sin(m / 60)) * metre) for m in range(1, 200)]
    (stay,) = itinerary(MemoryHistory({"car": track}), "car", EVER).legs
    assert (stay.kind, stay.fixes) == ("stay", 200)
    assert stay.lat == pytest.approx(sum(fix[2] for fix in track) / 200)


def test_who_was_seen_once_or_never_did_nothing():
    history = MemoryHistory({"once": [at(0, 0)]})
    assert (itinerary(history, "once", EVER).fixes, itinerary(history, "once", EVER).legs) == (1, ())
    assert itinerary(history, "ghost", EVER).fixes == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"stay_s": 0}, "stay_s 0 is not at least 60"),
        ({"radius_m": math.nan}, "radius_m nan is not at least 10 and at most 1000"),
        ({"gap_s": 0}, "gap_s 0 is not at least 1"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(options, says):
    with pytest.raises(InvalidInput, match=says) as caught:
        itinerary(MemoryHistory({}), "car", EVER, **options)
    assert "\n" not in str(caught.value)
    with pytest.raises(InvalidTimeWindow, match="longer than 92 days"):
        itinerary(MemoryHistory({}), "car", window(0, 3650 * DAY_US))
