"""The coarse gear: where it is used, how classes change, and that it tells what the fine one tells."""

import threading
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from geo_policing.errors import InvalidInput
from geo_policing.model import TimeWindow
from geo_policing.tracks import (
    MovementModel,
    gears,
    ground,
    outside,
    reconstruct,
    surroundings,
    threads,
    ways,
)
from geo_policing.tracks.gears import COARSE, FINE, Gears, Schedule, together
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.reach import Reach
from geo_policing.tracks.turns import Turns
from tests.matching.city import grid
from tests.tracks.test_reconstruct import BEGIN, at, seen


@pytest.fixture(scope="module")
def town():
    return grid(6)


@pytest.fixture(scope="module")
def made(town):
    model = MovementModel.of().coarser(4, 4.0)
    return Gears(Lattice.of(town, Turns.of(town), model, np.ones(town.n_edges, bool)), model)


def test_who_stands_is_a_class_alone_and_the_others_go_together():
    assert together(10).argmax(axis=1).tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    assert together(5).argmax(axis=1).tolist() == [0, 1, 1, 2, 2]
    for classes in range(1, 13):
        assert together(classes).sum(axis=1).tolist() == [1.0] * classes
        assert (together(classes).sum(axis=0) > 0).all()


def test_probability_is_kept_whatever_the_gears(made):
    for row in made.chain:
        for chain in row:
            assert chain.sum(axis=2) == pytest.approx(1.0, abs=1e-3)


def test_in_the_long_run_both_gears_are_as_often_in_each_class(made):
    for kind in range(len(made.chain[FINE][FINE])):
        fine = np.linalg.matrix_power(made.chain[FINE][FINE][kind].astype(float), 500)[0] @ made.joined
        coarse = np.linalg.matrix_power(made.chain[COARSE][COARSE][kind].astype(float), 500)[0]
        assert coarse / coarse.sum() == pytest.approx(fine / fine.sum(), abs=1e-3)


@pytest.mark.parametrize("stops", [(0, 300), (0, 40, 400), (0, 150, 151, 290), (0, 0), (0, 81)])
def test_a_schedule_stops_at_each_sighting_and_is_coarse_only_far_from_all(made, stops):
    step_s, stride = 8.0, made.stride[COARSE]
    schedule = Schedule.between(sorted(set(stops)), made, step_s)
    assert set(stops) <= set(schedule.step.tolist())
    assert np.diff(schedule.step).tolist() == [
        stride if gear == COARSE else 1 for gear in schedule.gear[1:].tolist()
    ]
    for step, gear in zip(schedule.step.tolist(), schedule.gear.tolist(), strict=True):
        if gear == COARSE:
            assert min(abs(step - stop) for stop in stops) * step_s >= gears.FINE_S
    assert (schedule.gear == COARSE).any() == any((b - a) * step_s > gears.LONG_S for a, b in pairwise(stops))


def test_open_ended_schedules_are_fine_near_the_sightings_they_begin_or_end_with(made):
    after = Schedule.since([0, 50], 120, made, 20)
    assert {0, 50, 120} <= set(after.step.tolist())
    assert all(
        gear == FINE for k, gear in zip(after.step, after.gear, strict=True) if k <= 20 or 50 <= k <= 70
    )
    before = Schedule.until([30, 100], made, 20)
    assert {0, 30, 100} <= set(before.step.tolist())
    assert all(gear == FINE for k, gear in zip(before.step, before.gear, strict=True) if 80 < k <= 100)
    assert (after.gear == COARSE).any()
    assert (before.gear == COARSE).any()


def regions(found, resolution=10):
    moments = [BEGIN + timedelta(seconds=s) for s in range(60, 1500, 120)]
    return [found.occupancy(moment, resolution) for moment in moments]


def apart(one, other):
    """Largest total variation between two answers."""
    found = []
    for a, b in zip(regions(one), regions(other), strict=True):
        mine, theirs = (dict(zip(o.cell.tolist(), o.probability.tolist(), strict=True)) for o in (a, b))
        found.append(sum(abs(mine.get(c, 0.0) - theirs.get(c, 0.0)) for c in mine | theirs) / 2)
    return max(found)


def test_far_from_sightings_the_coarse_gear_tells_what_the_fine_one_tells(town, monkeypatch):
    sightings = [seen(0, 0, 0), seen(4, 3, 1500)]
    coarse = reconstruct(town, sightings)
    path = coarse.best_path
    monkeypatch.setattr(gears, "LONG_S", np.inf)
    fine = reconstruct(town, sightings)
    assert 0.0 < apart(coarse, fine) < 0.1
    assert coarse.log_evidence == pytest.approx(fine.log_evidence, abs=0.5)
    assert list(path.entered) == sorted(path.entered)
    assert (len(coarse.smoothed.bins), len(coarse.smoothed.paths[0][0][1])) == (376, 376)


def test_long_after_the_last_sighting_the_coarse_gear_does_as_well(town, monkeypatch):
    window = TimeWindow(at(-1500), at(1500))
    coarse = reconstruct(town, [seen(2, 2, 0)], window=window)
    monkeypatch.setattr(outside, "FINE_S", 1e6)
    fine = reconstruct(town, [seen(2, 2, 0)], window=window)
    assert 0.0 < apart(coarse, fine) < 0.05


def test_what_only_rare_haste_leads_to_is_left_out_and_missed_by_nobody(monkeypatch):
    town = grid(40)
    sightings = [seen(19, 20, 0), seen(21, 20, 240)]
    model = MovementModel.of()
    # Whose speed changes all the time never gets as far as one who goes on.
    fickle = replace(
        model, chain=np.tile(model.start / model.start.sum(), (len(model.chain), len(model.start), 1))
    )
    near = reconstruct(town, sightings, fickle)
    monkeypatch.setattr(surroundings, "RARE_HASTE", 1e9)
    monkeypatch.setattr(ground, "CELL_M", 1e9)
    whole = reconstruct(town, sightings, fickle)
    assert len(near.lattice) < 0.8 * len(whole.lattice)
    assert near.log_evidence == pytest.approx(whole.log_evidence, abs=1e-3)
    for second in range(0, 241, 60):
        one, other = (
            dict(zip(o.cell.tolist(), o.probability.tolist(), strict=True))
            for o in (found.occupancy(at(second)) for found in (near, whole))
        )
        assert sum(abs(one.get(c, 0.0) - other.get(c, 0.0)) for c in one | other) < 1e-3


def test_the_chance_of_having_come_far_falls_with_the_way_and_grows_with_time():
    reach = Reach(MovementModel.of())
    reach.extend(300)
    assert (np.diff(reach.table, axis=1) <= 1e-4).all()
    assert (reach.table[300] >= reach.table[50] - 1e-3).all()
    assert reach.farthest_m(30, 0.0, 10.0) < reach.farthest_m(30, 0.0, 20.0) < 60.0 * 42.0 + 1000.0
    assert reach.table[30, int(4000.0 / 20.0) :].max() == 0.0


def test_of_a_month_no_more_is_worked_out_than_of_hours_and_it_bounds_nobody():
    reach = Reach(MovementModel.of())
    reach.extend(2_000_000)
    assert reach.table.nbytes < 100e6
    assert (reach.table[reach.row(np.array([3999, 4000, 2_000_000]))][1:] == 1.0).all()
    assert reach.farthest_m(2_000_000, 0.0, 28.0) == np.inf
    assert reach.table[3999].min() > 0.5


SURE = [seen(0, 0, 0), seen(2, 5, 60), seen(4, 0, 120), seen(0, 3, 900), seen(3, 3, 960)]


@pytest.mark.parametrize("sightings", [SURE, [replace(one, probability=0.7) for one in SURE], SURE[:3]])
@pytest.mark.parametrize("ahead", [ways.AHEAD, 0.0])
def test_the_answer_is_the_same_in_one_thread_and_in_several(town, sightings, ahead, monkeypatch):
    monkeypatch.setattr(ways, "AHEAD", ahead)
    one, *several = (reconstruct(town, sightings, workers=n) for n in (1, 2, 5))
    for other in several:
        assert other.log_evidence == one.log_evidence
        assert other.truth.tolist() == one.truth.tolist()
        assert all((a == b).all() for a, b in zip(other.smoothed.bins, one.smoothed.bins, strict=True))
        assert all((a == b).all() for a, b in zip(other.smoothed.mass, one.smoothed.mass, strict=True))
        assert [p.edges.tolist() for p in other.paths(5)] == [p.edges.tolist() for p in one.paths(5)]


@pytest.mark.parametrize("guess", ["right", "wrong"])
def test_ways_found_ahead_are_taken_where_they_lead_to_where_one_can_be(town, guess, monkeypatch):
    asked = []
    found = ways.WayFinder.ways

    def ask(self, between, workers=1):
        asked.append((between.goal, threading.current_thread() is threading.main_thread()))
        if guess == "wrong" and not asked[-1][1]:
            between = replace(between, goal_bins=between.goal_bins[:1])
        return found(self, between, workers)

    alone = reconstruct(town, SURE, workers=1)
    monkeypatch.setattr(ways.WayFinder, "ways", ask)
    beside = reconstruct(town, SURE, workers=2)
    assert beside.log_evidence == alone.log_evidence
    assert all((a == b).all() for a, b in zip(beside.smoothed.mass, alone.smoothed.mass, strict=True))
    again = [] if guess == "right" else [(3, True), (2, True), (1, True)]
    assert sorted(asked) == sorted([(4, True), (3, False), (2, False), (1, False), *again])


@pytest.mark.parametrize("workers", [1, 3])
def test_what_progress_raises_ends_the_work_also_in_threads(town, workers):
    class Enough(Exception):
        pass

    told = []

    def progress(share):
        told.append(share)
        if share > 0.2:
            raise Enough

    with pytest.raises(Enough):
        reconstruct(
            town, [seen(0, 0, 0), seen(2, 2, 60), seen(4, 0, 200)], workers=workers, progress=progress
        )
    assert told == sorted(told)


@pytest.mark.parametrize("workers", [1, 3])
def test_what_fails_in_a_thread_is_said(town, workers):
    short = replace(MovementModel.of(), prune=0.0)
    with pytest.raises(Exception, match="more than the 0 MB allowed"):
        reconstruct(town, [seen(0, 0, 0), seen(5, 5, 600)], short, memory_bytes=10_000, workers=workers)


def test_from_a_start_that_does_not_lead_there_nothing_comes_also_where_detours_cost_nothing():
    # Nobody comes to the last crossing, but one may have been there.
    alone = grid(3, closed=("5>8", "7>8"))
    model = MovementModel.of()
    lattice = Lattice.of(alone, Turns.of(alone), model, np.ones(alone.n_edges, bool))
    names = np.array(alone.edge_ids)[lattice.edge]
    starts, goal = [np.flatnonzero(names == name) for name in ("8>7", "4>5")], np.flatnonzero(names == "0>1")
    ways = ground.Distances.of(lattice, starts, goal, [1e9, 1e9], [np.ones(ground.CELLS)] * 2)
    for penalty in (0.0, 0.01):
        there = ground.Ground.of(lattice, ways, penalty, 0.0)
        closed = there.number[starts[0]]
        assert there.prior[0, closed].min() > 0.0
        assert (there.prior[1, closed] == 0.0).all()
        assert np.isfinite(there.prior).all()


def test_before_the_first_sighting_the_answer_is_the_same_in_one_thread_and_in_several(town):
    sightings = [seen(0, 0, 0, probability=0.6), seen(2, 5, 60, probability=0.7), seen(4, 0, 120)]
    window = TimeWindow(at(-200), at(300))
    one, several = (reconstruct(town, sightings, window=window, workers=n) for n in (1, 3))
    assert all((a == b).all() for a, b in zip(several.smoothed.bins, one.smoothed.bins, strict=True))
    assert all((a == b).all() for a, b in zip(several.smoothed.mass, one.smoothed.mass, strict=True))


@pytest.mark.parametrize("workers", [1, 3])
def test_what_is_done_beside_is_waited_for_and_ended_with_the_rest(workers):
    here, done = threading.get_ident(), []

    def work(tick):
        for _ in range(5):
            tick()
            done.append(threading.get_ident())
        return len(done)

    with threads.beside(work, workers, lambda: None) as result:
        assert result() == 5
    assert (set(done) == {here}) == (workers == 1)

    def never(tick):
        while True:
            tick()
            done.append(None)

    with pytest.raises(InterruptedError), threads.beside(never, workers, lambda: None):
        raise InterruptedError

    def ended():
        raise TimeoutError

    with pytest.raises(TimeoutError), threads.beside(never, workers, ended) as result:
        result()

    def broken(_tick):
        raise InvalidInput("broken")

    with pytest.raises(InvalidInput, match="broken"), threads.beside(broken, workers, lambda: None) as result:
        result()
