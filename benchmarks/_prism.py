"""The cells that a given speed reaches in time between two sightings: what a region is compared with."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from benchmarks._shortest_way import ACCURACY_M
from geo_policing.tracks.lattice import Lattice

Array = NDArray[np.float64]

PRISM_MPS = 33.0


class Prism:
    """Which cells a given speed reaches in time between two sightings, by the roads.

    Parameters
    ----------
    lattice : Lattice
        The roads.
    t, lon, lat : (s,) float64
        Seconds and places of the sightings.
    """

    def __init__(self, lattice: Lattice, t: Array, lon: Array, lat: Array) -> None:
        row, ahead, length = lattice.ways_back
        behind = np.repeat(np.arange(len(lattice)), np.diff(row))
        self._back = csr_matrix((length + 1e-6, (behind, ahead)), shape=(len(lattice),) * 2)
        self._goes = csr_matrix(self._back.T)
        in_bin, cell_of, _ = lattice.cells(10)
        cell, number = np.unique(cell_of, return_inverse=True)
        self._in_bin, self._number, self._cells = in_bin, number, len(cell)
        self._t = t
        x, y = lattice.network.plane.forward(lon, lat)
        self._places = [
            np.flatnonzero(lattice.near(*place, ACCURACY_M))
            for place in zip(x.tolist(), y.tolist(), strict=True)
        ]
        self._gap = -1
        self._from, self._to = np.empty(0), np.empty(0)

    def cells(self, t: float) -> int:
        """Count the cells at a moment between two sightings."""
        gap = int(np.clip(np.searchsorted(self._t, t, side="right") - 1, 0, len(self._t) - 2))
        if gap != self._gap:
            self._gap = gap
            self._from = dijkstra(self._goes, indices=self._places[gap], min_only=True)
            self._to = dijkstra(self._back, indices=self._places[gap + 1], min_only=True)
        reached = self._from <= PRISM_MPS * (t - self._t[gap]) + 2 * ACCURACY_M
        reached &= self._to <= PRISM_MPS * (self._t[gap + 1] - t) + 2 * ACCURACY_M
        there = np.zeros(self._cells, bool)
        there[self._number[reached[self._in_bin]]] = True
        return max(int(there.sum()), 1)
