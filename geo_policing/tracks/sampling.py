"""Whole paths sampled in the forward pass: at which sighting each begins, and on which leg it goes on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geo_policing.tracks.approaches import Leg, Riders
from geo_policing.tracks.ground import State

Array = NDArray[np.float64]


class PathSampler:
    """Sampled paths that wait at sightings.

    Parameters
    ----------
    sightings : int
        How many there are.
    samples : int
        How many paths.
    draw : Generator
        Chooses.
    """

    def __init__(self, sightings: int, samples: int, draw: np.random.Generator) -> None:
        self._samples, self._draw = samples, draw
        #: Rows of path, bin and class at each sighting.
        self._waiting = [np.empty((0, 3), np.int64) for _ in range(sightings)]
        #: For each path the sighting at which each part begins, and the bin at each step of it.
        self.paths: list[list[tuple[int, NDArray[np.int32]]]] = [[] for _ in range(samples)]

    def begin(self, first: Array, weighed: Sequence[State]) -> None:
        """Draw at which sighting each path begins, and in which state.

        first (n,): probability of each being the first true one; weighed: of each the bins and classes with
        weights.
        """
        begins = self._draw.choice(len(first), self._samples, p=first / first.sum())
        for i, (bins, values) in enumerate(weighed):
            mine = np.flatnonzero(begins == i)
            if len(mine):
                weight = values.ravel()
                drawn = self._draw.choice(len(weight), len(mine), p=weight / weight.sum())
                rows = np.column_stack([mine, bins[drawn // values.shape[1]], drawn % values.shape[1]])
                self._waiting[i] = rows.astype(np.int64)

    def board(self, i: int, legs: Sequence[Leg], log_last: float, n_bins: int) -> None:
        """Draw on which leg each path that is at sighting i goes on, or end it here."""
        rows = self._waiting[i]
        if not len(rows):
            return
        log = np.full((len(legs) + 1, len(rows)), -np.inf)
        log[-1] = log_last
        for k, leg in enumerate(legs):
            bins, held = leg.held
            dense = np.zeros((n_bins, held.shape[1]), np.float32)
            dense[bins] = held
            with np.errstate(divide="ignore"):
                log[k] = np.log(dense[rows[:, 1], rows[:, 2]]) + leg.log_weight
        weight = np.exp(log - log.max(axis=0))
        chosen = (self._draw.random(len(rows)) * weight.sum(axis=0) >= np.cumsum(weight, axis=0)).sum(axis=0)
        for row in rows[chosen == len(legs)]:
            self.paths[row[0]].append((i, np.array([row[1]], np.int32)))
        for k, leg in enumerate(legs):
            path, at, speed = rows[chosen == k].T
            bins = at.astype(np.int32)
            leg.riders = Riders(path, bins, speed.astype(np.int32), [bins.copy()])

    def land(self, leg: Leg) -> None:
        """Write down what the paths on a leg drove, and let them wait at the sighting they have reached."""
        riders = leg.riders
        whole = np.array(riders.driven)
        arrived = len(whole) == leg.approach.steps - leg.approach.joins[leg.nth] + 1
        for column, path in enumerate(riders.path.tolist()):
            # One that got stuck, as what it rode on was forgotten, is told by a bin of -1.
            driven = whole[:, column] if arrived else np.array([-1], np.int32)
            self.paths[path].append((leg.start, driven))
        there = np.column_stack([riders.path, riders.bin, riders.speed])
        there = there[(riders.bin >= 0) & arrived]
        self._waiting[leg.end] = np.vstack([self._waiting[leg.end], there])

    def spawn(self, count: int) -> list[np.random.Generator]:
        """Return generators that draw for themselves, the same each time."""
        return self._draw.spawn(count)
