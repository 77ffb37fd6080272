"""Sightings of which only an interval is known: a mixture over the moments that they may have been."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import product

import numpy as np

from geo_policing.errors import InvalidInput
from geo_policing.model import Sighting
from geo_policing.tracks.smoothing import Anchor, Impossible, Smoothed

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
    """
    found: list[tuple[int, list[int], Smoothed]] = []
    failed: Impossible | None = None
    for c, chosen in enumerate(steps):
        order = sorted(range(len(anchors)), key=lambda i: (chosen[i], i))
        placed = [Anchor(chosen[i], anchors[i].density, anchors[i].probability) for i in order]
        try:
            found.append((c, order, smooth(placed, samples)))
        except Impossible as error:
            failed = failed or Impossible(order[error.anchor])
    if not found:
        assert failed is not None
        raise failed
    log = np.array([one.log_evidence for _, _, one in found])
    weight = np.exp(log - log.max())
    total = float(log.max() + np.log(weight.sum()) - np.log(len(steps)))
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
    mixed = Smoothed(*_mix([one for _, _, one in found], weight), truth, first, last, total, paths)
    mixed.ends = [
        (step, share * w, state)
        for (_, _, one), w in zip(found, weight, strict=True)
        for step, share, state in one.ends
    ]
    return mixed, tuple(step for chosen in steps for step in chosen)


def _mix(parts: Sequence[Smoothed], weight: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    bins, mass = [], []
    for step in range(len(parts[0].bins)):
        every = np.concatenate([one.bins[step] for one in parts])
        there, at = np.unique(every, return_inverse=True)
        held = np.concatenate([w * one.mass[step] for one, w in zip(parts, weight, strict=True)])
        summed = np.bincount(at, held, len(there))
        bins.append(there)
        mass.append((summed / summed.sum()).astype(np.float32))
    return bins, mass
