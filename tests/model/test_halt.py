"""Work that must end: after its seconds, or when somebody says so, from whichever thread."""

import threading
import time

import pytest

from geo_policing.errors import Cancelled, Conflict, TookTooLong
from geo_policing.model import Halt


def test_the_seconds_count_from_where_the_work_begins():
    halt = Halt(2)
    halt.check()
    assert (halt.took_s, halt.flag.tolist()) == (None, [0])
    with halt:
        halt.check()
        time.sleep(2)
        with pytest.raises(TookTooLong, match=r"than 2 s and was ended \(done by then: half\); ask"):
            halt.tell("half")
    assert halt.done == "half"


def test_what_somebody_says_counts_before_the_seconds_and_the_first_of_it():
    halt = Halt(0.0)
    halt.end("wang has cancelled it")
    halt.end("the service was stopped")
    with halt, pytest.raises(Conflict, match=r"^wang has cancelled it$"):
        halt.check()
    assert halt.cancelled
    assert halt.flag.tolist() == [1]


@pytest.mark.parametrize("limit_s", [None, 3.0])
def test_what_cannot_look_is_interrupted_again_and_again_until_it_has_ended(limit_s):
    halt, interrupted, enough = Halt(limit_s), [], threading.Event()

    def interrupt():
        interrupted.append(time.monotonic())
        if len(interrupted) == 3:
            enough.set()

    with halt:
        with halt.interrupting(interrupt):
            assert interrupted == []
            if limit_s is None:
                threading.Timer(0.1, halt.end, ["enough"]).start()
            assert enough.wait(60)
        after = len(interrupted)
        time.sleep(0.2)
        assert len(interrupted) == after
        with pytest.raises((Cancelled, TookTooLong)):
            halt.check()
        assert halt.flag.tolist() == [1]


def test_work_that_has_ended_in_time_leaves_no_thread_behind():
    before = threading.active_count()
    for _ in range(20):
        with Halt(3600) as halt:
            halt.tell("all of it")
    end = time.monotonic() + 60
    while threading.active_count() > before:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_without_a_limit_it_takes_as_long_as_it_likes():
    with Halt() as halt:
        time.sleep(0.05)
        halt.tell("7 of 31 days")
        assert halt.took_s >= 0.05
    assert halt.done == "7 of 31 days"


def test_seconds_in_which_its_clock_stands_do_not_count():
    began = time.monotonic()
    with Halt(0.3, lambda: lambda: time.monotonic() - began) as halt:
        time.sleep(1.0)
        halt.check()
        assert halt.took_s == pytest.approx(0.0, abs=0.2)
        assert halt.flag.tolist() == [0]


def test_a_clock_that_stood_for_a_while_goes_on():
    began, ended = time.monotonic(), threading.Event()

    def standing():
        return lambda: min(time.monotonic() - began, 1.0)

    with Halt(0.3, standing) as halt, halt.interrupting(ended.set):
        assert ended.wait(20)
        assert time.monotonic() - began >= 1.3
        with pytest.raises(TookTooLong, match=r"than 0\.3 s"):
            halt.check()


def test_who_was_told_to_end_does_not_go_on_when_the_clock_shows_less_again():
    # It is read while it stands, by two threads, of which one is held up in between.
    stood_s, told = [0.0], threading.Event()
    with Halt(0.05, lambda: lambda: stood_s[0]) as halt, halt.interrupting(told.set):
        assert told.wait(60)
        stood_s[0] = 3600.0
        with pytest.raises(TookTooLong, match=r"than 0\.05 s"):
            halt.check()


def test_what_is_whole_is_not_ended_any_more():
    with Halt(0.0) as halt:
        halt.finish()
    assert (halt.end("too late"), halt.cancelled) == (False, False)


def test_what_was_ended_is_not_whole():
    with Halt() as halt:
        assert halt.end("it rains")
        with pytest.raises(Cancelled, match="it rains"):
            halt.finish()
