"""What makes the evidence for modes comparable: ways drawn onward against all ways added up."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from geo_policing.kernels import bin_wander
from geo_policing.tracks import MovementModel
from geo_policing.tracks.comparing import Onward
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.smoothing import Anchor
from geo_policing.tracks.turns import Turns
from tests.matching.city import grid
from tests.tracks import naive
from tests.tracks.test_kernels import dense, stepped


def laid(town, model):
    return Lattice.of(town, Turns.of(town, model.access), model, np.ones(town.n_edges, bool))


def between(lattice, steps):
    """Anchors at the first bin of a lattice, so many steps apart."""
    density = np.zeros(len(lattice))
    density[0] = 1.0 / lattice.measure_m[0]
    return [Anchor(0, density, 1.0), Anchor(steps, density, 1.0)]


@pytest.mark.parametrize("seed", range(10))
def test_a_step_of_a_way_is_drawn_by_its_probability(seed):
    rng, classes, s = np.random.default_rng(seed), 3, 200
    rows = stepped(seed, np.array([0.0, 20.0, 60.0]))
    n = (len(rows[0]) - 1) // classes
    chain = rng.dirichlet(np.ones(classes), (2, classes))
    chain[0, 1] = [0.0, 1.0, 0.0]
    kind = rng.integers(0, 2, n).astype(np.uint8)
    at = rng.integers(-1, n, s).astype(np.int32)
    speed, u = rng.integers(0, classes, s).astype(np.int32), rng.random(s)
    expected = naive.wander(at, speed, u, *rows, chain, kind)
    went_m = np.zeros(s)
    bin_wander.wander(at, speed, u, *rows, chain, kind, went_m)
    # A share on the border of two ways may fall to either.
    same = [at[k] == to and went_m[k] == way for k, (to, _, way) in enumerate(expected)]
    assert np.mean(same) > 0.98


def test_where_nothing_leads_on_a_way_ends():
    offset, nothing = np.zeros(3, np.int64), np.empty(0, np.float32)
    at, speed, went_m = np.array([0, 1], np.int32), np.zeros(2, np.int32), np.zeros(2)
    bin_wander.wander(
        *(at, speed, np.array([0.3, 0.999]), offset, np.empty(0, np.int32), nothing, nothing),
        *(np.ones((1, 1, 1)), np.zeros(2, np.uint8), went_m),
    )
    assert at.tolist() == [-1, -1]
    assert np.isinf(went_m).all()


@pytest.mark.parametrize("steps", [2, 6])
def test_what_all_ways_on_weigh_is_what_they_add_up_to(steps):
    town = grid(2)
    model = replace(MovementModel.of(), bin_m=100.0, penalty_per_m=np.array([2e-3, 1e-2, 2e-2, 5e-2]))
    lattice = laid(town, model)
    classes = len(model.speed_mps)
    start = np.zeros((len(lattice), classes))
    start[0] = model.start / model.start.sum()
    offset, target, weight, way = lattice.ahead
    by_weight, by_way = (dense(offset, target, value, classes) for value in (weight, way))
    came_m = lattice.felt_came_m(np.array([0]))
    of_each = [
        naive.onward(start, model.chain, lattice.kind, by_weight, by_way, came_m, penalty, steps)
        for penalty in model.penalty_per_m
    ]
    expected = float(np.log(model.penalty_share @ np.array(of_each)))
    assert Onward(lattice, model, between(lattice, steps)).log_weight(0, 1) == pytest.approx(
        expected, abs=0.1
    )


def test_an_hour_weighs_what_it_weighs_whatever_is_drawn():
    model = MovementModel.of().over_gaps_of(3600.0).coarser(4, 4.0)
    lattice = laid(grid(16), model)
    anchors = between(lattice, round(3600 / model.step_s))
    told = [Onward(lattice, model, anchors, seed).log_weight(0, 1) for seed in range(6)]
    assert told[0] < -4.0
    assert np.std(told) < 0.25


def test_of_a_place_that_nothing_leads_on_from_no_way_is_weighed():
    model = MovementModel.of()
    lattice = laid(grid(2), model)
    rows = np.zeros(len(lattice) * len(model.speed_mps) + 1, np.int64)
    nowhere = replace(lattice, steps=SimpleNamespace(whole=lambda: (rows, *lattice.ahead[1:])))
    assert Onward(nowhere, model, between(lattice, 5)).log_weight(0, 1) == 0.0
