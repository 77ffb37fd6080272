"""From a place to the edges near it: H3 cell to edges."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.geodesy import LocalPlane, cells

#: A cell of this resolution is about 130 m across.
INDEX_RESOLUTION = 10


@dataclass(frozen=True, eq=False)
class EdgeIndex:
    """Edges by the H3 cells their geometry passes through.

    Parameters
    ----------
    cell : (c,) uint64
        Cells at INDEX_RESOLUTION, ascending.
    offset : (c + 1,) int64
        Edges of cell i are ``edge[offset[i]:offset[i + 1]]``.
    edge : (e,) int32
        Edges, ascending within a cell.
    """

    cell: NDArray[np.uint64]
    offset: NDArray[np.int64]
    edge: NDArray[np.int32]

    @classmethod
    def build(
        cls,
        plane: LocalPlane,
        vertex_offset: NDArray[np.int64],
        vertex_x: NDArray[np.float64],
        vertex_y: NDArray[np.float64],
        step_m: float = 10.0,
    ) -> Self:
        """Index edges by points along their geometry, at most ``step_m`` apart.

        A corner of a cell that is cut by less than the step can be missed; who searches with a radius
        adds ``step_m`` to it.
        """
        edges, xs, ys = [], [], []
        for edge in range(len(vertex_offset) - 1):
            part = slice(vertex_offset[edge], vertex_offset[edge + 1])
            x, y = vertex_x[part], vertex_y[part]
            along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
            at = np.union1d(np.linspace(0.0, along[-1], int(along[-1] // step_m) + 2), along)
            xs.append(np.interp(at, along, x))
            ys.append(np.interp(at, along, y))
            edges.append(np.full(len(at), edge, np.int32))
        if not edges:
            return cls(np.empty(0, np.uint64), np.zeros(1, np.int64), np.empty(0, np.int32))
        lon, lat = plane.inverse(np.concatenate(xs), np.concatenate(ys))
        cell_of = cells(lon, lat, INDEX_RESOLUTION)
        edge_of = np.concatenate(edges)
        order = np.lexsort((edge_of, cell_of))
        cell_of, edge_of = cell_of[order], edge_of[order]
        new = np.ones(len(order), bool)
        new[1:] = (cell_of[1:] != cell_of[:-1]) | (edge_of[1:] != edge_of[:-1])
        cell_of, edge_of = cell_of[new], edge_of[new]
        cell, first = np.unique(cell_of, return_index=True)
        return cls(cell, np.append(first, len(edge_of)).astype(np.int64), edge_of)

    def edges_of(self, cells_: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Edges that pass through any of some cells, ascending, each once."""
        at = np.searchsorted(self.cell, cells_)
        at = at[at < len(self.cell)][self.cell[at[at < len(self.cell)]] == cells_[at < len(self.cell)]]
        parts = [self.edge[self.offset[i] : self.offset[i + 1]] for i in at.tolist()]
        return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int32)
