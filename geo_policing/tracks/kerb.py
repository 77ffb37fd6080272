"""Where roads and open ground touch: which bins a walker steps between, and how often."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.geodesy import LocalPlane, cells
from geo_policing.kernels import bin_kerb
from geo_policing.tracks.yards import OffRoad, Yards

Array = NDArray[np.float64]

#: Who is slower than this stands, and steps over no kerb.
STANDS_MPS = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Kerb:
    """What is beside each of b bins, roads first and crossings of cells after them.

    Parameters
    ----------
    offset : (b + 1,) int64
        Rows by bin.
    bin : (k,) int32
        The bins beside it: crossings of the cell that contains the middle of a bin of a road, and the bins of
        roads in the cell of a crossing.
    share : (k,) float64
        How often one comes to each; a row sums to 1.
    per_m : (b,) float64
        How often one steps over the kerb by the metre.
    apart_m : (k,) float64
        From the middle of the one bin to that of the other.
    """

    offset: NDArray[np.int64]
    bin: NDArray[np.int32]
    share: Array
    per_m: Array
    apart_m: Array

    @classmethod
    def of(cls, plane: LocalPlane, road: tuple[Array, Array, Array], yards: Yards, how: OffRoad) -> Self:
        """Join bins of roads, by the x, y of their middles and their lengths, each (r,), to crossings.

        Roads are left evenly by the metre, toward all sides of the cell alike. Who is off the road comes back
        to all roads of the cell, in proportion to their metres, and as often as others leave: in the long run
        probability lies on roads and beside them as their metres and square metres say.
        """
        x, y, bin_m = road
        cell = cells(*plane.inverse(x, y), _resolution(yards.cell))
        at = np.minimum(np.searchsorted(yards.cell, cell), len(yards.cell) - 1)
        first = np.searchsorted(yards.crosses, np.arange(len(yards.cell) + 1))
        sides = np.diff(first)
        there = np.flatnonzero((yards.cell[at] == cell) & (sides[at] > 0))
        fan = sides[at[there]]
        leaves = np.repeat(there, fan)
        nth = np.arange(fan.sum()) - np.repeat(np.cumsum(fan) - fan, fan)
        crossing = np.repeat(first[at[there]], fan) + nth
        road_m = np.bincount(at[there], bin_m[there], len(yards.cell))[yards.crosses]
        n, whole = len(x), len(x) + len(yards)
        goes = np.concatenate([leaves, n + crossing])
        comes = np.concatenate([n + crossing, leaves])
        share = np.concatenate([np.repeat(1.0 / fan, fan), bin_m[leaves] / road_m[crossing]])
        middle = yards.crosses[crossing]
        apart_m = np.tile(np.hypot(x[leaves] - yards.x[middle], y[leaves] - yards.y[middle]), 2)
        per_m = np.zeros(whole)
        per_m[there] = how.leaves_per_m
        per_m[n:] = how.leaves_per_m * road_m / (yards.area_m2 * how.road_m_per_m2)
        order = np.argsort(goes, kind="stable")
        offset = np.zeros(whole + 1, np.int64)
        np.cumsum(np.bincount(goes, minlength=whole), out=offset[1:])
        return cls(offset, comes[order].astype(np.int32), share[order], per_m, apart_m[order])

    @property
    def leaves(self) -> NDArray[np.int64]:
        """The bin (k,) that each row of ``bin`` is beside."""
        return np.repeat(np.arange(len(self.per_m)), np.diff(self.offset))

    def joined(
        self, step: tuple[NDArray[Any], ...], speed_mps: Array, step_s: float
    ) -> tuple[NDArray[Any], ...]:
        """Let who ends a step of `bin_steps.step_matrix` step over the kerb there; without the ways."""
        walked_m = np.where(speed_mps >= STANDS_MPS, speed_mps * step_s, 0.0)
        found: tuple[NDArray[Any], ...] = bin_kerb.joined(
            *(*step[:3], len(speed_mps), self.offset, self.bin, self.share),
            1.0 - np.exp(-self.per_m[:, None] * walked_m),
        )
        return found


def _resolution(cell: NDArray[np.uint64]) -> int:
    """Resolution of cells: four bits of their index (H3, Bit layouts of H3Index modes)."""
    return int(cell[0]) >> 52 & 0xF
