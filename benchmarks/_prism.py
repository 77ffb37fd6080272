"""The cells that a given speed reaches in time between two sightings: what a region is compared with."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from benchmarks._shortest_way import ACCURACY_M
from geo_policing.tracks import Reconstruction

Array = NDArray[np.float64]

PRISM_MPS = 33.0


class Prism:
    """Which cells a given speed reaches in time between two sightings, by the roads.

    Parameters
    ----------
    found : Reconstruction
        On whose roads.
    t, lon, lat : (s,) float64
        Seconds and places of the sightings.
    """

    def __init__(self, found: Reconstruction, t: Array, lon: Array, lat: Array) -> None:
        lattice = found.lattice
        row, ahead, length = lattice.ways_back
        behind = np.repeat(np.arange(len(lattice)), np.diff(row))
        self._back = csr_matrix((length + 1e-6, (behind, ahead)), shape=(len(lattice),) * 2)
        self._goes = csr_matrix(self._back.T)
        cell, at, self._number, _ = found.cells_of_bins(10)
        self._in_bin, self._cells = np.repeat(np.arange(len(lattice)), np.diff(at)), len(cell)
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
