"""What can be worked out of the ways to a sighting before it is known how probable it is there.

What comes backward to a sighting depends on all that follows it, so the steps along its ways wait for that.
How long the ways are, which bins they lead through and where a step leads there do not: they are worked out
ahead, by a thread that would wait.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.tracks.gears import Gears, Schedule
from geo_policing.tracks.ground import Distances, Ground, Walk
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.reach import Reach

#: What is made ahead takes no more of the memory than this share.
AHEAD = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Between:
    """A sighting and those before it that one may come from.

    Parameters
    ----------
    starts, goal : list of int, int
        Which sightings they are; the starts in order of time.
    steps, last : list of int, int
        When they are.
    start_bins, goal_bins : list of (k,) integers, (k,) integers
        Where they can be.
    """

    starts: list[int]
    goal: int
    steps: list[int]
    last: int
    start_bins: list[NDArray[Any]]
    goal_bins: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """The ways to a sighting, whatever is told there.

    Parameters
    ----------
    between : Between
        From where to where.
    distances : Distances
        From the starts to the goal.
    led : list of int
        Which of the starts lead there in time.
    schedule : Schedule, optional
        From the first of these to the goal; None where there are none.
    walks : list of Walk
        Over the ground of each penalty, with its rows where they were made.
    """

    between: Between
    distances: Distances
    led: list[int]
    schedule: Schedule | None
    walks: list[Walk]


class WayFinder:
    """Finds the ways between sightings over one lattice.

    Parameters
    ----------
    lattice : Lattice
        Where.
    model : MovementModel
        How.
    gears : Gears
        Of the lattice.
    memory_bytes : int
        What all of the filter may take.
    """

    def __init__(self, lattice: Lattice, model: MovementModel, gears: Gears, memory_bytes: int) -> None:
        self._lattice, self._model, self._gears, self._memory = lattice, model, gears, memory_bytes
        self.step_m = model.speed_mps * model.step_s
        #: Nobody's place is known better than to a bin.
        self.bin_m = max(model.bin_m, float(lattice.yards.length_m.max(initial=0.0)))
        self._slack_m = 4.0 * self.bin_m
        self.reach = Reach(replace(model, bin_m=self.bin_m))

    def ways(self, between: Between, workers: int = 1) -> Ways:
        """Find the ways between some sightings, in so many threads.

        The reach is to have been extended to their steps: other threads may read it.
        """
        longest_m = [(between.last - step + 1) * self.step_m[-1] + self._slack_m for step in between.steps]
        chance = [self.reach.table[self.reach.row(between.last - step)] for step in between.steps]
        distances = Distances.of(
            self._lattice, between.start_bins, between.goal_bins, longest_m, chance, workers
        )
        led = [i for i, way in enumerate(distances.shortest_m) if way <= longest_m[i]]
        if not led:
            return Ways(between, distances, led, None, [])
        here = distances.only(led)
        walks = [self.walk(here, penalty) for penalty in self._model.penalty_per_m.tolist()]
        schedule = self.schedule(between, led)
        # At once for all penalties, in all threads there are, before each would do its own.
        bins = np.unique(np.concatenate([walk.ground.bins for walk in walks]))
        for gear in np.unique(schedule.gear[1:]).tolist():
            self._gears.gear[gear].steps.of(bins)
        return Ways(between, distances, led, schedule, walks)

    def walk(self, distances: Distances, penalty: float) -> Walk:
        """Return what walks over the ground of a penalty."""
        return Walk(Ground.of(self._lattice, distances, penalty, self._slack_m), self._gears)

    def schedule(self, between: Between, some: Sequence[int]) -> Schedule:
        """From the first of some of the starts to the goal."""
        steps = [between.steps[i] for i in some]
        stops = sorted({*(step - steps[0] for step in steps), between.last - steps[0]})
        return Schedule.between(stops, self._gears, self._model.step_s)

    def make_rows(self, walks: Sequence[tuple[Walk, Schedule]]) -> None:
        """Make what walks on some schedules need, while it takes no more than `AHEAD` of the memory."""
        left = AHEAD * self._memory
        for walk, schedule in walks:
            for gear in np.unique(schedule.gear[1:]).tolist():
                left -= walk.most_bytes(gear)
                if left < 0.0:
                    return
                walk.rows(gear)
