"""The expressway around the city: two carriageways, and ramps to arterials that it crosses above."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely import LineString

from geo_policing.roads.network import RoadClass
from geo_policing_sample_city.lines import Line, along, beside, lengths
from geo_policing_sample_city.names import EXPRESSWAY
from geo_policing_sample_city.terrain import Array, Terrain

#: Between the middles of the carriageways, metres.
APART_M = 25.0
#: How far before and after the arterial ramps leave and join, how far aside they meet it.
RAMP_M, ASIDE_M = 380.0, 75.0
SHORTEST_RAMP_M = 230.0
#: Between interchanges, at least.
INTERCHANGES_M = 1500.0


@dataclass(frozen=True, eq=False)
class Expressway:
    """Carriageways and ramps, all one-way.

    Parameters
    ----------
    carriageways : list of Line
        Four halves of the ring: clockwise and against.
    ramps : list of Line
        Each leaves a carriageway, crosses an arterial and joins the carriageway again.
    leaves : list of (int, (2,))
        Carriageway and place of each ramp's ends.
    near : geometry
        Only arterials may come in here: the interchanges.
    """

    carriageways: list[Line]
    ramps: list[Line]
    leaves: list[tuple[int, Array]]
    near: Any


def lay_expressway(terrain: Terrain, arterials: list[Line]) -> Expressway:
    """Lay the ring and its interchanges with arterials that cross it squarely and far enough apart."""
    middle = terrain.ring
    total = lengths(middle)
    step = np.linspace(0.0, total[-1], int(total[-1] // 40) + 1)
    middle = along(middle, step)
    middle[-1] = middle[0]
    sides = [beside(middle, APART_M / 2), beside(middle, -APART_M / 2)[::-1]]
    for side in sides:
        side[-1] = side[0] = (side[0] + side[-1]) / 2
    half = len(middle) // 2
    carriageways = [
        Line(xy, RoadClass.EXPRESSWAY, EXPRESSWAY, one_way=True, through=True)
        for side in sides
        for xy in (side[: half + 1], side[half:])
    ]
    ramps, leaves, near = [], [], []
    ring = LineString(middle)
    shapes = [LineString(c.xy) for c in carriageways]
    for at, length, name in _interchanges(ring, arterials, terrain):
        near.append(LineString(_around(middle, at, np.linspace(-length - 60, length + 60, 12))).buffer(130))
        for aside in (1, -1):
            place = np.linspace(-length, length, 21)
            out = APART_M / 2 + (ASIDE_M - APART_M / 2) * np.cos(place / length * np.pi / 2) ** 1.5
            xy = _beside_ring(middle, at, place, aside * out)
            ramp = xy if aside == 1 else xy[::-1]
            ends = [shapely.points(p) for p in ramp[[0, -1]]]
            for end, which in zip(ends, (0, -1), strict=True):
                own = range(2) if aside == 1 else range(2, 4)
                nearest = min(own, key=lambda i: float(shapes[i].distance(end)))
                spot = shapes[nearest].interpolate(shapes[nearest].project(end))
                ramp[which] = spot.coords[0]
                leaves.append((nearest, ramp[which]))
            ramps.append(Line(ramp, RoadClass.EXPRESSWAY_RAMP, f"{name}互通", one_way=True))
    return Expressway(carriageways, ramps, leaves, shapely.union_all(near))


def _interchanges(
    ring: LineString, arterials: list[Line], terrain: Terrain
) -> list[tuple[float, float, str]]:
    """Distance along the ring, length of the ramps and name of each interchange."""
    crossings = []
    for line in arterials:
        if line.road_class != RoadClass.ARTERIAL:
            continue
        shape = LineString(line.xy)
        for place in shapely.get_coordinates(shape.intersection(ring)):
            point = shapely.Point(place)
            at, own = ring.project(point), shape.project(point)
            a, b = (
                np.subtract(g.interpolate(d + 20).coords[0], g.interpolate(max(d - 20, 0)).coords[0])
                for g, d in ((ring, at), (shape, own))
            )
            sine = abs(float(a[0] * b[1] - a[1] * b[0])) / float(np.hypot(*a) * np.hypot(*b))
            crossings.append((at, sine, min(own, shape.length - own), line.name))
    places = np.array([c[0] for c in crossings])
    barred = terrain.river.buffer(RAMP_M + 60).union(terrain.hilly.buffer(150))
    chosen: list[tuple[float, float, str]] = []
    for at, sine, room, name in sorted(crossings, key=lambda c: -c[1]):
        gap = np.abs((places - at + ring.length / 2) % ring.length - ring.length / 2)
        length = min(RAMP_M, float(gap[gap > 1].min()) - 90)
        apart = all(
            abs((at - other + ring.length / 2) % ring.length - ring.length / 2) > INTERCHANGES_M
            for other, _, _ in chosen
        )
        reach = [ring.interpolate((at + d) % ring.length) for d in (-length, 0, length)]
        if (
            sine > 0.8
            and room > 200
            and length > SHORTEST_RAMP_M
            and apart
            and not any(barred.contains(p) for p in reach)
        ):
            chosen.append((at, length, name))
    return sorted(chosen)


def _around(middle: Array, at: float, place: Array) -> Array:
    total = lengths(middle)
    return along(middle, (at + place) % total[-1])


def _beside_ring(middle: Array, at: float, place: Array, aside: Array) -> Array:
    """Points beside the ring, at some distances before and after a place on it."""
    fine = np.linspace(place[0] - 40, place[-1] + 40, 200)
    xy = _around(middle, at, fine)
    shifted = beside(xy, np.interp(fine, place, aside))
    return np.column_stack([np.interp(place, fine, shifted[:, 0]), np.interp(place, fine, shifted[:, 1])])
