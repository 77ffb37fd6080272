"""Which sighting does not fit the rest, and where to look next."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.model import Sighting, TimeWindow
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.evidence import likelihood
from geo_policing.tracks.mixture import Mixture
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.reconstruct import reconstruct
from geo_policing.tracks.reconstruction import Reconstruction
from geo_policing.tracks.turns import Turns

#: A place fits where the suspect is within this, and twice its accuracy, metres.
NEAR_M = 100.0


def leave_one_out(
    network: RoadNetwork,
    sightings: Sequence[Sighting],
    model: MovementModel | None = None,
    *,
    turns: Turns | None = None,
    tell: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """Probability of being near the place of each sighting, by the sightings before and after it alone.

    A small one says that the sighting does not fit: a cloned plate, a wrong witness, a clock that is off; or
    that one of its neighbours does not.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    sightings : (n,) sequence of Sighting
        In order of time, as `Reconstruction.sightings` has them.
    model, turns
        As in `reconstruct`.
    tell : callable
        Called now and then; what it raises ends the work.

    Returns
    -------
    (n,) float64
        Near is within `NEAR_M` and twice the accuracy. NaN where no other sighting can tell.

    Raises
    ------
    InvalidInput
        As `reconstruct` does.
    """
    model = model or MovementModel.of()
    turns = turns or Turns.of(network, model.access)
    found = np.full(len(sightings), np.nan)
    for i, sighting in enumerate(sightings):
        others = [
            replace(s, probability=1.0) for s in (*sightings[max(i - 1, 0) : i], *sightings[i + 1 : i + 2])
        ]
        if not others:
            continue
        moments = sorted([sighting.time, sighting.last, *(t for s in others for t in (s.time, s.last))])
        window = TimeWindow(moments[0], max(moments[-1], moments[0] + timedelta(seconds=model.step_s)))
        try:
            rest = reconstruct(
                *(network, others, model, window), turns=turns, samples=0, progress=lambda _: tell()
            )
        except InvalidInput:
            # The neighbours cannot both be true: one of them is wrong, and they tell nothing about this one.
            continue
        near = _near(rest, sighting)
        first, last = (
            min(round((t - window.start).total_seconds() / rest.step_s), len(rest.smoothed.bins) - 1)
            for t in (sighting.time, sighting.last)
        )
        # Of an interval the moment counts at which the others say that it fits best.
        found[i] = max(
            float(near[rest.smoothed.bins[step]] @ rest.smoothed.mass[step])
            for step in range(first, last + 1)
        )
    return found


def _near(rest: Reconstruction, sighting: Sighting) -> NDArray[np.float64]:
    """Share (b,) of each bin that is near enough to a sighting to fit it."""
    if sighting.area is not None or sighting.cell:
        return likelihood(rest.lattice, replace(sighting, edge=""))
    (x,), (y,) = rest.lattice.network.plane.forward(sighting.lon, sighting.lat)
    return rest.lattice.within(x, y, NEAR_M + 2.0 * sighting.accuracy_m)


def information_bits(
    reconstruction: Reconstruction | Mixture, edges: Sequence[int], detection: float = 0.9
) -> NDArray[np.float64]:
    """Bits that a camera over each edge is expected to tell about the path.

    That is the mutual information of the path and of being recorded: H(r p) - p H(r), where p is the
    probability of passing, r the detection rate and H the entropy of a yes or no. A camera that everybody or
    nobody passes tells nothing; one that half of the paths pass tells most.

    Parameters
    ----------
    reconstruction : Reconstruction or Mixture
        With sampled paths.
    edges : sequence of int
        Directed edges that cameras look at.
    detection : float
        How likely it is that a camera records who passes, 0 to 1.

    Raises
    ------
    InvalidInput
        If the detection is not 0 to 1.
    """
    if not 0.0 <= detection <= 1.0:
        raise InvalidInput(f"detection {detection} is not from 0 to 1", field="detection", value=detection)
    passing = np.array([reconstruction.passing(edge) for edge in edges])
    return _entropy(detection * passing) - passing * _entropy(np.array(detection))


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    q = np.clip(np.array([p, 1.0 - p]), 1e-300, 1.0)
    return np.asarray(-(q * np.log2(q)).sum(axis=0))
