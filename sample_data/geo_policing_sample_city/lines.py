"""Lines of roads before they meet: where they run, what they are."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import shapely

from geo_policing.roads.network import RoadClass
from geo_policing_sample_city.terrain import Array


@dataclass(frozen=True, eq=False)
class Line:
    """A road as drawn, before it is cut where it meets others.

    Parameters
    ----------
    xy : (n, 2) float64
        Where it runs, metres in the plane.
    road_class : RoadClass
        What it is.
    name : str
        What it is called; empty if nobody calls it anything.
    one_way : bool
        Driven only in the order of its points.
    through : bool
        It passes over the river or under a hill, and meets nothing there.
    open_end : bool
        It may end where it meets nothing: at the city's edge, or in a yard.
    """

    xy: Array
    road_class: RoadClass
    name: str = ""
    one_way: bool = False
    through: bool = False
    open_end: bool = False

    @property
    def length_m(self) -> float:
        """Length in the plane."""
        return float(np.hypot(*np.diff(self.xy, axis=0).T).sum())

    def with_name(self, name: str) -> Self:
        """Return the same road, called otherwise."""
        return replace(self, name=name)


def lengths(xy: Array) -> Array:
    """(n,) distance along a line to each of its points."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])


def along(xy: Array, at: Array) -> Array:
    """Points at some distances along a line."""
    total = lengths(xy)
    return np.column_stack([np.interp(at, total, xy[:, 0]), np.interp(at, total, xy[:, 1])])


def part(xy: Array, begin: float, end: float) -> Array:
    """Return the points of a line between two distances along it, with both ends."""
    total = lengths(xy)
    inner = xy[(total > begin + 1) & (total < end - 1)]
    return np.concatenate([along(xy, np.array([begin])), inner, along(xy, np.array([end]))])


def smooth(xy: Array, tolerance_m: float = 0.4) -> Array:
    """Round a traced line's small corners and drop points it does not need."""
    for _ in range(2):
        xy = np.concatenate([xy[:1], (xy[:-2] + 2 * xy[1:-1] + xy[2:]) / 4, xy[-1:]])
    return shapely.get_coordinates(shapely.simplify(shapely.linestrings(xy), tolerance_m))


def beside(xy: Array, aside_m: Array | float) -> Array:
    """Points to the right of a line (to the left where negative), as many as it has."""
    forward = np.gradient(xy, axis=0)
    forward /= np.hypot(*forward.T)[:, None]
    right = np.column_stack([forward[:, 1], -forward[:, 0]])
    return np.asarray(xy + right * np.reshape(aside_m, (-1, 1)))
