"""Road networks from two tables: nodes with positions, directed edges with geometry."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from geo_policing.errors import InvalidFile
from geo_policing.roads.network import RoadNetwork

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_tables(nodes: Path, edges: Path) -> RoadNetwork:
    """Read a network from CSV files, compressed or not.

    Parameters
    ----------
    nodes : Path
        Columns ``node, lon, lat``; degrees WGS 84.
    edges : Path
        Columns ``edge, from_node, to_node, length_m, wkt``; directed, the geometry in lon lat.

    Raises
    ------
    InvalidFile
        If it is no CSV, a column is missing, a number is none, a node is there twice, a geometry is no line,
        or an edge names a node that is not there.
    """
    node = _columns(nodes, ["node", "lon", "lat"])
    edge = _columns(edges, ["edge", "from_node", "to_node", "length_m", "wkt"])
    twice = node["node"].duplicated()
    if twice.any():
        row = int(np.argmax(twice))
        raise InvalidFile(
            f"{nodes}: row {row + 2}: node {node['node'][row]} is there twice; give each node one row",
            field="node",
            value=node["node"][row],
        )
    number = pd.Series(np.arange(len(node), dtype=np.int32), index=node["node"])
    ends: dict[str, NDArray[np.int32]] = {}
    for column in ("from_node", "to_node"):
        known = edge[column].isin(number.index)
        if not known.all():
            row = int(np.argmin(known))
            raise InvalidFile(
                f"{edges}: row {row + 2}: {column} {edge[column][row]} is not in {nodes}",
                field=column,
                value=edge[column][row],
            )
        ends[column] = np.asarray(number.loc[edge[column]], np.int32)
    lines = shapely.from_wkt(edge["wkt"].to_numpy(), on_invalid="ignore")
    good = (shapely.get_type_id(lines) == shapely.GeometryType.LINESTRING) & ~shapely.is_empty(lines)
    if not good.all():
        raise InvalidFile(f"{edges}: row {int(np.argmin(good)) + 2}: wkt is no LINESTRING", field="wkt")
    vertex, line_of = shapely.get_coordinates(lines, return_index=True)
    return RoadNetwork.build(
        node_lon=node["lon"].to_numpy(np.float64),
        node_lat=node["lat"].to_numpy(np.float64),
        edge_id=edge["edge"].astype(str).tolist(),
        from_node=ends["from_node"],
        to_node=ends["to_node"],
        geometry_lonlat=np.split(vertex, np.flatnonzero(np.diff(line_of)) + 1),
        length_m=edge["length_m"].to_numpy(np.float64),
        source=str(edges.name),
    )


def _columns(path: Path, names: list[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InvalidFile(
            f"{path} is no CSV file ({' '.join(str(error).split())})", field=path.stem
        ) from None
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise InvalidFile(
            f"{path}: no column {', '.join(missing)}; it has {', '.join(table.columns)}", field=missing[0]
        )
    for name in names:
        if name in ("lon", "lat", "length_m"):
            table[name] = _numbers(path, table[name])
    return table


def _numbers(path: Path, column: "pd.Series[Any]") -> "pd.Series[Any]":
    number = pd.to_numeric(column, errors="coerce")
    wrong = ~np.isfinite(number)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InvalidFile(
            f"{path}: row {row + 2}: {column.name} {str(column[row])!r} is no finite number; correct it",
            field=str(column.name),
            value=column[row],
        )
    return number
