"""Open ground beside the roads, for who walks: H3 cells, each crossed in the directions of its neighbours.

A walker leaves a road for the cell that contains the place, at the kerb, and comes back from a cell to the
roads in it. What lies in a cell is not known: a lawn, a market and a river look alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import shapely
from h3.api import basic_int as h3
from numpy.typing import NDArray
from scipy.spatial import KDTree

from geo_policing.geodesy import LocalPlane, cells
from geo_policing.model.sighting import Area

Array = NDArray[np.float64]

#: Resolution of the cells by the longest time between sightings, seconds.
RESOLUTION = ((1500.0, 11), (np.inf, 10))
#: How often who has crossed a cell goes on straight, turns by 60 and by 120 degrees to each side, and back.
TURNS = (0.6, 0.17, 0.025, 0.01)
#: A straight line is as long as this share of the way from cell to cell along it, in the mean over all
#: directions: the integral of cos t + sin t / sqrt 3 over 30 degrees is 1.103 times 30 degrees.
STRAIGHTER = 1.0 / 1.103
#: Places in a cell are tried on rings about its middle, at these shares of the way to its neighbours.
RINGS = ((0.0, 1), (0.25, 6), (0.43, 12))


@dataclass(frozen=True, slots=True)
class OffRoad:
    """How a walker uses the ground off the roads.

    Parameters
    ----------
    leaves_per_m : float
        How often by the metre one leaves a road; one comes back as often as others leave.
    road_m_per_m2 : float
        A square metre of ground is as likely a place as so many metres of road.
    feels : float
        How long a metre feels.
    kerb_m : float
        What stepping over the kerb costs, metres.
    closed : tuple of Polygon or MultiPolygon
        Where nobody walks, like water, in degrees; nobody goes from the middle of one cell to that of the
        next across it.
    finest : int
        The cells are of this resolution at most.
    """

    leaves_per_m: float
    road_m_per_m2: float
    feels: float
    kerb_m: float
    closed: tuple[Area, ...] = ()
    finest: int = 11


@dataclass(frozen=True, slots=True, eq=False)
class Yards:
    """k cells and y crossings of them, each from the side of one neighbour to that of another.

    A crossing stands for all who cross a cell and go on to the same neighbour, from wherever they came.

    Parameters
    ----------
    cell : (k,) uint64
        H3 cells, ascending.
    x, y : (k,) float64
        Their middles, metres in the plane.
    crosses : (y,) int32
        Which cell each crossing is of, ascending.
    length_m : (y,) float64
        How long it is.
    reverse : (y,) int32
        The crossing of the same cell the other way; -1 where there is none.
    source, target, share : (t,) int32, (t,) int32, (t,) float64
        Crossings that follow each other, by the one that is left, and how often each follows.
    point_of, point_x, point_y : (p,)
        Places in each crossing's cell, by the crossing.
    area_m2 : float
        Of a cell, all alike: near each other they hardly differ.
    """

    cell: NDArray[np.uint64]
    x: Array
    y: Array
    crosses: NDArray[np.int32]
    length_m: Array
    reverse: NDArray[np.int32]
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    share: Array
    point_of: NDArray[np.int64]
    point_x: Array
    point_y: Array
    area_m2: float

    @classmethod
    def none(cls) -> Self:
        """No open ground: for who drives."""
        whole, places = np.empty(0, np.int32), np.empty(0)
        return cls(
            *(np.empty(0, np.uint64), places, places, whole, places, whole, whole, whole, places),
            *(np.empty(0, np.int64), places, places, 1.0),
        )

    @classmethod
    def within(
        cls,
        plane: LocalPlane,
        box: tuple[float, float, float, float],
        reached: Callable[[Array, Array], NDArray[np.bool_]],
        resolution: int,
        closed: Sequence[Area] = (),
    ) -> Self:
        """Take the cells whose middles can be reached.

        Parameters
        ----------
        plane : LocalPlane
            Where x and y are.
        box : (west, south, east, north)
            Nothing beyond is looked at, metres in the plane.
        reached : callable
            From x and y (k,) to which of these places can be reached.
        resolution : int
            Of the cells.
        closed : sequence of Polygon or MultiPolygon
            Where nobody walks, degrees.
        """
        # So near each other that one lies in each cell, though cells differ in size and shape.
        grid_m = 0.5 * h3.average_hexagon_edge_length(resolution, "m")
        ways = [np.arange(low, high + grid_m, grid_m) for low, high in (box[::2], box[1::2])]
        x, y = (at.ravel() for at in np.meshgrid(*ways))
        near = reached(x, y)
        cell = np.unique(cells(*plane.inverse(x[near], y[near]), resolution))
        lat, lon = np.array([h3.cell_to_latlng(c) for c in cell.tolist()]).reshape(-1, 2).T
        x, y = plane.forward(lon, lat)
        inside = reached(x, y)
        shut = _in_plane(plane, closed)
        inside &= ~shapely.contains_xy(shut, x, y)
        return cls._of(cell[inside], x[inside], y[inside], shut)

    @classmethod
    def _of(cls, cell: NDArray[np.uint64], x: Array, y: Array, shut: Any) -> Self:
        if not len(cell):
            return cls.none()
        area_m2 = h3.cell_area(int(cell[len(cell) // 2]), "m^2")
        apart_m = np.sqrt(area_m2 / np.sqrt(0.75))
        # The middles of neighbours are about one width apart, those of the next 1.7.
        pairs = KDTree(np.column_stack([x, y])).query_pairs(1.35 * apart_m, output_type="ndarray")
        if not shut.is_empty:
            middles = np.column_stack([x, y])
            pairs = pairs[~shapely.intersects(shut, shapely.linestrings(middles[pairs]))]
        both = np.concatenate([pairs, pairs[:, ::-1]])
        both = both[np.lexsort((both[:, 1], both[:, 0]))]
        crosses, to = both[:, 0].astype(np.int32), both[:, 1]
        dx, dy = x[to] - x[crosses], y[to] - y[crosses]
        heading = np.arctan2(dx, dy)
        offset = np.searchsorted(crosses, np.arange(len(cell) + 1))

        def turned(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.int64]:
            """By how many times 60 degrees."""
            angle = np.abs((heading[b] - heading[a] + np.pi) % (2.0 * np.pi) - np.pi)
            return np.asarray(np.round(angle / (np.pi / 3.0)).astype(np.int64))

        every = np.arange(len(crosses), dtype=np.int32)
        source, target = _each(every, offset[to], offset[to + 1])
        share = np.array(TURNS)[turned(source, target)]
        whole = np.bincount(source, share, len(crosses))
        this, other = _each(every, offset[crosses], offset[crosses + 1])
        back = turned(this, other) == 3
        reverse = np.full(len(crosses), -1, np.int32)
        reverse[this[back]] = other[back]
        at = np.concatenate([_ring(share_, n) for share_, n in RINGS]) * apart_m
        point_of = np.repeat(np.arange(len(crosses)), len(at))
        return cls(
            cell=cell,
            x=x,
            y=y,
            crosses=crosses,
            length_m=np.hypot(dx, dy) * STRAIGHTER,
            reverse=reverse,
            source=source,
            target=target,
            share=share / whole[source],
            point_of=point_of,
            point_x=x[crosses[point_of]] + np.tile(at[:, 0], len(crosses)),
            point_y=y[crosses[point_of]] + np.tile(at[:, 1], len(crosses)),
            area_m2=area_m2,
        )

    def near(self, distance2: Array, accuracy_m: float) -> Array:
        """exp(-(d / accuracy)^2 / 2) (p,) of each place, by its squared distance from what was seen, m^2.

        A place stands for those around it, so that what was seen exactly is near one of them.
        """
        around_m2 = self.area_m2 / sum(n for _, n in RINGS)
        wide2 = accuracy_m**2 + around_m2 / 4.0
        weight = np.exp(-0.5 * np.minimum(distance2 / wide2, 100.0)) * accuracy_m**2 / wide2
        return np.where(distance2 > 36.0 * wide2, 0.0, weight)

    def measure_m(self, how: OffRoad) -> Array:
        """How likely a place each crossing (y,) is where nothing is known, in metres of road."""
        sides = np.bincount(self.crosses, minlength=len(self.cell))[self.crosses]
        return np.asarray(self.area_m2 * how.road_m_per_m2 / sides)

    def __len__(self) -> int:
        """Return the number of crossings."""
        return len(self.crosses)


def _in_plane(plane: LocalPlane, areas: Sequence[Area]) -> Any:
    """Return all of some areas as one, ready to be asked often."""

    def forward(lonlat: Array) -> Array:
        return np.column_stack(plane.forward(lonlat[:, 0], lonlat[:, 1]))

    whole = shapely.transform(shapely.union_all(list(areas)), forward)
    shapely.prepare(whole)
    return whole


def _each(
    every: NDArray[np.int32], first: NDArray[Any], last: NDArray[Any]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Pair each of some with all from a first to before a last."""
    fan = last - first
    source = np.repeat(every, fan)
    start = np.concatenate([[0], np.cumsum(fan)])[:-1]
    target = np.arange(fan.sum()) - np.repeat(start, fan) + np.repeat(first, fan)
    return source, target.astype(np.int32)


def _ring(share: float, n: int) -> Array:
    """Places (n, 2) evenly around a middle."""
    angle = 2.0 * np.pi * np.arange(n) / n
    return share * np.column_stack([np.sin(angle), np.cos(angle)])
