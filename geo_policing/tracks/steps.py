"""How edges cut into bins follow each other, and where a step of time leads from each bin.

A city has many more bins than any way leads through that weighs enough. So where steps lead is worked out
for those bins alone that somebody asks for, and kept.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels import bin_steps, bin_ways
from geo_policing.tracks import threads
from geo_policing.tracks.kerb import Kerb
from geo_policing.tracks.movement import MovementModel

Array = NDArray[np.float64]
Rows = tuple[NDArray[Any], ...]
T = TypeVar("T")

#: Who is slower than this may turn back between crossings, so often a second, and may have been a bit further
#: back than seemed; each counts as a way of so many metres.
SLOW_MPS, TURN_BACK_HZ, FALL_BACK_HZ, ASIDE_M = 2.0, 1e-4, 1e-5, 60.0
#: Ways on that are taken less often than this are not followed.
LEAST = 1e-4
#: Of each thread, so that all are busy to the end.
PARTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """How m edges are cut into bins, and which follow which: what it takes to say where a step leads.

    Parameters
    ----------
    edge : (b,) int32
        Which of the m edges each bin is part of.
    bin_m : (b,) float64
        How long it is.
    first : (m + 1,) int32
        Bins of edge e are first[e]:first[e + 1].
    offset, target, share : (m + 1,) int64, (t,) int32, (t, bands) float64
        The edges that follow each edge, and how often in each band of speeds.
    aside : (b, 2) int32
        Bins to turn back to and to fall back to; -1 none.
    kerb : Kerb, optional
        What is beside them, where roads are left.
    """

    edge: NDArray[np.int32]
    bin_m: Array
    first: NDArray[np.int32]
    offset: NDArray[np.int64]
    target: NDArray[np.int32]
    share: Array
    aside: NDArray[np.int32]
    kerb: Kerb | None = None

    def rows(
        self,
        model: MovementModel,
        speed_mps: Array,
        step_s: float,
        felt: Rows,
        bins: NDArray[np.int32],
        *,
        least: float = LEAST,
        workers: int = 1,
    ) -> Rows:
        """`bin_steps.step_matrix` of a step of so many seconds in some classes of speed, from some bins.

        Its ways are as long as they feel, by the arcs between bins; worked out in so many threads. Where
        there is a kerb, what ends a step beside it steps over it.
        """
        classes = len(speed_mps)
        band = np.searchsorted(model.band_mps, speed_mps, side="right").astype(np.int32)
        slow = np.where(speed_mps < SLOW_MPS, step_s, 0.0)[:, None]
        moves = (self.bin_m, self.edge, self.first, self.offset, self.target, self.share, band)
        asides = (self.aside, ASIDE_M, slow * np.array([TURN_BACK_HZ, FALL_BACK_HZ]))

        def moved(begin: int, end: int) -> Rows:
            *rows, _ = bin_steps.step_matrix(*moves, speed_mps * step_s, *asides, least, bins[begin:end])
            return tuple(rows)

        parts = _in_parts(moved, len(bins), workers)
        before = np.cumsum([0, *(part[0][-1] for part in parts)])
        offset = [part[0][1:] + first for part, first in zip(parts, before.tolist(), strict=False)]
        target, weight = (np.concatenate(column) for column in list(zip(*parts, strict=True))[1:])
        rows: Rows = (np.concatenate([[0], *offset]), target, weight)
        if self.kerb is not None:
            rows = self.kerb.joined(rows, speed_mps, step_s)

        def felt_m(begin: int, end: int) -> NDArray[np.float32]:
            row = rows[0][begin * classes : end * classes + 1]
            way: NDArray[np.float32] = bin_ways.step_ways(
                *(row - row[0], rows[1][row[0] : row[-1]], classes, *felt, bins[begin:end])
            )
            return way

        return *rows, np.concatenate(_in_parts(felt_m, len(bins), workers))


class Steps:
    """Where steps of a size lead from the bins of a cut, in some classes of speed.

    Threads may ask at once: what is not known yet one of them works out, and what was handed out stays.

    Parameters
    ----------
    cut : Cut
        Of b bins.
    model : MovementModel
        How.
    speed_mps : (c,) float64
        Of each class.
    step_s : float
        How long a step is.
    felt : (offset, bin, length)
        The arcs between bins, as long as they feel.
    least : float
        Ways on that are taken less often than this are not followed.
    workers : int
        In how many threads rows are worked out.
    """

    def __init__(
        self,
        cut: Cut,
        model: MovementModel,
        speed_mps: Array,
        step_s: float,
        felt: Rows,
        *,
        least: float = LEAST,
        workers: int = 1,
    ) -> None:
        self._rows_of = partial(cut.rows, model, speed_mps, step_s, felt, least=least, workers=workers)
        self.classes, self._working = len(speed_mps), threading.Lock()
        #: Of how many bins it was worked out.
        self.known = 0
        nothing = (np.empty(0, dtype) for dtype in (np.int32, np.float32, np.float32))
        #: nth (b,) int32 says the how many-th of the rows are each bin's, -1 where they are not known; and
        #: the rows, with room for more behind them.
        self.now: Rows = (np.full(len(cut.edge), -1, np.int32), np.zeros(1, np.int64), *nothing)
        self._whole = False

    def of(self, bins: NDArray[Any]) -> Rows:
        """Rows of at least some bins (k,), each named once: nth, and as of `bin_steps.step_matrix`."""
        # Who knows them already does not wait for those who do not.
        if (self.now[0][bins] < 0).any():
            with self._working:
                self._work_out(bins[self.now[0][bins] < 0].astype(np.int32))
        return self.now

    def whole(self) -> Rows:
        """Rows of all bins, in their order, as of `bin_steps.step_matrix`."""
        with self._working:
            if not self._whole:
                in_order = self.known == 0
                self._work_out(np.flatnonzero(self.now[0] < 0).astype(np.int32))
                nth, *rows = self.now
                if not in_order:
                    rows = bin_steps.in_order(nth, self.classes, *rows)
                    self.now = (np.arange(len(nth), dtype=np.int32), *rows)
                self._whole = True
        return self.now[1:]

    def _work_out(self, bins: NDArray[np.int32]) -> None:
        """Add the rows of some bins behind those that are known; who reads those is not disturbed."""
        if not len(bins):
            return
        offset, *more = self._rows_of(bins)
        nth, before, *held = self.now
        rows = self.known * self.classes
        used = int(before[rows])
        nth = nth.copy()
        nth[bins] = np.arange(self.known, self.known + len(bins), dtype=np.int32)
        columns = (_with(column, used, new) for column, new in zip(held, more, strict=True))
        self.now = (nth, _with(before, rows + 1, offset[1:] + used), *columns)
        self.known += len(bins)


def _with(held: NDArray[Any], used: int, more: NDArray[Any]) -> NDArray[Any]:
    """Put more behind what is used of an array, in a larger one if there is no room."""
    if used + len(more) > len(held):
        # A half more than there is, so that little is copied often.
        room = np.empty(max(used + used // 2, used + len(more)), held.dtype)
        room[:used] = held[:used]
        held = room
    held[used : used + len(more)] = more
    return held


def _in_parts(work: Callable[[int, int], T], count: int, workers: int) -> list[T]:
    """Do some work for so many, from one to before another in each part, in so many threads."""
    bounds = np.linspace(0, count, PARTS * workers + 1 if workers > 1 else 2).astype(int)
    parts = [threads.in_one(partial(work, a, b)) for a, b in pairwise(bounds.tolist())]
    return threads.each(parts, workers, lambda: None)
