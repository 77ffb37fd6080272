"""Before the first true sighting and after the last: a spread by the chain of speeds and the turns alone."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels import bin_approach, bin_filter
from geo_policing.tracks.approaches import Read, added, between
from geo_policing.tracks.gears import Gears, Schedule
from geo_policing.tracks.ground import Ground, State, Walk
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.legs import LegFilter
from geo_policing.tracks.movement import MovementModel

Array = NDArray[np.float64]
#: One of the sightings that may be the first or the last: its step, its probability, and the state there.
End = tuple[int, float, State]

#: More than so many seconds from the next sighting the coarse gear does.
FINE_S = 300.0


class Outside:
    """Steps over a lattice that lead from or to anywhere.

    Parameters
    ----------
    lattice : Lattice
        Where.
    model : MovementModel
        How.
    gears : Gears
        Of the lattice.
    legs : LegFilter
        Knows what is watched, and what memory is left.
    """

    def __init__(self, lattice: Lattice, model: MovementModel, gears: Gears, legs: LegFilter) -> None:
        self._lattice, self._model, self._gears, self._filter = lattice, model, gears, legs
        n = len(lattice)
        self._fine = int(np.ceil(FINE_S / model.step_s))
        self._walk = Walk(Ground.everywhere(lattice), gears)
        self._touched, self._mark = np.zeros(n, np.int32), np.full(n, -1, np.int8)
        #: What was read out at the steps of those that may be the first, or the last, without themselves.
        self.passed: list[Read] = []
        #: How common each class is, by how many there are.
        self._start = {len(start): start for start in (model.start @ gears.joined, model.start)}

    def before(self, ends: Sequence[End]) -> Iterator[Read]:
        """Yield the steps before those that may be the first true one: where one may have come from."""
        stops = sorted({step for step, _, _ in ends})
        if not stops or not stops[-1]:
            return
        walk, ground = self._walk, self._walk.ground
        anywhere = (ground.came_m, ground.prior, np.zeros(1), np.zeros(1, np.int64), np.ones((1, 1)), 1.0)
        schedule = Schedule.until(stops, self._gears, self._fine)
        now, share = _NOTHING, 0.0
        later: Read | None = None
        for t in range(len(schedule.step) - 1, -1, -1):
            k = int(schedule.step[t])
            if share > 0.0:
                gear, came_by = schedule.pair(t)[1]
                bins, values, _ = bin_approach.backward(
                    *(*now, *walk.rows(came_by), self._gears.chain_back[gear][came_by], ground.kind),
                    *(*anywhere, self._model.prune, walk.dense(came_by), walk.mark(came_by)),
                )
                now = self._filter.watched(int(schedule.step[t - 1]) if t else k - 1, k, (bins, values))
                told = self._told(k, now[0], self._came(now), share)
                if later is not None:
                    yield from between(told, later)
                yield told
                later = told
            joining = [(state, p, self._came(state).sum()) for step, p, state in ends if step == k]
            if joining and share > 0.0 and later is not None:
                self.passed.append(later)
            if joining:
                parts = [*joining, (now, share, self._came(now).sum())] if share > 0.0 else joining
                now, share = _mixed(parts)

    def after(self, ends: Sequence[End], steps: int) -> Iterator[Read]:
        """Yield those that may be the last true one and the steps after them, up to so many."""
        if not ends:
            return
        first = min(step for step, _, _ in ends)
        stops = sorted({step - first for step, _, _ in ends})
        schedule = Schedule.since(stops, steps - 1 - first, self._gears, self._fine)
        now, share = _NOTHING, 0.0
        earlier: Read | None = None
        for t, k in enumerate((schedule.step + first).tolist()):
            if share > 0.0:
                (before, _), (gear, into) = schedule.pair(t - 1)
                bins, values, _ = bin_filter.forward(
                    *(*now, *self._gears.gear[into].steps.whole()[:3], self._gears.chain[gear][into]),
                    *(self._lattice.kind, self._model.prune, self._dense(into), self._touched, self._mark),
                )
                now = self._filter.watched(before + first, k, (bins, values))
            joining = [
                (state, p, float(state[1].sum(dtype=np.float64))) for step, p, state in ends if step == k
            ]
            if joining and share > 0.0:
                self.passed.append((k, now[0], _shares(now[1].sum(axis=1, dtype=np.float64)), share))
            if joining:
                parts = (
                    [*joining, (now, share, float(now[1].sum(dtype=np.float64)))] if share > 0.0 else joining
                )
                now, share = _mixed(parts)
            told = self._told(k, now[0], now[1].sum(axis=1, dtype=np.float64), share)
            if earlier is not None:
                yield from between(earlier, told)
            yield told
            earlier = told

    def _told(self, step: int, bins: NDArray[np.int32], mass: Array, share: float) -> Read:
        """Read out a step, and remember that it is kept."""
        told = _shares(mass)
        self._filter.count((bins, told))
        return step, bins, told, share

    def _came(self, state: State) -> Array:
        """Weights (k,) of having been in each bin of what comes backward."""
        return np.asarray((state[1] @ self._start[state[1].shape[1]]) * self._lattice.measure_m[state[0]])

    def _dense(self, gear: int) -> NDArray[np.float32]:
        return self._walk.dense(gear).reshape(len(self._lattice), -1)


def _shares(mass: Array) -> NDArray[np.float32]:
    return np.asarray((mass / max(mass.sum(), 1e-300)).astype(np.float32))


def _mixed(parts: Sequence[tuple[State, float, float]]) -> tuple[State, float]:
    """Sum states, each with its probability and what it weighs, and their probabilities."""
    state, _ = added([(state, float(np.log(p / mass))) for state, p, mass in parts if mass > 0.0])
    return state, sum(p for _, p, _ in parts)


_NOTHING: State = (np.empty(0, np.int32), np.empty((0, 0), np.float32))
