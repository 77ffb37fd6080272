"""A history without some devices: what may not be searched is not there."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from geo_policing.model import FixColumns
from geo_policing.model.moves import Moves, Visits
from geo_policing.tracks.searches import History


class Permitted:
    """A history in which some devices have never been.

    Positions of community corrections serve corrections alone (Community Corrections Law, article 29), so
    they are left out below every search and not by each of them.

    Parameters
    ----------
    history : History
        With all devices.
    without : collection of str
        Ids of the devices that are left out.
    """

    def __init__(self, history: History, without: Collection[str]) -> None:
        self._history, self._without = history, frozenset(without)

    def moves(self, start_us: int, end_us: int, devices: Collection[str]) -> Moves:
        """Return the fixes of those of the devices that may be searched, as `History` does."""
        return self._history.moves(start_us, end_us, set(devices) - self._without)

    def fixes(self, start_us: int, end_us: int, devices: Collection[str]) -> FixColumns:
        """Return the fixes of those of the devices that may be searched, as `History` does."""
        return self._history.fixes(start_us, end_us, set(devices) - self._without)

    def near(self, cells: NDArray[np.uint64], start_us: int, end_us: int) -> tuple[Moves, NDArray[np.uint64]]:
        """Return the fixes in some of the cells of those who may be searched, as `History` does."""
        found, cell = self._history.near(cells, start_us, end_us)
        names, number, kept = self._allowed(found.names, found.device)
        return Moves(names, number, found.time[kept], found.lon[kept], found.lat[kept]), cell[kept]

    def visits(self, cells: NDArray[np.uint64], start_us: int, end_us: int) -> Visits:
        """Return who was in some of the cells and may be searched, as `History` does."""
        found = self._history.visits(cells, start_us, end_us)
        names, number, kept = self._allowed(found.names, found.device)
        return Visits(names, number, found.cell[kept], found.first_s[kept], found.last_s[kept])

    def _allowed(
        self, names: tuple[str, ...], device: NDArray[np.int32]
    ) -> tuple[tuple[str, ...], NDArray[np.int32], NDArray[np.bool_]]:
        """Return the names that stay, the numbers of those of the rows that do, and which rows these are."""
        stays = np.array([name not in self._without for name in names], bool)
        kept = stays[device]
        number = (np.cumsum(stays) - 1).astype(np.int32)[device[kept]]
        return tuple(name for name in names if name not in self._without), number, kept
