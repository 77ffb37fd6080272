"""The roads as one kind of traveller may use them."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.roads import Access, RoadNetwork

#: What has no speed is this slow, so that every edge takes a finite time.
SLOWEST_MPS = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A network with the edges that may follow each other.

    Parameters
    ----------
    network : RoadNetwork
        The roads, m edges.
    usable : (m,) bool
        Whether this traveller may use an edge.
    ways : tuple
        What the kernels take for the turns: to_node, length_m, out_offset, out_edge, reverse, forbidden_turn;
        edges that may not be used leave no node.
    geometry : tuple
        What they take for the drawing: vertex_offset, vertex_x, vertex_y, length_m.
    travel_s : (m,) float64
        Time each edge usually takes.
    """

    network: RoadNetwork
    usable: NDArray[np.bool_]
    ways: tuple[NDArray[Any], ...]
    geometry: tuple[NDArray[Any], ...]
    travel_s: NDArray[np.float64]

    @classmethod
    def of(cls, network: RoadNetwork, access: Access | None) -> Self:
        """Take the edges that one of these may use; every edge for None."""
        usable = np.full(network.n_edges, True)
        out_offset, out_edge = network.out_offset, network.out_edge
        if access is not None:
            usable = (network.access & int(access)) != 0
            leaves = np.concatenate([[0], np.cumsum(usable[out_edge])])
            out_offset, out_edge = leaves[out_offset].astype(np.int32), out_edge[usable[out_edge]]
        length_m = network.length_m
        turns = (out_offset, out_edge, network.reverse, network.forbidden_turn)
        drawing = (network.vertex_offset, network.vertex_x, network.vertex_y)
        return cls(
            network=network,
            usable=usable,
            ways=_read_only(network.to_node, length_m, *turns),
            geometry=_read_only(*drawing, length_m),
            travel_s=length_m / np.maximum(network.speed_mps, SLOWEST_MPS),
        )


def _read_only(*arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """View arrays as if mapped from a file: a kernel is compiled for each kind that it meets."""
    views = tuple(array.view() for array in arrays)
    for view in views:
        view.flags.writeable = False
    return views
