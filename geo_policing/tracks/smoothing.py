"""Forward filter, backward smoothing and sampled paths between sightings that may be false.

Between two sightings that are true and follow each other the suspect drives a *leg*. A sighting that may be
false can be left out, so legs join each sighting to the next and to the next but one or two; each is filtered
once for each penalty of detours. Weights have absolute logarithms, so that all of it adds up to one
posterior.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.legs import Leg, LegFilter, Riders, State
from geo_policing.tracks.movement import MovementModel

Array = NDArray[np.float64]

#: So many doubtful sightings in a row may be false.
MOST_FALSE = 2
#: Beyond this, weights of mixtures are nothing: of legs, and of the times before the first and after the last
#: true sighting, which are long and spread over all of the city.
NOTHING, NOTHING_OUTSIDE = 1e-6, 1e-3


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
        self.lattice, self.model, self.anchors, self.steps = lattice, model, anchors, steps
        self._filter = LegFilter(lattice, model, unseen, memory_bytes)
        self._classes = len(model.speed_mps)
        self._elsewhere = -np.log(lattice.bin_m.sum())
        #: Told the share that is done; what it raises ends the work.
        self.progress: Callable[[float], None] = lambda _: None
        self._done = 0.0
        self._filter.tick = lambda: self.progress(self._done)
        self._ends: list[tuple[int, float, State]] = []

    def run(self, samples: int, draw: np.random.Generator) -> Smoothed:
        """Smooth, and sample whole paths.

        Raises
        ------
        Impossible
            If what is certain has probability 0.
        InvalidInput
            If it takes more memory than allowed, or the model's ``prune`` forgets all places of a step.
        """
        n = len(self.anchors)
        legs: list[list[Leg]] = [[] for _ in range(n)]
        behind: list[tuple[State, float]] = [self._nothing()] * n
        for i in range(n - 1, -1, -1):
            parts: list[tuple[State, float]] = []
            self._tell(0.5 * (n - 1 - i) / n)
            if self._left_out(i + 1, n) > -np.inf:
                bins = np.flatnonzero(self.anchors[i].density).astype(np.int32)
                ones = np.ones((len(bins), self._classes), np.float32)
                parts.append(((bins, ones), self._left_out(i + 1, n)))
            for j in self._next(i):
                made = list(self._legs(i, j, behind[j]))
                legs[i].extend(made)
                for leg in made:
                    bins, values = leg.behind[0]
                    parts.append(((bins, values * leg.start_weight[bins, None]), leg.log_weight))
            behind[i] = self._at_anchor(i, parts)
            if behind[i][1] == -np.inf and self.anchors[i].probability >= 1.0:
                raise Impossible(i)
        return self._forward(legs, behind, samples, draw)

    def _tell(self, done: float) -> None:
        self._done = done
        self.progress(done)

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
        total = np.zeros((len(self.lattice), self._classes))
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
        return (np.empty(0, np.int32), np.empty((0, self._classes), np.float32)), -np.inf

    def _legs(self, i: int, j: int, end: tuple[State, float]) -> Iterator[Leg]:
        """Filter backward from sighting j to sighting i, under each penalty."""
        state, log_end = end
        log_false = self._left_out(i + 1, j)
        if log_end == -np.inf or log_false == -np.inf:
            return
        between = (self.anchors[i].step, self.anchors[j].step)
        start = np.flatnonzero(self.anchors[i].density)
        for leg in self._filter.legs((i, j), between, start, state):
            leg.log_weight += log_end + log_false
            yield leg

    def _forward(
        self,
        legs: list[list[Leg]],
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
        truth, false = first.copy(), np.zeros(n)
        for i in range(n):
            false[:i] += first[i]
        paths: list[list[tuple[int, NDArray[np.int32]]]] = [[] for _ in range(samples)]
        waiting = self._first_states(first, behind, samples, draw)
        for i in range(n):
            self._tell(0.5 + 0.5 * i / n)
            if first[i] > NOTHING_OUTSIDE:
                self._before(i, behind[i][0], float(first[i]), collected)
            state, log_state = self._at_anchor(i, arrived[i])
            if log_state == -np.inf:
                continue
            last = self._left_out(i + 1, n)
            if last > -np.inf:
                whole = float(np.log(state[1].sum(dtype=np.float64)))
                weight = float(np.exp(log_state + last + whole - log_evidence))
                false[i + 1 :] += weight
                if weight > NOTHING_OUTSIDE:
                    self._after(i, state, weight, collected)
            riders = self._riders(i, legs[i], last, waiting[i], paths, draw)
            for leg, mine in zip(legs[i], riders, strict=True):
                now, log_start, joined = self._filter.carried(leg, state)
                share = float(np.exp(log_state + log_start + joined + leg.log_weight - log_evidence))
                if not share > NOTHING and not len(mine.path):
                    continue
                truth[leg.end] += share
                false[leg.start + 1 : leg.end] += share
                now, log, read = self._filter.forward(leg, now, mine, draw)
                for step, (bins, mass) in enumerate(read, leg.begin):
                    collected[step].append((bins, share * mass))
                log += log_state + log_start + self._left_out(leg.start + 1, leg.end)
                arrived[leg.end].append((now, log + float(np.log(leg.share))))
                self._arrive(leg, mine, waiting, paths)
            legs[i] = []
        return Smoothed(*self._collect(collected), truth / (truth + false), log_evidence, paths, self._ends)

    def _before(self, i: int, state: State, share: float, collected: list[list[State]]) -> None:
        """Read out the steps before the first true sighting: where one that comes here may have been."""
        now = state
        for step in range(self.anchors[i].step - 1, -1, -1):
            now, _ = self._filter.backward(now)
            now = self._filter.watched(step, now)
            self._tell(0.5 + 0.5 * i / len(self.anchors))
            mass = (now[1] @ self.model.start) * self.lattice.bin_m[now[0]]
            self._filter.count((now[0], mass))
            if mass.sum() > 0.0:
                collected[step].append((now[0], share * mass / mass.sum()))

    def _after(self, i: int, state: State, share: float, collected: list[list[State]]) -> None:
        """Read out the last true sighting and the steps after it."""
        now = state
        self._ends.append((self.anchors[i].step, share, state))
        for step in range(self.anchors[i].step, self.steps):
            self._tell(0.5 + 0.5 * i / len(self.anchors))
            mass = now[1].sum(axis=1, dtype=np.float64)
            self._filter.count((now[0], mass))
            if mass.sum() > 0.0:
                collected[step].append((now[0], share * mass / mass.sum()))
            if step + 1 < self.steps:
                now, _ = self._filter.onward(now)
                now = self._filter.watched(step + 1, now)

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

    def _riders(
        self,
        i: int,
        legs: list[Leg],
        log_last: float,
        rows: NDArray[np.int64],
        paths: list[list[tuple[int, NDArray[np.int32]]]],
        draw: np.random.Generator,
    ) -> list[Riders]:
        """Draw on which leg each sampled path that is at sighting i goes on, or end it here."""
        log = np.full((len(legs) + 1, len(rows)), -np.inf)
        log[-1] = log_last
        dense = np.zeros((len(self.lattice), self._classes)) if len(rows) else np.zeros((0, 0))
        for k, leg in enumerate(legs if len(rows) else ()):
            bins, held = leg.behind[0]
            dense[bins] = held * leg.start_weight[bins, None]
            with np.errstate(divide="ignore"):
                log[k] = np.log(dense[rows[:, 1], rows[:, 2]]) + leg.log_weight
            dense[bins] = 0.0
        weight = np.exp(log - log.max(axis=0))
        chosen = (draw.random(len(rows)) * weight.sum(axis=0) >= np.cumsum(weight, axis=0)).sum(axis=0)
        for row in rows[chosen == len(legs)]:
            paths[row[0]].append((i, np.array([row[1]], np.int32)))
        found = []
        for k in range(len(legs)):
            path, at, speed = rows[chosen == k].T
            found.append(Riders(path, at.astype(np.int32), speed.astype(np.int32), [at.astype(np.int32)]))
        return found

    def _arrive(
        self,
        leg: Leg,
        riders: Riders,
        waiting: list[NDArray[np.int64]],
        paths: list[list[tuple[int, NDArray[np.int32]]]],
    ) -> None:
        """Write down what the sampled paths drove, and let them wait at the sighting they have reached."""
        whole = np.array(riders.driven)
        for column, path in enumerate(riders.path.tolist()):
            paths[path].append((leg.start, whole[:, column]))
        there = np.column_stack([riders.path, riders.bin, riders.speed])
        waiting[leg.end] = np.vstack([waiting[leg.end], there])

    def _collect(self, collected: list[list[State]]) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        bins: list[NDArray[Any]] = []
        mass: list[NDArray[Any]] = []
        dense = np.zeros(len(self.lattice))
        for step, parts in enumerate(collected):
            if not parts:
                prune = self.model.prune
                raise InvalidInput(
                    f"no place is left {step * self.model.step_s:.0f} s after the begin of the window: prune "
                    f"{prune:g} forgets all; give a smaller one (the default is 1e-6)",
                    field="prune",
                    value=prune,
                )
            for found, share in parts:
                dense[found] += share
            there = np.unique(np.concatenate([found for found, _ in parts]))
            whole = dense[there].sum()
            bins.append(there)
            mass.append((dense[there] / whole).astype(np.float32))
            dense[there] = 0.0
        return bins, mass
