"""What is made when it is first needed holds up nobody who needs something else."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from geo_policing.matching import Matcher
from geo_policing.model import DeviceKind
from geo_policing.roads import Access
from geo_policing.service import tracks as tracks_module
from geo_policing.service.once import Once
from geo_policing.service.tracks import Tracks
from tests.matching.city import grid


def test_a_value_is_made_once_by_whoever_asks_first():
    once, made = Once(), []

    def make():
        made.append(threading.get_ident())
        return object()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: once.get("key", make), range(50)))
    assert len(made) == 1
    assert len({id(value) for value in found}) == 1
    assert once.get("other", make) is not found[0]


def test_who_needs_what_is_being_made_waits_and_who_needs_another_does_not():
    once, begun, go_on = Once(), threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert go_on.wait(60)
        return "slow"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.get, "slow", slow)
        assert begun.wait(60)
        second = pool.submit(once.get, "slow", lambda: "made again")
        assert once.get("quick", lambda: "quick") == "quick"
        assert not first.done()
        assert not second.done()
        go_on.set()
        assert (first.result(60), second.result(60)) == ("slow", "slow")


def test_what_could_not_be_made_is_tried_again():
    once = Once()
    with pytest.raises(ZeroDivisionError):
        once.get("key", lambda: 1 // 0)
    assert once.get("key", lambda: 2) == 2


def test_while_a_matcher_is_made_the_roads_and_other_matchers_are_there(tmp_path, monkeypatch):
    grid().save(tmp_path / "city.roads")
    begun, go_on = threading.Event(), threading.Event()

    def slow_for_bicycles(network, *, access):
        if access is Access.BICYCLE:
            begun.set()
            assert go_on.wait(60)
        return Matcher(network, access=access)

    monkeypatch.setattr(tracks_module, "Matcher", slow_for_bicycles)
    tracks = Tracks(None, None, tmp_path / "city.roads")
    with ThreadPoolExecutor(1) as pool:
        bicycles = pool.submit(tracks.matcher, DeviceKind.E_BIKE)
        assert begun.wait(60)
        cars = tracks.matcher(DeviceKind.TAXI)
        assert tracks.matcher(DeviceKind.BUS) is cars
        assert tracks.network() is tracks.network()
        assert not bicycles.done()
        go_on.set()
        assert bicycles.result(60) is tracks.matcher(DeviceKind.E_BIKE)
