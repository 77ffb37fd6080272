"""Which sighting does not fit the rest, and where to look next."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.model import Sighting, TimeWindow
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.evidence import close_by
from geo_policing.tracks.mixture import Mixture
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.reconstruct import reconstruct
from geo_policing.tracks.reconstruction import Reconstruction
from geo_policing.tracks.turns import Turns

Array = NDArray[np.float64]

#: So many doubtful sightings on either side are asked of one that is left out.
MOST_ASKED = 3
#: Sightings that are so probably the first true one, or the last, without another are asked where one was.
WORTH_ASKING = 0.1
#: Where a sighting is as probable as this, the little that is left does not tell where one was without it.
NO_DOUBT = 1.0 - 1e-9


def leave_one_out(
    network: RoadNetwork,
    sightings: Sequence[Sighting],
    model: MovementModel | None = None,
    *,
    turns: Turns | None = None,
    found: Reconstruction | None = None,
    kept: Sequence[int] | None = None,
    tell: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """Probability of being near the place of each sighting, by the others alone, as probable as they are.

    A small one says that the sighting does not fit: a cloned plate, a wrong witness, a clock that is off.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    sightings : (n,) sequence of Sighting
        In order of time, as `Reconstruction.sightings` has them.
    model, turns
        As in `reconstruct`.
    found : Reconstruction, optional
        Of these sightings, where it is known; else it is made where one of them is doubtful. It tells where
        one was who passed a doubtful sighting that is false. What it does not tell, as of sure sightings and
        of those in intervals, is asked of the others up to the next sure one, or of `MOST_ASKED` doubtful
        ones, on either side.
    kept : sequence of int, optional
        Which of these sightings ``found`` is of, as `Member.kept`, in order; all when not given. The others
        are off the roads of who travels: they are asked about, and tell nothing.
    tell : callable
        Called now and then; what it raises ends the work.

    Returns
    -------
    (n,) float64
        Near is within `evidence.NEAR_M` and twice the accuracy. NaN where no other sighting can tell.

    Raises
    ------
    InvalidInput
        As `reconstruct` does.
    """
    model = model or MovementModel.of()
    turns = turns or Turns.of(network, model.access)
    if found is None and len(sightings) > 1 and any(0.0 < s.probability < 1.0 for s in sightings):
        found = reconstruct(network, sightings, model, turns=turns, samples=0, progress=lambda _: tell())
    asked = _Asked(network, sightings, range(len(sightings)) if kept is None else kept, model, turns, tell)
    if found is None:
        return np.array([asked.neighbours(i) for i in range(len(sightings))])
    return np.array([asked.without(i, found) for i in range(len(sightings))])


class _Asked:
    """What other sightings say of one, each time reconstructed anew."""

    def __init__(
        self,
        network: RoadNetwork,
        sightings: Sequence[Sighting],
        kept: Sequence[int],
        model: MovementModel,
        turns: Turns,
        tell: Callable[[], None],
    ) -> None:
        self._network, self._sightings, self._model = network, sightings, model
        #: Which sightings tell anything, and their numbers in what is found of them.
        self._number = {k: number for number, k in enumerate(kept)}
        self._turns, self._tell = turns, tell

    def without(self, i: int, found: Reconstruction) -> float:
        """Return what the answer tells of sighting i where it is false, and ask for what it does not."""
        if i not in self._number:
            return self.neighbours(i)
        number = self._number[i]
        along, outside = found.smoothed.left_out[number].tolist()
        if np.isnan(along) or found.truth[number] > NO_DOUBT:
            return self.neighbours(i)
        if np.isnan(outside):
            # Of the first true sighting, or the last, that alone says where one was before, or after.
            ends = np.array([*found.smoothed.last[:number], 0.0, *found.smoothed.first[number + 1 :]])
            weight = ends / (1.0 - found.truth[number])
            outside = sum(
                weight[self._number[k]] * self._ask(i, [replace(self._sightings[k], probability=1.0)])
                for k in self._number
                if weight[self._number[k]] > WORTH_ASKING
            )
        return float(min(along + outside, 1.0))

    def neighbours(self, i: int) -> float:
        """Ask the sightings before and after sighting i, as probable as they are."""
        before = self._until_sure(range(i - 1, -1, -1))[::-1]
        return self._ask(i, before + self._until_sure(range(i + 1, len(self._sightings))))

    def _until_sure(self, numbers: Sequence[int]) -> list[Sighting]:
        found: list[Sighting] = []
        for k in filter(self._number.__contains__, numbers):
            if self._sightings[k].probability > 0.0:
                found.append(self._sightings[k])
            if self._sightings[k].probability >= 1.0 or len(found) == MOST_ASKED:
                break
        return found

    def _ask(self, i: int, others: Sequence[Sighting]) -> float:
        """Return how probable it is, by others, to have been near sighting i; NaN where they cannot tell."""
        sighting = self._sightings[i]
        if not others:
            return np.nan
        moments = sorted([sighting.time, sighting.last, *(t for s in others for t in (s.time, s.last))])
        window = TimeWindow(moments[0], max(moments[-1], moments[0] + timedelta(seconds=self._model.step_s)))
        try:
            rest = reconstruct(
                *(self._network, others, self._model, window),
                turns=self._turns,
                samples=0,
                progress=lambda _: self._tell(),
            )
        except InvalidInput:
            # The others cannot all be true: one of them is wrong, and they tell nothing about this one.
            return np.nan
        near = close_by(rest.lattice, sighting)
        first, last = (
            min(round((t - window.start).total_seconds() / rest.step_s), len(rest.smoothed.bins) - 1)
            for t in (sighting.time, sighting.last)
        )
        # Of an interval the moment counts at which the others say that it fits best.
        return max(
            float(near[rest.smoothed.bins[step]] @ rest.smoothed.mass[step])
            for step in range(first, last + 1)
        )


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
