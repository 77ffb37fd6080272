"""One way between two true sightings: filtered backward, then forward, with the paths that are sampled on it.

A leg is filtered once for each penalty of detours. What a way costs is charged as it leaves the shortest one,
so under a penalty nothing beyond a certain detour can carry weight; bins that lie farther aside are not
there at all, which makes all penalties but the smallest cheap however large the city is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.kernels import bin_filter, bin_steps
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.movement import MovementModel

Array = NDArray[np.float64]
#: Bins and a row of classes for each.
State = tuple[NDArray[Any], NDArray[Any]]
#: A state, what all of it was divided by (logarithm), and the steps read out: bins and their mass.
Passed = tuple[State, float, list[State]]

#: Of longer legs, and of all when a quarter of the memory is used, one state in so many is kept; those
#: between are made again when they are needed.
LONG, KEPT_EVERY = 400, 20
#: A way whose detour weighs less than exp(-this) is not followed.
MOST_DETOUR = 16.0
#: What is forgotten where both directions are known, as a share of what is forgotten backward.
JOINED = 0.01
#: A leg on which all was forgotten, since it takes rare haste, is tried again with so much less forgotten.
LAST_RESORT = 1e-7
#: How far one can have come is told in cells of so many metres.
REACH_CELL_M = 20.0


@dataclass(slots=True, eq=False)
class Leg:
    """What comes backward on one leg under one penalty: at every so many-th step, and at the last.

    Parameters
    ----------
    start, end : int
        Sightings it leads from and to.
    begin, steps : int
        Its first step, and how many it takes.
    penalty : float
        Of detours, 1/m.
    share : float
        Of the penalty in the mixture.
    to_go_m, came_m : (b,) float64
        Ways to its end, as they feel, and from its start; inf where no way of weight leads through.
    start_weight : (b,) float64
        exp(-penalty * detour) of beginning elsewhere than where the way is shortest.
    prior : (b,) float64
        exp(-penalty * detour) of passing there at best.
    prune : float
        Share of the whole below which a bin was forgotten.
    every : int
        One state in so many is kept.
    behind : list of State
        The states kept, in order of time.
    log_weight : float
        Logarithm of all that comes backward.
    """

    start: int
    end: int
    begin: int
    steps: int
    penalty: float
    share: float
    to_go_m: Array
    came_m: Array
    start_weight: Array
    prior: Array
    prune: float
    every: int
    behind: list[State]
    log_weight: float


@dataclass(slots=True, eq=False)
class Riders:
    """Sampled paths on a leg: their numbers (s,), bins and classes now (s,) and the bins so far."""

    path: NDArray[np.int64]
    bin: NDArray[np.int32]
    speed: NDArray[np.int32]
    driven: list[NDArray[np.int32]]


class LegFilter:
    """Steps over one lattice, and whole legs of them.

    Parameters
    ----------
    lattice : Lattice
        Where.
    model : MovementModel
        How.
    unseen : dict of int to ((k,) int32, (k, classes) float32)
        At some steps, bins and the probability of not being detected in each.
    memory_bytes : int
        What the backward weights may take.
    """

    def __init__(
        self, lattice: Lattice, model: MovementModel, unseen: dict[int, State], memory_bytes: int
    ) -> None:
        self._lattice, self._model, self._unseen = lattice, model, unseen
        self._memory, self._used = memory_bytes, 0
        self._far: list[Array] = []
        self._driven = np.empty((0, 0))
        n, classes = len(lattice), len(model.speed_mps)
        self._step_m = model.speed_mps * model.step_s
        self._dense = np.zeros((n, classes))
        self._touched, self._at = np.zeros(n, np.int32), np.full(n, -1, np.int32)
        #: Called at each step of a leg; what it raises ends the work.
        self.tick: Callable[[], None] = lambda: None

    def legs(
        self, pair: tuple[int, int], between: tuple[int, int], start: NDArray[Any], end: State
    ) -> Iterator[Leg]:
        """Filter backward under each penalty from the state at the end to bins where a leg may start.

        pair: the sightings; between: their steps; start (k,) bins; end: the state at the second sighting.
        """
        model, lattice = self._model, self._lattice
        begin, last = between
        to_go_m, came_m = lattice.felt_to_go_m(end[0]), lattice.came_m(start)
        shortest = to_go_m[start].min()
        if not np.isfinite(shortest):
            return
        detour_m = np.maximum(to_go_m + lattice.felt_came_m(start) - shortest - 4.0 * model.bin_m, 0.0)
        arrived = self.watched(last, end)
        for penalty, share in zip(model.penalty_per_m.tolist(), model.penalty_share.tolist(), strict=True):
            aside = penalty * detour_m > MOST_DETOUR if penalty > 0.0 else ~np.isfinite(detour_m)
            to_go = np.where(aside, np.inf, to_go_m)
            prior = np.exp(-np.where(aside, np.inf, penalty * detour_m))
            weight = self._weights(lattice.back, to_go, penalty, transposed=True)
            short = last - begin <= LONG and self._used < self._memory / 4
            every = 1 if short else KEPT_EVERY
            for prune in (model.prune, model.prune * LAST_RESORT):
                now, log, behind = arrived, 0.0, [arrived]
                for step in range(last - 1, begin - 1, -1):
                    self.tick()
                    now, scale = self._step_back(now, step, begin, weight, came_m, prior, prune)
                    log += scale
                    if (step - begin) % every == 0:
                        behind.append(now)
                        self.count(now)
                if np.isin(start, now[0]).any():
                    break
            else:
                continue
            if log > -np.inf:
                beyond = np.where(aside, np.inf, penalty * np.maximum(to_go_m - shortest, 0.0))
                yield Leg(
                    *(*pair, begin, last - begin, penalty, share, to_go, came_m, np.exp(-beyond)),
                    *(prior, prune, every),
                    behind=behind[::-1],
                    log_weight=log + float(np.log(share)),
                )

    def carried(self, leg: Leg, state: State) -> tuple[State, float, float]:
        """Put a state on a leg: scaled to 1, logarithms of its sum and of the product with what follows."""
        values = (state[1] * leg.start_weight[state[0], None]).astype(np.float64)
        total = values.sum()
        if not total > 0.0:
            return state, -np.inf, -np.inf
        now = (state[0], (values / total).astype(np.float32))
        _, _, joined, _ = bin_filter.join(*now, *leg.behind[0], 0.0, self._at)
        return now, float(np.log(total)), joined

    def forward(self, leg: Leg, state: State, riders: Riders, draw: np.random.Generator) -> Passed:
        """Filter forward along a leg, read out each step but the last, take sampled paths along."""
        weight = self._weights(self._lattice.ahead, leg.to_go_m, leg.penalty, transposed=False)
        now, log, read = state, 0.0, []
        for k, behind in enumerate(self._behind(leg)):
            self.tick()
            if k > 0:
                now, scale = self.onward(now, weight)
                log += scale
                self._ride(riders, behind, weight, draw)
            if k == leg.steps:
                break
            # What came forward is narrowed to what can still arrive, so it may be pruned no other way. What
            # is lost here is missing at the next sighting, so it has to be less than backward.
            bins, mass, _, values = bin_filter.join(*now, *behind, JOINED * leg.prune, self._at)
            read.append((bins, mass))
            now = (bins, values) if k == 0 else self.watched(leg.begin + k, (bins, values))
        return self.watched(leg.begin + leg.steps, now), log, read

    def _ride(
        self, riders: Riders, behind: State, weight: NDArray[np.float32], draw: np.random.Generator
    ) -> None:
        if len(riders.path):
            bin_filter.sample(
                *(riders.bin, riders.speed, draw.random(len(riders.path)), *behind),
                *(*self._lattice.ahead[:2], weight, self._model.chain, self._lattice.kind, self._at),
            )
            riders.driven.append(riders.bin.copy())

    def _behind(self, leg: Leg) -> Iterator[State]:
        """Yield what comes backward at each step of a leg; what was not kept is made again."""
        if leg.every == 1:
            yield from leg.behind
            return
        weight = self._weights(self._lattice.back, leg.to_go_m, leg.penalty, transposed=True)
        for k, kept in enumerate(leg.behind[:-1]):
            first = leg.begin + k * leg.every
            between, now = [], leg.behind[k + 1]
            for step in range(min(first + leg.every, leg.begin + leg.steps) - 1, first, -1):
                now, _ = self._step_back(now, step, leg.begin, weight, leg.came_m, leg.prior, leg.prune)
                between.append(now)
            yield kept
            yield from reversed(between)
        yield leg.behind[-1]

    def _step_back(
        self,
        state: State,
        step: int,
        begin: int,
        weight: NDArray[np.float32],
        came_m: Array,
        prior: Array,
        prune: float,
    ) -> tuple[State, float]:
        """Go back to a step of a leg that begins at another, where only what can have come that far is."""
        reach_m = (step - begin + 1) * self._step_m[-1] + 2.0 * self._model.bin_m
        back = self._lattice.back
        bins, values, log = bin_filter.backward(
            *(*state, *back[:2], weight, self._model.chain, self._lattice.kind),
            *(came_m, reach_m, self._come(step - begin), REACH_CELL_M, prior),
            *(prune, self._dense, self._touched, self._at),
        )
        now, scale = (bins, values), log
        return (self.watched(step, now) if step > begin else now), scale

    def onward(self, state: State, weight: NDArray[np.float32] | None = None) -> tuple[State, float]:
        """Go a step on; by the turns alone, and pruned, where no leg gives weights."""
        ahead = self._lattice.ahead
        bins, values, log = bin_filter.forward(
            *(*state, *ahead[:2], ahead[2] if weight is None else weight),
            *(self._model.chain, self._lattice.kind, self._model.prune if weight is None else 0.0),
            *(self._dense, self._touched, self._at),
        )
        return (bins, values), log

    def backward(self, state: State) -> tuple[State, float]:
        """Go a step back, by the weights of the turns alone."""
        ones = np.ones(len(self._lattice))
        bins, values, log = bin_filter.backward(
            *(*state, *self._lattice.back[:3], self._model.chain, self._lattice.kind),
            *(ones, np.inf, ones[:1], np.inf, ones),
            *(self._model.prune, self._dense, self._touched, self._at),
        )
        return (bins, values), log

    def _come(self, steps: int) -> Array:
        """Probability of having driven so many cells of `REACH_CELL_M`, or more, in some steps."""
        classes = len(self._step_m)
        if not self._far:
            self._driven = np.full((classes, 1), 1.0 / classes)
            self._far.append(np.ones(1))
        chain = self._model.fastest
        while len(self._far) <= steps:
            mixed = chain.T @ self._driven
            cells = self._step_m / REACH_CELL_M
            self._driven = np.zeros((classes, mixed.shape[1] + int(cells.max()) + 1))
            for c, (whole, part) in enumerate(zip(cells.astype(int), cells % 1.0, strict=True)):
                self._driven[c, whole : whole + mixed.shape[1]] += (1.0 - part) * mixed[c]
                self._driven[c, whole + 1 : whole + 1 + mixed.shape[1]] += part * mixed[c]
            tail = np.cumsum(self._driven.sum(axis=0)[::-1])[::-1]
            # Where a leg starts, and where in a bin one is, is known to a bin or two.
            spare = int(np.ceil(2.0 * self._model.bin_m / REACH_CELL_M)) + 1
            self._far.append(np.concatenate([np.ones(spare), tail]))
        return self._far[steps]

    def watched(self, step: int, state: State) -> State:
        """Take the probability of not being seen into a state."""
        if step not in self._unseen:
            return state
        bins, chance = self._unseen[step]
        _, here, there = np.intersect1d(state[0], bins, assume_unique=True, return_indices=True)
        values = state[1].copy()
        values[here] *= chance[there]
        return state[0], values

    def _weights(
        self, matrix: tuple[NDArray[Any], ...], to_go_m: Array, penalty: float, *, transposed: bool
    ) -> NDArray[np.float32]:
        weights: NDArray[np.float32] = bin_steps.penalised(
            *matrix, to_go_m, penalty, len(self._step_m), transposed
        )
        return weights

    def count(self, state: State) -> None:
        """Add a state that is kept to the memory used; refuse the window where it is too much."""
        self._used += state[0].nbytes + state[1].nbytes
        if self._used > self._memory:
            raise InvalidInput(
                f"the window takes more than the {self._memory / 1e6:.0f} MB allowed; allow more, "
                "take a shorter window, or a model with coarser steps",
                field="memory_bytes",
                value=self._memory,
            )
