"""Where one was at each sighting if it is false: what the others say of it, read out of the one filter.

A sighting that is false says nothing, so all ways that pass it as false are those without it, as probable as
the others make them.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.tracks.approaches import Arrival, Leg, Read

Array = NDArray[np.float64]
#: It is told where so much of what is without a sighting was followed.
KNOWN = 0.9
#: All is done once more on more roads where one for whom they were not taken is so likely the first true
#: sighting, or the last: where one was before, or after, is wrong with as much.
WORTH_THE_ROADS = 0.02


class LeftOut:
    """Sums up how probably one was near each sighting, and passed it.

    Parameters
    ----------
    steps : (n,) list of int
        Of the sightings.
    near : (n,) list of (b,) float64, optional
        Share of each bin that is near; None where it is not asked.
    """

    def __init__(self, steps: Sequence[int], near: Sequence[NDArray[Any] | None]) -> None:
        n = len(steps)
        counted = Counter(steps)
        self._steps = steps
        # Of several at one moment what passes the one is not told apart from what comes to the other.
        self._near = [there if counted[step] == 1 else None for step, there in zip(steps, near, strict=True)]
        self._over, self._passed, self._close, self._beyond, self._far = np.zeros((5, n))

    def over(self, leg: Leg, share: float) -> None:
        """Count a leg, whether it is followed or not."""
        self._over[leg.start + 1 : leg.end] += share

    def legs(self, legs: Sequence[Leg], arrival: Arrival) -> None:
        """Read out who passes the sightings between, along legs to one: all who set out before each."""
        followed = [leg for leg in legs if leg.joining is not None]
        first = min((leg.start for leg in followed), default=len(self._steps))
        between = range(first + 1, legs[0].end if legs else 0)
        joined = {self._steps[leg.start] for leg in followed}
        for i, part, share in self._read(between, arrival.read, arrival.passed, joined):
            self._passed[i] += share
            self._close[i] += share * part

    def outside(self, reads: Sequence[Read], passed: Sequence[Read], joined: Sequence[int]) -> None:
        """Read out where one was before the first true sighting, or after the last, at those that are not.

        joined: the steps of those that may be the first, or the last.
        """
        for i, part, share in self._read(range(len(self._steps)), reads, passed, set(joined)):
            self._beyond[i] += share
            self._far[i] += share * part

    def told(self, false: Array) -> Array:
        """Probabilities (n, 2) of being near each, if it is false, which it is with some (n,).

        That is of having been near between the first true sighting and the last, and before or after these;
        they add up. NaN where it was not read out.
        """
        outside = np.maximum(false - self._over, 0.0)
        asked = np.array([there is not None for there in self._near], bool) & (false > 0.0)
        along = asked & (self._over - self._passed <= (1.0 - KNOWN) * false)
        far = asked & ((outside <= (1.0 - KNOWN) * false) | (false > WORTH_THE_ROADS))
        # What was too rare to be followed is taken to be where the rest is.
        close = self._over * self._close / np.where(self._passed > 0.0, self._passed, 1.0)
        away = outside * self._far / np.where(self._beyond > 0.0, self._beyond, 1.0)
        told = np.column_stack([np.where(along, close, np.nan), np.where(far, away, np.nan)])
        return np.asarray(np.minimum(told / np.where(false > 0.0, false, 1.0)[:, None], 1.0))

    def _read(
        self, sightings: Sequence[int], reads: Sequence[Read], passed: Sequence[Read], joined: set[int]
    ) -> list[tuple[int, float, float]]:
        """At each sighting that is passed how much of what was read out there is near, and its share."""
        at = {self._steps[i]: i for i in sightings if self._near[i] is not None}
        found = []
        for step, bins, mass, share in (*(read for read in reads if read[0] not in joined), *passed):
            i = at.get(step, -1)
            near = self._near[i] if i >= 0 else None
            if near is not None:
                found.append((i, float(near[bins] @ mass), share))
        return found
