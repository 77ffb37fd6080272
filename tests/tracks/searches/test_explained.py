"""Presences from the fixes near an area alone are those from all fixes, or these are read."""

import numpy as np
import pytest
import shapely

from geo_policing.model import TimeWindow, from_us
from geo_policing.store import FixStore
from geo_policing.store.history.keeper import Keeper
from geo_policing.store.history.questions import Questions
from geo_policing.tracks.searches import Area, collision, first_entry, presence, presences
from geo_policing.tracks.searches.explained import BEFORE_US, explained
from tests.tracks.searches.towns import MIDNIGHT, SOUTH, STEP, WEST, MemoryHistory, columns, polygon, town

S = 1_000_000
METRE = 1 / 111_320


def jumping(rng, devices=16, fixes=160):
    """Drives at 1 Hz across a few streets, with positions that jump 190 m away for an instant, and gaps."""
    found = {}
    for n in range(devices):
        x, y = WEST + rng.uniform(0, 9) * STEP, SOUTH + rng.uniform(0, 9) * STEP
        angle, t = rng.uniform(0, 2 * np.pi), MIDNIGHT + int(rng.integers(-60, 30)) * S
        track = []
        for _ in range(fixes):
            step_s = float(rng.choice([0.3, 1.0, 1.0, 30.0, 121.0], p=[0.2, 0.4, 0.3, 0.07, 0.03]))
            angle += rng.normal(0, 0.3)
            x, y = x + np.cos(angle) * 15 * step_s * METRE, y + np.sin(angle) * 15 * step_s * METRE
            t += round(step_s * S)
            off = rng.uniform(-190, 190, 2) * METRE if rng.random() < 0.15 else (0.0, 0.0)
            track.append((t, x + off[0], y + off[1]))
        found[f"d{n}"] = track
    return found


def what_is_read(history, area, span):
    near, cell = history.near(area.near_cells, span[0] - 2 * BEFORE_US, span[1] + 2 * BEFORE_US + 1)
    return near, cell, history.visits(area.cells, span[0] - BEFORE_US, span[1] + BEFORE_US)


@pytest.mark.parametrize("make", [town, jumping], ids=["walks", "jumps"])
@pytest.mark.parametrize("seed", range(60))
def test_whose_movement_is_explained_was_where_all_fixes_say(seed, make):
    rng = np.random.default_rng(seed)
    history = MemoryHistory(make(rng))
    area = Area(polygon(rng))
    start = MIDNIGHT + int(rng.integers(-30, 30)) * 60 * S
    end = start + int(rng.integers(1, 40)) * 60 * S
    near, cell, visits = what_is_read(history, area, (start, end))
    clear = explained(visits, near, cell, area.cells, area.near_cells, area.shape.bounds, start, end)
    everything = history.moves(start, end, history.town)
    found = presence._exact(near, area, start, end, clear)
    assert found == presence._exact(everything, area, start, end, clear)
    asked = {visits.names[code] for code in visits.device}
    whole = presence._exact(everything, area, start, end, set(history.town))
    assert {p.device for p in whole} <= asked


def test_most_are_explained():
    clear, asked = 0, 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        history = MemoryHistory(jumping(rng))
        area = Area(polygon(rng))
        span = (MIDNIGHT, MIDNIGHT + 600 * S)
        near, cell, visits = what_is_read(history, area, span)
        names = {visits.names[code] for code in visits.device}
        clear += len(
            explained(visits, near, cell, area.cells, area.near_cells, area.shape.bounds, *span) & names
        )
        asked += len(names)
    assert asked > 60
    assert clear > 0.7 * asked


def test_who_was_away_for_an_instant_between_two_fixes_near_is_not_explained():
    # In the area, 1500 m away, and in it again: the fixes near it look like a stay.
    area = Area.circle(WEST, SOUTH, 200)
    away = (MIDNIGHT + 60 * S, WEST, SOUTH + 1500 * METRE)
    stay = [(MIDNIGHT, WEST, SOUTH), (MIDNIGHT + 120 * S, WEST, SOUTH)]
    history = MemoryHistory({"stays": stay, "leaves": [stay[0], away, stay[1]]})
    span = (MIDNIGHT, MIDNIGHT + 121 * S)
    near, cell, visits = what_is_read(history, area, span)
    assert explained(visits, near, cell, area.cells, area.near_cells, area.shape.bounds, *span) == {"stays"}


def test_who_came_back_just_before_the_window_is_not_explained():
    # In the window it is in one cell by either way, but on the way back only for the last seconds of it.
    area = Area.circle(WEST, SOUTH, 60)
    track = [
        (MIDNIGHT - 98 * S, WEST, SOUTH + 20 * METRE),
        (MIDNIGHT - 25 * S, WEST, SOUTH + 800 * METRE),
        (MIDNIGHT + 4 * S, WEST, SOUTH + 10 * METRE),
    ]
    history = MemoryHistory({"back": track})
    span = (MIDNIGHT, MIDNIGHT + 600 * S)
    near, cell, visits = what_is_read(history, area, span)
    assert [len(near), visits.names] == [2, ("back",)]
    assert explained(visits, near, cell, area.cells, area.near_cells, area.shape.bounds, *span) == set()
    # The other way round after its end.
    turned = [(2 * MIDNIGHT - t, x, y) for t, x, y in reversed(track)]
    history = MemoryHistory({"forth": turned})
    span = (MIDNIGHT - 600 * S, MIDNIGHT)
    near, cell, visits = what_is_read(history, area, span)
    assert [len(near), visits.names] == [2, ("forth",)]
    assert explained(visits, near, cell, area.cells, area.near_cells, area.shape.bounds, *span) == set()


def test_who_went_from_one_part_of_an_area_to_another_in_one_way_is_not_explained():
    parts = [Area.circle(WEST + n * 1700 * METRE, SOUTH, 60).shape for n in (0, 1)]
    area = Area(shapely.union_all(parts))
    ends = [(MIDNIGHT, WEST, SOUTH), (MIDNIGHT + 80 * S, WEST + 1700 * METRE, SOUTH)]
    between = (MIDNIGHT + 40 * S, WEST + 850 * METRE, SOUTH + 40 * METRE)
    history = MemoryHistory(
        {"bends": [ends[0], between, ends[1]], "stays": [ends[0], (MIDNIGHT + S, *ends[0][1:])]}
    )
    span = (MIDNIGHT - 60 * S, MIDNIGHT + 600 * S)
    near, cell, visits = what_is_read(history, area, span)
    assert len(near) == 4  # what lies between the parts is not near
    assert explained(visits, near, cell, area.cells, area.near_cells, area.shape.bounds, *span) == {"stays"}


@pytest.mark.parametrize("seed", range(20))
def test_of_sparse_fixes_presences_are_those_of_all_fixes(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    parts = [Area.circle(WEST + n * 1700 * METRE, SOUTH, rng.uniform(40, 120)).shape for n in (0, 1)]
    area = Area(shapely.union_all(parts))
    found = {}
    for n in range(60):
        t, track = MIDNIGHT - int(rng.integers(60, 200)) * S, []
        for _ in range(12):
            place = rng.choice([0.0, 850.0, 1700.0]), rng.choice([0.0, 0.0, 900.0])
            off = rng.uniform(-90, 90, 2)
            track.append((t, WEST + (place[0] + off[0]) * METRE, SOUTH + (place[1] + off[1]) * METRE))
            t += int(rng.integers(15, 60)) * S
        found[f"d{n}"] = track
    window = TimeWindow(from_us(MIDNIGHT), from_us(MIDNIGHT + 120 * S))
    monkeypatch.setattr(presence, "FEW", 1000)
    whole = presences(MemoryHistory(found), area, window)
    monkeypatch.setattr(presence, "FEW", 0)
    assert whole
    assert presences(MemoryHistory(found), area, window) == whole


def test_more_near_an_area_than_is_read_at_once_is_read_by_device(monkeypatch):
    history = MemoryHistory(
        {f"d{n}": [(MIDNIGHT + k * 60 * S, WEST, SOUTH) for k in range(61)] for n in range(50)}
    )
    asked = []
    monkeypatch.setattr(history, "near", lambda *of: asked.append(of) or MemoryHistory.near(history, *of))
    area, window = Area.circle(WEST, SOUTH, 200), TimeWindow(from_us(MIDNIGHT), from_us(MIDNIGHT + 3600 * S))
    found = presences(history, area, window)
    assert (len(found), len(asked)) == (50, 1)
    # Fifty for an hour, and in the cells around as many again, are two device-days and more.
    monkeypatch.setattr(presence, "DEVICE_DAYS", 2)
    assert presences(history, area, window) == found
    assert len(asked) == 1


def test_of_two_fixes_of_one_instant_the_order_is_asked_for():
    area = Area.circle(WEST, SOUTH, 200)
    fixes = [(MIDNIGHT, WEST, SOUTH), (MIDNIGHT, WEST, SOUTH + 50 * METRE), (MIDNIGHT + S, WEST, SOUTH)]
    history = MemoryHistory({"twice": fixes})
    span = (MIDNIGHT, MIDNIGHT + 2 * S)
    near, cell, visits = what_is_read(history, area, span)
    assert explained(visits, near, cell, area.cells, area.near_cells, area.shape.bounds, *span) == set()


@pytest.mark.parametrize("seed", range(6))
def test_searches_over_a_store_are_the_same_by_either_way(seed, tmp_path, monkeypatch):
    rng = np.random.default_rng(seed)
    found = jumping(rng) | town(rng)
    fixes = columns(found)
    late = rng.random(len(fixes)) < 0.2
    places = []
    for _ in range(3):
        start = MIDNIGHT + int(rng.integers(-10, 5)) * 60 * S
        places.append((Area(polygon(rng)), TimeWindow(from_us(start), from_us(start + 1200 * S))))

    def answers(history):
        area, w = places[0]
        return (
            [presences(history, *place) for place in places],
            collision(history, places, 2),
            first_entry(history, area, w, 1),
        )

    with FixStore(tmp_path / "fixes.duckdb") as store:
        keeper = Keeper(store)
        store.append(fixes.take(~late))
        keeper.seal(MIDNIGHT // 86_400_000_000)
        store.append(fixes.take(late))
        for then in (lambda: None, lambda: keeper.seal(MIDNIGHT // 86_400_000_000 + 2), keeper.compact):
            then()
            by_device = answers(Questions(store))
            monkeypatch.setattr(presence, "FEW", 0)
            assert answers(Questions(store)) == by_device
            monkeypatch.undo()
            assert by_device == answers(MemoryHistory(found))
