"""A search ends when it must, also in the middle of a kernel."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from geo_policing.errors import Cancelled
from geo_policing.kernels import area_presence, line_passages
from geo_policing.model import TimeWindow, from_us
from geo_policing.tracks.searches import (
    Area,
    DrawnPath,
    companions,
    footholds,
    frequent,
    itinerary,
    overlap,
    passages,
    presences,
)
from tests.tracks.searches.towns import DAY_US, MIDNIGHT, SOUTH, STEP, WEST, MemoryHistory, town

DAY = TimeWindow(from_us(MIDNIGHT - DAY_US // 2), from_us(MIDNIGHT + DAY_US // 2))
TOWN = town(np.random.default_rng(7))
WHOLE = Area.circle(WEST + 5 * STEP, SOUTH + 5 * STEP, 3000)
ACROSS = [(WEST, SOUTH + 5 * STEP), (WEST + 10 * STEP, SOUTH + 4 * STEP)]

SEARCHES = {
    "presences": lambda history: presences(history, WHOLE, DAY),
    "of_few": lambda history: presences(history, WHOLE, DAY, ["d0", "d1"]),
    "frequent": lambda history: frequent(history, WHOLE, DAY, 1),
    "passages": lambda history: passages(history, ACROSS, DAY),
    "footholds": lambda history: footholds(history, "d0", DAY, None),
    "itinerary": lambda history: itinerary(history, "d0", DAY),
    "companions": lambda history: companions(history, "d0", DAY),
    "overlap": lambda history: overlap(history, DrawnPath([np.array(ACROSS)]), DAY, least_share=0.01),
}


class Ended(MemoryHistory):
    """Somebody ends the search when it has read all that it needs, just before it works on that."""

    def ways(self, *about):
        found = super().ways(*about)
        self.halt.end("wang has cancelled it")
        return found

    def fixes(self, *about):
        found = super().fixes(*about)
        self.halt.end("wang has cancelled it")
        return found

    def moves(self, *about):
        found = super().moves(*about)
        self.halt.end("wang has cancelled it")
        return found


@pytest.mark.parametrize("name", SEARCHES)
def test_what_was_found_until_a_search_was_ended_is_not_told_as_if_it_were_all(name):
    with pytest.raises(Cancelled, match="wang has cancelled it"):
        SEARCHES[name](Ended(TOWN))


def shuttling(cars):
    """Cars that drive a hundred metres each, over a line through a circle of thousands of corners."""
    device = np.repeat(np.arange(cars, dtype=np.int32), 2)
    at = np.tile(np.array([-5e-4, 5e-4]), cars)
    way = (device, np.tile(np.array([0, 10_000_000]), cars), WEST + at, np.full(2 * cars, SOUTH))
    angle = np.linspace(0, 2 * np.pi, 4001)
    ring = np.column_stack([WEST + 1e-3 * np.cos(angle), SOUTH + 1e-3 * np.sin(angle)])
    y = np.linspace(SOUTH - 1e-3, SOUTH + 1e-3, 4000)
    halt = np.zeros(1, np.uint8)
    edge = np.ascontiguousarray(np.hstack([ring[:-1], ring[1:]]))
    inside = (area_presence.presences, (*way, np.ones(2 * cars, np.bool_), edge, 0, 20_000_000, halt))
    over = (line_passages.passages, (*way, np.full(4000, WEST), y, 0, 20_000_000, halt))
    return {"area": inside, "line": over}, halt


@pytest.mark.parametrize("which", ["area", "line"])
def test_a_kernel_that_would_go_on_for_long_ends_when_another_thread_says_so(which):
    kernels, _ = shuttling(cars=10)
    kernel, arguments = kernels[which]
    assert len(kernel(*arguments)[0]) == 10  # compiled by now
    cars = 1_000_000  # for half a minute and more
    kernels, halt = shuttling(cars)
    kernel, arguments = kernels[which]
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(kernel, *arguments)
        time.sleep(0.3)
        assert not found.done()
        halt[0] = 1
        assert len(found.result()[0]) < cars
