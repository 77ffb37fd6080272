"""How a suspect moves: speeds that change with time, turns, and detours."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.model import TimeWindow
from geo_policing.model.sighting import Area
from geo_policing.roads import Access, RoadClass
from geo_policing.tracks.speeds import Speeds, bent
from geo_policing.tracks.walking import walking
from geo_policing.tracks.yards import OffRoad

Array = NDArray[np.float64]

#: Time between sightings for which the penalties are given, and between which they change with it, seconds.
GAP_S, GAPS_S = 300.0, (120.0, 650.0)
#: With which power of that time they fall.
FALLING = 1.2


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
    through_share, right_angle_m, crossing_m, u_turn_m : float
        What makes a way feel longer or shorter than it is: see `Turns.felt`.
    penalty_per_m : (p,) float64
        Rates at which ways become rarer by the metre that they feel longer than the shortest, between
        sightings `GAP_S` apart; a mixture.
    penalty_share : (p,) float64
        Shares of the mixture.
    prune : float
        Share of the whole below which a bin is forgotten.
    speeds : Speeds, optional
        What was learned of the roads, to be followed at the hours of what is reconstructed.
    class_block : (max RoadClass + 1,) int64
        Of each road class the block of ``chain`` that holds for it; each block has a chain for each type.
    off_road : OffRoad, optional
        How the ground off the roads is used; nobody leaves the roads without it.
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
    through_share: float
    right_angle_m: float
    crossing_m: float
    u_turn_m: float
    penalty_per_m: Array
    penalty_share: Array
    prune: float = 1e-6
    speeds: Speeds | None = None
    class_block: NDArray[np.int64] = field(default_factory=lambda: np.zeros(max(RoadClass) + 1, np.int64))
    off_road: OffRoad | None = None

    @classmethod
    def of(cls, mode: Mode | str = Mode.CAR, speeds: Speeds | None = None) -> Self:
        """Return the model of the package: see docs/reconstruction.md.

        It was learned on real drives, and set for who walks.

        Raises
        ------
        InvalidInput
            If the speeds were learned of others than who travels, or in other classes of speed.
        """
        mode = Mode(mode)
        model = cls(mode=mode, **_learned())
        if mode is Mode.FOOT:
            model = replace(model, **walking())
        top = _TOP_MPS.get(mode)
        model = model if top is None else model._slower(top)
        if speeds is None:
            return model
        if speeds.mode != mode.value:
            raise InvalidInput(
                f"the speeds were learned of {speeds.mode}, not of {mode.value}; leave them out, or learn "
                f"them of {mode.value}",
                field="speeds",
                value=speeds.mode,
            )
        if not np.array_equal(speeds.speed_mps, model.speed_mps):
            raise InvalidInput(
                "the speeds were learned by another version, in other classes of speed; learn them again "
                "with geo-policing learn-speeds",
                field="speeds",
            )
        return replace(model, speeds=speeds)

    @property
    def access(self) -> Access | None:
        """Whose edges are open; None for every edge."""
        return _ACCESS[self.mode]

    @property
    def top_mps(self) -> float:
        """Speed that nobody exceeds for long."""
        return float(self.speed_mps.max())

    def at_hours_of(self, window: TimeWindow) -> Self:
        """Return the movement with chains that follow the speeds of the hours of a window, if any are known.

        The chain of a road class is that of the package, bent to the shares that were learned.
        """
        if self.speeds is None:
            return self
        blocks, class_block = [self.chain], np.zeros_like(self.class_block)
        for road_class, share in self.speeds.within(window).items():
            ratio = share / np.maximum(self.start, 1e-9)
            class_block[road_class] = len(blocks)
            blocks.append(np.array([bent(chain, ratio) for chain in self.chain]))
        return replace(self, chain=np.concatenate(blocks), class_block=class_block, speeds=None)

    @property
    def fastest(self) -> Array:
        """Chain (classes, classes) of the edges that are driven fastest."""
        if len(self.chain) == len(self.type_m) + 1:
            return np.asarray(self.chain[-1])
        far = [np.linalg.matrix_power(chain, 64)[0] @ self.speed_mps for chain in self.chain]
        return np.asarray(self.chain[int(np.argmax(far))])

    def over_gaps_of(self, longest_s: float) -> Self:
        """Return the movement between sightings that are up to so many seconds apart.

        The farther apart they are, the longer are the detours that there is time for: penalties fall with a
        power of the time, from what they are at `GAP_S`, and no further than at `GAPS_S`.
        """
        rarer = (float(np.clip(longest_s, *GAPS_S)) / GAP_S) ** FALLING
        return replace(self, penalty_per_m=self.penalty_per_m / rarer)

    def closing(self, areas: Sequence[Area]) -> Self:
        """Return the movement of who walks nowhere across some areas but on roads: water, say."""
        if self.off_road is None:
            return self
        closed = (*self.off_road.closed, *areas)
        return replace(self, off_road=replace(self.off_road, closed=closed))

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
#: An e-bike rides up to 10 m/s.
_TOP_MPS = {Mode.E_BIKE: 10.0}


@cache
def _learned() -> dict[str, Any]:
    text = (resources.files("geo_policing.tracks") / "learned.json").read_text(encoding="utf-8")
    return {k: np.array(v) if isinstance(v, list) else v for k, v in json.loads(text).items()}
