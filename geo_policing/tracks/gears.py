"""How one moves near a sighting, and in longer steps and fewer classes of speed far from any.

Minutes away from what is known of a suspect the speed at one moment tells little, and nobody can say who
came by a rare turn. There several steps are made as one, neighbouring classes are taken as one and rare ways
are not followed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.steps import Steps

Array = NDArray[np.float64]

FINE, COARSE = 0, 1
#: In stretches of more than so many seconds what is farther than this from either end goes in the coarse
#: gear.
LONG_S, FINE_S = 650.0, 120.0
#: In the coarse gear a step is about so long, and ways on that are taken less often than this are not
#: followed.
COARSE_S, LEAST_COARSE = 32.0, 2e-2


@dataclass(frozen=True, slots=True, eq=False)
class Gear:
    """Where a step leads in some classes of speed.

    Parameters
    ----------
    classes : int
        How many.
    steps : Steps
        From all bins of the lattice.
    """

    classes: int
    steps: Steps


class Gears:
    """The fine gear and the coarse one, and how classes change within and between them.

    Parameters
    ----------
    lattice : Lattice
        Where.
    model : MovementModel
        How.
    workers : int
        In how many threads it is worked out where steps of the coarse one lead.
    """

    def __init__(self, lattice: Lattice, model: MovementModel, workers: int = 1) -> None:
        #: Which classes (rows) are one in the coarse gear (columns).
        self.joined = together(len(model.speed_mps))
        fine = np.eye(len(model.speed_mps))
        #: How many steps one in each gear is.
        self.stride = (1, max(round(COARSE_S / model.step_s), 1))
        #: `FINE` and `COARSE`.
        self.gear = [Gear(len(model.speed_mps), lattice.steps), self._coarse(lattice, model, workers)]
        into = [
            np.linalg.matrix_power(model.chain, n) @ i
            for n, i in zip(self.stride, (fine, self.joined), strict=True)
        ]
        out = (fine[None], _apart(model.chain, self.joined))
        #: (kinds, classes, classes) float32 from gear to gear, and with the classes after the step first.
        self.chain = [[(o @ i).astype(np.float32) for i in into] for o in out]
        self.chain_back = [[np.ascontiguousarray(p.transpose(0, 2, 1)) for p in row] for row in self.chain]

    def _coarse(self, lattice: Lattice, model: MovementModel, workers: int) -> Gear:
        speed_mps = (self.joined.T @ (model.start * model.speed_mps)) / (self.joined.T @ model.start)
        step_s = self.stride[COARSE] * model.step_s
        felt = lattice.felt_ahead
        steps = Steps(lattice.cut, model, speed_mps, step_s, felt, least=LEAST_COARSE, workers=workers)
        return Gear(len(speed_mps), steps)


def together(classes: int) -> Array:
    """Which classes (rows) are one in the coarse gear (columns): standing alone, the others in pairs."""
    column = np.minimum((np.arange(classes) + 1) // 2, max((classes - 1) // 2, 1))
    return np.asarray(np.eye(column.max() + 1)[column])


def _apart(chain: Array, joined: Array) -> Array:
    """Shares (kinds, columns, classes) of the classes that are one, as the chain has them in the long run."""
    long_run = chain
    for _ in range(16):
        long_run = long_run @ long_run
        long_run = long_run / long_run.sum(axis=2, keepdims=True)
    share = (long_run.mean(axis=1)[:, None, :] + 1e-12) * joined.T
    return np.asarray(share / share.sum(axis=2, keepdims=True))


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """At which steps there is a state, and in which gear: it was come to by a step in that gear.

    Parameters
    ----------
    step : (t,) int64
        Ascending, from 0.
    gear : (t,) int64
        Of the state at each.
    """

    step: NDArray[np.int64]
    gear: NDArray[np.int64]

    def pair(self, t: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the steps of the t-th state and of the next, and their gears."""
        return (int(self.step[t]), int(self.step[t + 1])), (int(self.gear[t]), int(self.gear[t + 1]))

    @classmethod
    def between(cls, stops: Sequence[int], gears: Gears, step_s: float) -> Self:
        """From 0 to the last of some stops, which begin with 0: coarse where it is long to either."""
        fine = int(np.ceil(FINE_S / step_s))
        coarse = [(a + fine, b - fine) for a, b in pairwise(stops) if (b - a) * step_s > LONG_S]
        return cls._of(coarse, stops[-1], gears)

    @classmethod
    def until(cls, stops: Sequence[int], gears: Gears, fine: int) -> Self:
        """From 0 to the last of some stops, which ascend: coarse more than so many steps before the next."""
        starts = [0, *stops[:-1]]
        return cls._of([(a, b - fine) for a, b in zip(starts, stops, strict=True)], stops[-1], gears)

    @classmethod
    def since(cls, stops: Sequence[int], last: int, gears: Gears, fine: int) -> Self:
        """From 0 to the last step: coarse more than so many after each of some stops, which begin with 0."""
        ends = [*stops[1:], last + 1]
        return cls._of([(min(a + fine, last), b - 1) for a, b in zip(stops, ends, strict=True)], last, gears)

    @classmethod
    def _of(cls, coarse: Sequence[tuple[int, int]], last: int, gears: Gears) -> Self:
        step, gear = [np.array([0])], [np.array([FINE])]
        at = 0
        for begin, end in [*coarse, (last, last)]:
            slow = np.arange(at + 1, max(begin, at) + 1)
            at = max(begin, at)
            fast = np.arange(at + gears.stride[COARSE], end + 1, gears.stride[COARSE])
            at = int(fast[-1]) if len(fast) else at
            step += [slow, fast]
            gear += [np.full(len(slow), FINE), np.full(len(fast), COARSE)]
        return cls(np.concatenate(step), np.concatenate(gear))
