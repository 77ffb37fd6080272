"""A lattice of roads and of the open ground beside them, joined at the kerb."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.tracks.kerb import Kerb
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.steps import ASIDE_M, Cut, Steps
from geo_policing.tracks.yards import OffRoad, Yards

Array = NDArray[np.float64]
Rows = tuple[NDArray[Any], ...]


def joined(lattice: Lattice, model: MovementModel, yards: Yards, workers: int = 1) -> Lattice:
    """Add to a lattice of roads the crossings of cells: each is an edge of one bin, after those of the roads.

    Parameters
    ----------
    lattice : Lattice
        Of roads alone.
    model : MovementModel
        As the lattice was made with; what it says of leaving the roads counts.
    yards : Yards
        The open ground.
    workers : int
        In how many threads its steps are worked out.

    Returns
    -------
    Lattice
        The same one where the model does not leave the roads, or there is no open ground.
    """
    how, n, y = model.off_road, len(lattice), len(yards)
    if how is None or y == 0:
        return lattice
    cut = _cut(lattice, yards, how)
    assert cut.kerb is not None
    bins = n + np.arange(y, dtype=np.int32)
    to_side = np.flatnonzero(yards.reverse >= 0)
    # Arcs over the ground, to turn back there, and over the kerb.
    goes = np.concatenate([bins[yards.source], bins[to_side], cut.kerb.leaves])
    comes = np.concatenate([bins[yards.target], bins[yards.reverse[to_side]], cut.kerb.bin])
    ground_m = (yards.length_m[yards.source] + yards.length_m[yards.target]) / 2.0
    aside_m = np.full(len(to_side), ASIDE_M)
    way_m = np.concatenate([ground_m, aside_m, cut.kerb.apart_m])
    felt_m = np.concatenate([how.feels * ground_m, aside_m, cut.kerb.apart_m + how.kerb_m])
    felt_ahead = _with(lattice.felt_ahead, goes, comes, felt_m, n + y)
    m = lattice.network.n_edges
    edge = np.concatenate([lattice.edge, m + np.arange(y)]).astype(np.int32)
    turns, turn_m = _turns(lattice, yards, cut.kerb, edge, how)
    return replace(
        lattice,
        edge=edge,
        start_m=np.concatenate([lattice.start_m, np.zeros(y)]),
        bin_m=cut.bin_m,
        kind=np.concatenate([lattice.kind, np.zeros(y, np.uint8)]),
        cut=cut,
        steps=Steps(cut, model, model.speed_mps, model.step_s, felt_ahead, workers=workers),
        point_bin=np.concatenate([lattice.point_bin, n + yards.point_of]),
        point_x=np.concatenate([lattice.point_x, yards.point_x]),
        point_y=np.concatenate([lattice.point_y, yards.point_y]),
        point_heading=np.concatenate([lattice.point_heading, np.zeros(len(yards.point_of))]),
        ways_ahead=_with(lattice.ways_ahead, goes, comes, way_m, n + y),
        ways_back=_with(lattice.ways_back, comes, goes, way_m, n + y),
        felt_ahead=felt_ahead,
        felt_back=_with(lattice.felt_back, comes, goes, felt_m, n + y),
        turns=turns,
        turn_m=turn_m,
        feels=np.concatenate([lattice.feels, np.full(y, how.feels)]),
        length_m=np.concatenate([lattice.length_m, yards.length_m]),
        reverse=np.concatenate([lattice.reverse, np.where(yards.reverse < 0, -1, m + yards.reverse)]),
        measure_m=np.concatenate([lattice.measure_m, yards.measure_m(how)]),
        yards=yards,
    )


def _cut(lattice: Lattice, yards: Yards, how: OffRoad) -> Cut:
    """Say how edges and crossings follow each other, and where they touch."""
    cut, n, y = lattice.cut, len(lattice), len(yards)
    edges = len(cut.first) - 1
    fan = np.bincount(yards.source, minlength=y)
    bands = cut.share.shape[1]
    aside = np.full((y, 2), -1, np.int32)
    aside[:, 0] = np.where(yards.reverse < 0, -1, n + yards.reverse)
    x, at_y = (_middles(lattice, at) for at in (lattice.point_x, lattice.point_y))
    return Cut(
        edge=np.concatenate([cut.edge, edges + np.arange(y, dtype=np.int32)]).astype(np.int32),
        bin_m=np.concatenate([cut.bin_m, yards.length_m]),
        first=np.concatenate([cut.first, n + 1 + np.arange(y)]).astype(np.int32),
        offset=np.concatenate([cut.offset, cut.offset[-1] + np.cumsum(fan)]),
        target=np.concatenate([cut.target, edges + yards.target]).astype(np.int32),
        share=np.concatenate([cut.share, np.tile(yards.share[:, None], bands)]),
        aside=np.concatenate([cut.aside, aside]),
        kerb=Kerb.of(lattice.network.plane, (x, at_y, cut.bin_m), yards, how),
    )


def _middles(lattice: Lattice, at: Array) -> Array:
    """Mean (b,) of the places of each bin."""
    n = len(lattice)
    total = np.bincount(lattice.point_bin, at, n)
    return np.asarray(total / np.bincount(lattice.point_bin, minlength=n))


def _with(rows: Rows, goes: NDArray[Any], comes: NDArray[Any], length_m: Array, n: int) -> Rows:
    """Add arcs to rows of (offset, bin, length) by the bin that is left, of n bins in the end."""
    offset, to, known_m = rows
    leaves = np.concatenate([np.repeat(np.arange(len(offset) - 1), np.diff(offset)), goes])
    order = np.argsort(leaves, kind="stable")
    begins = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(leaves, minlength=n), out=begins[1:])
    to = np.concatenate([to, comes])[order].astype(np.int32)
    return begins, to, np.concatenate([known_m, length_m])[order]


#: Minus the logarithm of how often a kerb is stepped over beside the turns at a node, where both lead on.
OVER = 4.0


def _turns(
    lattice: Lattice, yards: Yards, kerb: Kerb, edge: NDArray[np.int32], how: OffRoad
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int32], Array], Array]:
    """Say what follows each edge and crossing, and what it costs: see `Lattice.turns` and ``turn_m``."""
    offset, target, cost = lattice.turns
    m = lattice.network.n_edges
    over = np.unique(np.column_stack([edge[kerb.leaves], edge[kerb.bin]]), axis=0)
    goes = np.concatenate([m + yards.source, over[:, 0]])
    comes = np.concatenate([m + yards.target, over[:, 1]])
    costs = np.concatenate([-np.log(np.maximum(yards.share, 1e-9)), np.full(len(over), OVER)])
    metres = np.concatenate([np.zeros(len(yards.source)), np.full(len(over), how.kerb_m)])
    rows, to, by = _with((offset, target, cost), goes, comes, costs, m + len(yards))
    return (rows, to, by), _with((offset, target, lattice.turn_m), goes, comes, metres, len(rows) - 1)[2]
