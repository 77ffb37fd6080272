"""How far one can have come in some steps, whatever the way: the chain of speeds alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.tracks.movement import MovementModel

Array = NDArray[np.float64]
#: Distances are told in cells of so many metres, and up to so many of them.
CELL_M, CELLS = 20.0, 2000
#: For so many steps it is worked out; in more anybody can have come anywhere. They take 16 KB each.
MOST_STEPS = 4000


class Reach:
    """Probabilities of having driven so many cells of `CELL_M`, or more, in so many steps.

    Parameters
    ----------
    model : MovementModel
        Its chain on the edges that are driven fastest.
    """

    def __init__(self, model: MovementModel) -> None:
        self._chain, self._cells = model.fastest, model.speed_mps * model.step_s / CELL_M
        # Where a leg starts, and where in a bin one is, is known to a bin or two.
        self._spare = int(np.ceil(2.0 * model.bin_m / CELL_M)) + 1
        self._step = int(self._cells.max()) + 1
        self._driven = np.full((len(model.speed_mps), 1), 1.0 / len(model.speed_mps))
        #: (steps + 1, CELLS) float64, that of some steps in `row`; what is farther than all cells counts in
        #: the last.
        self.table = np.ones((1, CELLS))

    def extend(self, steps: int) -> None:
        """Work it out up to so many steps."""
        steps, known = min(steps, MOST_STEPS), len(self.table)
        if steps < known:
            return
        self.table = np.vstack([self.table, np.ones((steps + 1 - known, CELLS))])
        for step in range(known, steps + 1):
            if step == MOST_STEPS:  # which is told for all that follow
                break
            self._drive()
            tail = np.cumsum(self._driven.sum(axis=0)[::-1])[::-1][: CELLS - self._spare]
            self.table[step, self._spare : self._spare + len(tail)] = tail
            # And to a step: farther nobody is.
            end = self._spare + len(tail)
            self.table[step, end : end + self._step] = tail[-1]
            self.table[step, end + self._step :] = 0.0

    def row(self, steps: NDArray[np.int64] | int) -> Any:
        """Rows of the table for some numbers of steps, which it was extended to."""
        return np.minimum(steps, MOST_STEPS)

    def farthest_m(self, steps: int, apart_m: float, rarer: float) -> float:
        """Distance that is exp(-rarer) times as likely to be exceeded as another; inf if none is."""
        chance = self.table[self.row(steps)]
        too_rare = np.flatnonzero(chance < chance[min(int(apart_m / CELL_M), CELLS - 1)] * np.exp(-rarer))
        return float(too_rare[0] + 1) * CELL_M if len(too_rare) else np.inf

    def _drive(self) -> None:
        """Drive one step more."""
        mixed = self._chain.T @ self._driven
        size = mixed.shape[1]
        driven = np.zeros((len(mixed), size + int(self._cells.max()) + 1))
        for c, (whole, part) in enumerate(zip(self._cells.astype(int), self._cells % 1.0, strict=True)):
            driven[c, whole : whole + size] += (1.0 - part) * mixed[c]
            driven[c, whole + 1 : whole + 1 + size] += part * mixed[c]
        if driven.shape[1] > CELLS:
            driven[:, CELLS - 1] += driven[:, CELLS:].sum(axis=1)
        self._driven = driven[:, :CELLS]
