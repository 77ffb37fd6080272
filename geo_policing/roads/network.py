"""The road network: directed edges between nodes, as arrays that one file holds and processes share."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum, IntFlag
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidFile
from geo_policing.geodesy import LocalPlane
from geo_policing.kernels import edge_pairs
from geo_policing.roads import checks
from geo_policing.roads.index import EdgeIndex
from geo_policing.roads.mapped import read_arrays, write_arrays


class RoadClass(IntEnum):
    """How important a road is; the smaller the more."""

    EXPRESSWAY = 1
    EXPRESSWAY_RAMP = 2
    ARTERIAL = 3
    SECONDARY = 4
    STREET = 5
    RESIDENTIAL = 6
    SERVICE = 7
    TRACK = 8
    CYCLEWAY = 9
    FOOTWAY = 10
    UNKNOWN = 11


class Access(IntFlag):
    """Who may use an edge."""

    CAR = 1
    BICYCLE = 2
    FOOT = 4
    ALL = 7


class EdgeFlag(IntFlag):
    """What an edge is, beside its class."""

    BRIDGE = 1
    TUNNEL = 2
    ROUNDABOUT = 4
    #: Joined by the import to mend a gap in the source.
    MENDED = 8


@dataclass(frozen=True, eq=False)
class RoadNetwork:
    """n nodes, m directed edges, v vertices. A two-way street is two edges.

    Parameters
    ----------
    plane : LocalPlane
        Where x and y are.
    node_x, node_y : (n,) float64
        Nodes, metres in the plane.
    edge_id : (m,) bytes
        Ids of the source, ASCII or UTF-8.
    from_node, to_node : (m,) int32
        Ends of each edge.
    length_m : (m,) float64
        Length of each edge.
    speed_mps : (m,) float32
        Speed usually driven, or walked on footways.
    road_class : (m,) uint8
        `RoadClass`.
    access : (m,) uint8
        `Access` bits.
    flags : (m,) uint8
        `EdgeFlag` bits.
    name : (m,) int32
        Index into ``names``; 0 is no name.
    names : tuple of str
        Road names, the first one empty.
    vertex_offset : (m + 1,) int64
        Vertices of edge e are ``vertex_offset[e]:vertex_offset[e + 1]``, both ends included.
    vertex_x, vertex_y : (v,) float64
        Geometry, metres in the plane.
    out_offset : (n + 1,) int32
        Edges that leave node i are ``out_edge[out_offset[i]:out_offset[i + 1]]``.
    out_edge : (m,) int32
        Edges by the node they leave.
    reverse : (m,) int32
        The same road in the other direction; -1 for one-way roads.
    forbidden_turn : (k, 2) int32
        Pairs (edge, following edge) that may not be driven, in order.
    index : EdgeIndex
        H3 cell to edges.
    source : str
        Where it came from: file, projection, licence.
    path : Path, optional
        The file whose arrays these are, when it was loaded.
    """

    plane: LocalPlane
    node_x: NDArray[np.float64]
    node_y: NDArray[np.float64]
    edge_id: NDArray[np.bytes_]
    from_node: NDArray[np.int32]
    to_node: NDArray[np.int32]
    length_m: NDArray[np.float64]
    speed_mps: NDArray[np.float32]
    road_class: NDArray[np.uint8]
    access: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    name: NDArray[np.int32]
    names: tuple[str, ...]
    vertex_offset: NDArray[np.int64]
    vertex_x: NDArray[np.float64]
    vertex_y: NDArray[np.float64]
    out_offset: NDArray[np.int32]
    out_edge: NDArray[np.int32]
    reverse: NDArray[np.int32]
    forbidden_turn: NDArray[np.int32]
    index: EdgeIndex
    source: str = ""
    path: Path | None = None

    @classmethod
    def build(
        cls,
        *,
        node_lon: NDArray[np.float64],
        node_lat: NDArray[np.float64],
        edge_id: Sequence[str],
        from_node: NDArray[np.int32],
        to_node: NDArray[np.int32],
        geometry_lonlat: Sequence[NDArray[np.float64]],
        speed_mps: NDArray[np.float32] | None = None,
        road_class: NDArray[np.uint8] | None = None,
        access: NDArray[np.uint8] | None = None,
        flags: NDArray[np.uint8] | None = None,
        edge_name: Sequence[str] | None = None,
        length_m: NDArray[np.float64] | None = None,
        forbidden_turn: NDArray[np.int32] | None = None,
        plane: LocalPlane | None = None,
        source: str = "",
    ) -> Self:
        """Make a network of nodes and edges, and what follows from them.

        Parameters
        ----------
        node_lon, node_lat : (n,) float64
            Degrees WGS 84.
        edge_id : m str
            Ids of the source.
        from_node, to_node : (m,) int32
            Indices of nodes.
        geometry_lonlat : m arrays (k, 2) float64
            lon, lat of each edge's vertices from its first to its last node, k >= 2.
        speed_mps, road_class, access, flags, edge_name : optional
            As in the class; 13.9 m/s, UNKNOWN, ALL, 0 and no name by default.
        length_m : (m,) float64, optional
            Lengths of the source; measured along the geometry in the plane by default.
        forbidden_turn : (k, 2) int32, optional
            Pairs of edge indices.
        plane : LocalPlane, optional
            Around the middle of the nodes by default.
        source : str
            Where it came from.

        Raises
        ------
        InvalidInput
            If there is no node or no edge, columns differ in length, an edge or a turn names what is not
            there, ids repeat, or a coordinate, length or speed is not a number that can be.
        """
        m = len(edge_id)
        checks.check_nodes(node_lon, node_lat)
        columns = {
            "geometry_lonlat": geometry_lonlat,
            "speed_mps": speed_mps,
            "road_class": road_class,
            "access": access,
            "flags": flags,
            "edge_name": edge_name,
            "length_m": length_m,
        }
        checks.check_edges(len(node_lon), edge_id, {"from_node": from_node, "to_node": to_node}, columns)
        checks.check_geometry(edge_id, geometry_lonlat)
        checks.check_numbers(edge_id, length_m=(length_m, 0.0), speed_mps=(speed_mps, 0.1))
        if plane is None:
            plane = LocalPlane.around(
                float((node_lon.min() + node_lon.max()) / 2), float((node_lat.min() + node_lat.max()) / 2)
            )
        node_x, node_y = plane.forward(node_lon, node_lat)
        vertex_offset = np.zeros(m + 1, np.int64)
        np.cumsum([len(g) for g in geometry_lonlat], out=vertex_offset[1:])
        lonlat = np.concatenate(geometry_lonlat)
        vertex_x, vertex_y = plane.forward(lonlat[:, 0], lonlat[:, 1])
        if length_m is None:
            step = np.hypot(np.diff(vertex_x), np.diff(vertex_y))
            step[vertex_offset[1:-1] - 1] = 0.0  # from the last vertex of one edge to the first of the next
            total = np.concatenate([[0.0], np.cumsum(step)])
            length_m = total[vertex_offset[1:] - 1] - total[vertex_offset[:-1]]
        names, name = _number_names(edge_name, m)
        from_node, to_node = from_node.astype(np.int32), to_node.astype(np.int32)
        out_offset = np.zeros(len(node_x) + 1, np.int32)
        np.cumsum(np.bincount(from_node, minlength=len(node_x)), out=out_offset[1:])
        turns = np.empty((0, 2), np.int32) if forbidden_turn is None else forbidden_turn.astype(np.int32)
        checks.check_turns(turns, from_node, to_node)
        return cls(
            plane=plane,
            node_x=node_x,
            node_y=node_y,
            edge_id=np.array([i.encode() for i in edge_id], dtype=np.bytes_),
            from_node=from_node,
            to_node=to_node,
            length_m=np.asarray(length_m, np.float64),
            speed_mps=np.full(m, 13.9, np.float32) if speed_mps is None else speed_mps.astype(np.float32),
            road_class=np.full(m, RoadClass.UNKNOWN, np.uint8)
            if road_class is None
            else road_class.astype(np.uint8),
            access=np.full(m, Access.ALL, np.uint8) if access is None else access.astype(np.uint8),
            flags=np.zeros(m, np.uint8) if flags is None else flags.astype(np.uint8),
            name=name,
            names=names,
            vertex_offset=vertex_offset,
            vertex_x=vertex_x,
            vertex_y=vertex_y,
            out_offset=out_offset,
            out_edge=np.argsort(from_node, kind="stable").astype(np.int32),
            reverse=_reverse_edges(from_node, to_node, vertex_offset, vertex_x, vertex_y),
            forbidden_turn=turns[np.lexsort((turns[:, 1], turns[:, 0]))],
            index=EdgeIndex.build(plane, vertex_offset, vertex_x, vertex_y),
            source=source,
        )

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.node_x)

    @property
    def n_edges(self) -> int:
        """Number of directed edges."""
        return len(self.from_node)

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """west, south, east, north of all geometry in degrees."""
        lon, lat = self.plane.inverse(self.vertex_x, self.vertex_y)
        return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())

    @cached_property
    def edge_ids(self) -> list[str]:
        """Ids of the source, in the order of the edges."""
        return [i.decode() for i in self.edge_id.tolist()]

    def name_of(self, edge: int) -> str:
        """Road name of an edge, empty when it has none."""
        return self.names[int(self.name[edge])]

    def vertices(self, edge: int) -> NDArray[np.float64]:
        """(k, 2) x, y of an edge in the plane."""
        part = slice(self.vertex_offset[edge], self.vertex_offset[edge + 1])
        return np.column_stack([self.vertex_x[part], self.vertex_y[part]])

    def lonlat(self, edge: int) -> NDArray[np.float64]:
        """(k, 2) lon, lat of an edge in degrees."""
        xy = self.vertices(edge)
        return np.column_stack(self.plane.inverse(xy[:, 0], xy[:, 1]))

    def save(self, path: Path | str) -> None:
        """Write one file, whole or not at all."""
        arrays, extra = self._parts()
        write_arrays(Path(path), arrays, extra)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Open a saved network; its arrays are mapped from the file, read-only, and shared by processes.

        Raises
        ------
        InvalidFile
            If the file is no road network, cut short, damaged, or of another version.
        """
        path = Path(path)
        arrays, extra = read_arrays(path)
        try:
            return cls(
                plane=LocalPlane(**extra["plane"]),
                names=tuple(extra["names"]),
                source=extra["source"],
                path=path,
                index=EdgeIndex(**{f.name: arrays.pop("index." + f.name) for f in fields(EdgeIndex)}),
                **arrays,
            )
        except (KeyError, TypeError) as error:
            raise InvalidFile(
                f"{path} was written by another version of geo-policing ({error}); import the roads again",
                field="roads",
                value=str(path),
            ) from None

    def _parts(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        arrays = {f.name: v for f in fields(self) if isinstance(v := getattr(self, f.name), np.ndarray)}
        arrays |= {"index." + f.name: getattr(self.index, f.name) for f in fields(self.index)}
        plane = {f.name: getattr(self.plane, f.name) for f in fields(self.plane)}
        return arrays, {"plane": plane, "names": list(self.names), "source": self.source}


def _number_names(edge_name: Sequence[str] | None, m: int) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    if edge_name is None:
        return ("",), np.zeros(m, np.int32)
    number = {"": 0}
    name = np.array([number.setdefault(text, len(number)) for text in edge_name], np.int32)
    return tuple(number), name


def _reverse_edges(
    from_node: NDArray[np.int32],
    to_node: NDArray[np.int32],
    vertex_offset: NDArray[np.int64],
    vertex_x: NDArray[np.float64],
    vertex_y: NDArray[np.float64],
) -> NDArray[np.int32]:
    """Return the edge that runs back along the same geometry, -1 where there is none."""
    order = np.lexsort((np.maximum(from_node, to_node), np.minimum(from_node, to_node)))
    return edge_pairs.reverse_edges(
        order, from_node, to_node, vertex_offset, vertex_x, vertex_y, _SAME_VERTEX_M
    )


#: Both directions of a road are drawn with the same vertices, written with the same digits.
_SAME_VERTEX_M = 0.01
