"""The roads around an answer, kept with it so that its picture can be drawn again from itself alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_policing.roads import Access, RoadNetwork
from geo_policing.roads.network import RoadClass

Array = NDArray[np.float64]

#: So many times the larger side of what was found is shown, at least so many metres.
AROUND, LEAST_M = 1.8, 2000.0
#: Roads that are drawn wider, and how many edges of all are kept: of the lesser ones the longest.
MAIN = (RoadClass.EXPRESSWAY, RoadClass.EXPRESSWAY_RAMP, RoadClass.ARTERIAL, RoadClass.SECONDARY)
MOST_EDGES = 12_000
#: Corners nearer than this to a straight line are left out, metres.
STRAIGHT_M = 2.0


def roads_around(
    network: RoadNetwork, features: Sequence[dict[str, Any]], access: Access | None = None
) -> dict[str, list[list[list[float]]]]:
    """Lines of the roads around paths, sightings and regions.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    features : sequence of dict
        GeoJSON features of the answer; ``what`` tells which.
    access : Access, optional
        Who travels; only roads that are open to them.

    Returns
    -------
    dict
        ``main`` and ``minor``: lines of lon, lat in degrees to a metre, both directions of a road once.
    """
    shown = [
        shapely.geometry.shape(f["geometry"])
        for f in features
        if f["properties"]["what"] in ("path", "sighting", "cell", "region") and f["geometry"] is not None
    ]
    if not shown:
        return {"main": [], "minor": []}
    west, south, east, north = shapely.total_bounds(shown)
    x, y = network.plane.forward([west, east, west, east], [south, south, north, north])
    middle = np.array([(x.min() + x.max()) / 2.0, (y.min() + y.max()) / 2.0])
    half = max(AROUND * max(float(np.ptp(x)), float(np.ptp(y))), LEAST_M) / 2.0
    edges = _within(network, middle, half, access)
    is_main = np.isin(network.road_class[edges], MAIN)
    if len(edges) > MOST_EDGES:
        order = np.lexsort((edges, -network.length_m[edges], ~is_main))[:MOST_EDGES]
        edges, is_main = edges[np.sort(order)], is_main[np.sort(order)]
    lines = [_line(network, edge) for edge in edges.tolist()]
    told: dict[str, list[list[list[float]]]] = {"main": [], "minor": []}
    for line, main in zip(lines, is_main.tolist(), strict=True):
        told["main" if main else "minor"].append(line)
    return told


def _within(network: RoadNetwork, middle: Array, half_m: float, access: Access | None) -> NDArray[np.int64]:
    """Edges with a vertex or an end in a square, one of the two directions of each road."""
    at = network.vertex_offset[:-1]
    near = np.ones(network.n_edges, np.bool_)
    for side, values in enumerate((network.vertex_x, network.vertex_y)):
        low, high = np.minimum.reduceat(values, at), np.maximum.reduceat(values, at)
        near &= (low <= middle[side] + half_m) & (high >= middle[side] - half_m)
    if access is not None:
        near &= (network.access & access) == access
    other = network.reverse
    first = np.arange(network.n_edges)
    twice = (other >= 0) & (other < first)
    twice[twice] = near[other[twice]]
    return np.flatnonzero(near & ~twice)


def _line(network: RoadNetwork, edge: int) -> list[list[float]]:
    xy = shapely.get_coordinates(shapely.simplify(shapely.LineString(network.vertices(edge)), STRAIGHT_M))
    lon, lat = network.plane.inverse(xy[:, 0], xy[:, 1])
    return np.column_stack([lon, lat]).round(5).tolist()
