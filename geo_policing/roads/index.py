"""From a place to the edges near it: H3 cell to edges."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.geodesy import LocalPlane, cells
from geo_policing.kernels import edge_samples

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
        edge_of, x, y = edge_samples.samples(vertex_offset, vertex_x, vertex_y, step_m)
        if len(edge_of) == 0:
            return cls(np.empty(0, np.uint64), np.zeros(1, np.int64), np.empty(0, np.int32))
        cell_of = cells(*plane.inverse(x, y), INDEX_RESOLUTION)
        # Neighbours along an edge mostly share a cell: what is left to sort is a tenth.
        new = np.ones(len(cell_of), bool)
        new[1:] = (cell_of[1:] != cell_of[:-1]) | (edge_of[1:] != edge_of[:-1])
        cell_of, edge_of = cell_of[new], edge_of[new]
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
