"""Cameras at crossings and along the expressway, checkpoints where everybody has to pass."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geo_policing.roads.network import EdgeFlag, RoadClass, RoadNetwork
from geo_policing_sample_city.lines import along
from geo_policing_sample_city.terrain import Array

CAMERAS = 300
#: Between two crossings with cameras, and from a camera to the crossing it watches, metres.
APART_M, BEFORE_M = 520.0, 22.0
#: Between cameras along the expressway.
EXPRESSWAY_M = 1400.0


@dataclass(eq=False)
class Cameras:
    """What stands on which edge, and which way the traffic it sees goes.

    Parameters
    ----------
    kind : list of str
        camera or checkpoint.
    name : list of str
        What it is called.
    edge : list of int
        Index of the edge it stands on.
    xy : list of (2,)
        Where it stands, on the edge, metres.
    heading_deg : list of float
        Direction of the traffic, clockwise from north.
    """

    kind: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    edge: list[int] = field(default_factory=list)
    xy: list[Array] = field(default_factory=list)
    heading_deg: list[float] = field(default_factory=list)

    def add(self, network: RoadNetwork, kind: str, name: str, edge: int, at_m: float) -> None:
        """Put one up on an edge, some way along it."""
        at = float(np.clip(at_m, 3.0, max(3.0, network.length_m[edge] - 3.0)))
        behind, here, ahead = along(network.vertices(edge), np.array([at - 2.0, at, at + 2.0]))
        self.kind.append(kind)
        self.name.append(name)
        self.edge.append(edge)
        self.xy.append(here)
        self.heading_deg.append(round(float(np.degrees(np.arctan2(*(ahead - behind)))) % 360, 1))


def put_up_cameras(network: RoadNetwork, rng: np.random.Generator) -> Cameras:
    """Put checkpoints on bridges, in tunnels, on ramps and at the city's exits, cameras elsewhere."""
    cameras = Cameras()
    _checkpoints(network, cameras)
    at_expressway = [
        (edge, at)
        for edge in np.flatnonzero(
            (network.road_class == RoadClass.EXPRESSWAY) & (network.flags == 0)
        ).tolist()
        for at in np.arange(EXPRESSWAY_M / 2, network.length_m[edge], EXPRESSWAY_M)
    ]
    for number, (edge, at) in enumerate(at_expressway):
        cameras.add(network, "camera", f"{network.name_of(edge)}{number + 1}号", edge, float(at))
    _crossings(network, cameras, CAMERAS - len(at_expressway), rng)
    return cameras


def _checkpoints(network: RoadNetwork, cameras: Cameras) -> None:
    degree = np.bincount(network.from_node, minlength=network.n_nodes)
    degree += np.bincount(network.to_node, minlength=network.n_nodes)
    special = (network.flags > 0) | (network.road_class == RoadClass.EXPRESSWAY_RAMP)
    leaves = (degree[network.from_node] == 2) | (degree[network.to_node] == 2)
    large = network.road_class <= RoadClass.SECONDARY
    for edge in np.flatnonzero(special | (leaves & large)).tolist():
        start, kind = int(network.from_node[edge]), network.road_class[edge]
        own = network.name_of(edge)
        if network.flags[edge] & (EdgeFlag.BRIDGE | EdgeFlag.TUNNEL):
            cameras.add(network, "checkpoint", f"{own}卡口", edge, 60.0)
        elif kind == RoadClass.EXPRESSWAY_RAMP and _joins(network, edge):
            cameras.add(network, "checkpoint", f"{own}入口卡口", edge, network.length_m[edge] / 3)
        elif kind <= RoadClass.SECONDARY and degree[start] == 2 and network.reverse[edge] >= 0:
            cameras.add(network, "checkpoint", f"{own}进城卡口", edge, 40.0)
        elif (
            kind <= RoadClass.SECONDARY and degree[network.to_node[edge]] == 2 and network.reverse[edge] >= 0
        ):
            cameras.add(network, "checkpoint", f"{own}出城卡口", edge, network.length_m[edge] - 40.0)


def _joins(network: RoadNetwork, edge: int) -> bool:
    """Whether a ramp ends at the expressway."""
    node = network.to_node[edge]
    out = network.out_edge[network.out_offset[node] : network.out_offset[node + 1]]
    return bool((network.road_class[out] == RoadClass.EXPRESSWAY).any())


def _crossings(network: RoadNetwork, cameras: Cameras, count: int, rng: np.random.Generator) -> None:
    """Watch approaches of crossings of large roads, spread over the city."""
    large = (network.road_class == RoadClass.ARTERIAL) | (network.road_class == RoadClass.SECONDARY)
    into: dict[int, list[int]] = {}
    for edge in np.flatnonzero(large & (network.length_m > 40)).tolist():
        into.setdefault(int(network.to_node[edge]), []).append(edge)
    names = {n: {network.name_of(e) for e in edges} for n, edges in into.items()}
    best = np.array([min(network.road_class[e] for e in into[n]) for n in into])
    nodes = np.array(list(into))[np.lexsort((rng.uniform(size=len(into)), best))]
    chosen: list[int] = []
    xy = np.column_stack([network.node_x, network.node_y])
    for node in nodes.tolist():
        if count == 0:
            break
        if len(names[node]) < 2 or (chosen and np.hypot(*(xy[chosen] - xy[node]).T).min() < APART_M):
            continue
        chosen.append(node)
        for edge in _approaches(network, into[node], min(count, 2)):
            other = sorted(names[node] - {network.name_of(edge)})[0]
            name = f"{network.name_of(edge)}与{other}路口"
            cameras.add(network, "camera", name, edge, network.length_m[edge] - BEFORE_M)
            count -= 1


def _approaches(network: RoadNetwork, edges: list[int], count: int) -> NDArray[np.int64]:
    """Approaches by the most important roads, each from another side."""
    order = np.lexsort((np.array(edges), network.road_class[edges]))
    return np.array(edges)[order][:count]
