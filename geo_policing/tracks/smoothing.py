"""Forward filter, backward smoothing and sampled paths between sightings that may be false.

Between two sightings that are true and follow each other the suspect drives a *leg*. A sighting that may be
false can be left out, so legs join each sighting to the next and to the next but one or two; each is filtered
once for each penalty of detours. Weights have absolute logarithms, so that all of it adds up to one
posterior.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
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

#: So many doubtful sightings in a row may be false.
MOST_FALSE = 2
#: Of longer legs, and of all when half of the memory is used, one state in so many is kept; those between are
#: made again when they are needed.
LONG, KEPT_EVERY = 400, 20
#: Beyond this, weights of mixtures are nothing.
NOTHING = 1e-7


class Impossible(Exception):
    """No way leads through all that is certain; ``anchor`` is the first that cannot be left."""

    def __init__(self, anchor: int) -> None:
        super().__init__(f"nothing leads on from sighting {anchor}")
        self.anchor = anchor


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """A sighting on the lattice.

    Parameters
    ----------
    step : int
        When.
    density : (b,) float64
        Density of the place over the roads, 1/m: it sums to 1 with the lengths of the bins.
    probability : float
        That it is the suspect.
    """

    step: int
    density: Array
    probability: float


@dataclass(slots=True, eq=False)
class _Leg:
    """What comes backward on one leg under one penalty: at every so many-th step, and at the last."""

    start: int
    end: int
    penalty: float
    to_go_m: Array
    came_m: Array
    every: int
    behind: list[State]
    log_weight: float
    log_posterior: float = -np.inf


@dataclass(slots=True, eq=False)
class Smoothed:
    """What is known after all.

    Parameters
    ----------
    bins, mass : list of (k,) arrays
        For each step of the window the bins that carry probability, and how much; it sums to 1.
    truth : (n,) float64
        Posterior probability that each sighting is the suspect.
    log_evidence : float
        Logarithm of the density of all sightings.
    paths : list of lists of (anchor, bins (n,))
        For each sampled path, the bin at each step from its first true sighting, in parts that begin at a
        true sighting.
    ends : list of (step, share, (bins, values))
        Where and in which classes the suspect was at the last true sighting, for each that may be the last.
    """

    bins: list[NDArray[Any]]
    mass: list[NDArray[Any]]
    truth: Array
    log_evidence: float
    paths: list[list[tuple[int, NDArray[np.int32]]]] = field(default_factory=list)
    ends: list[tuple[int, float, State]] = field(default_factory=list)


class Smoother:
    """The filter over one lattice.

    Parameters
    ----------
    lattice : Lattice
        Where.
    model : MovementModel
        How.
    anchors : list of Anchor
        Sightings in order of time, at least one.
    steps : int
        Steps of the window, 0 to steps - 1.
    unseen : dict of int to ((k,) int32, (k, classes) float32)
        At some steps, bins and the probability of not being detected in each.
    memory_bytes : int
        What the backward weights may take.
    """

    def __init__(
        self,
        lattice: Lattice,
        model: MovementModel,
        anchors: list[Anchor],
        steps: int,
        unseen: dict[int, State],
        memory_bytes: int,
    ) -> None:
        self.lattice, self.model, self.anchors, self.steps, self.unseen = (
            *(lattice, model, anchors, steps),
            unseen,
        )
        self._memory, self._used = memory_bytes, 0
        n, classes = len(lattice), len(model.speed_mps)
        self._step_m = model.speed_mps * model.step_s
        self._dense = np.zeros((n, classes))
        self._touched, self._at = np.zeros(n, np.int32), np.full(n, -1, np.int32)
        self._elsewhere = -np.log(lattice.bin_m.sum())
        #: Told the share that is done; what it raises ends the work.
        self.progress: Callable[[float], None] = lambda _: None
        self._ends: list[tuple[int, float, State]] = []

    def run(self, samples: int, draw: np.random.Generator) -> Smoothed:
        """Smooth, and sample whole paths.

        Raises
        ------
        Impossible
            If what is certain has probability 0.
        InvalidInput
            If it takes more memory than allowed.
        """
        n = len(self.anchors)
        legs: list[list[_Leg]] = [[] for _ in range(n)]
        behind: list[tuple[State, float]] = [self._nothing()] * n
        for i in range(n - 1, -1, -1):
            parts: list[tuple[State, float]] = []
            self.progress(0.5 * (n - 1 - i) / n)
            if self._left_out(i + 1, n) > -np.inf:
                bins = np.flatnonzero(self.anchors[i].density).astype(np.int32)
                ones = np.ones((len(bins), len(self._step_m)), np.float32)
                parts.append(((bins, ones), self._left_out(i + 1, n)))
            for j in self._next(i):
                made = list(self._legs(i, j, behind[j]))
                legs[i].extend(made)
                for leg in made:
                    bins, values = leg.behind[0]
                    parts.append(((bins, values * self._start(leg)[bins, None]), leg.log_weight))
            behind[i] = self._at_anchor(i, parts)
            if behind[i][1] == -np.inf and self.anchors[i].probability >= 1.0:
                raise Impossible(i)
        return self._forward(legs, behind, samples, draw)

    def _next(self, i: int) -> Iterator[int]:
        """Yield the sightings that may be the next true one."""
        for j in range(i + 1, min(len(self.anchors), i + MOST_FALSE + 2)):
            yield j
            if self.anchors[j].probability >= 1.0:
                return

    def _left_out(self, first: int, last: int) -> float:
        """Logarithm of the weight of sightings first to last - 1 being false."""
        false = [1.0 - a.probability for a in self.anchors[first:last]]
        if not false:
            return 0.0
        return float(np.log(false).sum() + len(false) * self._elsewhere) if min(false) > 0 else -np.inf

    def _at_anchor(self, i: int, parts: list[tuple[State, float]]) -> tuple[State, float]:
        """Sum states with logarithms of their weights, times the sighting; scaled to 1."""
        parts = [p for p in parts if p[1] > -np.inf]
        if not parts or self.anchors[i].probability == 0.0:
            return self._nothing()
        most = max(log for _, log in parts)
        total = np.zeros_like(self._dense)
        for (bins, values), log in parts:
            total[bins] += np.exp(log - most) * values
        total *= self.anchors[i].density[:, None]
        whole = total.sum()
        if not whole > 0.0:
            return self._nothing()
        bins = np.flatnonzero(total.sum(axis=1)).astype(np.int32)
        state = (bins, (total[bins] / whole).astype(np.float32))
        return state, float(most + np.log(whole) + np.log(self.anchors[i].probability))

    def _nothing(self) -> tuple[State, float]:
        return (np.empty(0, np.int32), np.empty((0, len(self._step_m)), np.float32)), -np.inf

    def _legs(self, i: int, j: int, end: tuple[State, float]) -> Iterator[_Leg]:
        """Filter backward from sighting j to sighting i, under each penalty."""
        state, log_end = end
        if log_end == -np.inf or self._left_out(i + 1, j) == -np.inf:
            return
        to_go_m = self.lattice.to_go_m(state[0])
        came_m = self.lattice.came_m(np.flatnonzero(self.anchors[i].density))
        if not np.isfinite(to_go_m[self.anchors[i].density > 0.0]).any():
            return
        for penalty, share in zip(self.model.penalty_per_m, self.model.penalty_share, strict=True):
            weight = self._weights(self.lattice.back, to_go_m, float(penalty), transposed=True)
            log = log_end + float(np.log(share)) + self._left_out(i + 1, j)
            now = self._watched(self.anchors[j].step, state)
            behind = [now]
            begin = self.anchors[i].step
            short = self.anchors[j].step - begin <= LONG and self._used < self._memory / 2
            every = 1 if short else KEPT_EVERY
            for step in range(self.anchors[j].step - 1, begin - 1, -1):
                self.progress(0.5 * (len(self.anchors) - 1 - i) / len(self.anchors))
                now, scale = self._step_back(now, step, begin, weight, came_m)
                log += scale
                if (step - begin) % every == 0:
                    behind.append(now)
                    self._count(now)
            if log > -np.inf:
                yield _Leg(i, j, float(penalty), to_go_m, came_m, every, behind[::-1], log)

    def _behind(self, leg: _Leg) -> Iterator[State]:
        """Yield what comes backward at each step of a leg; what was not kept is made again."""
        if leg.every == 1:
            yield from leg.behind
            return
        begin, end = self.anchors[leg.start].step, self.anchors[leg.end].step
        weight = self._weights(self.lattice.back, leg.to_go_m, leg.penalty, transposed=True)
        for k, kept in enumerate(leg.behind[:-1]):
            first = begin + k * leg.every
            between, now = [], leg.behind[k + 1]
            for step in range(min(first + leg.every, end) - 1, first, -1):
                now, _ = self._step_back(now, step, begin, weight, leg.came_m)
                between.append(now)
            yield kept
            yield from reversed(between)
        yield leg.behind[-1]

    def _step_back(
        self, state: State, step: int, begin: int, weight: NDArray[np.float32], came_m: Array
    ) -> tuple[State, float]:
        """Go back to a step of a leg that begins at another, where only what can have come that far is."""
        reach_m = (step - begin + 1) * self._step_m[-1] + 2.0 * self.model.bin_m
        now, scale = self._backward(state, weight, came_m, reach_m)
        return (self._watched(step, now) if step > begin else now), scale

    def _forward(
        self,
        legs: list[list[_Leg]],
        behind: list[tuple[State, float]],
        samples: int,
        draw: np.random.Generator,
    ) -> Smoothed:
        n = len(self.anchors)
        arrived: list[list[tuple[State, float]]] = [[] for _ in range(n)]
        log_first = [-np.inf] * n
        for i in range(n):
            if self._left_out(0, i) > -np.inf and behind[i][1] > -np.inf:
                bins = np.flatnonzero(self.anchors[i].density).astype(np.int32)
                values = (self.lattice.bin_m[bins, None] * self.model.start).astype(np.float32)
                arrived[i].append(((bins, values), self._left_out(0, i)))
                found, held = behind[i][0]
                start = held * (self.lattice.bin_m[found, None] * self.model.start)
                log_first[i] = behind[i][1] + self._left_out(0, i) + float(np.log(start.sum()))
        most = max(log_first)
        if most == -np.inf:
            raise Impossible(0)
        log_evidence = float(most + np.log(np.exp(np.array(log_first) - most).sum()))
        first = np.exp(np.array(log_first) - log_evidence)

        collected: list[list[State]] = [[] for _ in range(self.steps)]
        truth = first.copy()
        paths: list[list[tuple[int, NDArray[np.int32]]]] = [[] for _ in range(samples)]
        waiting = self._first_states(first, behind, samples, draw)
        for i in range(n):
            self.progress(0.5 + 0.5 * i / n)
            if first[i] > NOTHING:
                self._before(i, behind[i][0], float(first[i]), collected)
            state, log_state = self._at_anchor(i, arrived[i])
            if log_state == -np.inf:
                continue
            last = self._left_out(i + 1, n)
            if last > -np.inf:
                whole = float(np.log(state[1].sum(dtype=np.float64)))
                weight = float(np.exp(log_state + last + whole - log_evidence))
                if weight > NOTHING:
                    self._after(i, state, weight, collected)
            for leg in legs[i]:
                self._along(leg, state, log_state, log_evidence, collected, arrived, truth)
            self._sample(i, legs[i], last, waiting, paths, draw)
            legs[i] = []
        return Smoothed(*self._collect(collected), np.minimum(truth, 1.0), log_evidence, paths, self._ends)

    def _along(
        self,
        leg: _Leg,
        state: State,
        log_state: float,
        log_evidence: float,
        collected: list[list[State]],
        arrived: list[list[tuple[State, float]]],
        truth: Array,
    ) -> None:
        """Filter forward along one leg and read out each step but the last."""
        begin = self._start(leg)
        values = (state[1] * begin[state[0], None]).astype(np.float64)
        total = values.sum()
        if not total > 0.0:
            return
        now, log = (state[0], (values / total).astype(np.float32)), log_state + float(np.log(total))
        _, _, joined, _ = bin_filter.join(*now, *leg.behind[0], 0.0, self._at)
        share = float(np.exp(log + leg.log_weight + joined - log_evidence))
        if not share > NOTHING:
            return
        truth[leg.end] += share
        weight = self._weights(self.lattice.ahead, leg.to_go_m, leg.penalty, transposed=False)
        begins = self.anchors[leg.start].step
        steps = range(begins, self.anchors[leg.end].step)
        for step, behind in zip(steps, self._behind(leg), strict=False):
            # What came forward is narrowed to what can still arrive, so it may be pruned no other way.
            bins, mass, _, values = bin_filter.join(*now, *behind, self.model.prune, self._at)
            collected[step].append((bins, share * mass))
            now = (bins, values)
            if step > begins:
                now = self._watched(step, now)
            now, scale = self._onward(now, weight)
            log += scale
        log += self._left_out(leg.start + 1, leg.end)
        index = self.model.penalty_per_m.tolist().index(leg.penalty)
        log += float(np.log(self.model.penalty_share[index]))
        arrived[leg.end].append((self._watched(self.anchors[leg.end].step, now), log))

    def _before(self, i: int, state: State, share: float, collected: list[list[State]]) -> None:
        """Read out the steps before the first true sighting: where one that comes here may have been."""
        now = state
        for step in range(self.anchors[i].step - 1, -1, -1):
            now, _ = self._backward(now, self.lattice.back[2], self.lattice.bin_m, np.inf)
            now = self._watched(step, now)
            self.progress(0.5 + 0.5 * i / len(self.anchors))
            mass = (now[1] @ self.model.start) * self.lattice.bin_m[now[0]]
            self._count((now[0], mass))
            if mass.sum() > 0.0:
                collected[step].append((now[0], share * mass / mass.sum()))

    def _after(self, i: int, state: State, share: float, collected: list[list[State]]) -> None:
        """Read out the last true sighting and the steps after it."""
        now = state
        self._ends.append((self.anchors[i].step, share, state))
        for step in range(self.anchors[i].step, self.steps):
            self.progress(0.5 + 0.5 * i / len(self.anchors))
            mass = now[1].sum(axis=1, dtype=np.float64)
            self._count((now[0], mass))
            if mass.sum() > 0.0:
                collected[step].append((now[0], share * mass / mass.sum()))
            if step + 1 < self.steps:
                now, _ = self._onward(now, self.lattice.ahead[2])
                now = self._watched(step + 1, now)

    def _first_states(
        self, first: Array, behind: list[tuple[State, float]], samples: int, draw: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        """Draw at which sighting each sampled path begins, and in which state: rows of path, bin, class."""
        begins = draw.choice(len(first), samples, p=first / first.sum()) if samples else np.empty(0, int)
        waiting = []
        for i in range(len(first)):
            mine = np.flatnonzero(begins == i)
            bins, values = behind[i][0]
            rows = np.empty((len(mine), 3), np.int64)
            if len(mine):
                weight = (values * (self.lattice.bin_m[bins, None] * self.model.start)).ravel()
                drawn = draw.choice(len(weight), len(mine), p=weight / weight.sum())
                rows[:] = np.column_stack([mine, bins[drawn // values.shape[1]], drawn % values.shape[1]])
            waiting.append(rows)
        return waiting

    def _sample(
        self,
        i: int,
        legs: list[_Leg],
        log_last: float,
        waiting: list[NDArray[np.int64]],
        paths: list[list[tuple[int, NDArray[np.int32]]]],
        draw: np.random.Generator,
    ) -> None:
        """Take the paths that are at sighting i on to the next true one, or end them here."""
        rows = waiting[i]
        if not len(rows):
            return
        log = np.full((len(legs) + 1, len(rows)), -np.inf)
        log[-1] = log_last
        for k, leg in enumerate(legs):
            values = self._dense
            bins, held = leg.behind[0]
            values[bins] = held * self._start(leg)[bins, None]
            with np.errstate(divide="ignore"):
                log[k] = np.log(values[rows[:, 1], rows[:, 2]]) + leg.log_weight
            values[bins] = 0.0
        weight = np.exp(log - log.max(axis=0))
        chosen = (draw.random(len(rows)) * weight.sum(axis=0) >= np.cumsum(weight, axis=0)).sum(axis=0)
        for row in rows[chosen == len(legs)]:
            paths[row[0]].append((i, np.array([row[1]], np.int32)))
        for k, leg in enumerate(legs):
            mine = rows[chosen == k]
            if not len(mine):
                continue
            matrix = self._weights(self.lattice.ahead, leg.to_go_m, leg.penalty, transposed=False)
            at, speed = mine[:, 1].astype(np.int32), mine[:, 2].astype(np.int32)
            driven = [at.copy()]
            for ahead in islice(self._behind(leg), 1, None):
                bin_filter.sample(
                    *(at, speed, draw.random(len(mine)), *ahead, *self.lattice.ahead[:2], matrix),
                    *(self.model.chain, self.lattice.kind, self._at),
                )
                driven.append(at.copy())
            whole = np.array(driven)
            for column, row in enumerate(mine):
                paths[row[0]].append((i, whole[:, column]))
            waiting[leg.end] = np.vstack([waiting[leg.end], np.column_stack([mine[:, 0], at, speed])])

    def _collect(self, collected: list[list[State]]) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        bins: list[NDArray[Any]] = []
        mass: list[NDArray[Any]] = []
        dense = np.zeros(len(self.lattice))
        for parts in collected:
            for found, share in parts:
                dense[found] += share
            there = np.unique(np.concatenate([found for found, _ in parts]))
            whole = dense[there].sum()
            bins.append(there)
            mass.append((dense[there] / whole).astype(np.float32))
            dense[there] = 0.0
        return bins, mass

    def _start(self, leg: _Leg) -> Array:
        """exp(-penalty * detour) (b,) of beginning a leg elsewhere than where it is shortest."""
        shortest = leg.to_go_m[self.anchors[leg.start].density > 0.0].min()
        return np.asarray(np.exp(-leg.penalty * np.maximum(leg.to_go_m - shortest, 0.0)))

    def _weights(
        self, matrix: tuple[NDArray[Any], ...], to_go_m: Array, penalty: float, *, transposed: bool
    ) -> NDArray[np.float32]:
        weights: NDArray[np.float32] = bin_steps.penalised(
            *matrix, to_go_m, penalty, len(self._step_m), transposed
        )
        return weights

    def _onward(self, state: State, weight: NDArray[np.float32]) -> tuple[State, float]:
        bins, values, log = bin_filter.forward(
            *(*state, *self.lattice.ahead[:2], weight, self.model.chain, self.lattice.kind),
            *(self.model.prune, self._dense, self._touched, self._at),
        )
        return (bins, values), log

    def _backward(
        self, state: State, weight: NDArray[np.float32], came_m: Array, reach_m: float
    ) -> tuple[State, float]:
        bins, values, log = bin_filter.backward(
            *(*state, *self.lattice.back[:2], weight, self.model.chain, self.lattice.kind),
            *(came_m, reach_m, self.model.prune, self._dense, self._touched, self._at),
        )
        return (bins, values), log

    def _watched(self, step: int, state: State) -> State:
        """Take the probability of not being seen into a state."""
        if step not in self.unseen:
            return state
        bins, chance = self.unseen[step]
        factor = np.ones((len(self.lattice), chance.shape[1]), np.float32)
        factor[bins] = chance
        return state[0], state[1] * factor[state[0]]

    def _count(self, state: State) -> None:
        self._used += state[0].nbytes + state[1].nbytes
        if self._used > self._memory:
            raise InvalidInput(
                f"the window takes more than the {self._memory / 1e6:.0f} MB allowed; allow more, "
                "take a shorter window, or a model with coarser steps",
                field="memory_bytes",
                value=self._memory,
            )
