"""A history without some devices: what may not be searched is not there."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

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

    def visits(self, cells: NDArray[np.uint64], start_us: int, end_us: int) -> Visits:
        """Return who was in some of the cells and may be searched, as `History` does."""
        found = self._history.visits(cells, start_us, end_us)
        if self._without.isdisjoint(found.names):
            return found
        allowed = np.array([name not in self._without for name in found.names])[found.device]
        number = np.cumsum([name not in self._without for name in found.names]) - 1
        return Visits(
            tuple(name for name in found.names if name not in self._without),
            number[found.device[allowed]].astype(np.int32),
            found.cell[allowed],
            found.first_s[allowed],
            found.last_s[allowed],
        )
