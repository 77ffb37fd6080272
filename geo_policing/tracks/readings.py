"""What was read out of the filter at each step, in parts, and their sums."""

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels import bin_filter
from geo_policing.tracks import threads


class Readings:
    """Bins and how probable each is, in parts: those of several legs and penalties.

    Parameters
    ----------
    steps : int
        Of the window.
    """

    def __init__(self, steps: int) -> None:
        self._parts: list[list[tuple[NDArray[Any], NDArray[Any], float]]] = [[] for _ in range(steps)]

    def add(self, step: int, bins: NDArray[Any], mass: NDArray[Any], factor: float) -> None:
        """Add bins (k,) at a step, and how much each is (k,) float32, to be multiplied by a factor."""
        self._parts[step].append((bins, mass, factor))

    def summed(self, n: int, workers: int) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Sum up the parts of each step, of n bins, in so many threads; they are let go of."""
        bounds = np.linspace(0, len(self._parts), workers + 1).astype(int).tolist()
        work = [threads.in_one(partial(self._sum, n, a, b)) for a, b in pairwise(bounds)]
        steps = [step for part in threads.each(work, workers, lambda: None) for step in part]
        return [bins for bins, _ in steps], [mass for _, mass in steps]

    def _sum(self, n: int, begin: int, end: int) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        dense = np.zeros(n)
        found = []
        for parts in self._parts[begin:end]:
            bins = [there for there, _, _ in parts] or [np.empty(0, np.int32)]
            mass = [np.float32(factor) * held for _, held, factor in parts] or [np.empty(0, np.float32)]
            found.append(bin_filter.summed(np.concatenate(bins), np.concatenate(mass), dense))
            parts.clear()
        return found
