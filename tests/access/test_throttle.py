from geo_policing.access import Throttle


def test_a_name_waits_after_too_many_failures_and_others_do_not():
    throttle = Throttle(failures=3, wait_us=100)
    for now in (0, 10, 20):
        assert throttle.wait_us("wang", now) == 0
        throttle.failed("wang", now)
    assert throttle.wait_us("wang", 50) == 70
    assert throttle.wait_us("li", 50) == 0
    assert throttle.wait_us("wang", 120) == 0


def test_a_success_or_a_time_of_peace_forgets_the_failures():
    throttle = Throttle(failures=2, wait_us=100)
    throttle.failed("wang", 0)
    throttle.succeeded("wang")
    throttle.failed("wang", 10)
    assert throttle.wait_us("wang", 11) == 0
    throttle.failed("wang", 110)
    assert throttle.wait_us("wang", 111) == 0
    throttle.failed("wang", 120)
    assert throttle.wait_us("wang", 121) == 99


def test_the_names_remembered_are_bounded():
    throttle = Throttle(failures=1, wait_us=100, names=2)
    for name in ("a", "b", "c"):
        throttle.failed(name, 0)
    assert [throttle.wait_us(name, 0) for name in "abc"] == [0, 100, 100]
