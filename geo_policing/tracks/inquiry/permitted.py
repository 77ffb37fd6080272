"""A history without some devices: what may not be searched is not there."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from geo_policing.model import FixColumns, Halt
from geo_policing.model.moves import Moves, Place, Visits, Ways
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

    @property
    def halt(self) -> Halt:
        """Says when a search must end."""
        return self._history.halt

    def moves(self, start_us: int, end_us: int, devices: Collection[str]) -> Moves:
        """Return the fixes of those of the devices that may be searched, as `History` does."""
        return self._history.moves(start_us, end_us, set(devices) - self._without)

    def fixes(self, start_us: int, end_us: int, devices: Collection[str]) -> FixColumns:
        """Return the fixes of those of the devices that may be searched, as `History` does."""
        return self._history.fixes(start_us, end_us, set(devices) - self._without)

    def ways(self, place: Place, start_us: int, end_us: int) -> Ways | None:
        """Return the movement through a place of those who may be searched, as `History` does."""
        found = self._history.ways(place, start_us, end_us)
        if found is None:
            return None
        moves = found.moves
        names, number, kept = self._allowed(moves.names, moves.device)
        mine = Moves(names, number, moves.time[kept], moves.lon[kept], moves.lat[kept])
        return Ways(mine, found.onward[kept], found.unsure - self._without)

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
