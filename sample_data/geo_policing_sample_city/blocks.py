"""What lies between the large roads: land uses, and the streets and alleys that divide it into blocks."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_policing.roads.network import RoadClass
from geo_policing_sample_city.expressway import Expressway
from geo_policing_sample_city.field import Field
from geo_policing_sample_city.lines import Line
from geo_policing_sample_city.terrain import Array, Terrain

Shapes = NDArray[np.object_]
PARKS = 24
#: How far within the old centre streets are narrow, metres.
OLD_CENTRE_M = 1500.0
#: Land divided by streets wider than alleys, and by anything, is at least this large; m².
STREET_M2, RESIDENTIAL_M2 = 130_000.0, 42_000.0


class Use(IntEnum):
    """What land is for."""

    RESIDENTIAL = 0
    COMMERCIAL = 1
    INDUSTRIAL = 2
    CAMPUS = 3
    PARK = 4
    RURAL = 5
    OLD = 6


@dataclass(frozen=True, eq=False)
class Blocks:
    """Land between streets.

    Parameters
    ----------
    shape : (n,) polygons
        Blocks, metres in the plane.
    use : (n,) int64
        `Use` of each.
    density : (n,) float64
        How built up it is around there.
    streets : list of Line
        What divides them.
    """

    shape: Shapes
    use: NDArray[np.int64]
    density: Array
    streets: list[Line]


def divide(
    terrain: Terrain, field: Field, roads: list[Line], expressway: Expressway, rng: np.random.Generator
) -> Blocks:
    """Divide the land between roads into blocks, the smaller the denser the city is there."""
    shape = _land(terrain, roads, expressway)
    middle = shapely.get_coordinates(shapely.point_on_surface(shape))
    density = field.sample(field.density, middle[:, 0], middle[:, 1])
    use = _uses(terrain, shape, middle, density, rng)
    size = np.select(
        [use == Use.OLD, use == Use.COMMERCIAL, use == Use.INDUSTRIAL, use == Use.CAMPUS, use == Use.PARK],
        [9_500.0, 24_000.0, 80_000.0, 100_000.0, np.inf],
        np.minimum(24_000.0 / np.maximum(density, 0.05) ** 1.5, 900_000.0),
    )
    number = np.arange(len(shape))
    streets: list[Line] = []
    done, done_of = [], []
    while len(shape):
        split = (shapely.area(shape) > size[number] * rng.uniform(0.9, 1.9, len(shape))) & _is_wide(shape)
        done.append(shape[~split])
        done_of.append(number[~split])
        shape, number = shape[split], number[split]
        if not len(shape):
            break
        cut, half = _cuts(shape, rng)
        streets += _streets(shape, cut, rng)
        halves = np.concatenate([shapely.intersection(shape, half), shapely.difference(shape, half)])
        shape, of = shapely.get_parts(halves, return_index=True)
        number = np.tile(number, 2)[of]
        real = shapely.area(shape) > 1200
        shape, number = shape[real], number[real]
    shape, number = np.concatenate(done), np.concatenate(done_of)
    return Blocks(shape, use[number], density[number], _clear(streets, expressway.near))


def yards(blocks: Blocks, rng: np.random.Generator) -> list[Line]:
    """Lay alleys that end inside a block."""
    wide = _is_wide(blocks.shape) & (shapely.area(blocks.shape) > 9000) & (blocks.density > 0.25)
    chosen = np.flatnonzero(wide & (blocks.use != Use.PARK) & (rng.uniform(size=len(wide)) < 0.2))
    lines = []
    for block in blocks.shape[chosen]:
        middle = np.array(block.centroid.coords[0])
        outline = block.exterior
        start = np.array(outline.interpolate(rng.uniform(), normalized=True).coords[0])
        way = middle - start
        if np.hypot(*way) > 40:
            bend = np.array([-way[1], way[0]]) * rng.normal(0, 0.08)
            start = start - 5 * way / np.hypot(*way)
            lines.append(
                Line(
                    np.array([start, start + way * 0.5 + bend, start + way]), RoadClass.SERVICE, open_end=True
                )
            )
    return lines


def _land(terrain: Terrain, roads: list[Line], expressway: Expressway) -> Shapes:
    lines = [one.xy for one in [*roads, *expressway.carriageways]]
    walls: Any = [shapely.linestrings(xy) for xy in lines] + [terrain.urban_area.exterior]
    faces: Any = shapely.get_parts(shapely.polygonize([shapely.union_all(walls)]))
    wet = shapely.union_all(
        [terrain.river.buffer(RIVERSIDE_STRIP_M), terrain.hilly.buffer(15), expressway.near]
    )
    inside = shapely.intersection(faces, terrain.urban_area)
    land = shapely.get_parts(shapely.difference(inside, wet))
    return np.asarray(land[shapely.area(land) > 1500])


#: Nothing is built so near the bank, metres.
RIVERSIDE_STRIP_M = 60.0


def _uses(
    terrain: Terrain, shape: Shapes, middle: Array, density: Array, rng: np.random.Generator
) -> NDArray[np.int64]:
    area = shapely.area(shape)
    luck = rng.uniform(size=len(shape))
    x, y = middle.T
    works = (y > terrain.y_0 + 3200) & (x > terrain.river_x(y)) | (x < terrain.x_0 - 5200)
    old = np.hypot(*(middle - terrain.centres[1, :2]).T) < OLD_CENTRE_M
    use = np.select(
        [
            density < 0.17,
            old & (luck < 0.8),
            (density > 0.78) & (luck < 0.5),
            works & (luck < 0.42),
            luck < 0.06,
            (luck > 0.93) & (density < 0.6),
        ],
        [Use.RURAL, Use.OLD, Use.COMMERCIAL, Use.INDUSTRIAL, Use.CAMPUS, Use.INDUSTRIAL],
        int(Use.RESIDENTIAL),
    )
    fit = np.flatnonzero((area > 45_000) & (area < 420_000) & (density > 0.3) & _is_wide(shape))
    parks: list[int] = []
    for i in rng.permutation(fit).tolist():
        if all(np.hypot(*(middle[i] - middle[j])) > 1300 for j in parks):
            parks.append(i)
        if len(parks) == PARKS:
            break
    use[parks] = Use.PARK
    return use


def _is_wide(shape: Shapes) -> NDArray[np.bool_]:
    area, around = shapely.area(shape), shapely.length(shape)
    return np.asarray((4 * np.pi * area / around**2 > 0.22) & (area > 4000))


def _cuts(shape: Shapes, rng: np.random.Generator) -> tuple[Shapes, Shapes]:
    """Return a line across each shape's longer side, a little bent, and the half plane on one side of it."""
    n = len(shape)
    box = shapely.get_coordinates(shapely.oriented_envelope(shape)).reshape(n, 5, 2)
    first, second = box[:, 1] - box[:, 0], box[:, 2] - box[:, 1]
    longer = np.hypot(*first.T) > np.hypot(*second.T)
    way = np.where(longer[:, None], first, second)
    across = np.where(longer[:, None], second, first)
    middle = box[:, 0] + (first + second) / 2 + way * rng.uniform(-0.13, 0.13, (n, 1))
    turn = rng.normal(0, 0.05, n)
    cos, sin = np.cos(turn), np.sin(turn)
    across = np.column_stack(
        [cos * across[:, 0] - sin * across[:, 1], sin * across[:, 0] + cos * across[:, 1]]
    )
    t = np.linspace(-0.75, 0.75, 9)
    bow = rng.normal(0, 0.045, (n, 1)) * np.hypot(*across.T)[:, None] * np.cos(t * np.pi / 1.5)
    unit = way / np.hypot(*way.T)[:, None]
    curve = middle[:, None] + across[:, None] * t[:, None] + unit[:, None] * bow[..., None]
    far = np.stack([curve[:, -1] + way * 3, curve[:, 0] + way * 3], axis=1)
    return np.asarray(shapely.linestrings(curve)), np.asarray(
        shapely.polygons(np.concatenate([curve, far], axis=1))
    )


def _streets(shape: Shapes, cut: Shapes, rng: np.random.Generator) -> list[Line]:
    area = shapely.area(shape)
    parts, of = shapely.get_parts(shapely.intersection(cut, shape), return_index=True)
    kinds = np.select(
        [area > STREET_M2, area > RESIDENTIAL_M2],
        [RoadClass.STREET, RoadClass.RESIDENTIAL],
        RoadClass.SERVICE,
    )
    keep = (shapely.length(parts) > 30) & (rng.uniform(size=len(parts)) > 0.05)
    return [
        Line(_longer(shapely.get_coordinates(p)), RoadClass(int(kinds[i])))
        for p, i in zip(parts[keep], of[keep], strict=True)
    ]


def _longer(xy: Array, by_m: float = 4.0) -> Array:
    """Return the same line, a little longer at both ends."""
    first, last = xy[0] - xy[1], xy[-1] - xy[-2]
    return np.concatenate(
        [[xy[0] + first * by_m / np.hypot(*first)], xy[1:-1], [xy[-1] + last * by_m / np.hypot(*last)]]
    )


def _clear(lines: list[Line], zone: Any) -> list[Line]:
    """Take away what lies in a zone."""
    shapely.prepare(zone)
    shapes = np.array([shapely.linestrings(one.xy) for one in lines])
    rest = np.where(shapely.intersects(zone, shapes), shapely.difference(shapes, zone), shapes)
    parts, of = shapely.get_parts(rest, return_index=True)
    return [
        Line(shapely.get_coordinates(p), lines[i].road_class, lines[i].name)
        for p, i in zip(parts, of.tolist(), strict=True)
        if p.length > 25
    ]
