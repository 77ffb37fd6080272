"""The bins that matter on the way to a sighting under one penalty of detours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels import bin_approach, bin_steps
from geo_policing.tracks import threads
from geo_policing.tracks.gears import COARSE, Gear, Gears
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.reach import CELL_M, CELLS

Array = NDArray[np.float64]
#: Bins and a row of classes for each.
State = tuple[NDArray[Any], NDArray[Any]]

#: A way whose detour weighs less than exp(-this) is not followed.
MOST_DETOUR = 16.0


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """Ways between some starts and a goal over all bins of a lattice: as long as they are, and as they feel.

    Parameters
    ----------
    to_go_m, felt_to_go_m : (b,) float64
        From each bin to the goal.
    came_m, felt_came_m : list of (b,) float64
        To each bin, from each start.
    shortest_m, felt_shortest_m : list of float
        From each start to the goal; inf where there is none.
    longest_m : list of float
        How far anybody gets in the time there is, from each start.
    chance : list of (CELLS,) float64
        How likely it is to get so far in that time, or farther: see `Reach`.
    """

    to_go_m: Array
    felt_to_go_m: Array
    came_m: list[Array]
    felt_came_m: list[Array]
    shortest_m: list[float]
    felt_shortest_m: list[float]
    longest_m: list[float]
    chance: list[Array]

    @classmethod
    def of(
        cls,
        lattice: Lattice,
        starts: Sequence[NDArray[Any]],
        goal: NDArray[Any],
        longest_m: Sequence[float],
        chance: Sequence[Array],
        workers: int = 1,
    ) -> Self:
        """Search onward from bins (k,) of each start, and back from those of the goal; in so many threads."""
        searches: list[Callable[[], Array]] = [
            partial(lattice.to_go_m, goal, max(longest_m)),
            partial(lattice.felt_to_go_m, goal),
            *(partial(lattice.came_m, *one) for one in zip(starts, longest_m, strict=True)),
            *(partial(lattice.felt_came_m, start) for start in starts),
        ]
        to_go_m, felt_to_go_m, *came_m = threads.each(
            [threads.in_one(search) for search in searches], workers, lambda: None
        )
        return cls(
            to_go_m,
            felt_to_go_m,
            came_m[: len(starts)],
            came_m[len(starts) :],
            [float(to_go_m[start].min()) for start in starts],
            [float(felt_to_go_m[start].min()) for start in starts],
            list(longest_m),
            list(chance),
        )

    def only(self, starts: Sequence[int]) -> Self:
        """Return those of some starts."""
        return type(self)(
            self.to_go_m,
            self.felt_to_go_m,
            [self.came_m[i] for i in starts],
            [self.felt_came_m[i] for i in starts],
            [self.shortest_m[i] for i in starts],
            [self.felt_shortest_m[i] for i in starts],
            [self.longest_m[i] for i in starts],
            [self.chance[i] for i in starts],
        )

    def inside(self, penalty: float, slack_m: float) -> NDArray[np.bool_]:
        """Which bins (b,) a way leads through that weighs enough, by its detour and its haste."""
        found = np.zeros(len(self.to_go_m), bool)
        for i, (longest_m, chance) in enumerate(zip(self.longest_m, self.chance, strict=True)):
            way_m = self.to_go_m + self.came_m[i]
            there = np.flatnonzero(way_m <= min(longest_m, np.finfo(np.float64).max))
            felt_m = (self.felt_to_go_m + self.felt_came_m[i])[there]
            with np.errstate(divide="ignore"):
                haste = -np.log(chance / (chance[_cell(np.array(self.shortest_m[i]))] or 1.0))
            more_m = np.maximum(way_m[there] - self.shortest_m[i] - slack_m, 0.0)
            weight = penalty * np.maximum(felt_m - self.felt_shortest_m[i] - slack_m, 0.0)
            weight += np.maximum(haste[_cell(self.shortest_m[i] + more_m)], 0.0)
            # The way that feels shortest may be a hasty one.
            found[there[weight <= MOST_DETOUR + weight.min(initial=np.inf)]] = True
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """r bins of a lattice, with numbers of their own.

    Parameters
    ----------
    bins : (r,) int32
        The bins, ascending.
    number : (b,) int32
        Which one each bin of the lattice is; -1 for none of them.
    kind : (r,) uint8
        Type of edge.
    penalty : float
        Of detours, 1/m.
    to_go_m : (r,) float64
        Way to the goal, as it feels.
    came_m, prior : (starts, r) float32
        Way from each start, and exp(-penalty * detour) of passing there at best.
    start_weight : (starts, r) float32
        exp(-penalty * detour) of beginning elsewhere than where the way is shortest.
    """

    bins: NDArray[np.int32]
    number: NDArray[np.int32]
    kind: NDArray[np.uint8]
    penalty: float
    to_go_m: Array
    came_m: NDArray[np.float32]
    prior: NDArray[np.float32]
    start_weight: NDArray[np.float32]

    @classmethod
    def of(cls, lattice: Lattice, distances: Distances, penalty: float, slack_m: float) -> Self:
        """Take the bins that a way from any start leads through in time, without too much detour and haste.

        Ways are known to so many metres, as one may be anywhere in a bin.
        """
        bins = np.flatnonzero(distances.inside(penalty, slack_m)).astype(np.int32)
        number = np.full(len(lattice), -1, np.int32)
        number[bins] = np.arange(len(bins), dtype=np.int32)
        to_go_m = distances.felt_to_go_m[bins]
        came_m = np.array([came[bins] for came in distances.came_m])
        felt_came_m = np.array([came[bins] for came in distances.felt_came_m])
        shortest = np.array(distances.felt_shortest_m)[:, None]
        detour_m = np.maximum(to_go_m + felt_came_m - shortest - slack_m, 0.0)
        # From a start that does not lead there nothing comes, also where detours cost nothing.
        leads = np.isfinite(felt_came_m)
        prior = np.where(leads, np.exp(-penalty * np.where(leads, detour_m, 0.0)), 0.0)
        beyond_m = np.maximum(to_go_m - shortest, 0.0)
        return cls(
            bins=bins,
            number=number,
            kind=lattice.kind[bins],
            penalty=penalty,
            to_go_m=to_go_m,
            came_m=came_m.astype(np.float32),
            prior=prior.astype(np.float32),
            start_weight=np.exp(-penalty * beyond_m).astype(np.float32),
        )

    @classmethod
    def everywhere(cls, lattice: Lattice) -> Self:
        """Take all bins, from one start that may be anywhere, where no detour costs anything."""
        n = len(lattice)
        return cls(
            bins=np.arange(n, dtype=np.int32),
            number=np.arange(n, dtype=np.int32),
            kind=lattice.kind,
            penalty=0.0,
            to_go_m=np.zeros(n),
            came_m=np.zeros((1, n), np.float32),
            prior=np.ones((1, n), np.float32),
            start_weight=np.ones((1, n), np.float32),
        )

    def __len__(self) -> int:
        """Return the number of bins."""
        return len(self.bins)

    def rows(self, gear: Gear) -> tuple[NDArray[Any], ...]:
        """Return `bin_steps.cut_out` of a gear: from where one comes to each of the bins."""
        found: tuple[NDArray[Any], ...] = bin_steps.cut_out(
            *(self.bins, self.number, self.to_go_m, self.penalty, gear.classes), *gear.steps.of(self.bins)
        )
        return found

    def of_lattice(self, state: State) -> State:
        """Take a state of the lattice here; what lies elsewhere is left out."""
        at = self.number[state[0]]
        here = at >= 0
        return at[here], state[1][here]

    def to_lattice(self, state: State) -> State:
        """Take a state from here to the numbers of the lattice."""
        return self.bins[state[0]], state[1]


class Walk:
    """What a walk over a ground needs: its rows in each gear, made when first asked for, and scratch."""

    def __init__(self, ground: Ground, gears: Gears) -> None:
        self.ground, self._gears = ground, gears
        self._rows: dict[int, tuple[NDArray[Any], ...]] = {}
        self._dense: dict[int, NDArray[np.float32]] = {}
        self._mark: dict[int, NDArray[np.bool_]] = {}
        self.at = np.full(len(ground), -1, np.int32)

    def rest(self) -> None:
        """Let go of all but the rows of the coarse gear, which are small, until it is walked over again."""
        self._rows = {gear: rows for gear, rows in self._rows.items() if gear == COARSE}
        self._dense, self._mark = {}, {}

    def drop(self) -> None:
        """Let go of all."""
        self._rows, self._dense, self._mark = {}, {}, {}

    @property
    def nbytes(self) -> int:
        """What the rows made take."""
        return sum(array.nbytes for rows in self._rows.values() for array in rows)

    def most_bytes(self, gear: int) -> int:
        """Return what the rows of a gear take at most: a place and a weight of four bytes for each entry."""
        of = self._gears.gear[gear]
        nth, offset, *_ = of.steps.of(self.ground.bins)
        first = nth[self.ground.bins].astype(np.int64) * of.classes
        return 8 * (int((offset[first + of.classes] - offset[first]).sum()) + len(self.ground) * of.classes)

    def rows(self, gear: int) -> tuple[NDArray[Any], ...]:
        """Return the rows of a gear."""
        if gear not in self._rows:
            self._rows[gear] = self.ground.rows(self._gears.gear[gear])
        return self._rows[gear]

    def ahead(self, gear: int) -> tuple[NDArray[Any], ...]:
        """Return where steps of a gear lead from the bins, at least: see `Steps.of`."""
        self.rows(gear)
        return self._gears.gear[gear].steps.now

    def dense(self, gear: int) -> NDArray[np.float32]:
        """Return zeros (r * classes,) of a gear, to be left so."""
        if gear not in self._dense:
            self._dense[gear] = np.zeros(len(self.ground) * self._gears.gear[gear].classes, np.float32)
        return self._dense[gear]

    def mark(self, gear: int) -> NDArray[np.bool_]:
        """Return zeros, one for each block of `dense`, to be left so."""
        if gear not in self._mark:
            self._mark[gear] = np.zeros(-(-self.dense(gear).size // bin_approach.BLOCK), np.bool_)
        return self._mark[gear]


def _cell(way_m: Array) -> NDArray[np.int64]:
    return np.asarray(np.minimum(way_m / CELL_M, CELLS - 1).astype(np.int64))
