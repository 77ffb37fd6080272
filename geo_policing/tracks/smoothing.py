"""Forward filter, backward smoothing and sampled paths between sightings that may be false.

Between two sightings that are true and follow each other the suspect drives a *leg*. A sighting that may be
false can be left out, so legs join each sighting to the next and to the next but one or two. Weights have
absolute logarithms, so that all of it adds up to one posterior.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.tracks import threads
from geo_policing.tracks.approaches import Approach, Leg, Read
from geo_policing.tracks.gears import Gears
from geo_policing.tracks.ground import State
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.left_out import LeftOut
from geo_policing.tracks.legs import LegFilter
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.outside import Outside
from geo_policing.tracks.readings import Readings
from geo_policing.tracks.sampling import PathSampler
from geo_policing.tracks.ways import Between, Ways

Array = NDArray[np.float64]
T = TypeVar("T")

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


class Unlikely(Exception):
    """The evidence, ``log_evidence``, is below ``least``, the least that is worth an answer."""

    def __init__(self, log_evidence: float, least: float) -> None:
        super().__init__(f"the logarithm of the evidence is {log_evidence:g}, below {least:g}")
        self.log_evidence, self.least = log_evidence, least


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """A sighting on the lattice.

    Parameters
    ----------
    step : int
        When.
    density : (b,) float64
        Density of the place over the roads, 1/m: it sums to 1 with `Lattice.measure_m`.
    probability : float
        That it is the suspect.
    near : (b,) float64, optional
        Share of each bin that is near; how probably one is there without it is told by `Smoothed.left_out`.
    """

    step: int
    density: Array
    probability: float
    near: Array | None = None


@dataclass(slots=True, eq=False)
class Smoothed:
    """What is known after all.

    Parameters
    ----------
    bins, mass : list of (k,) arrays
        For each step of the window the bins that carry probability, and how much; it sums to 1.
    truth : (n,) float64
        Posterior probability that each sighting is the suspect.
    first, last : (n,) float64
        That it is the first, and the last, that is.
    log_evidence : float
        Logarithm of the density of all sightings.
    left_out : (n, 2) float64
        Probability of having been near each sighting by the others alone, between the first of them that is
        true and the last, and outside of these; NaN where it is not known.
    paths : list of lists of (anchor, bins (n,))
        For each sampled path, the bin at each step from its first true sighting, in parts that begin at a
        true sighting.
    ends : list of (step, share, (bins, values))
        Where and in which classes the suspect was at the last true sighting, for each that may be the last.
    """

    bins: list[NDArray[Any]]
    mass: list[NDArray[Any]]
    truth: Array
    first: Array
    last: Array
    log_evidence: float
    left_out: Array
    paths: list[list[tuple[int, NDArray[np.int32]]]] = field(default_factory=list)
    ends: list[tuple[int, float, State]] = field(default_factory=list)


def _to(legs: list[list[Leg]], end: int) -> list[Leg]:
    """Legs that lead to a sighting, of those that leave each."""
    return [leg for some in legs[:end] for leg in some if leg.end == end]


def ticking(steps: Iterable[T], tick: Callable[[], None]) -> Iterator[T]:
    """Call something before each of several steps."""
    for step in steps:
        tick()
        yield step


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
    workers : int
        In how many threads; the answer is the same.
    most_false : int
        So many doubtful sightings in a row may be false.
    """

    def __init__(
        self,
        lattice: Lattice,
        model: MovementModel,
        anchors: list[Anchor],
        steps: int,
        unseen: dict[int, State],
        memory_bytes: int,
        workers: int = 1,
        most_false: int = MOST_FALSE,
    ) -> None:
        self.lattice, self.model, self.anchors, self.steps = lattice, model, anchors, steps
        self._most_false = most_false
        self._gears = Gears(lattice, model, workers)
        self._filter = LegFilter(lattice, model, unseen, self._gears, memory_bytes)
        self._classes, self._workers = len(model.speed_mps), workers
        #: Logarithm of the density of a false sighting.
        self.elsewhere = -float(np.log(lattice.measure_m.sum()))
        #: Logarithm of what all ways from one sighting weigh that take as long as to another, by their
        #: numbers: see `comparing`.
        self.log_all: Callable[[int, int], float] = lambda _i, _j: 0.0
        #: Logarithm of the least evidence that is worth going forward for.
        self.least = -np.inf
        #: Told the share that is done; what it raises ends the work.
        self.progress: Callable[[float], None] = lambda _: None
        self._done = 0.0
        self._truth, self._false = np.zeros(len(anchors)), np.zeros(len(anchors))
        self._first, self._last = np.zeros(len(anchors)), np.zeros(len(anchors))
        self._without = LeftOut([a.step for a in anchors], [a.near for a in anchors])
        self._readings = Readings(steps)
        self._ends: list[tuple[int, float, State]] = []
        #: Ways to sightings that were found ahead.
        self._ahead: dict[int, Ways] = {}

    def run(self, samples: int, draw: np.random.Generator) -> Smoothed:
        """Smooth, and sample whole paths.

        Raises
        ------
        Impossible
            If what is certain has probability 0.
        Unlikely
            If the evidence is below ``least``; this is known halfway.
        InvalidInput
            If it takes more memory than allowed, or the model's ``prune`` forgets all places of a step.
        """
        legs, behind = self._backward()
        sampler = PathSampler(len(self.anchors), samples, draw)
        log_evidence = self._forward(legs, behind, sampler)
        truth = self._truth / (self._truth + self._false)
        ends = (self._first, self._last)
        bins, mass = self._readings.summed(len(self.lattice), self._workers)
        if not all(map(len, bins)):
            raise self._all_forgotten(next(step for step, there in enumerate(bins) if not len(there)))
        left_out = self._without.told(self._false)
        return Smoothed(bins, mass, truth, *ends, log_evidence, left_out, sampler.paths, self._ends)

    def _backward(self) -> tuple[list[list[Leg]], list[tuple[State, float]]]:
        """Filter backward: the legs from each sighting on, and the state at each with its logarithm."""
        n = len(self.anchors)
        self._expect()
        legs: list[list[Leg]] = [[] for _ in range(n)]
        behind: list[tuple[State, float]] = [self._nothing()] * n
        for j in range(n - 1, -1, -1):
            self._tell(0.5 * (n - 1 - j) / n)
            parts = [(leg.held, leg.log_weight) for leg in legs[j]]
            if self._left_out(j + 1, n) > -np.inf:
                bins = np.flatnonzero(self.anchors[j].density).astype(np.int32)
                ones = np.ones((len(bins), self._classes), np.float32)
                parts.append(((bins, ones), self._left_out(j + 1, n)))
            behind[j] = self._at_anchor(j, parts)
            if behind[j][1] > -np.inf:
                for leg in self._legs_to(j, behind[j]):
                    legs[leg.start].append(leg)
            elif self.anchors[j].probability >= 1.0:
                raise Impossible(j)
        return legs, behind

    def _expect(self) -> None:
        """Make what all ways need, before several threads do."""
        nowhere = np.empty(0, np.int64)
        for between in (self._between(j, nowhere) for j in range(1, len(self.anchors)) if self._before(j)):
            self._filter.finder.reach.extend(between.last - between.steps[0])
            self._filter.finder.schedule(between, range(len(between.starts)))

    def _legs_to(self, j: int, end: tuple[State, float]) -> list[Leg]:
        """Filter backward from sighting j to those that it may follow; ahead, find the ways to the next."""
        state, log_end = end
        if not self._before(j):
            return []
        between = self._between(j, state[0])
        ways = self._ahead.pop(j, None)
        if ways is None or not np.array_equal(ways.between.goal_bins, state[0]):
            ways = self._filter.finder.ways(between, self._workers)
        asked = (i for i in range(j - 1, 0, -1) if self.anchors[i].probability > 0.0 and self._before(i))
        ahead = [self._find_ahead(i) for i in asked][:1]
        made = [leg for part in self._each(self._filter.approach(ways, state), ahead) for leg in part]
        self._filter.count_legs(made)
        for leg in made:
            leg.log_weight += log_end + self._beside(leg.start, j)
        return made

    def _between(self, j: int, goal: NDArray[Any]) -> Between:
        """Sighting j, which can be in some bins, and those that it may follow."""
        starts = self._before(j)
        steps = [self.anchors[i].step for i in starts]
        bins = [np.flatnonzero(self.anchors[i].density) for i in starts]
        return Between(starts, j, steps, self.anchors[j].step, bins, goal)

    def _find_ahead(self, j: int) -> Callable[[], None]:
        """Say how to find the ways to a sighting, which mostly is anywhere that it can be before all else."""

        def find() -> None:
            finder = self._filter.finder
            ways = finder.ways(self._between(j, np.flatnonzero(self.anchors[j].density)))
            if ways.schedule is not None:
                finder.make_rows([(walk, ways.schedule) for walk in ways.walks])
            self._ahead[j] = ways

        return find

    def _forward(
        self, legs: list[list[Leg]], behind: list[tuple[State, float]], sampler: PathSampler
    ) -> float:
        """Filter forward, read out each step, and return the logarithm of the evidence."""
        starting = [self._weighed_start(state) for state, _ in behind]
        with np.errstate(divide="ignore"):
            log_first = np.array([np.log(held.sum()) for _, held in starting])
        log_first += [log + self._left_out(0, i) for i, (_, log) in enumerate(behind)]
        most = log_first.max()
        if most == -np.inf:
            raise Impossible(0)
        log_evidence = float(most + np.log(np.exp(log_first - most).sum()))
        if log_evidence < self.least:
            raise Unlikely(log_evidence, self.least)
        first = np.exp(log_first - log_evidence)
        self._truth += first
        self._first = first
        sampler.begin(first, starting)
        outside = Outside(self.lattice, self.model, self._gears, self._filter)
        begins = zip(self.anchors, first.tolist(), behind, strict=True)
        firsts = [(a.step, p, state) for a, p, (state, _) in begins if p > NOTHING_OUTSIDE]

        def came(tick: Callable[[], None]) -> list[Read]:
            return list(ticking(outside.before(firsts), tick))

        with threads.beside(came, self._workers, lambda: self._tell(self._done)) as before:
            self._drive(legs, log_first, log_evidence, sampler)
            read = before()
        self._read(read)
        before_first, outside.passed = outside.passed, []
        after_last = list(ticking(outside.after(self._ends, self.steps), lambda: self._tell(self._done)))
        self._read(after_last)
        self._without.outside(read, before_first, [step for step, _, _ in firsts])
        self._without.outside(after_last, outside.passed, [step for step, _, _ in self._ends])
        return log_evidence

    def _drive(
        self, legs: list[list[Leg]], log_first: Array, log_evidence: float, sampler: PathSampler
    ) -> None:
        """Filter forward from sighting to sighting."""
        n, first = len(self.anchors), np.exp(log_first - log_evidence)
        for i in range(n):
            self._tell(0.5 + 0.5 * i / n)
            self._false[:i] += first[i]
            arrived = self._arrive(legs, i, sampler)
            if log_first[i] > -np.inf:
                arrived.append((self._start(i), self._left_out(0, i)))
            state, log_state = self._at_anchor(i, arrived)
            if log_state == -np.inf:
                continue
            last = self._left_out(i + 1, n)
            if last > -np.inf:
                whole = float(np.log(state[1].sum(dtype=np.float64)))
                weight = float(np.exp(log_state + last + whole - log_evidence))
                self._false[i + 1 :] += weight
                self._last[i] = weight
                if weight > NOTHING_OUTSIDE:
                    self._ends.append((self.anchors[i].step, weight, state))
            sampler.board(i, legs[i], last, len(self.lattice))
            self._set_out(legs[i], state, log_state, log_evidence)

    def _start(self, i: int) -> State:
        """Where and how fast one is at a sighting of which nothing before is known."""
        bins = np.flatnonzero(self.anchors[i].density).astype(np.int32)
        return bins, (self.lattice.measure_m[bins, None] * self.model.start).astype(np.float32)

    def _weighed_start(self, state: State) -> State:
        """Weights of beginning in each state, by what comes backward there."""
        bins, held = state
        return bins, held * (self.lattice.measure_m[bins, None] * self.model.start)

    def _set_out(self, legs: Sequence[Leg], state: State, log_state: float, log_evidence: float) -> None:
        """Let what has come forward to a sighting set out on the legs from there that weigh something."""
        dense = np.zeros((len(self.lattice), self._classes), np.float32)
        dense[state[0]] = state[1]
        for leg in legs:
            bins, held = leg.held
            with np.errstate(divide="ignore"):
                joined = np.log((dense[bins].astype(np.float64) * held).sum())
            share = float(np.exp(log_state + joined + leg.log_weight - log_evidence))
            self._without.over(leg, share)
            if share > NOTHING or len(leg.riders.path):
                leg.share = share
                self._truth[leg.end] += share
                self._false[leg.start + 1 : leg.end] += share
                self._filter.join(leg, state, log_state + self._beside(leg.start, leg.end))

    def _arrive(self, legs: list[list[Leg]], i: int, sampler: PathSampler) -> list[tuple[State, float]]:
        """Filter forward along all that leads to sighting i, read it out, and say what comes there."""
        of: dict[int, tuple[Approach, list[Leg]]] = {}
        for leg in _to(legs, i):
            of.setdefault(id(leg.approach), (leg.approach, []))[1].append(leg)
        draws = sampler.spawn(len(of))
        work = [self._filter.forward(*one, draw) for one, draw in zip(of.values(), draws, strict=True)]
        next_ones = {id(leg.approach): leg.approach for leg in _to(legs, i + 1)}.values()
        walks = [(approach.walk, approach.schedule) for approach in next_ones]
        arrivals = self._each(work, [partial(self._filter.finder.make_rows, walks)])
        for (_, mine), arrival in zip(of.values(), arrivals, strict=True):
            self._read(arrival.read)
            self._without.legs(mine, arrival)
        for approach, mine in of.values():
            approach.behind = []
            approach.walk.drop()
            for leg in mine:
                sampler.land(leg)
        return [(arrival.state, arrival.log) for arrival in arrivals]

    def _read(self, steps: Iterable[Read]) -> None:
        """Read out steps."""
        for step, bins, mass, factor in steps:
            self._tell(self._done)
            self._readings.add(step, bins, mass, factor)

    def _each(
        self, work: Sequence[Callable[[Callable[[], None]], T]], ahead: Sequence[Callable[[], None]]
    ) -> list[T]:
        """Do several things, and what comes ahead in threads that would wait for the last of them."""
        more: list[Callable[[Callable[[], None]], None]] = []
        if self._workers > 1:
            more = [threads.in_one(one) for one in ahead]
        done: list[T | None] = threads.each([*work, *more], self._workers, lambda: self._tell(self._done))
        return [one for one in done if one is not None]

    def _tell(self, share: float) -> None:
        """Say what share is done."""
        self._done = max(share, self._done)
        self.progress(self._done)

    def _before(self, j: int) -> list[int]:
        """Sightings that may be the last true one before another, in order of time."""
        found: list[int] = []
        for i in range(j - 1, -1, -1):
            # One that is false for sure is no doubt that one more makes too many.
            if self.anchors[i].probability > 0.0:
                found.insert(0, i)
            if self.anchors[i].probability >= 1.0 or len(found) > self._most_false:
                break
        return found

    def _beside(self, i: int, j: int) -> float:
        """Logarithm of what is beside its own weight to a way from sighting i to j: all between are false."""
        return self._left_out(i + 1, j) - self.log_all(i, j)

    def _left_out(self, first: int, last: int) -> float:
        """Logarithm of the weight of sightings first to last - 1 being false."""
        false = [1.0 - a.probability for a in self.anchors[first:last]]
        if not false:
            return 0.0
        return float(np.log(false).sum() + len(false) * self.elsewhere) if min(false) > 0 else -np.inf

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

    def _all_forgotten(self, step: int) -> InvalidInput:
        prune = self.model.prune
        return InvalidInput(
            f"no place is left {step * self.model.step_s:.0f} s after the begin of the window: prune "
            f"{prune:g} forgets all; give a smaller one (the default is 1e-6)",
            field="prune",
            value=prune,
        )
