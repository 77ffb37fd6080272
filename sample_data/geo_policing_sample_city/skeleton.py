"""The large roads: along the river, over it, under a hill, and the net of arterials and secondary streets."""

from dataclasses import replace

import numpy as np
import shapely
from shapely import LineString

from geo_policing.roads.network import RoadClass
from geo_policing_sample_city.field import Field
from geo_policing_sample_city.lines import Line, along, beside, lengths, smooth
from geo_policing_sample_city.streamlines import STRIDE_M, Tracer
from geo_policing_sample_city.terrain import ARTERIAL_HILL, Array, Terrain

#: Northings of the arterials' bridges from the middle, metres.
BRIDGES_Y = (-4700.0, -1900.0, 300.0, 2500.0, 5000.0)
#: From the bank to the road along the river, and from a hill's foot to the road around it.
RIVERSIDE_M, HILLSIDE_M = 95.0, 70.0
#: Between the middles of the two carriageways of an arterial.
MEDIAN_M = 22.0
TAPER_M = 90.0


def lay_arterials(terrain: Terrain, field: Field, tracer: Tracer, rng: np.random.Generator) -> list[Line]:
    """Lay the arterials, each in one piece, along its whole length."""
    spacing = 950 + 800 * (1 - field.density)
    laid = []
    for side in (-1, 1):
        bank = terrain.bank(side, RIVERSIDE_M)
        laid.append(Line(_longest_inside(bank, terrain.urban_area), RoadClass.ARTERIAL, open_end=True))
        tracer.keep(laid[-1].xy, 700.0)
    hill = terrain.hills[ARTERIAL_HILL]
    middle = np.array(hill.centroid.coords[0])
    way = np.array([1.0, 0.12])
    half = shapely.hausdorff_distance(LineString([middle, middle]), hill) + 80
    tunnel = _across(tracer, middle, way * 2 * half / np.hypot(*way), 0.0, spacing)
    tracer.keep(tunnel.xy, 1300.0)
    laid += _bridges(terrain, tracer, tunnel, spacing, rng)
    laid += [
        Line(line, RoadClass.ARTERIAL, open_end=True) for line in tracer.fill(spacing, 2600, rng, tries=400)
    ]
    smoothed = [Line(smooth(one.xy), one.road_class, "", False, one.through, True) for one in laid]
    return [_dry(one, terrain) for one in smoothed]


def _bridges(
    terrain: Terrain, tracer: Tracer, tunnel: Line, spacing: Array, rng: np.random.Generator
) -> list[Line]:
    """Lay the roads over the river; the one next to the tunnel's road goes on through the tunnel."""
    laid, waiting = [], [tunnel]
    start = tunnel.xy[0]
    west, east = (terrain.bank(side, 0.0) for side in (-1, 1))
    near = np.hypot(*(east - start).T).min() < 500
    for y in BRIDGES_Y:
        at = terrain.y_0 + float(y + rng.normal(0, 150))
        meets = bool(waiting) and near and abs(at - start[1]) < 1150
        at = start[1] if meets else at
        ends = [bank[np.abs(bank[:, 1] - at).argmin()] for bank in (west, east)]
        road = _across(tracer, (ends[0] + ends[1]) / 2, ends[1] - ends[0], 330.0, spacing)
        if meets:
            waiting.clear()
            shore = road.xy[(road.xy[:, 0] > ends[1][0]).argmax()]
            ahead = np.hypot(*(tunnel.xy - shore).T) > 400
            over = road.xy[road.xy[:, 0] <= shore[0]]
            road = replace(road, xy=np.concatenate([over, tunnel.xy[ahead.argmax() :]]))
        tracer.keep(road.xy, 1300.0)
        laid.append(road)
    return waiting + laid


def lay_secondary(terrain: Terrain, field: Field, tracer: Tracer, rng: np.random.Generator) -> list[Line]:
    """Lay the secondary streets between the arterials, and a road around each hill."""
    around = []
    for hill in terrain.hills:
        ring = shapely.get_coordinates(hill.buffer(HILLSIDE_M).exterior.segmentize(STRIDE_M))
        around.append(Line(ring, RoadClass.SECONDARY))
        tracer.keep(ring, 250.0)
    spacing = 370 + 1500 * (1 - field.density) ** 2
    lines = [Line(smooth(xy), RoadClass.SECONDARY) for xy in tracer.fill(spacing, 600, rng)]
    return [_dry(line, terrain) for line in around + lines]


def carriageways(line: Line, begin: float, end: float) -> list[Line]:
    """Part a road between two distances into two one-way carriageways that meet at both ends."""
    total = lengths(line.xy)
    at = np.unique(np.concatenate([total, [begin, begin + TAPER_M, end - TAPER_M, end]]))
    at = at[(at >= begin) & (at <= end)]
    middle = along(line.xy, at)
    aside = MEDIAN_M / 2 * np.clip(np.minimum(at - begin, end - at) / TAPER_M, 0, 1)
    right, left = beside(middle, aside), beside(middle, -aside)[::-1]
    before, after = along(line.xy, np.append(total[total < begin], begin)), None
    after = along(line.xy, np.append(end, total[total > end]))
    parts = [
        Line(xy, line.road_class, line.name, way, line.through, line.open_end)
        for xy, way in ((before, False), (right, True), (left, True), (after, False))
    ]
    return [p for p in parts if len(p.xy) > 1 and p.length_m > 1]


def _across(tracer: Tracer, middle: Array, way: Array, ahead_m: float, spacing: Array) -> Line:
    """Lay a straight line over or under something, and from both its ends on along the field."""
    length = float(np.hypot(*way))
    unit = way / length
    ends = [middle - unit * (length / 2 + ahead_m), middle + unit * (length / 2 + ahead_m)]
    turn = float(np.arctan2(unit[1], unit[0]))
    back = tracer.walk(float(ends[0][0]), float(ends[0][1]), turn + np.pi, spacing, patient=True)
    on = tracer.walk(float(ends[1][0]), float(ends[1][1]), turn, spacing, patient=True)
    count = int(np.hypot(*(ends[1] - ends[0])) / STRIDE_M)
    straight = np.linspace(ends[0], ends[1], count)
    xy = np.concatenate([np.reshape(back[::-1], (-1, 2)), straight, np.reshape(on, (-1, 2))])
    return Line(xy, RoadClass.ARTERIAL, through=True, open_end=True)


def _dry(line: Line, terrain: Terrain) -> Line:
    """End a road at the river and at the hills' feet unless it passes over or under them."""
    xy = line.xy
    if not line.through:
        wet = shapely.union_all(
            [terrain.river.buffer(RIVERSIDE_M - 25), terrain.hilly.buffer(HILLSIDE_M - 25)]
        )
        xy = _longest_inside(xy, terrain.urban_area.difference(wet))
    else:
        xy = _longest_inside(xy, terrain.urban_area)
    return Line(xy, line.road_class, line.name, line.one_way, line.through, line.open_end)


def _longest_inside(xy: Array, area: shapely.Geometry) -> Array:
    parts = shapely.get_parts(shapely.intersection(LineString(xy), area))
    return shapely.get_coordinates(parts[int(shapely.length(parts).argmax())])
