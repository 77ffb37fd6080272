"""All ways to one sighting from those before it: filtered backward, then forward, with sampled paths.

What comes backward from a sighting does not depend on where one set out, so the legs to it from several
sightings before it are one *approach*, left at each of them; forward they join it one after the other. There
is an approach for each penalty of detours. What a way costs is charged as it leaves the shortest one, so
under a penalty nothing beyond a certain detour can carry weight; bins that lie farther aside are not there
at all, which makes all penalties but the smallest cheap however large the city is.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.kernels import bin_approach, bin_filter
from geo_policing.tracks.approaches import Approach, Arrival, Leg, Riders, added, between
from geo_policing.tracks.gears import Gears
from geo_policing.tracks.ground import Ground, State, Walk
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.reach import CELL_M
from geo_policing.tracks.ways import WayFinder, Ways

Array = NDArray[np.float64]

#: When the states kept take this share of the memory, one in so many is kept; those between are made again
#: when they are needed.
WHOLE, KEPT_EVERY = 0.25, 20
#: What is forgotten where both directions are known, as a share of what is forgotten backward.
JOINED = 0.01
#: A leg on which all was forgotten, since it takes rare haste, is tried again with so much less forgotten.
LAST_RESORT = 1e-7


class LegFilter:
    """Steps over one lattice, and whole approaches of them.

    Parameters
    ----------
    lattice : Lattice
        Where.
    model : MovementModel
        How.
    unseen : dict of int to ((k,) int32, (k, classes) float32)
        At some steps, bins and the probability of not being detected in each.
    gears : Gears
        Of the lattice, the coarse one as well where it may be needed.
    memory_bytes : int
        What the backward weights may take.
    """

    def __init__(
        self,
        lattice: Lattice,
        model: MovementModel,
        unseen: dict[int, State],
        gears: Gears,
        memory_bytes: int,
    ) -> None:
        self._lattice, self._model, self._unseen, self._gears = lattice, model, unseen, gears
        self._memory, self.used = memory_bytes, sum(map(_bytes, {id(s): s for s in unseen.values()}.values()))
        self.finder = WayFinder(lattice, model, gears, memory_bytes)
        #: How a class of the coarse gear is made up, for what is told of the fine ones.
        self._mixed = (model.start[:, None] * gears.joined) / (model.start @ gears.joined)

    def approach(self, ways: Ways, end: State) -> list[Callable[[Callable[[], None]], list[Leg]]]:
        """Say what is to be done to filter backward from a sighting to some before it: a part each penalty.

        end: the state at the goal of the ways, in just its bins. Each part is called with what it shall call
        at each step.
        """
        between, model = ways.between, self._model
        whole_bytes = max(WHOLE * self._memory - self.used, 0.0) / len(model.penalty_per_m)

        def part(penalty: float, share: float, walk: Walk) -> Callable[[Callable[[], None]], list[Leg]]:
            log_share = float(np.log(share))

            def work(tick: Callable[[], None]) -> list[Leg]:
                made: list[Leg] = []
                trying, walking, schedule = ways.led, walk, ways.schedule
                for prune in (model.prune, model.prune * LAST_RESORT):
                    here = [between.steps[i] for i in trying]
                    approach = Approach(
                        begin=here[0],
                        steps=between.last - here[0],
                        joins=[step - here[0] for step in here],
                        share=share,
                        ground=walking.ground,
                        schedule=schedule or self.finder.schedule(between, trying),
                        prune=prune,
                        every=1,
                        behind=[],
                        walk=walking,
                    )
                    bins = [between.start_bins[i] for i in trying]
                    found = self._backward(approach, end, bins, whole_bytes, tick)
                    made += [
                        Leg(between.starts[trying[nth]], between.goal, approach, nth, held, log + log_share)
                        for nth, held, log in found
                    ]
                    reached = {nth for nth, _, _ in found}
                    trying = [i for nth, i in enumerate(trying) if nth not in reached]
                    if not trying:
                        break
                    walking, schedule = self.finder.walk(ways.distances.only(trying), penalty), None
                return made

            return work

        penalties = zip(model.penalty_per_m.tolist(), model.penalty_share.tolist(), ways.walks, strict=True)
        return [part(*one) for one in penalties] if ways.led else []

    def _backward(
        self,
        approach: Approach,
        end: State,
        start: Sequence[NDArray[Any]],
        whole_bytes: float,
        tick: Callable[[], None],
    ) -> list[tuple[int, State, float]]:
        """Filter backward: which starts are reached, what is there, and the logarithm of its scale.

        Each state is kept while they take no more than so many bytes.
        """
        ground, walk = approach.ground, approach.walk
        now, log = ground.of_lattice(end), 0.0
        found: list[tuple[int, State, float]] = []
        kept: list[tuple[int, State]] = []
        joining: dict[int, list[int]] = {}
        for nth, k in enumerate(approach.joins):
            joining.setdefault(k, []).append(nth)
        used = 0
        step = approach.schedule.step
        for t in range(len(step) - 1, -1, -1):
            if t + 1 < len(step):
                tick()
                now, scale = self._step_back(approach, walk, t, now)
                log += scale
            if t % approach.every == 0 or t + 1 == len(step):
                kept.append((t, now))
                used += _bytes(now)
                if used > whole_bytes and approach.every == 1:
                    approach.every = KEPT_EVERY
                    kept = [one for one in kept if one[0] % KEPT_EVERY == 0 or one[0] + 1 == len(step)]
                    used = sum(_bytes(state) for _, state in kept)
                self._allow(self.used + used)
            for nth in joining.get(int(step[t]), ()):
                bins, values = ground.to_lattice(now)
                if np.isin(start[nth], bins).any():
                    held = values * ground.start_weight[nth, now[0], None]
                    found.append((nth, (bins, held), log))
        approach.behind = [state for _, state in reversed(kept)]
        walk.rest()
        return found

    def _step_back(self, approach: Approach, walk: Walk, t: int, after: State) -> tuple[State, float]:
        """Go back to the t-th state of an approach, where only what can have come that far is."""
        ground, (k, later), (before, gear) = approach.ground, *approach.schedule.pair(t)
        bins, values = self.watched(approach.begin + k, approach.begin + later, after, ground)
        active = bisect_right(approach.joins, k)
        age = k - np.array(approach.joins[:active])
        reach_m = (age + 1) * self.finder.step_m[-1] + 2.0 * self.finder.bin_m
        there, held, log = bin_approach.backward(
            *(bins, values, *walk.rows(gear), self._gears.chain_back[before][gear]),
            *(ground.kind, ground.came_m[:active], ground.prior[:active], reach_m),
            *(self.finder.reach.row(age), self.finder.reach.table, CELL_M, approach.prune),
            *(walk.dense(gear), walk.mark(gear)),
        )
        return (there, held), log

    def join(self, leg: Leg, state: State, log: float) -> None:
        """Set out on a leg with a state whose scale has a logarithm."""
        ground = leg.approach.ground
        bins, values = ground.of_lattice(state)
        values = values.astype(np.float64) * ground.start_weight[leg.nth, bins, None]
        total = values.sum()
        if total > 0.0:
            leg.joining = ((bins, (values / total).astype(np.float32)), log + float(np.log(total)))

    def forward(
        self, approach: Approach, legs: Sequence[Leg], draw: np.random.Generator
    ) -> Callable[[Callable[[], None]], Arrival]:
        """Say what is to be done to filter forward along an approach, with the paths sampled on its legs.

        Each step but the last is read out.
        """
        joining: dict[int, list[Leg]] = {}
        for leg in legs:
            if leg.joining is not None:
                joining.setdefault(approach.joins[leg.nth], []).append(leg)

        def work(tick: Callable[[], None]) -> Arrival:
            ground, walk = approach.ground, approach.walk
            nothing = np.empty((0, len(self.finder.step_m)), np.float32)
            arrival = Arrival((np.empty(0, np.int32), nothing), -np.inf)
            if not joining:
                return arrival
            share = 0.0
            aboard: list[Riders] = []
            first = min(joining)
            step = approach.schedule.step.tolist()
            for t, behind in self._behind(approach, walk, step.index(first)):
                tick()
                mass = None
                if step[t] > first:
                    (k, later), (before, gear) = approach.schedule.pair(t - 1)
                    moments = (approach.begin + k, approach.begin + later)
                    seen = self.watched(*moments, behind, ground)
                    chain = self._gears.chain[before][gear]
                    # What came forward is narrowed to what can still arrive, so it may be pruned no other
                    # way. What is lost here is missing at the next sighting, so it has to be less than
                    # backward.
                    bins, values, scale, mass = bin_approach.forward(
                        *(*arrival.state, *walk.rows(gear), chain, ground.kind, *seen),
                        *(JOINED * approach.prune, walk.dense(gear)),
                    )
                    arrival.state = self.watched(*moments, (bins, values), ground)
                    arrival.log += scale
                    for riders in aboard:
                        self._ride(riders, approach, walk, seen, (chain, gear), draw)
                    if later - k > 1:
                        told = (moments[1], ground.bins[bins], mass.astype(np.float32), share)
                        arrival.read += between(arrival.read[-1], told)
                if step[t] in joining:
                    if mass is not None:
                        came = (ground.bins[arrival.state[0]], mass.astype(np.float32), share)
                        arrival.passed.append((approach.begin + step[t], *came))
                    parts = [leg.joining for leg in joining[step[t]] if leg.joining is not None]
                    state, arrival.log = added([(arrival.state, arrival.log), *parts])
                    bins, mass, _, values = bin_filter.join(*state, *behind, JOINED * approach.prune, walk.at)
                    arrival.state = (bins, values)
                    share += sum(leg.share for leg in joining[step[t]])
                    aboard += [leg.riders for leg in joining[step[t]] if len(leg.riders.path)]
                if t + 1 < len(step) and mass is not None:
                    told_bins = ground.bins[arrival.state[0]]
                    arrival.read.append((approach.begin + step[t], told_bins, mass.astype(np.float32), share))
            arrival.state = ground.to_lattice(arrival.state)
            arrival.log += float(np.log(approach.share))
            return arrival

        return work

    def _ride(
        self,
        riders: Riders,
        approach: Approach,
        walk: Walk,
        behind: State,
        step: tuple[NDArray[Any], int],
        draw: np.random.Generator,
    ) -> None:
        ground, (chain, gear) = approach.ground, step
        bin_approach.sample(
            *(
                riders.bin,
                riders.speed,
                draw.random(len(riders.path)),
                *behind,
                *walk.ahead(gear),
            ),
            *(ground.to_go_m, ground.penalty, chain, ground.kind, ground.number, walk.at),
        )
        stride = self._gears.stride[gear]
        riders.driven += [riders.driven[-1]] * (stride // 2)
        riders.driven += [riders.bin.copy()] * (stride - stride // 2)

    def _behind(self, approach: Approach, walk: Walk, first: int) -> Iterator[tuple[int, State]]:
        """Yield the states of an approach from the first-th on; what was not kept is made again."""
        count = len(approach.schedule.step)
        for nth, kept in enumerate(approach.behind[:-1]):
            t = nth * approach.every
            after = min(t + approach.every, count - 1)
            if after <= first:
                continue
            made: list[State] = []
            now = approach.behind[nth + 1]
            for again in range(after - 1, max(t, first - 1), -1):
                now, _ = self._step_back(approach, walk, again, now)
                made.append(now)
            if t >= first:
                yield t, kept
            yield from zip(range(max(t + 1, first), after), reversed(made), strict=True)
        yield count - 1, approach.behind[-1]

    def watched(self, before: int, step: int, state: State, ground: Ground | None = None) -> State:
        """Take the probability of not being seen in the steps after one, up to another, into a state there.

        Its bins are those of the lattice where no ground has its numbers.
        """
        for k in range(before + 1, step + 1):
            if k not in self._unseen:
                continue
            bins, chance = self._unseen[k]
            if ground is not None:
                bins, chance = ground.of_lattice((bins, chance))
            if state[1].shape[1] < chance.shape[1]:
                chance = (chance @ self._mixed).astype(np.float32)
            _, here, there = np.intersect1d(state[0], bins, assume_unique=True, return_indices=True)
            values = state[1].copy()
            values[here] *= chance[there]
            state = (state[0], values)
        return state

    def count(self, state: State) -> None:
        """Add a state that is kept to the memory used; refuse the window where it is too much."""
        self.used += _bytes(state)
        self._allow(self.used)

    def count_legs(self, legs: Sequence[Leg]) -> None:
        """Add what legs keep."""
        for approach in {id(leg.approach): leg.approach for leg in legs}.values():
            for state in approach.behind:
                self.count(state)
            self.used += approach.walk.nbytes
        self._allow(self.used)

    def _allow(self, used: int) -> None:
        if used > self._memory:
            raise too_much(self._memory, "the window", "a model with coarser steps")


def too_much(memory_bytes: int, what: str, instead: str) -> InvalidInput:
    """Say that something takes more memory than allowed, and what to do."""
    return InvalidInput(
        f"{what} takes more than the {memory_bytes / 1e6:.0f} MB allowed; allow more, take a shorter window, "
        f"or {instead}",
        field="memory_bytes",
        value=memory_bytes,
    )


def _bytes(state: State) -> int:
    return int(state[0].nbytes + state[1].nbytes)
