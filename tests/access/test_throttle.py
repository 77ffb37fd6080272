from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from geo_policing.access import Throttle


def test_a_key_waits_after_too_many_failures_and_others_do_not():
    throttle = Throttle(failures=3, wait_us=100)
    assert [throttle.attempt("wang", now) for now in (0, 10, 20)] == [0, 0, 0]
    assert throttle.attempt("wang", 50) == 70
    assert throttle.attempt("li", 50) == 0
    assert throttle.attempt("wang", 120) == 0


def test_a_refused_attempt_does_not_make_the_wait_longer():
    throttle = Throttle(failures=1, wait_us=100)
    assert [throttle.attempt("wang", now) for now in (0, 40, 99, 100)] == [0, 60, 1, 0]


def test_a_success_or_a_time_of_peace_forgets_the_failures():
    throttle = Throttle(failures=2, wait_us=100)
    throttle.attempt("wang", 0)
    throttle.attempt("wang", 1)
    throttle.succeeded("wang")
    assert [throttle.attempt("wang", now) for now in (10, 109)] == [0, 0]
    assert throttle.attempt("wang", 209) == 0
    assert throttle.attempt("wang", 210) == 0
    assert throttle.attempt("wang", 211) == 99


def test_an_attempt_taken_back_may_be_made_again_and_no_more():
    throttle = Throttle(failures=2, wait_us=100)
    throttle.attempt("wang", 0)
    throttle.attempt("wang", 0)
    throttle.refund("wang")
    assert throttle.attempt("wang", 0) == 0
    assert throttle.attempt("wang", 0) == 100
    throttle.refund("nobody")
    assert throttle.attempt("nobody", 0) == 0


def test_the_keys_remembered_are_bounded_and_the_oldest_failure_goes_first():
    throttle = Throttle(failures=2, wait_us=100, keys=2)
    for key in ("a", "b", "a", "c"):
        throttle.attempt(key, 0)
    # b was forgotten; a, which failed again after it, was not.
    assert throttle.attempt("a", 0) == 100


def test_a_clock_set_back_makes_no_wait_longer_than_the_wait():
    throttle = Throttle(failures=1, wait_us=100)
    throttle.attempt("wang", 1_000_000)
    assert throttle.attempt("wang", 0) == 100
    assert throttle.attempt("wang", 60) == 40
    assert throttle.attempt("wang", 100) == 0


def test_of_parallel_attempts_no_more_get_through_than_are_allowed():
    throttle = Throttle(failures=5, wait_us=100)
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: throttle.attempt("wang", 0), range(200)))
    assert sorted(waits) == [0] * 5 + [100] * 195


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30)), max_size=60))
def test_whatever_the_pace_no_window_of_the_wait_lets_more_failures_through(steps):
    throttle, now, through = Throttle(failures=3, wait_us=50), 0, {"a": [], "b": []}
    for key, pause in steps:
        now += pause
        if throttle.attempt(key, now) == 0:
            through[key].append(now)
    for times in through.values():
        # Four let through in a row span the wait at least: the third and the fourth are that far apart,
        # or peace of that length came before and the count began again.
        for first in range(len(times) - 3):
            gaps = [
                b - a for a, b in zip(times[first : first + 3], times[first + 1 : first + 4], strict=True)
            ]
            assert max(gaps) >= 50
