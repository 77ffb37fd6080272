"""How a suspect moves: speeds that change with time, turns, and detours."""

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.roads import Access

Array = NDArray[np.float64]


class Mode(StrEnum):
    """What the suspect travels with."""

    CAR = "car"
    E_BIKE = "e-bike"
    FOOT = "foot"
    ANY = "any"


@dataclass(frozen=True, slots=True, eq=False)
class MovementModel:
    """A chain of speed classes, shares of turns, and penalties of detours.

    Parameters
    ----------
    mode : Mode
        Who travels: which edges are open.
    step_s : float
        Step of time.
    bin_m : float
        About how long the bins are that edges are cut into.
    speed_mps : (classes,) float64
        Speed in each class.
    start : (classes,) float64
        How common each class is.
    chain : (types, classes, classes) float64
        Probability of the next class a step later, on edges of each type.
    type_m : (types - 1,) float64
        Lengths of edges at which the types change.
    band_mps : (bands - 1,) float64
        Speeds at which the bands of ``turn`` change.
    turn : (bands, features) float64
        Coefficients of `turns.FEATURES`.
    penalty_per_m : (p,) float64
        Rates at which ways become rarer by the metre that they are longer than the shortest; a mixture.
    penalty_share : (p,) float64
        Shares of the mixture.
    prune : float
        Share of the whole below which a bin is forgotten.
    """

    mode: Mode
    step_s: float
    bin_m: float
    speed_mps: Array
    start: Array
    chain: Array
    type_m: Array
    band_mps: Array
    turn: Array
    penalty_per_m: Array
    penalty_share: Array
    prune: float = 1e-6

    @classmethod
    def of(cls, mode: Mode | str = Mode.CAR) -> Self:
        """Return the model of the package, learned on real drives: see docs/reconstruction.md."""
        mode = Mode(mode)
        model = cls(mode=mode, **_learned())
        top = _TOP_MPS.get(mode)
        return model if top is None else model._slower(top)

    @property
    def access(self) -> Access | None:
        """Whose edges are open; None for every edge."""
        return _ACCESS[self.mode]

    @property
    def top_mps(self) -> float:
        """Speed that nobody exceeds for long."""
        return float(self.speed_mps.max())

    def coarser(self, steps: int, bins: float) -> Self:
        """Return the same movement in steps and bins that are so many times larger."""
        chain = np.array([np.linalg.matrix_power(p, steps) for p in self.chain])
        return replace(self, step_s=self.step_s * steps, bin_m=self.bin_m * bins, chain=chain)

    def _slower(self, top_mps: float) -> Self:
        """Return the movement without the classes faster than this; who would be faster keeps the class."""
        kept = np.flatnonzero(self.speed_mps <= top_mps)
        chain = self.chain[:, kept][:, :, kept]
        start = self.start[kept]
        return replace(
            self,
            speed_mps=self.speed_mps[kept],
            start=start / start.sum(),
            chain=chain / chain.sum(axis=2, keepdims=True),
        )


_ACCESS = {Mode.CAR: Access.CAR, Mode.E_BIKE: Access.BICYCLE, Mode.FOOT: Access.FOOT, Mode.ANY: None}
#: An e-bike rides up to 10 m/s, a runner 4.
_TOP_MPS = {Mode.E_BIKE: 10.0, Mode.FOOT: 4.0}


@cache
def _learned() -> dict[str, Any]:
    text = (resources.files("geo_policing.tracks") / "learned.json").read_text(encoding="utf-8")
    return {k: np.array(v) if isinstance(v, list) else v for k, v in json.loads(text).items()}
