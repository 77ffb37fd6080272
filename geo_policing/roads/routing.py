"""Cheapest routes from place to place, and how far one comes in a given time.

A place is an edge and how far along it. The search runs over edges, so that turns can be forbidden or cost.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.kernels import edge_search
from geo_policing.roads.network import Access, RoadNetwork

Array = NDArray[np.float64]

#: Turning back where the road goes on costs this; at a dead end it is free.
U_TURN_S = 20.0
U_TURN_M = 60.0
#: Who does not drive a car is not faster than this.
RIDE_MPS = 4.2
WALK_MPS = 1.4


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """A way from one place to another.

    Parameters
    ----------
    edges : (e,) int32
        Edges in order of travel, the first and the last driven in part.
    start_m, end_m : float
        Where on the first edge it starts and on the last it ends.
    length_m : float
        Length of the way.
    duration_s : float
        Time at the edges' speeds, `U_TURN_S` for each turn back where the road goes on included.
    """

    edges: NDArray[np.int32]
    start_m: float
    end_m: float
    length_m: float
    duration_s: float

    def lonlat(self, network: RoadNetwork) -> Array:
        """(k, 2) lon, lat along the way, from the place it starts to the place it ends."""
        last = len(self.edges) - 1
        parts = []
        for i, edge in enumerate(self.edges.tolist()):
            begin = self.start_m if i == 0 else 0.0
            end = self.end_m if i == last else float(network.length_m[edge])
            xy = _stretch(network, edge, begin, end)
            parts.append(xy if i == 0 else xy[1:])
        x, y = np.concatenate(parts).T
        return np.column_stack(network.plane.inverse(x, y))


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """Where one comes in a given time: k stretches of edges, in order of arrival.

    Parameters
    ----------
    edge : (k,) int32
        Edges. The one where it starts comes first, and once more if its beginning is reached from behind.
    arrival_s : (k,) float64
        When the stretch is entered.
    from_m, to_m : (k,) float64
        The stretch of the edge that is reached in time.
    """

    edge: NDArray[np.int32]
    arrival_s: Array
    from_m: Array
    to_m: Array


def route(
    network: RoadNetwork,
    from_edge: int,
    from_offset_m: float,
    to_edge: int,
    to_offset_m: float,
    *,
    by: Literal["time", "length"] = "time",
    access: Access = Access.CAR,
) -> Route | None:
    """Cheapest way from a place to a place.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    from_edge, to_edge : int
        Edges of the places.
    from_offset_m, to_offset_m : float
        How far along these edges, metres.
    by : {"time", "length"}
        What is to be least.
    access : Access
        Who travels; of several all must be let in. Forbidden turns do not bind who only walks.

    Returns
    -------
    Route or None
        None where no way leads there. The first edge may be one that is closed to the traveller.

    Raises
    ------
    InvalidInput
        If an edge is not in the network or an offset not on its edge.
    """
    start_m = _offset(network, "from", from_edge, from_offset_m)
    end_m = _offset(network, "to", to_edge, to_offset_m)
    if by not in ("time", "length"):
        raise InvalidInput(f"by {by!r} is unknown; give time or length", field="by", value=by)
    duration_s = _durations(network, access)
    offset, out = _open_edges(network, access)
    if from_edge == to_edge and end_m >= start_m:
        path = np.array([from_edge], np.int32)
    else:
        cost = network.length_m if by == "length" else duration_s
        u_turn = U_TURN_M if by == "length" else U_TURN_S
        settled, _, before = _search(
            network, from_edge, start_m, cost, u_turn, (offset, out), access, target=to_edge
        )
        if not settled[to_edge]:
            return None
        edges = [to_edge]
        while len(edges) == 1 or edges[-1] != from_edge:
            edges.append(int(before[edges[-1]]))
        path = np.array(edges[::-1], np.int32)
    share = np.ones(len(path))
    if len(path) == 1:
        share[0] = _share(network, from_edge, end_m - start_m)
    else:
        share[0] = 1.0 - _share(network, from_edge, start_m)
        share[-1] = _share(network, to_edge, end_m)
    goes_on = np.diff(offset)[network.to_node[path]] > 1
    backs = sum(network.reverse[a] == b and on for (a, b), on in zip(pairwise(path), goes_on, strict=False))
    return Route(
        edges=path,
        start_m=start_m,
        end_m=end_m,
        length_m=float((network.length_m[path] * share).sum()),
        duration_s=float((duration_s[path] * share).sum()) + float(backs) * U_TURN_S,
    )


def reachable(
    network: RoadNetwork, edge: int, offset_m: float, within_s: float, *, access: Access = Access.CAR
) -> Reach:
    """How far one comes from a place in a given time: the isochrone, edge by edge.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    edge, offset_m : int, float
        The place: an edge and how far along it, metres.
    within_s : float
        Seconds.
    access : Access
        Who travels, as in `route`.

    Raises
    ------
    InvalidInput
        If the edge is not in the network, the offset not on it, or the time negative or not finite.
    """
    start_m = _offset(network, "", edge, offset_m)
    if not 0.0 <= within_s < np.inf:
        raise InvalidInput(
            f"within_s {within_s} is no number of seconds; give 0 or more", field="within_s", value=within_s
        )
    duration_s = _durations(network, access)
    settled, label, _ = _search(
        network, edge, start_m, duration_s, U_TURN_S, _open_edges(network, access), access, limit=within_s
    )
    found = np.flatnonzero(settled)
    found = found[np.lexsort((found, label[found]))]
    reached = np.concatenate([[edge], found]).astype(np.int32)
    arrival_s = np.concatenate([[0.0], label[found]])
    from_m = np.zeros(len(reached))
    from_m[0] = start_m
    length_m = network.length_m[reached]
    pace = np.divide(length_m, duration_s[reached], out=np.zeros(len(reached)), where=length_m > 0.0)
    to_m = np.minimum(from_m + (within_s - arrival_s) * pace, length_m)
    again = np.flatnonzero(reached == edge)[1:]
    to_m[again] = np.minimum(to_m[again], start_m)
    return Reach(reached, arrival_s, from_m, to_m)


def _offset(network: RoadNetwork, which: str, edge: int, offset_m: float) -> float:
    name = f"{which}_edge".lstrip("_")
    if not 0 <= edge < network.n_edges:
        raise InvalidInput(
            f"{name} {edge} is not in the network; its edges are 0 to {network.n_edges - 1}",
            field=name,
            value=edge,
        )
    length = float(network.length_m[edge])
    if not -1e-6 <= offset_m <= length + 1e-6:
        raise InvalidInput(
            f"{which} offset {offset_m} m is not on edge {edge}; give 0 to {length:.3f}".lstrip(),
            field=f"{which}_offset_m".lstrip("_"),
            value=offset_m,
        )
    return min(max(float(offset_m), 0.0), length)


def _share(network: RoadNetwork, edge: int, part_m: float) -> float:
    length = float(network.length_m[edge])
    return part_m / length if length > 0.0 else 0.0


def _durations(network: RoadNetwork, access: Access) -> Array:
    """(m,) seconds for each edge."""
    speed = network.speed_mps.astype(np.float64)
    if access & Access.FOOT:
        speed = np.full(network.n_edges, WALK_MPS)
    elif access & Access.BICYCLE:
        speed = np.minimum(speed, RIDE_MPS)
    return network.length_m / speed


def _open_edges(network: RoadNetwork, access: Access) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Adjacency of the edges that are open: offsets (n + 1,), edges."""
    is_open = (network.access[network.out_edge] & access) == access
    before = np.concatenate([[0], np.cumsum(is_open)])
    return before[network.out_offset], network.out_edge[is_open]


def _search(
    network: RoadNetwork,
    edge: int,
    offset_m: float,
    cost: Array,
    u_turn: float,
    adjacency: tuple[NDArray[np.int64], NDArray[np.int32]],
    access: Access,
    *,
    target: int | None = None,
    limit: float = np.inf,
) -> tuple[NDArray[np.bool_], Array, NDArray[np.int32]]:
    """Which edges (m,) were settled, the cost at their start, and the edge before each."""
    m = network.n_edges
    wanted, seen, settled = (np.zeros(m, np.int64) for _ in range(3))
    label, before = np.zeros(m), np.full(m, -1, np.int32)
    if target is not None:
        wanted[target] = 1
    turns = network.forbidden_turn if access != Access.FOOT else np.empty((0, 2), np.int32)
    rest = float(cost[edge]) * (1.0 - _share(network, edge, offset_m))
    if rest <= limit:
        edge_search.search(
            *(edge, rest, limit, 1 if target is not None else -1, 1),
            *(network.to_node, cost, *adjacency, network.reverse, turns, u_turn),
            *(wanted, seen, settled, label, before, np.empty(4 * m + 16), np.empty(4 * m + 16, np.int32)),
        )
    return settled == 1, label, before


def _stretch(network: RoadNetwork, edge: int, begin_m: float, end_m: float) -> Array:
    """(k, 2) x, y of part of an edge, k >= 2."""
    xy = network.vertices(edge)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    length = float(network.length_m[edge])
    if length > 0.0:
        begin_m, end_m = begin_m * along[-1] / length, end_m * along[-1] / length
    inner = along[(along > begin_m) & (along < end_m)]
    at = np.concatenate([[begin_m], inner, [end_m]])
    return np.column_stack([np.interp(at, along, xy[:, 0]), np.interp(at, along, xy[:, 1])])
