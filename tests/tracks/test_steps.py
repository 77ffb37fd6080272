"""Where steps lead: worked out once for the bins that are asked for, and the same however they are asked."""

import numpy as np
import pytest

from geo_policing.tracks import MovementModel, ground, reconstruct, steps, threads
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.steps import Cut, Steps
from geo_policing.tracks.turns import Turns
from tests.matching.city import grid
from tests.tracks.test_reconstruct import seen


@pytest.fixture(scope="module")
def laid():
    town, model = grid(8), MovementModel.of()
    return Lattice.of(town, Turns.of(town), model, np.ones(town.n_edges, bool)), model


def of(laid, workers=1):
    lattice, model = laid
    return Steps(lattice.cut, model, model.speed_mps, 4.0, lattice.felt_ahead, workers=workers)


@pytest.fixture
def asked(monkeypatch):
    """The bins that rows are worked out for, time by time."""
    found, rows = [], Cut.rows

    def worked_out(self, model, speed_mps, step_s, felt, bins, **how):
        found.append(bins.tolist())
        return rows(self, model, speed_mps, step_s, felt, bins, **how)

    monkeypatch.setattr(Cut, "rows", worked_out)
    return found


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_rows_are_the_same_in_whatever_parts_they_are_asked_for(laid, seed, workers):
    rng, n = np.random.default_rng(seed), len(laid[0])
    whole, parts = of(laid).whole(), of(laid, workers)
    for _ in range(12):
        bins = rng.choice(n, rng.integers(1, n // 8), replace=False)
        nth, offset, *columns = parts.of(bins)
        for b in bins.tolist():
            for c in range(parts.classes):
                row, here = b * parts.classes + c, nth[b] * parts.classes + c
                mine = slice(offset[here], offset[here + 1])
                theirs = slice(whole[0][row], whole[0][row + 1])
                assert all((a[mine] == b[theirs]).all() for a, b in zip(columns, whole[1:], strict=True))
    assert 0 < parts.known < n
    assert all((a == b).all() for a, b in zip(parts.whole(), whole, strict=True))
    assert parts.known == n


def test_what_was_handed_out_stays_as_it_is_when_more_is_asked_for(laid):
    parts = of(laid)
    n = len(laid[0])
    handed = parts.of(np.arange(n // 2))
    used = handed[1][n // 2 * parts.classes]
    kept = [handed[0].copy(), *(column[:used].copy() for column in handed[2:])]
    for begin in range(n // 2, n, 7):
        parts.of(np.arange(begin, min(begin + 7, n)))
    parts.whole()
    assert (handed[0] == kept[0]).all()
    assert all((a[:used] == b).all() for a, b in zip(handed[2:], kept[1:], strict=True))


def test_no_bin_is_worked_out_twice_whoever_asks_at_once(laid, asked):
    parts, n = of(laid, 2), len(laid[0])
    some = [np.arange(n)[k : k + n // 2] for k in (0, n // 4, n // 8, 0)]
    threads.each([threads.in_one(lambda bins=bins: parts.of(bins)) for bins in some], 4, lambda: None)
    once = sorted(b for bins in asked for b in bins)
    assert once == np.unique(np.concatenate(some)).tolist()
    parts.of(some[0])
    assert sorted(b for bins in asked for b in bins) == once


@pytest.fixture
def grounds(monkeypatch):
    """Whether each bin of the lattice is in any ground, once there is one."""
    found, inside = [], ground.Distances.inside

    def looked(self, *how):
        there = inside(self, *how)
        found[:] = [there if not found else found[0] | there]
        return there

    monkeypatch.setattr(ground.Distances, "inside", looked)
    return found


#: Between the ends of a street of a town with much beside it.
WAY = [seen(18, 20, 0), seen(20, 20, 300), seen(22, 20, 500)]
DOUBTFUL = [WAY[0], seen(20, 20, 300, probability=0.5), seen(22, 20, 500, probability=0.5)]


@pytest.mark.parametrize("workers", [1, 2])
def test_in_a_wide_town_rows_are_worked_out_only_where_a_way_weighs_enough(grounds, asked, workers):
    found = reconstruct(grid(40), WAY, workers=workers)
    (needed,) = grounds
    assert found.lattice.steps.known == needed.sum() < 0.6 * len(found.lattice)
    assert sorted(b for bins in asked for b in bins) == np.flatnonzero(needed).tolist()
    carrying = np.unique(np.concatenate(found.smoothed.bins))
    assert needed[carrying].all()


@pytest.mark.parametrize("sightings", [WAY, DOUBTFUL])
def test_the_answer_is_to_the_bit_that_of_all_rows_worked_out_before(sightings, monkeypatch):
    town = grid(40)
    few = reconstruct(town, sightings, workers=1)
    of_some = Steps.of

    def of_all(self, bins):
        self.whole()
        return of_some(self, bins)

    monkeypatch.setattr(steps.Steps, "of", of_all)
    every = reconstruct(town, sightings, workers=1)
    assert every.lattice.steps.known == len(every.lattice)
    assert every.log_evidence == few.log_evidence
    assert every.truth.tolist() == few.truth.tolist()
    for mine, theirs in ((every.smoothed.bins, few.smoothed.bins), (every.smoothed.mass, few.smoothed.mass)):
        assert all((a == b).all() for a, b in zip(mine, theirs, strict=True))
    for mine, theirs in zip(every.smoothed.paths, few.smoothed.paths, strict=True):
        assert [(k, bins.tolist()) for k, bins in mine] == [(k, bins.tolist()) for k, bins in theirs]
