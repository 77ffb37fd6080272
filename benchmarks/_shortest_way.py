"""The shortest way through places, and the cells along it: what a reconstruction is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from h3.api import basic_int as h3
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from geo_policing.geodesy import cells
from geo_policing.roads import RoadNetwork

Array = NDArray[np.float64]

ACCURACY_M = 20.0
#: Who seems to have gone back no farther than this on an edge stood there.
STOOD_M = 3.0 * ACCURACY_M
#: Places along the shortest way are this far apart; the road is so wide to each side, as in the
#: reconstruction.
STEP_M, BESIDE_M = 10.0, 8.5


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """The shortest way between two sightings: edges, where it starts and ends on them, its length."""

    edges: list[int]
    start_m: float
    end_m: float
    length_m: float


def shortest_ways(network: RoadNetwork, lon: Array, lat: Array) -> list[Way] | None:
    """Shortest way through places 20 m sure: of the edges near each the ones that make the whole cheapest."""
    length = np.maximum(network.length_m, 0.01)
    order = np.lexsort((length, network.to_node, network.from_node))
    ends = np.column_stack([network.from_node, network.to_node])[order]
    edge = order[np.concatenate([[True], (np.diff(ends, axis=0) != 0).any(axis=1)])]
    graph = csr_matrix(
        (length[edge], (network.from_node[edge], network.to_node[edge])), shape=(network.n_nodes,) * 2
    )
    named = {
        (int(a), int(b)): int(e)
        for a, b, e in zip(network.from_node[edge], network.to_node[edge], edge, strict=True)
    }
    near = [_near(network, x, y) for x, y in np.column_stack([lon, lat])]
    doubt = [(d / ACCURACY_M) ** 2 / 2 * ACCURACY_M for _, d, _ in near]
    cost, back, found = doubt[0], [], []
    for (e0, _, o0), (e1, _, o1), more in zip(near, near[1:], doubt[1:], strict=False):
        nodes, row = np.unique(network.to_node[e0], return_inverse=True)
        distance, before = dijkstra(graph, indices=nodes, return_predecessors=True)
        onward = (e0[:, None] == e1) & (o1 >= o0[:, None] - STOOD_M)
        way = (network.length_m[e0] - o0)[:, None] + distance[row][:, network.from_node[e1]] + o1
        way = np.where(onward, np.maximum(o1 - o0[:, None], 0.0), way)
        total = cost[:, None] + way + more
        back.append(total.argmin(axis=0))
        cost = total.min(axis=0)
        found.append((way, before[row], onward))
    if not np.isfinite(cost.min()):
        return None
    chosen = [int(cost.argmin())]
    for step in reversed(back):
        chosen.append(int(step[chosen[-1]]))
    chosen.reverse()
    ways = []
    for k, (way, before, onward) in enumerate(found):
        a, b = chosen[k], chosen[k + 1]
        (e0, _, o0), (e1, _, o1) = near[k], near[k + 1]
        edges = [int(e0[a])]
        if not onward[a, b]:
            node, inner = int(network.from_node[e1[b]]), []
            while node != network.to_node[e0[a]]:
                inner.append(named[int(before[a, node]), node])
                node = int(before[a, node])
            edges += [*reversed(inner), int(e1[b])]
        ways.append(
            Way(edges, float(o0[a]), float(max(o1[b], o0[a] if onward[a, b] else 0.0)), float(way[a, b]))
        )
    return ways


def _near(network: RoadNetwork, lon: float, lat: float) -> tuple[NDArray[np.int32], Array, Array]:
    """Up to 12 edges near a place, distances and offsets."""
    (x,), (y,) = network.plane.forward(lon, lat)
    place = shapely.Point(x, y)
    centre = h3.latlng_to_cell(lat, lon, 10)
    for rings, radius_m in ((1, 80.0), (3, 400.0), (30, 4000.0)):
        edges = network.index.edges_of(np.array(h3.grid_disk(centre, rings), np.uint64))
        lines = np.array([shapely.LineString(network.vertices(edge)) for edge in edges.tolist()])
        distance = shapely.distance(lines, place)
        nearest = np.argsort(distance, kind="stable")[:12]
        nearest = nearest[distance[nearest] <= radius_m]
        if len(nearest):
            break
    share = shapely.line_locate_point(lines[nearest], place, normalized=True)
    return edges[nearest], distance[nearest], share * network.length_m[edges[nearest]]


def joined(ways: Sequence[Way]) -> list[int]:
    """Edges of ways that follow each other; one that both share at a sighting is named once."""
    edges: list[int] = []
    for way in ways:
        edges += way.edges[1 if edges and edges[-1] == way.edges[0] else 0 :]
    return edges


def along(network: RoadNetwork, ways: Sequence[Way]) -> list[tuple[Array, NDArray[np.uint64]]]:
    """Of each way, how far along places are, and the cells of the road there, (k,) and (k, 3)."""
    found = []
    for way in ways:
        parts, so_far = [], []
        total = 0.0
        for k, edge in enumerate(way.edges):
            xy = network.vertices(edge)
            drawn = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
            scale = drawn[-1] / max(float(network.length_m[edge]), 1e-9)
            begin = way.start_m * scale if k == 0 else 0.0
            end = way.end_m * scale if k == len(way.edges) - 1 else drawn[-1]
            at = np.linspace(begin, end, max(int((end - begin) / STEP_M), 1), endpoint=False)
            at = at + (end - begin) / len(at) / 2
            x, y = np.interp(at, drawn, xy[:, 0]), np.interp(at, drawn, xy[:, 1])
            ahead = np.interp(at + 1.0, drawn, xy[:, 0]) - np.interp(at - 1.0, drawn, xy[:, 0])
            up = np.interp(at + 1.0, drawn, xy[:, 1]) - np.interp(at - 1.0, drawn, xy[:, 1])
            size = np.maximum(np.hypot(ahead, up), 1e-9)
            sides = [
                cells(*network.plane.inverse(x + s * up / size, y - s * ahead / size))
                for s in (-BESIDE_M, 0.0, BESIDE_M)
            ]
            parts.append(np.column_stack(sides))
            so_far.append(total + at - begin)
            total += end - begin
        found.append((np.concatenate(so_far), np.concatenate(parts)))
    return found
