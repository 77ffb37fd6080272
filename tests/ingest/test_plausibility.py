"""What the pipeline believes, and what it refuses and counts."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo_policing.ingest.plausibility import OTHERS, Plausibility
from geo_policing.model import Fix

NOW = 1_790_000_000_000_000
SECOND = 1_000_000


def fix(seconds: float, lon: float = 116.4, lat: float = 39.9, device: str = "car") -> Fix:
    return Fix(device, NOW + round(seconds * SECOND), lon, lat)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (fix(0, 0.0, 0.0), "null_island"),
        (Fix("car", 315_964_800 * SECOND, 116.4, 39.9), "before_2000"),
        (fix(60.001), "future"),
    ],
)
def test_an_impossible_fix_is_refused_and_counted_by_reason_and_device(bad: Fix, reason: str) -> None:
    checks = Plausibility(60, 100)
    assert checks.check(bad, NOW) == reason
    assert checks.counts == {(reason, "car"): 1}
    assert checks.check(fix(60), NOW) is None


def test_one_jump_is_refused_and_the_good_fixes_after_it_are_not() -> None:
    checks = Plausibility(60, 100)
    track = [fix(-5), fix(-4, 117.4), fix(-3), fix(-2, 117.4), fix(-1)]
    assert [checks.check(f, NOW) for f in track] == [None, "jump", None, "jump", None]


def test_the_second_fix_that_agrees_on_a_new_place_is_believed() -> None:
    checks = Plausibility(60, 100)
    track = [fix(-5, 117.4), fix(-4), fix(-3), fix(-2)]
    assert [checks.check(f, NOW) for f in track] == [None, "jump", None, None]


def test_a_wrong_fix_sent_twice_does_not_confirm_itself() -> None:
    checks = Plausibility(60, 100)
    track = [fix(-5), fix(-4, 117.4), fix(-4, 117.4), fix(-3)]
    assert [checks.check(f, NOW) for f in track] == [None, "jump", "jump", None]


def test_a_late_fix_is_accepted_marked_and_judged_by_its_neighbour_in_time() -> None:
    checks = Plausibility(60, 100)
    for f in (fix(-7200), fix(0, 117.4)):
        assert checks.check(f, NOW) is None
        assert not checks.is_late(f)
    late = fix(-7199)
    assert checks.check(late, NOW) is None
    assert checks.is_late(late)
    assert checks.counts == {("late", "car"): 1}


def test_a_duplicate_is_refused_also_when_it_comes_in_a_late_batch() -> None:
    checks = Plausibility(60, 100)
    assert [checks.check(fix(t), NOW) for t in (-3, -2, -3, -2)] == [None, None, "duplicate", "duplicate"]
    assert checks.check(fix(-3, device="other"), NOW) is None


def test_memory_is_bounded_in_fixes_and_in_devices() -> None:
    checks = Plausibility(60, 100, remembered=2, devices=2)
    assert [checks.check(fix(t), NOW) for t in (-4, -3, -2, -4, -2)] == [None, None, None, None, "duplicate"]
    for name in "abcd":
        checks.check(fix(0, 0.0, 0.0, name), NOW)
        assert checks.check(fix(0, device=name), NOW) is None
    assert not checks.is_late(fix(-9))
    assert checks.counts["null_island", "a"] == 1
    assert checks.counts["null_island", OTHERS] == 3


@given(
    noise=st.lists(st.tuples(st.integers(-500, 50), st.floats(-179, 179), st.floats(-80, 80)), max_size=12),
    remembered=st.integers(1, 8),
)
@settings(max_examples=100, deadline=None)
def test_whatever_came_before_a_steady_device_is_refused_as_a_jump_once_at_most_in_a_row(
    noise: list[tuple[int, float, float]], remembered: int
) -> None:
    checks = Plausibility(60, 100, remembered=remembered)
    for seconds, lon, lat in noise:
        checks.check(fix(seconds, lon, lat), NOW)
    refused = [checks.check(fix(0.5 + k, 116.4 + 1e-4 * k), NOW) == "jump" for k in range(20)]
    assert not any(first and second for first, second in pairwise(refused))
