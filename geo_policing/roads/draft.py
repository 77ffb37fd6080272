"""Nodes and edges while an import mends them, before they are a network."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.geodesy import LocalPlane
from geo_policing.roads.network import RoadNetwork


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """n nodes and m directed edges, columns as `RoadNetwork.build` takes them.

    Parameters
    ----------
    node_lon, node_lat : (n,) float64
        Degrees WGS 84.
    edge_id, name : m str
        Id and road name.
    from_node, to_node : (m,) int32
        Ends.
    geometry : m arrays (k, 2) float64
        lon, lat.
    speed_mps, road_class, access, flags : (m,) arrays
        As in `RoadNetwork`.
    turns : (k, 2) int32
        Forbidden turns.
    source : str
        Where they came from.
    """

    node_lon: NDArray[np.float64]
    node_lat: NDArray[np.float64]
    edge_id: list[str]
    from_node: NDArray[np.int32]
    to_node: NDArray[np.int32]
    geometry: list[NDArray[np.float64]]
    speed_mps: NDArray[np.float32]
    road_class: NDArray[np.uint8]
    access: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    name: list[str]
    turns: NDArray[np.int32]
    source: str

    def lengths_m(self) -> NDArray[np.float64]:
        """(m,) lengths along the geometry in the plane around it."""
        lon, lat = np.concatenate(self.geometry).T
        plane = LocalPlane.around(float(lon.min() + lon.max()) / 2, float(lat.min() + lat.max()) / 2)
        x, y = plane.forward(lon, lat)
        edge = np.repeat(np.arange(len(self.geometry)), [len(line) for line in self.geometry])
        steps = np.where(edge[1:] == edge[:-1], np.hypot(np.diff(x), np.diff(y)), 0.0)
        return np.bincount(edge[1:], steps, minlength=len(self.geometry)).astype(np.float64)

    def keep(self, edges: NDArray[Any]) -> "Draft":
        """Only some edges, in the order given, the nodes they use, and the turns among them."""
        place = np.full(len(self.edge_id), -1, np.int32)
        place[edges] = np.arange(len(edges))
        turns = place[self.turns]
        ends = np.concatenate([self.from_node[edges], self.to_node[edges]])
        nodes, number = np.unique(ends, return_inverse=True)
        return replace(
            self,
            node_lon=self.node_lon[nodes],
            node_lat=self.node_lat[nodes],
            edge_id=[self.edge_id[e] for e in edges.tolist()],
            from_node=number[: len(edges)].astype(np.int32),
            to_node=number[len(edges) :].astype(np.int32),
            geometry=[self.geometry[e] for e in edges.tolist()],
            speed_mps=self.speed_mps[edges],
            road_class=self.road_class[edges],
            access=self.access[edges],
            flags=self.flags[edges],
            name=[self.name[e] for e in edges.tolist()],
            turns=turns[(turns >= 0).all(axis=1)],
        )

    def build(self) -> RoadNetwork:
        """Make the network."""
        return RoadNetwork.build(
            node_lon=self.node_lon,
            node_lat=self.node_lat,
            edge_id=self.edge_id,
            from_node=self.from_node,
            to_node=self.to_node,
            geometry_lonlat=self.geometry,
            speed_mps=self.speed_mps,
            road_class=self.road_class,
            access=self.access,
            flags=self.flags,
            edge_name=self.name,
            forbidden_turn=self.turns,
            source=self.source,
        )
