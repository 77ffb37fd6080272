"""What nodes and edges must be before a network is made of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidCoordinates, InvalidGeometry, InvalidInput

#: The plane of a network is true to scale to 0.2 % within half of this around its middle.
_WIDEST_DEG = 8.0


def check_nodes(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> None:
    """Refuse nodes lon, lat (n,) that are none, not as many, or off the earth."""
    if len(lon) != len(lat):
        raise InvalidInput(f"{len(lon)} node_lon but {len(lat)} node_lat; give as many", field="node_lon")
    if len(lon) == 0:
        raise InvalidInput(
            "a road network of no nodes; give at least one node and one edge", field="node_lon"
        )
    _check_lonlat("node", lon, lat)
    span_deg = float(max(np.ptp(lon), np.ptp(lat)))
    if span_deg > _WIDEST_DEG:
        raise InvalidCoordinates(
            f"the nodes span {span_deg:.1f} degrees, lon {lon.min():.4f}, lat {lat.min():.4f} to lon "
            f" {lon.max():.4f}, lat {lat.max():.4f}; a network is one city: cut it out or correct the crs",
            field="lon,lat",
            value=span_deg,
        )


def check_edges(
    n: int,
    edge_id: Sequence[str],
    ends: Mapping[str, NDArray[Any]],
    columns: Mapping[str, Sequence[Any] | NDArray[Any] | None],
) -> None:
    """Refuse edges that are none, share an id, run to other than the n nodes, or have columns too short."""
    m = len(edge_id)
    if m == 0:
        raise InvalidInput("a road network of no edges; give at least one", field="edge_id")
    for name, values in {**ends, **columns}.items():
        if values is not None and len(values) != m:
            raise InvalidInput(f"{len(values)} {name} but {m} edge_id; give as many", field=name)
    if len(set(edge_id)) < m:
        twice = Counter(edge_id).most_common(1)[0][0]
        raise InvalidInput(
            f"edge id {twice!r} is there twice; give each edge its own", field="edge_id", value=twice
        )
    for name, node in ends.items():
        astray = np.flatnonzero((node < 0) | (node >= n))
        if len(astray):
            i = int(astray[0])
            raise InvalidInput(
                f"edge {edge_id[i]!r}: {name} {node[i]} is not in the network; its nodes are 0 to {n - 1}",
                field=name,
                value=int(node[i]),
            )


def check_geometry(edge_id: Sequence[str], geometry: Sequence[NDArray[np.float64]]) -> None:
    """Refuse edges of fewer than two vertices lon, lat, or off the earth."""
    for name, line in zip(edge_id, geometry, strict=True):
        if line.ndim != 2 or line.shape[1] != 2 or len(line) < 2:
            raise InvalidGeometry(
                f"edge {name!r} has a geometry of shape {line.shape}; give 2 vertices lon, lat or more",
                field="geometry_lonlat",
                value=name,
            )
    lon, lat = np.concatenate(geometry).T
    _check_lonlat("vertex", lon, lat)


def check_numbers(edge_id: Sequence[str], **columns: tuple[NDArray[Any] | None, float]) -> None:
    """Refuse columns (values, least) that are not finite or below their least."""
    for name, (values, least) in columns.items():
        if values is None:
            continue
        wrong = np.flatnonzero(~(np.isfinite(values) & (values >= least)))
        if len(wrong):
            i = int(wrong[0])
            raise InvalidInput(
                f"edge {edge_id[i]!r}: {name} {values[i]} cannot be; give a number of {least:g} or more",
                field=name,
                value=float(values[i]),
            )


def check_turns(turns: NDArray[np.int32], from_node: NDArray[Any], to_node: NDArray[Any]) -> None:
    """Refuse turns (k, 2) that are not pairs of edges that meet."""
    if turns.ndim != 2 or turns.shape[1] != 2:
        raise InvalidInput(
            f"forbidden_turn has the shape {turns.shape}; give pairs of edges (k, 2)", field="forbidden_turn"
        )
    m = len(from_node)
    first, second = np.clip(turns, 0, m - 1).T
    apart = (turns[:, 0] != first) | (turns[:, 1] != second) | (to_node[first] != from_node[second])
    if apart.any():
        pair = turns[int(np.argmax(apart))].tolist()
        raise InvalidInput(
            f"forbidden turn {pair} joins no edges at a node; give indices of edges, 0 to {m - 1}, that meet",
            field="forbidden_turn",
            value=pair,
        )


def _check_lonlat(what: str, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> None:
    wrong = np.flatnonzero(~((np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)))
    if len(wrong):
        i = int(wrong[0])
        raise InvalidCoordinates(
            f"{what} {i} at lon {lon[i]}, lat {lat[i]} is off the earth; give degrees WGS 84, lon first",
            field="lon,lat",
            value=(float(lon[i]), float(lat[i])),
        )
