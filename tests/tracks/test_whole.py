"""The whole filter against dense sums over all that may be true, on tiny towns of all sorts."""

from dataclasses import replace

import numpy as np
import pytest

from geo_policing.roads import RoadNetwork
from geo_policing.tracks import MovementModel, gears, ground, ways
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.smoothing import Anchor, Impossible, Smoother
from geo_policing.tracks.turns import Turns
from tests.matching.city import LAT, LON
from tests.tracks.whole import Whole


def tiny_town(rng):
    """A few crossings: one-way roads, roads side by side, loops, roads of no length, forbidden turns."""
    n = int(rng.integers(3, 6))
    x, y = rng.uniform(0.0, 0.004, (2, n))
    if rng.random() < 0.3:
        x[1], y[1] = x[0], y[0]
    ends = {tuple(rng.permutation(n)[:2].tolist()) for _ in range(n + 2)}
    ends |= {(b, a) for a, b in ends if rng.random() < 0.7}
    lines = {(a, b): np.array([[x[a], y[a]], [x[b], y[b]]]) for a, b in sorted(ends)}
    pairs, shapes = list(lines), list(lines.values())
    if rng.random() < 0.3:
        pairs.append((0, 0))
        shapes.append(np.array([[x[0], y[0]], [x[0] + 1e-3, y[0]], [x[0], y[0] + 1e-3], [x[0], y[0]]]))
    if rng.random() < 0.3:
        a, b = pairs[0]
        pairs.append((a, b))
        shapes.append(np.array([[x[a], y[a]], [x[a] + 7e-4, y[b]], [x[b], y[b]]]))
    start, end = np.array(pairs).T
    turns = [(i, j) for i, b in enumerate(end) for j, a in enumerate(start) if a == b and rng.random() < 0.05]
    return RoadNetwork.build(
        node_lon=LON + x,
        node_lat=LAT + y,
        edge_id=[str(k) for k in range(len(pairs))],
        from_node=start,
        to_node=end,
        geometry_lonlat=[np.array([LON, LAT]) + shape for shape in shapes],
        forbidden_turn=np.array(turns, np.int32).reshape(-1, 2),
    )


def any_model(rng):
    """Two or three classes that change as they like, some penalties, one of them perhaps none."""
    classes, penalties = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    usual = MovementModel.of()
    return replace(
        usual,
        speed_mps=np.sort(np.append(0.02, rng.uniform(2.0, 25.0, classes - 1))),
        start=rng.dirichlet(np.ones(classes)),
        chain=rng.dirichlet(np.full(classes, 0.5), (len(usual.chain), classes)),
        bin_m=float(rng.uniform(60.0, 140.0)),
        penalty_per_m=rng.choice([0.0, 1e-3, 4e-3, 0.014, 0.055], penalties, replace=False),
        penalty_share=rng.dirichlet(np.ones(penalties)),
        prune=0.0,
    )


def any_anchors(rng, lattice, steps):
    """Up to five sightings, some doubtful, some surely false, some at one moment or on one edge."""
    found = []
    for step in np.sort(rng.integers(0, steps, int(rng.integers(2, 6)))).tolist():
        place = int(rng.integers(len(lattice.point_bin)))
        accuracy_m = float(rng.choice([15.0, 30.0, 100.0]))
        edge = lattice.edge[lattice.point_bin[place]] if rng.random() < 0.3 else None
        near = lattice.near(lattice.point_x[place], lattice.point_y[place], accuracy_m, edge)
        probability = float(rng.choice([1.0, 1.0, 0.9, 0.5, 0.1, 0.0]))
        found.append(Anchor(step, near / (near * lattice.bin_m).sum(), probability))
    return found


def any_watches(rng, lattice, steps, classes):
    """At some steps the probability of not being seen in a few bins."""
    found = {}
    for step in np.flatnonzero(rng.random(steps) < rng.choice([0.0, 0.4])).tolist():
        bins = np.sort(rng.choice(len(lattice), 3, replace=False)).astype(np.int32)
        found[step] = (bins, rng.uniform(1e-3, 1.0, (3, classes)).astype(np.float32))
    return found


@pytest.fixture
def open_ended(monkeypatch):
    """Nothing is out of reach: what leads there in time, and what does not, is tested by itself."""
    monkeypatch.setattr(ground, "MOST_DETOUR", np.inf)
    made = ways.WayFinder.__init__

    def endless(self, lattice, model, *more):
        made(self, lattice, model, *more)
        self.step_m = np.append(self.step_m[:-1], 1e7)
        self.reach.extend = lambda steps: None
        self.reach.table = np.ones((steps_known, ground.CELLS))

    steps_known = 100
    monkeypatch.setattr(ways.WayFinder, "__init__", endless)


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("seed", range(40))
@pytest.mark.usefixtures("open_ended")
def test_what_is_told_of_doubtful_sightings_and_watches_equals_the_dense_sums(seed, coarse, monkeypatch):
    if coarse:
        monkeypatch.setattr(gears, "LONG_S", 20.0)
        monkeypatch.setattr(gears, "FINE_S", 6.0)
        monkeypatch.setattr(gears, "COARSE_S", 8.0)
    rng = np.random.default_rng(seed)
    town, model, steps = tiny_town(rng), any_model(rng), int(rng.integers(5, 30))
    lattice = Lattice.of(town, Turns.of(town), model, np.ones(town.n_edges, bool))
    anchors = any_anchors(rng, lattice, steps)
    if not any(anchor.probability > 0.0 for anchor in anchors):
        anchors[0] = replace(anchors[0], probability=1.0)
    unseen = any_watches(rng, lattice, steps, len(model.speed_mps))
    made = gears.Gears(lattice, model)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = Whole(lattice, model, anchors, steps, unseen, made)
    smoother = Smoother(lattice, model, anchors, steps, unseen, 10**9, workers=1 + seed % 2)
    if not np.isfinite(whole.log_evidence):
        with pytest.raises(Impossible):
            smoother.run(20, rng)
        return
    found = smoother.run(20, rng)
    assert found.log_evidence == pytest.approx(whole.log_evidence, abs=1e-4)
    assert found.truth == pytest.approx(whole.truth, abs=1e-4)
    assert found.first.sum() == pytest.approx(1.0, abs=1e-4)
    assert found.last.sum() == pytest.approx(1.0, abs=1e-4)
    # Between the first that can be true and the last, where no time before or after is mixed in.
    true = np.flatnonzero(found.first > 1e-6)[-1], np.flatnonzero(found.last > 1e-6)[0]
    for step in range(anchors[true[0]].step, anchors[true[1]].step):
        mass = np.zeros(len(lattice))
        mass[found.bins[step]] = found.mass[step]
        assert mass == pytest.approx(whole.posterior[step], abs=1e-4)
    assert not any((bins < 0).any() for path in found.paths for _, bins in path)


@pytest.mark.parametrize("seed", range(100, 124))
@pytest.mark.usefixtures("open_ended")
def test_what_the_others_say_of_a_doubtful_sighting_is_what_is_told_where_it_is_surely_false(seed):
    rng = np.random.default_rng(seed)
    town, model, steps = tiny_town(rng), any_model(rng), int(rng.integers(5, 30))
    lattice = Lattice.of(town, Turns.of(town), model, np.ones(town.n_edges, bool))
    anchors = [
        replace(anchor, probability=min(anchor.probability, 0.95), near=rng.random(len(lattice)))
        for anchor in any_anchors(rng, lattice, steps)
    ]
    anchors.append(replace(anchors[-1], step=steps - 1, probability=0.8))
    unseen = any_watches(rng, lattice, steps, len(model.speed_mps))

    def smoothed(anchors):
        # None in a row is one too many: of one that is surely false it is not counted.
        return Smoother(lattice, model, anchors, steps, unseen, 10**9, 1 + seed % 2, len(anchors)).run(0, rng)

    found = smoothed(anchors)
    for i, anchor in enumerate(anchors):
        others = [replace(one, probability=0.0) if k == i else one for k, one in enumerate(anchors)]
        told = found.left_out[i].sum()
        if np.isfinite(told) and any(one.probability > 0.0 for one in others):
            without = smoothed(others)
            expected = anchor.near[without.bins[anchor.step]] @ without.mass[anchor.step]
            # Of what is without it a tenth may not have been followed.
            assert told == pytest.approx(expected, abs=0.05)
