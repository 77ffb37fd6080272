"""Where devices were, as columns: what the searches through the history read."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.model.fix import FixColumns


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """n fixes of some devices, sorted by device and time.

    Parameters
    ----------
    names : tuple of str
        Ids of the devices, in order.
    device : (n,) int32
        Which of the names.
    time : (n,) int64
        Microseconds of UTC.
    lon, lat : (n,) float64
        Degrees.
    """

    names: tuple[str, ...]
    device: NDArray[np.int32]
    time: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of fixes."""
        return len(self.time)

    @classmethod
    def none(cls) -> Self:
        """Nobody was anywhere."""
        return cls((), np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0))


class Place(Protocol):
    """Where the movement through is asked for."""

    @property
    def blocks(self) -> NDArray[np.uint64]:
        """H3 cells of resolution 8 that it touches, ascending."""

    @property
    def cells(self) -> NDArray[np.uint64]:
        """H3 cells of resolution 10 that it touches, ascending."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north, degrees."""


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """The movement through some place.

    Parameters
    ----------
    moves : Moves
        The n fixes from and to which the ways through it lead.
    onward : (n,) bool
        Whether the device's next fix of all is the next row.
    unsure : frozenset of str
        Devices of which this may not be all, and not right: none of their fixes are here.
    """

    moves: Moves
    onward: NDArray[np.bool_]
    unsure: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """v stays of devices in H3 cells of resolution 10, from the movement between their fixes.

    Parameters
    ----------
    names : tuple of str
        Ids of the devices.
    device : (v,) int32
        Which of the names.
    cell : (v,) uint64
        The cell.
    first_s, last_s : (v,) int64
        Seconds of UTC since 1970, rounded outwards.
    """

    names: tuple[str, ...]
    device: NDArray[np.int32]
    cell: NDArray[np.uint64]
    first_s: NDArray[np.int64]
    last_s: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of stays."""
        return len(self.cell)


class Stretch(NamedTuple):
    """Fixes of a device from one moment to another, both included.

    With ``around_us`` also the last one before and the first one after, no further away than that, where no
    fix is at these moments themselves.
    """

    device: str
    first_us: int
    last_us: int
    around_us: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """How many fixes there are in a stretch, and some of them by time."""

    count: int
    some: FixColumns
