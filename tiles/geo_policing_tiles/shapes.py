"""What a basemap shows at which zoom."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo_policing.roads.network import EdgeFlag, RoadClass, RoadNetwork

MIN_ZOOM, MAX_ZOOM = 9, 15
#: Zoom of the data from which a class of road is in the tiles; pages draw it one zoom later at half its size.
ROAD_ZOOM = {
    RoadClass.EXPRESSWAY: 9,
    RoadClass.EXPRESSWAY_RAMP: 11,
    RoadClass.ARTERIAL: 9,
    RoadClass.SECONDARY: 10,
    RoadClass.STREET: 12,
    RoadClass.RESIDENTIAL: 13,
    RoadClass.UNKNOWN: 13,
    RoadClass.SERVICE: 14,
    RoadClass.TRACK: 14,
    RoadClass.CYCLEWAY: 14,
    RoadClass.FOOTWAY: 14,
}
PLACE_ZOOM = {"district": 9, "water": 10, "police_station": 11, "hospital": 12, "green": 12}
OTHER_PLACE_ZOOM = 14
#: Names of waters and parks smaller than this many square metres wait for more room.
LARGE_M2, SMALL_NAME_ZOOM = 1e6, {"water": 13, "green": 13}
#: The name of a long river is written once in every so many degrees.
LABEL_EVERY_DEG = 0.045
#: Buildings smaller than this many square metres wait for the last zoom.
SMALL_BUILDING_M2 = 250.0


@dataclass(frozen=True, slots=True)
class Band:
    """Features of one layer that are the same from one zoom to another.

    Parameters
    ----------
    layer : str
        Name in the tiles.
    min_zoom, max_zoom : int
        Both included.
    frame : GeoDataFrame
        In EPSG:4326.
    """

    layer: str
    min_zoom: int
    max_zoom: int
    frame: gpd.GeoDataFrame


def bands(network: RoadNetwork, layers: Mapping[str, gpd.GeoDataFrame]) -> Iterator[Band]:
    """Cut a city into bands; in a layer no two of them share a zoom."""
    for name, columns in (
        ("urban_area", ["name"]),
        ("districts", ["name", "pinyin"]),
        ("green", ["name"]),
        ("water", ["name"]),
    ):
        if name in layers:
            yield Band(name, MIN_ZOOM, MAX_ZOOM, _columns(layers[name], columns))
    roads = road_lines(network)
    yield from _by_zoom("roads", roads.drop(columns="zoom"), roads["zoom"].to_numpy())
    if "buildings" in layers:
        buildings = _columns(layers["buildings"], ["height_m", "use"])
        small = _area_m2(buildings) < SMALL_BUILDING_M2
        yield from _by_zoom("buildings", buildings, np.where(small, MAX_ZOOM, MAX_ZOOM - 1))
    places = place_points(layers)
    yield from _by_zoom("places", places.drop(columns="zoom"), places["zoom"].to_numpy())


def road_lines(network: RoadNetwork) -> gpd.GeoDataFrame:
    """Roads as they are drawn: a two-way street once, stretches of one name and kind in one line.

    Returns
    -------
    GeoDataFrame
        name, class (`RoadClass` in small letters), bridge and tunnel (0 or 1), zoom; EPSG:4326.
    """
    edges = np.flatnonzero((network.reverse < 0) | (network.reverse > np.arange(network.n_edges)))
    lon, lat = network.plane.inverse(network.vertex_x, network.vertex_y)
    count = np.diff(network.vertex_offset)[edges]
    start = network.vertex_offset[edges]
    vertex = np.repeat(start - np.concatenate([[0], np.cumsum(count)[:-1]]), count) + np.arange(count.sum())
    lines = shapely.linestrings(
        np.column_stack([lon, lat])[vertex], indices=np.repeat(np.arange(len(edges)), count)
    )
    parts = pd.DataFrame(
        {
            "road_class": network.road_class[edges],
            "name": network.name[edges],
            "bridge": (network.flags[edges] & EdgeFlag.BRIDGE > 0).astype(np.int32),
            "tunnel": (network.flags[edges] & EdgeFlag.TUNNEL > 0).astype(np.int32),
        }
    )
    rows: list[tuple[Any, ...]] = []
    # Important roads last, so that they are drawn over the others.
    grouped: dict[Any, Any] = parts.groupby(list(parts.columns)).indices
    for (road_class, name, bridge, tunnel), members in sorted(grouped.items(), reverse=True):
        merged = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(lines[members])))
        kind = RoadClass(road_class)
        text = network.names[name] or None
        rows.extend((line, text, kind.name.lower(), bridge, tunnel, ROAD_ZOOM[kind]) for line in merged)
    columns = ["geometry", "name", "class", "bridge", "tunnel", "zoom"]
    return gpd.GeoDataFrame(pd.DataFrame(rows, columns=columns), geometry="geometry", crs="EPSG:4326")


def place_points(layers: Mapping[str, gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    """Places, and where the names of districts, waters and parks are written.

    Returns
    -------
    GeoDataFrame
        kind, name, zoom from which it is shown; points in EPSG:4326.
    """
    parts = []
    if "places" in layers:
        places = _columns(layers["places"], ["kind", "name"])
        zoom = places["kind"].map(PLACE_ZOOM).fillna(OTHER_PLACE_ZOOM).astype(np.int64)
        parts.append(places.assign(zoom=zoom))
    for layer, kind in (("districts", "district"), ("water", "water"), ("green", "green")):
        if layer not in layers or "name" not in layers[layer].columns:
            continue
        shapes = _columns(layers[layer], ["name"])
        small = _area_m2(shapes) < LARGE_M2
        rows: list[tuple[Any, ...]] = [
            (kind, name, SMALL_NAME_ZOOM.get(kind, PLACE_ZOOM[kind]) if is_small else PLACE_ZOOM[kind], point)
            for name, shape, is_small in zip(shapes["name"], shapes.geometry, small, strict=True)
            if isinstance(name, str) and name
            for point in ([shapely.point_on_surface(shape)] if kind != "water" else _along(shape))
        ]
        frame = pd.DataFrame(rows, columns=["kind", "name", "zoom", "geometry"])
        parts.append(gpd.GeoDataFrame(frame, geometry="geometry", crs="EPSG:4326"))
    parts = [part for part in parts if len(part)]
    if not parts:
        return gpd.GeoDataFrame({"kind": [], "name": [], "zoom": []}, geometry=[], crs="EPSG:4326")
    return gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), geometry="geometry", crs="EPSG:4326")


def _along(shape: shapely.Geometry) -> list[shapely.Geometry]:
    """Return a point in each cell of a grid that holds a good part of a shape."""
    west, south, east, north = shapely.bounds(shape)
    columns = max(1, round((east - west) / LABEL_EVERY_DEG))
    rows = max(1, round((north - south) / LABEL_EVERY_DEG))
    x, y = np.linspace(west, east, columns + 1), np.linspace(south, north, rows + 1)
    boxes = [shapely.box(x[i], y[j], x[i + 1], y[j + 1]) for i in range(columns) for j in range(rows)]
    parts = shapely.intersection(shape, boxes)
    area = shapely.area(parts)
    return list(shapely.point_on_surface(parts[area > 0.3 * area.max()]))


def _by_zoom(layer: str, frame: gpd.GeoDataFrame, zoom: NDArray[np.integer]) -> Iterator[Band]:
    """Yield a band from each zoom at which something joins to the one before the next."""
    steps = sorted({int(z) for z in zoom})
    if not steps:
        return
    for first, following in zip(steps, [*steps[1:], MAX_ZOOM + 1], strict=True):
        yield Band(layer, first, following - 1, frame[zoom <= first])


def _columns(frame: gpd.GeoDataFrame, wanted: list[str]) -> gpd.GeoDataFrame:
    """Return just these columns and the geometry in EPSG:4326; a column that is absent holds nothing."""
    if frame.crs is not None and frame.crs.to_epsg() != 4326:
        frame = frame.to_crs(4326)
    columns = {name: frame[name].to_numpy() if name in frame.columns else None for name in wanted}
    return gpd.GeoDataFrame(columns, geometry=frame.geometry.to_numpy(), crs="EPSG:4326", index=frame.index)


def _area_m2(frame: gpd.GeoDataFrame) -> NDArray[np.float64]:
    degrees2 = shapely.area(frame.geometry.to_numpy())
    south, north = frame.total_bounds[[1, 3]] if len(frame) else (0.0, 0.0)
    return degrees2 * 111_195.0**2 * float(np.cos(np.radians((south + north) / 2)))
