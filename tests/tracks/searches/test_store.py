"""A store answers every search as memory does, whatever of it is sealed, late, merged or being written."""

from zoneinfo import ZoneInfo

import numpy as np
import pytest

from geo_policing.roads.times import RoadTimes
from geo_policing.store import FixStore
from geo_policing.store.history.keeper import Keeper
from geo_policing.store.history.questions import Questions
from geo_policing.tracks.searches import (
    Area,
    DrawnPath,
    cloned,
    collision,
    companions,
    footholds,
    itinerary,
    overlap,
    passages,
    presences,
)
from tests.tracks.searches.towns import (
    DAY_US,
    EVER,
    MIDNIGHT,
    SOUTH,
    STEP,
    WEST,
    MemoryHistory,
    columns,
    polygon,
    random_window,
    streets,
    town,
)

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize("seed", range(4))
def test_a_store_answers_as_memory_does_whatever_is_sealed(seed, tmp_path):
    rng = np.random.default_rng(seed)
    found = town(rng)
    found["twice"] = sorted(found["d0"] + found["d1"])
    memory = MemoryHistory(found)
    fixes = columns(found)
    late = rng.random(len(fixes)) < 0.2
    areas = [(Area(polygon(rng)), random_window(rng)) for _ in range(4)]
    roads = RoadTimes(streets(rng))
    path = DrawnPath.of_device(memory, "d1", EVER)
    line = [(WEST, SOUTH + 4.5 * STEP), (WEST + 5 * STEP, SOUTH + 4 * STEP), (WEST + 10 * STEP, SOUTH)]

    def answers(history):
        return [
            [presences(history, area, w) for area, w in areas],
            collision(history, areas, 2),
            footholds(history, "d1", EVER, ZONE, stay_s=300),
            [(leg.kind, leg.first.at_us, leg.fixes) for leg in itinerary(history, "d2", EVER).legs],
            passages(history, line, EVER),
            overlap(history, path, EVER, least_share=0.01),
            [
                (c.device, c.firm, c.leaps, [s.fixes for s in c.strands])
                for c in cloned(history, roads, found, EVER)
            ],
            [
                (f.device, f.time, f.lon, f.lat, f.source)
                for f in history.fixes(MIDNIGHT, MIDNIGHT + DAY_US, found)
            ],
        ]

    expected = answers(memory)
    assert sum(map(bool, expected)) >= 5
    with FixStore(tmp_path / "fixes.duckdb") as store:
        keeper = Keeper(store)
        asked = Questions(store)
        store.append(fixes.take(~late))
        keeper.seal(MIDNIGHT // DAY_US)
        store.append(fixes.take(late))
        assert answers(asked) == expected
        keeper.seal(MIDNIGHT // DAY_US + 2)
        assert answers(asked) == expected
        keeper.compact()
        assert answers(asked) == expected
        assert companions(asked, "d0", EVER, places=1) == companions(memory, "d0", EVER, places=1)


def test_what_is_read_at_once_is_bounded_and_answers_are_the_same(monkeypatch):
    rng = np.random.default_rng(3)
    found = town(rng, devices=9)
    area, line = Area(polygon(rng)), [(WEST, SOUTH + 5 * STEP), (WEST + 10 * STEP, SOUTH + 4 * STEP)]

    class Watched(MemoryHistory):
        most = 0

        def moves(self, start_us, end_us, devices):
            self.most = max(self.most, len(devices) * (end_us - start_us) / DAY_US)
            return super().moves(start_us, end_us, devices)

        def visits(self, wanted, start_us, end_us):
            return MemoryHistory(self.town).visits(wanted, start_us, end_us)

        def ways(self, *about):
            return MemoryHistory(self.town).ways(*about)

    def answers(history):
        path = DrawnPath.of_device(history, "d1", EVER)
        return presences(history, area, EVER), passages(history, line, EVER), overlap(history, path, EVER)

    whole, parted = Watched(found), Watched(found)
    expected = answers(whole)
    monkeypatch.setattr("geo_policing.tracks.searches.history.DEVICE_DAYS", 4)
    assert answers(parted) == expected
    assert whole.most > parted.most == 4
