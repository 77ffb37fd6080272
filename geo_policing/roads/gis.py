"""A road network of whatever GDAL reads: GeoPackage, GeoJSON, shapefile, CSV with WKT and more."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_policing.errors import InvalidCoordinates, InvalidFile, InvalidInput
from geo_policing.geodesy import LocalPlane, crs
from geo_policing.model import BoundingBox
from geo_policing.roads.codes import Codes, text
from geo_policing.roads.draft import Draft
from geo_policing.roads.joining import Joined, join
from geo_policing.roads.layers import TARGETS, Table, find_columns, read_table
from geo_policing.roads.network import EdgeFlag, RoadNetwork
from geo_policing.roads.repair import MIN_PIECE_NODES, mend
from geo_policing.roads.report import Report

#: Ends this near to each other are one node.
SNAP_M = 0.5
_LINES = (shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING)
_KINDS = {0: "points", 3: "polygons", 4: "points", 6: "polygons", 7: "collections"}


def read_gis(
    path: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    codes: Mapping[tuple[str, str], str] | None = None,
    crs: str | int | None = None,
    expect: BoundingBox | None = None,
    layer: str | None = None,
    encoding: str | None = None,
    snap_m: float = SNAP_M,
    min_piece_nodes: int = MIN_PIECE_NODES,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[RoadNetwork, Report]:
    """Make a network of the lines of a file.

    Parameters
    ----------
    path : Path or str
        A file that GDAL reads.
    columns : mapping of target to column, optional
        What says what: the keys of `layers.TARGETS`. Those not named are taken from columns of usual names;
        an empty column takes none.
    codes : mapping of (target, value) to meaning, optional
        Values of the file's own, like ``("oneway", "2"): "forward"``.
    crs : str or int, optional
        EPSG code, WKT, ``gcj02`` or ``bd09``; that of the file by default.
    expect : BoundingBox, optional
        Where all of it must lie.
    layer : str, optional
        Needed where a file has several layers of lines.
    encoding : str, optional
        Of the text in a shapefile or CSV, like ``gbk``, where the file does not say it.
    snap_m : float
        Ends this near to each other are one node.
    min_piece_nodes : int
        Disconnected pieces of fewer nodes are dropped, never the largest; 0 keeps all.
    tell : function of str
        Called with what is done next, for a progress display.

    Returns
    -------
    tuple of RoadNetwork and Report
        Edges are named by the id of their line, ``.<segment>`` if it was split, ``+`` along it and ``-``
        against it if it is two-way.

    Raises
    ------
    InvalidFile
        If GDAL cannot read it, it is cut short, holds no lines, or lacks a column that was named.
    InvalidCoordinates
        If the system is not known, or puts a line where it cannot be.
    InvalidInput
        If a target or meaning is unknown, or the tolerance is negative.
    """
    path = Path(path)
    if not 0.0 <= snap_m <= 100.0:
        raise InvalidInput(f"snap {snap_m} m cannot be; give 0 to 100", field="snap", value=snap_m)
    named = dict(columns or {})
    for target in named.keys() - TARGETS.keys():
        raise InvalidInput(
            f"map {target}={named[target]}: {target} is unknown; what can be mapped: {', '.join(TARGETS)}",
            field="map",
            value=target,
        )
    meanings = Codes(codes)
    report = Report(source=path.name)
    tell("reading lines")
    table = read_table(path, layer, encoding, named.pop("geometry", None), report)
    column_of = find_columns(path, table, named)
    feature, lines = _lines(path, table, report)
    lonlat = _to_wgs84(path, table.crs, crs, lines, expect, report)
    tell("joining lines where they meet")
    middle = (lonlat.min(axis=0) + lonlat.max(axis=0)) / 2
    plane = LocalPlane.around(*middle.tolist())
    xy = np.column_stack(plane.forward(lonlat[:, 0], lonlat[:, 1]))
    parts = [_without_repeats(part) for part in np.split(xy, np.cumsum([len(line) for line in lines])[:-1])]

    def cell(target: str, at: int) -> object:
        return table.columns[column_of[target]][at] if target in column_of else None

    joined = join(
        parts,
        [text(cell("from", f)) for f in feature.tolist()],
        [text(cell("to", f)) for f in feature.tolist()],
        snap_m,
        report,
    )
    draft = _draft(joined, feature, table, cell, meanings, plane, report)
    used = ", ".join(f"{target}={column}" for target, column in column_of.items())
    report.notes.append(f"columns used: {used or 'none'}; the file has {', '.join(table.columns) or 'none'}")
    report.notes += meanings.notes()
    if not draft.edge_id:
        raise InvalidFile(f"{path}: all lines have no length or are open to nobody", field="source")
    tell("mending and indexing")
    return mend(draft, report, min_piece_nodes=min_piece_nodes), report


def _lines(path: Path, table: Table, report: Report) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
    """Feature of each line, and its vertices; multi-lines taken apart."""
    kind = shapely.get_type_id(table.geometry)
    vertices, number = shapely.get_coordinates(table.geometry, return_index=True)
    empty = (kind < 0) | shapely.is_empty(table.geometry)
    empty[number[~np.isfinite(vertices).all(axis=1)]] = True
    line = np.isin(kind, _LINES) & ~empty
    report.no_geometry += int(empty.sum())
    report.no_lines += int((~line & ~empty).sum())
    if not line.any():
        held = Counter(_KINDS.get(k, "other shapes") for k in kind[~empty].tolist())
        what = ", ".join(f"{count} {name}" for name, count in held.items()) or "features without geometry"
        raise InvalidFile(
            f"{path} holds {what} and no lines; give the layer of road centre lines",
            field="source",
            value=str(path),
        )
    features = np.flatnonzero(line)
    report.roads = len(features)
    parts, of = shapely.get_parts(table.geometry[features], return_index=True)
    report.multi_lines += int((np.bincount(of) > 1).sum())
    whole = ~shapely.is_empty(parts)
    vertices, number = shapely.get_coordinates(parts[whole], return_index=True)
    return features[of[whole]], np.split(vertices, np.flatnonzero(np.diff(number)) + 1)


def _to_wgs84(
    path: Path,
    own: str | None,
    given: str | int | None,
    lines: list[NDArray[np.float64]],
    expect: BoundingBox | None,
    report: Report,
) -> NDArray[np.float64]:
    used = given if given is not None else own
    if used is None:
        raise InvalidCoordinates(
            f"{path} does not say its system of coordinates; give --crs, like EPSG:4326 for lon lat "
            "in WGS 84, EPSG:4547, gcj02 or bd09",
            field="crs",
        )
    shown = _shown(used)
    says = f"the file says {_shown(own)}" if own else "the file says none"
    report.notes.append(
        f"coordinates taken as {shown}" + (f"; {says}" if given is not None else ", as the file says")
    )
    x, y = np.concatenate(lines).T
    try:
        lon, lat = crs.to_wgs84(x, y, used, expect=expect)
    except InvalidCoordinates as error:
        reason = str(error).replace(str(used), shown)
        raise InvalidCoordinates(f"{path}: {reason}", field=error.field, value=error.value) from None
    return np.column_stack([lon, lat])


def _shown(system: str | int) -> str:
    """Return a system in a few characters: a WKT by its name."""
    short = str(system)
    return short if len(short) <= 20 else str(crs.find(system).name)


def _without_repeats(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Drop vertices that repeat the one before; both ends stay."""
    keep = np.ones(len(part), bool)
    keep[1:] = (np.diff(part, axis=0) != 0.0).any(axis=1)
    kept = part[keep]
    return kept if len(kept) > 1 else part[[0, -1]]


def _draft(
    joined: Joined,
    feature: NDArray[np.int64],
    table: Table,
    cell: Callable[[str, int], object],
    codes: Codes,
    plane: LocalPlane,
    report: Report,
) -> Draft:
    base = _ids(feature, table, cell, report)
    pieces = Counter(feature[joined.line].tolist())
    segments: Counter[int] = Counter()
    rows: dict[int, tuple[str, tuple[int, int, int], float, str]] = {}
    for f in dict.fromkeys(feature.tolist()):
        road_class, usual, kmh = codes.road_class(cell("class", f))
        access = codes.access(cell("access", f), usual)
        flags = EdgeFlag.BRIDGE * codes.yes("bridge", cell("bridge", f))
        flags |= EdgeFlag.TUNNEL * codes.yes("tunnel", cell("tunnel", f))
        speed = codes.speed_mps(cell("speed_kmh", f), kmh)
        signs = codes.signs(cell("oneway", f)) if access else ""
        report.closed += not access
        rows[f] = (signs, (int(road_class), int(access), int(flags)), speed, text(cell("name", f)))
    ids: list[str] = []
    order: list[int] = []
    steps: list[int] = []
    for number, line in enumerate(joined.line.tolist()):
        f = int(feature[line])
        split = f".{segments[f]}" if pieces[f] > 1 else ""
        segments[f] += 1
        for sign in rows[f][0]:
            ids.append(base[f] + split + (sign if len(rows[f][0]) > 1 else ""))
            order.append(number)
            steps.append(1 if sign == "+" else -1)
    lonlat = [np.column_stack(plane.inverse(xy[:, 0], xy[:, 1])) for xy in joined.geometry]
    node_lon, node_lat = plane.inverse(joined.node_x, joined.node_y)
    edge, along = np.array(order, np.int64), np.array(steps, np.int64) > 0
    road = [rows[int(f)] for f in feature[joined.line[edge]]]
    columns = np.array([r[1] for r in road], np.uint8).reshape(-1, 3)
    return Draft(
        node_lon=node_lon,
        node_lat=node_lat,
        edge_id=ids,
        from_node=np.where(along, joined.from_node[edge], joined.to_node[edge]),
        to_node=np.where(along, joined.to_node[edge], joined.from_node[edge]),
        geometry=[lonlat[e][::step] for e, step in zip(order, steps, strict=True)],
        speed_mps=np.array([r[2] for r in road], np.float32),
        road_class=columns[:, 0],
        access=columns[:, 1],
        flags=columns[:, 2],
        name=[r[3] for r in road],
        turns=np.empty((0, 2), np.int32),
        source=report.source,
    )


def _ids(
    feature: NDArray[np.int64], table: Table, cell: Callable[[str, int], object], report: Report
) -> dict[int, str]:
    """Id of each feature: its own, its number in the file where it has none, numbered where it repeats."""
    found: dict[int, str] = {}
    taken: Counter[str] = Counter()
    for f in dict.fromkeys(feature.tolist()):
        own = text(cell("id", f)) or str(table.fid[f])
        taken[own] += 1
        report.repeated_ids += taken[own] == 2
        found[f] = own if taken[own] == 1 else f"{own}#{taken[own]}"
    return found
