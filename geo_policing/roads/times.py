"""How long it takes at least from where one may be to where one may be, by road."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.kernels import edge_grid, road_times
from geo_policing.roads.network import Access, RoadNetwork

_CELL_M = 50.0


class RoadTimes:
    """Least times by road: no turn is forbidden or costs, so nobody who keeps to the speeds is faster.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    access : Access
        Who travels: edges that all of these may use.
    most_mps : float
        How fast they are at most, wherever the road lets them.
    both_ways : bool
        Whether roads that lead one way are open the other way as well, as to who walks.

    Raises
    ------
    InvalidInput
        If there is none.
    """

    def __init__(
        self,
        network: RoadNetwork,
        access: Access = Access.CAR,
        *,
        most_mps: float = np.inf,
        both_ways: bool = False,
    ) -> None:
        is_open = (network.access & access) == access
        if not is_open.any():
            raise InvalidInput(f"no road is open to {access!r}; give another access", field="access")
        #: Edges that are there once more, the other way, after all others.
        self._again = np.flatnonzero(is_open & (network.reverse < 0) & both_ways)
        edges = np.concatenate([np.arange(network.n_edges), self._again])
        is_open, length_m = is_open[edges], np.array(network.length_m[edges])
        speed_mps = np.minimum(network.speed_mps[edges].astype(np.float64), most_mps)
        begin = np.concatenate([network.from_node, network.to_node[self._again]])
        end = np.concatenate([network.to_node, network.from_node[self._again]])
        reverse = np.concatenate([network.reverse, self._again.astype(network.reverse.dtype)])
        reverse[self._again] = np.arange(network.n_edges, len(edges))
        offset, x, y = _lines(network, self._again)
        along_m = edge_grid.along(offset, x, y, length_m)
        shapes = edge_grid.Shapes(offset, x, y, along_m, length_m, reverse, is_open)
        leaving = np.argsort(begin, kind="stable")
        leaving = leaving[is_open[leaving]]
        arcs = road_times.Arcs(
            begin.astype(np.int32),
            end.astype(np.int32),
            length_m,
            length_m / speed_mps,
            np.searchsorted(begin[leaving], np.arange(network.n_nodes + 1)).astype(np.int64),
            leaving.astype(np.int32),
        )
        self.plane = network.plane
        #: The highest speed of the roads.
        self.top_mps = float(speed_mps[is_open].max())
        self._roads = road_times.Roads(arcs, edge_grid.build(shapes, _CELL_M), road_times.scratch(0))
        self._nodes = network.n_nodes

    def for_kernels(self) -> road_times.Roads:
        """Return what kernels search on, with scratch arrays that no other thread writes."""
        return self._roads._replace(work=road_times.scratch(self._nodes))

    def arrivals_s(
        self, place: tuple[float, float], radius_m: float, within_s: float = np.inf
    ) -> NDArray[np.float64]:
        """Return the least seconds (m,) from within a radius of a place to the beginning of each edge.

        Parameters
        ----------
        place : (lon, lat)
            Degrees; it stands for edges as in `least_s`, on which one is at once.
        radius_m : float
            Metres.
        within_s : float
            Farther ones are not looked for.

        Returns
        -------
        (m,) float64
            Infinite where no way leads in that time, for closed edges, and for all of them off the roads. Of
            edges that lead one way and are open both ways to the nearer of their ends.
        """
        (x,), (y,) = self.plane.forward(*place)
        found = road_times.arrivals(x, y, float(radius_m), float(within_s), self.for_kernels())
        own, again = np.split(np.asarray(found, np.float64), [len(found) - len(self._again)])
        own[self._again] = np.minimum(own[self._again], again)
        return own

    def least_s(
        self, a: tuple[float, float], b: tuple[float, float], radius_a_m: float, radius_b_m: float
    ) -> float:
        """Return the least seconds from within a radius of a place to within one of another.

        Parameters
        ----------
        a, b : (lon, lat)
            Degrees. Each stands for the nearest `road_times.PLACES` edges within its radius, or within
            `road_times.WIDE_M` where that has none: the radius to both sides of their nearest points.
        radius_a_m, radius_b_m : float
            Metres.

        Returns
        -------
        float
            Infinite where one of them is off the roads or no way leads there.
        """
        x, y = self.plane.forward([a[0], b[0]], [a[1], b[1]])
        near = (x[0], y[0], float(radius_a_m), x[1], y[1], float(radius_b_m))
        return float(road_times.least(*near, self.for_kernels()))


def _lines(network: RoadNetwork, again: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Vertices of all edges, and of some once more from their end; where each edge begins, x and y."""
    turned = [network.vertices(edge)[::-1] for edge in again.tolist()]
    count = np.concatenate([np.diff(network.vertex_offset), np.array([len(xy) for xy in turned], np.int64)])
    x, y = (
        np.concatenate([own, *(xy[:, axis] for xy in turned)])
        for axis, own in enumerate((network.vertex_x, network.vertex_y))
    )
    return np.concatenate([[0], np.cumsum(count)]).astype(np.int64), x, y
