"""Presences from the ways through an area are those from all fixes, or these are read."""

import numpy as np
import pytest
import shapely

from geo_policing.model import TimeWindow, from_us
from geo_policing.store import FixStore
from geo_policing.store.history.keeper import Keeper
from geo_policing.store.history.questions import Questions
from geo_policing.tracks.searches import Area, collision, first_entry, presence, presences
from tests.tracks.searches.towns import (
    DAY_US,
    MIDNIGHT,
    SOUTH,
    STEP,
    WEST,
    MemoryHistory,
    columns,
    polygon,
    town,
)

S = 1_000_000
METRE = 1 / 111_320
DAY = MIDNIGHT // DAY_US


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


def sparse(rng, devices=40):
    """Fixes 15 to 60 s apart, now in one of three places and now in another one, up to 900 m away."""
    found = {}
    for n in range(devices):
        t, track = MIDNIGHT - int(rng.integers(60, 200)) * S, []
        for _ in range(12):
            place = rng.choice([0.0, 850.0, 1700.0]), rng.choice([0.0, 0.0, 900.0])
            off = rng.uniform(-90, 90, 2)
            track.append((t, WEST + (place[0] + off[0]) * METRE, SOUTH + (place[1] + off[1]) * METRE))
            t += int(rng.integers(15, 60)) * S
        found[f"d{n}"] = track
    return found


def asked(history, area, start, end):
    return history.ways(area, start, end)


@pytest.mark.parametrize("make", [town, jumping, sparse])
@pytest.mark.parametrize("seed", range(40))
def test_presences_are_those_of_the_movement_through_all_fixes(seed, make, monkeypatch):
    rng = np.random.default_rng(seed)
    history = MemoryHistory(make(rng))
    area = Area(polygon(rng))
    start = MIDNIGHT + int(rng.integers(-30, 30)) * 60 * S
    w = TimeWindow(from_us(start), from_us(start + int(rng.integers(1, 40)) * 60 * S))
    monkeypatch.setattr(presence, "FEW", 1000)
    whole = presences(history, area, w, history.town)
    monkeypatch.setattr(presence, "FEW", 0)
    assert presences(history, area, w) == whole
    assert presences(history, area, w, history.town) == whole


def test_who_was_away_for_an_instant_between_two_fixes_in_an_area_was_away():
    # In the area, 1500 m away, and in it again: the fixes in it look like a stay.
    area = Area.circle(WEST, SOUTH, 200)
    away = (MIDNIGHT + 60 * S, WEST, SOUTH + 1500 * METRE)
    stay = [(MIDNIGHT, WEST, SOUTH), (MIDNIGHT + 120 * S, WEST, SOUTH)]
    history = MemoryHistory({"stays": stay, "leaves": [stay[0], away, stay[1]]})
    found = presences(history, area, TimeWindow(from_us(MIDNIGHT), from_us(MIDNIGHT + 121 * S)))
    assert [p.device for p in found] == ["leaves", "leaves", "stays"]


def test_a_way_between_two_parts_of_an_area_is_that_of_the_fixes_between():
    parts = [Area.circle(WEST + n * 1700 * METRE, SOUTH, 60).shape for n in (0, 1)]
    area = Area(shapely.union_all(parts))
    ends = [(MIDNIGHT, WEST, SOUTH), (MIDNIGHT + 80 * S, WEST + 1700 * METRE, SOUTH)]
    between = (MIDNIGHT + 40 * S, WEST + 850 * METRE, SOUTH + 900 * METRE)
    history = MemoryHistory({"bends": [ends[0], between, ends[1]], "goes": ends})
    w = TimeWindow(from_us(MIDNIGHT - 60 * S), from_us(MIDNIGHT + 600 * S))
    found = presences(history, area, w)
    assert [p.device for p in found] == ["bends", "bends", "goes", "goes"]
    assert found[0].leave_us - MIDNIGHT < found[2].leave_us - MIDNIGHT + 2 * S
    assert [p.last_fix_us for p in found[:1]] == [between[0]]


def test_of_two_fixes_of_one_instant_the_order_is_asked_for():
    area = Area.circle(WEST, SOUTH, 200)
    fixes = [(MIDNIGHT, WEST, SOUTH), (MIDNIGHT, WEST, SOUTH + 50 * METRE), (MIDNIGHT + S, WEST, SOUTH)]
    history = MemoryHistory({"twice": fixes, "again": [fixes[0], fixes[0], fixes[2]]})
    ways = asked(history, area, MIDNIGHT, MIDNIGHT + 2 * S)
    assert ways.unsure == {"twice"}
    assert [ways.moves.names[code] for code in ways.moves.device] == ["again", "again"]
    assert ways.onward.tolist() == [True, False]


def test_a_fix_that_is_there_twice_leads_only_where_the_last_of_them_does():
    # Then it leaps too far to be joined, and is back half a minute later.
    area = Area.circle(WEST, SOUTH, 200)
    at = (MIDNIGHT, WEST, SOUTH)
    leap, back = (MIDNIGHT + S, WEST, SOUTH + 4000 * METRE), (MIDNIGHT + 30 * S, WEST, SOUTH)
    history = MemoryHistory({"once": [at, leap, back], "twice": [at, at, leap, back]})
    found = presences(history, area, TimeWindow(from_us(MIDNIGHT), from_us(MIDNIGHT + 60 * S)))
    for device in ("once", "twice"):
        mine = [(p.enter_us - MIDNIGHT, p.leave_us - MIDNIGHT) for p in found if p.device == device]
        assert mine == [(0, 0), (30 * S, 30 * S)]


def test_of_two_fixes_of_one_instant_one_may_be_anywhere():
    area = Area.circle(WEST, SOUTH, 200)
    here, there = (MIDNIGHT, WEST, SOUTH), (MIDNIGHT, WEST, SOUTH + 4000 * METRE)
    later = (MIDNIGHT + S, WEST, SOUTH)
    town = {"between": [here, there, here, later], "first": [there, here, later], "last": [here, there]}
    history = MemoryHistory(town)
    assert asked(history, area, MIDNIGHT, MIDNIGHT + 2 * S).unsure == town.keys()
    found = presences(history, area, TimeWindow(from_us(MIDNIGHT), from_us(MIDNIGHT + 2 * S)))
    assert [p.device for p in found] == ["between", "between", "first", "last"]


def test_more_ways_than_are_read_at_once_are_read_by_device(tmp_path, monkeypatch):
    found = {f"d{n:02d}": [(MIDNIGHT + k * 60 * S, WEST, SOUTH) for k in range(61)] for n in range(50)}
    area, w = Area.circle(WEST, SOUTH, 200), TimeWindow(from_us(MIDNIGHT), from_us(MIDNIGHT + 3600 * S))
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(columns(found))
        Keeper(store).seal(DAY + 1)
        history = Questions(store)
        expected = presences(history, area, w)
        assert len(expected) == 50
        assert len(asked(history, area, w.start_us, w.end_us).moves) == 50 * 61
        monkeypatch.setattr("geo_policing.store.history.questions.MOST_ROWS", 50 * 60)
        assert asked(history, area, w.start_us, w.end_us) is None
        assert presences(history, area, w) == expected
        assert presences(history, area, w, [f"d{n:02d}" for n in range(20)]) == expected[:20]


def answers(history, places):
    area, w = places[0]
    return (
        [presences(history, *place) for place in places],
        collision(history, places, 2),
        first_entry(history, area, w, 1),
    )


def some_places(rng, start_minutes):
    places = []
    for _ in range(3):
        start = MIDNIGHT + int(rng.integers(*start_minutes)) * 60 * S
        places.append((Area(polygon(rng)), TimeWindow(from_us(start), from_us(start + 1200 * S))))
    return places


@pytest.mark.parametrize("seed", range(6))
def test_searches_over_a_store_are_the_same_by_either_way(seed, tmp_path, monkeypatch):
    rng = np.random.default_rng(seed)
    found = jumping(rng) | town(rng)
    fixes = columns(found)
    late = rng.random(len(fixes)) < 0.2
    places = some_places(rng, (-10, 5))
    with FixStore(tmp_path / "fixes.duckdb") as store:
        keeper = Keeper(store)
        store.append(fixes.take(~late))
        keeper.seal(DAY)
        store.append(fixes.take(late))
        for then in (lambda: None, lambda: keeper.seal(DAY + 2), keeper.compact):
            then()
            by_device = answers(Questions(store), places)
            monkeypatch.setattr(presence, "FEW", 0)
            assert answers(Questions(store), places) == by_device
            monkeypatch.undo()
            assert by_device == answers(MemoryHistory(found), places)


@pytest.mark.parametrize("seed", range(12))
def test_a_day_sealed_bit_by_bit_answers_as_the_whole(seed, tmp_path, monkeypatch):
    # In parts by time, with fixes that come in the next part or the one after; the last of them not sealed.
    rng = np.random.default_rng(seed)
    found = jumping(rng) | sparse(rng) | town(rng)
    if seed % 2:  # by day, not about midnight
        found = {name: [(t + DAY_US // 2, *at) for t, *at in track] for name, track in found.items()}
    fixes = columns(found)
    start, end = int(fixes.time.min()), int(fixes.time.max())
    part = (fixes.time - start) * 6 // (end - start)
    part += np.where(rng.random(len(fixes)) < 0.03, rng.integers(1, 3, len(fixes)), 0)
    places = some_places(rng, (-10, 15))
    shift = DAY_US // 2 if seed % 2 else 0
    places = [
        (area, TimeWindow(from_us(w.start_us + shift), from_us(w.end_us + shift))) for area, w in places
    ]
    monkeypatch.setattr(presence, "FEW", 0)
    with FixStore(tmp_path / "fixes.duckdb") as store:
        keeper = Keeper(store)
        for number in range(part.max() + 1):
            store.append(fixes.take(part == number))
            before = int(rng.integers(2))
            sure = Questions(store)
            if before:
                # Now and then as the service does, which merges what piles up.
                keeper.keep_up(DAY, 1) if rng.integers(2) else keeper.seal(DAY + 2)
            so_far = {}
            known = fixes.take(part <= number)
            for name in found:
                mine = known.device == name
                so_far[name] = sorted(
                    zip(
                        known.time[mine].tolist(),
                        known.lon[mine].tolist(),
                        known.lat[mine].tolist(),
                        strict=True,
                    )
                )
            assert answers(sure, places) == answers(MemoryHistory(so_far), places)


def test_who_drove_over_the_border_of_two_parts_is_sure_and_who_was_corrected_late_is_not(tmp_path):
    def drive(y, n=121):
        return [(MIDNIGHT + k * S, WEST + k * 10 * METRE, SOUTH + y * METRE) for k in range(n)]

    found = {"over": drive(0), "corrected": drive(10), "stands": [(t, WEST, SOUTH) for t, *_ in drive(0)]}
    fixes = columns(found)
    late = (fixes.device == "corrected") & (fixes.time == MIDNIGHT + 30 * S)
    first = (fixes.time < MIDNIGHT + 60 * S) & ~late
    area = Area(shapely.box(WEST + 2e-4, SOUTH - 2e-4, WEST + 1e-2, SOUTH + 2e-4))
    with FixStore(tmp_path / "fixes.duckdb") as store:
        for some in (first, ~first):
            store.append(fixes.take(some))
            Keeper(store).seal(DAY + 1)
        ways = asked(Questions(store), area, MIDNIGHT, MIDNIGHT + 300 * S)
        assert ways.unsure == {"corrected"}
        assert {ways.moves.names[code] for code in ways.moves.device} == {"over", "stands"}
        Keeper(store).compact()
        assert asked(Questions(store), area, MIDNIGHT, MIDNIGHT + 300 * S).unsure == set()
