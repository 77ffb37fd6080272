"""Sightings of which only an interval is known: a mixture over the moments that they may have been."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.model import Sighting
from geo_policing.tracks.left_out import KNOWN
from geo_policing.tracks.smoothing import Anchor, Impossible, Smoothed, Unlikely

Array = NDArray[np.float64]

#: How many moments of each interval are tried, by the number of intervals: every one with every other.
MOMENTS = {1: 7, 2: 5, 3: 3}


def moments(sightings: Sequence[Sighting]) -> Iterator[tuple[datetime, ...]]:
    """Yield the moments at which all sightings may have been, evenly over each interval, both ends included.

    Raises
    ------
    InvalidInput
        If more than three have an interval.
    """
    n = sum(s.until is not None for s in sightings)
    if n > max(MOMENTS):
        raise InvalidInput(
            f"{n} sightings are known only to an interval, at most {max(MOMENTS)} can be; give the others "
            "their likeliest moment",
            field="until",
            value=n,
        )
    tried = []
    for sighting in sightings:
        step = (sighting.last - sighting.time) / max(MOMENTS.get(n, 1) - 1, 1)
        count = MOMENTS[n] if sighting.until is not None else 1
        tried.append([sighting.time + k * step for k in range(count)])
    yield from product(*tried)


def run(
    smooth: Callable[[list[Anchor], int], Smoothed],
    anchors: list[Anchor],
    steps: Sequence[tuple[int, ...]],
    samples: int,
    draw: np.random.Generator,
) -> tuple[Smoothed, tuple[int, ...]]:
    """Smooth for each choice of moments and mix the answers by the evidence for them.

    Parameters
    ----------
    smooth : callable
        From the anchors in order of time, and how many paths to sample, to what is known.
    anchors : list of Anchor
        One for each sighting; when is taken from ``steps``.
    steps : sequence of (n,) tuples
        For each choice the step of each sighting.
    samples : int
        How many paths to sample in all.
    draw : Generator
        Chooses which of the sampled paths are kept.

    Returns
    -------
    Smoothed
        The mixture; its paths name sightings by numbers into what follows.
    tuple of int
        The steps of the sightings, choice after choice.

    Raises
    ------
    Impossible
        If no choice is possible: the sighting that the first choice failed at.
    Unlikely
        If no choice has the evidence that is worth an answer; those that have not are left out, but for the
        evidence.
    """
    found: list[tuple[int, list[int], Smoothed]] = []
    failed: Impossible | None = None
    unlikely: list[Unlikely] = []
    mix = _Mixture()
    # At no one moment can be read out what the others say of what may have been at several.
    moves = [len(set(moments)) > 1 for moments in zip(*steps, strict=True)]
    for c, chosen in enumerate(steps):
        order = sorted(range(len(anchors)), key=lambda i: (chosen[i], i))
        placed = [
            replace(anchors[i], step=chosen[i], near=None if moves[i] else anchors[i].near) for i in order
        ]
        try:
            one = smooth(placed, samples)
        except Impossible as error:
            failed = failed or Impossible(order[error.anchor])
            continue
        except Unlikely as error:
            unlikely.append(error)
            continue
        mix.add(one)
        # Where all were at each moment is the most of it by far, and is in the mixture.
        found.append((c, order, replace(one, bins=[], mass=[])))
    log = np.array([one.log_evidence for _, _, one in found])
    all_logs = [*log.tolist(), *(error.log_evidence for error in unlikely)]
    total = float(np.logaddexp.reduce(all_logs) - np.log(len(steps))) if all_logs else -np.inf
    if not found and unlikely:
        raise Unlikely(total, unlikely[0].least)
    if not found:
        assert failed is not None
        raise failed
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    n = len(anchors)
    truth, first, last = np.zeros((3, n))
    for (_, order, one), share in zip(found, weight, strict=True):
        truth[order] += share * one.truth
        first[order] += share * one.first
        last[order] += share * one.last
    taken = draw.choice(len(found), samples, p=weight) if samples else np.empty(0, int)
    paths = []
    for k, path in enumerate(taken.tolist()):
        c, order, one = found[path]
        paths.append([(c * n + order[anchor], bins) for anchor, bins in one.paths[k]])
    mixed = Smoothed(*mix.told(), truth, first, last, total, _left_out(found, weight, n), paths)
    mixed.ends = [
        (step, share * w, state)
        for (_, _, one), w in zip(found, weight, strict=True)
        for step, share, state in one.ends
    ]
    return mixed, tuple(step for chosen in steps for step in chosen)


def _left_out(found: Sequence[tuple[int, list[int], Smoothed]], weight: Array, n: int) -> Array:
    """`Smoothed.left_out` (n, 2) over all choices, each as probable as it is where the sighting is false."""
    total, known, false = np.zeros((n, 2)), np.zeros((n, 2)), np.zeros((n, 1))
    for (_, order, one), share in zip(found, weight, strict=True):
        mine = share * (1.0 - one.truth)[:, None]
        told = ~np.isnan(one.left_out)
        false[order] += mine
        known[order] += mine * told
        total[order] += np.where(told, mine * one.left_out, 0.0)
    enough = (known > 0.0) & (known >= KNOWN * false)
    return np.where(enough, total / np.where(known > 0.0, known, 1.0), np.nan)


class _Mixture:
    """Where the suspect was at each step, over all choices of moments so far by their evidence."""

    def __init__(self) -> None:
        self._bins: list[NDArray[Any]] = []
        self._mass: list[NDArray[np.float32]] = []
        #: Logarithm of the evidence of all that is in it.
        self._log = -np.inf

    def add(self, one: Smoothed) -> None:
        """Add one choice."""
        log = float(np.logaddexp(self._log, one.log_evidence))
        old, new = np.exp(self._log - log), np.exp(one.log_evidence - log)
        if not self._bins:
            self._bins, self._mass = list(one.bins), list(one.mass)
        else:
            for step, (bins, mass) in enumerate(zip(one.bins, one.mass, strict=True)):
                there, at = np.unique(np.concatenate([self._bins[step], bins]), return_inverse=True)
                held = np.bincount(at, np.concatenate([old * self._mass[step], new * mass]), len(there))
                self._bins[step], self._mass[step] = there, held.astype(np.float32)
        self._log = log

    def told(self) -> tuple[list[NDArray[Any]], list[NDArray[np.float32]]]:
        """Bins and their masses at each step, which sum to 1."""
        return self._bins, [(mass / mass.sum(dtype=np.float64)).astype(np.float32) for mass in self._mass]
