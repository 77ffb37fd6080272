"""Footways: along the river, through parks, up the hills."""

import numpy as np
import shapely

from geo_policing.roads.network import RoadClass
from geo_policing_sample_city.blocks import Blocks, Use
from geo_policing_sample_city.green import lakes_of
from geo_policing_sample_city.lines import Line, along, lengths
from geo_policing_sample_city.skeleton import HILLSIDE_M, RIVERSIDE_M
from geo_policing_sample_city.terrain import Array, Terrain

#: From the bank to the walk along it, metres.
WALK_M = 28.0


def lay_footways(terrain: Terrain, blocks: Blocks, rng: np.random.Generator) -> list[Line]:
    """Lay all footways of the city."""
    lines = []
    for side in (-1, 1):
        lines += _riverside(terrain, side, rng)
    shores = shapely.union_all([lake.buffer(20) for lake in lakes_of(blocks)])
    for park in blocks.shape[blocks.use == Use.PARK]:
        lines += _park(park, shores, rng)
    for hill in terrain.hills:
        lines += _hill(hill, rng)
    return lines


def _riverside(terrain: Terrain, side: int, rng: np.random.Generator) -> list[Line]:
    xy = terrain.bank(side, WALK_M)
    built = terrain.density(*xy.T) > 0.3
    xy = xy[built.argmax() : len(built) - built[::-1].argmax()]
    walk = Line(xy, RoadClass.FOOTWAY, "湘江风光带")
    road = terrain.bank(side, RIVERSIDE_M + 6)
    lines, total = [walk], lengths(xy)
    stairs = np.arange(60.0, total[-1] - 60, 380)
    for at in stairs + rng.uniform(-50, 80, len(stairs)):
        foot = along(xy, np.array([at]))[0]
        top = road[np.hypot(*(road - foot).T).argmin()]
        lines.append(Line(np.array([foot + (foot - top) * 0.05, top]), RoadClass.FOOTWAY, "湘江风光带"))
    return lines


def _park(park: shapely.Polygon, shores: shapely.Geometry, rng: np.random.Generator) -> list[Line]:
    """Lay a walk around inside, and paths through it from the streets around."""
    lines = []
    inner = park.buffer(-38).simplify(6)
    if isinstance(inner, shapely.Polygon) and inner.area > 8000:
        lines.append(Line(shapely.get_coordinates(inner.exterior), RoadClass.FOOTWAY))
    middle = np.array(park.point_on_surface().coords[0])
    first = rng.uniform()
    for share in (0.0, 0.24, 0.52, 0.77):
        gate = np.array(park.exterior.interpolate((first + share) % 1, normalized=True).coords[0])
        path = _winding(gate + (gate - middle) * 0.03, middle, 0.07, rng)
        dry = shapely.difference(shapely.linestrings(path.xy), shores)
        lines += [Line(shapely.get_coordinates(p), RoadClass.FOOTWAY) for p in shapely.get_parts(dry)]
    return lines


def _hill(hill: shapely.Polygon, rng: np.random.Generator) -> list[Line]:
    """Paths from the foot to the top, and one around half way up."""
    top = np.array(hill.centroid.coords[0])
    outline = hill.buffer(HILLSIDE_M + 6).exterior
    lines = [
        _winding(np.array(outline.interpolate(share, normalized=True).coords[0]), top, 0.1, rng)
        for share in (np.arange(5) + rng.uniform(0, 0.7, 5)) / 5
    ]
    around = shapely.get_coordinates(hill.exterior.simplify(15))
    lines.append(Line(top + (around - top) * 0.5, RoadClass.FOOTWAY))
    return lines


def _winding(start: Array, end: Array, swing: float, rng: np.random.Generator) -> Line:
    t = np.linspace(0, 1, max(6, int(np.hypot(*(end - start)) / 25)))[:, None]
    aside = np.array([-(end - start)[1], (end - start)[0]])
    wave = swing * np.sin(np.pi * t) * np.sin(t * rng.uniform(4, 11) + rng.uniform(0, 6))
    return Line(start + (end - start) * t + aside * wave, RoadClass.FOOTWAY)
