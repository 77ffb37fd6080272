"""Buildings: in rows along their block's streets, as the use of the land has them."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_policing.roads.network import RoadClass, RoadNetwork
from geo_policing_sample_city.blocks import Blocks, Use
from geo_policing_sample_city.places import Places
from geo_policing_sample_city.terrain import Array

#: From the middle of a road to the nearest building, metres.
CLEAR_M = {
    RoadClass.EXPRESSWAY: 30.0,
    RoadClass.EXPRESSWAY_RAMP: 16.0,
    RoadClass.ARTERIAL: 17.0,
    RoadClass.SECONDARY: 12.0,
    RoadClass.STREET: 9.0,
    RoadClass.RESIDENTIAL: 7.0,
    RoadClass.SERVICE: 4.5,
    RoadClass.FOOTWAY: 3.0,
}
STOREY_M = 3.0


@dataclass(frozen=True)
class Pattern:
    """How one kind of land is built on.

    Parameters
    ----------
    use : str
        What the buildings are for.
    length_m, depth_m : (float, float)
        Least and greatest footprint.
    gap_m : float
        Between buildings of a row; rows are 1.4 times as far apart.
    storeys : (int, int)
        Least and greatest height, in dense places more often the latter.
    filled : float
        Share of the lots that are built on.
    """

    use: str
    length_m: tuple[float, float]
    depth_m: tuple[float, float]
    gap_m: float
    storeys: tuple[int, int]
    filled: float


SLABS = Pattern("residential", (42, 66), (12, 15), 12, (5, 8), 0.88)
TOWERS = Pattern("residential", (22, 30), (18, 24), 22, (17, 34), 0.82)
OLD = Pattern("residential", (13, 24), (10, 15), 5, (2, 7), 0.85)
SHOPS = Pattern("commercial", (30, 52), (22, 34), 14, (3, 9), 0.85)
OFFICES = Pattern("office", (30, 46), (26, 38), 24, (10, 45), 0.8)
WORKS = Pattern("industrial", (50, 96), (28, 46), 20, (2, 4), 0.8)
SCHOOL = Pattern("school", (44, 70), (13, 17), 26, (3, 6), 0.62)
HOSPITAL = Pattern("hospital", (44, 64), (18, 26), 20, (4, 16), 0.8)
STATION = Pattern("police", (26, 34), (14, 18), 14, (3, 6), 0.9)
VILLAGE = Pattern("residential", (10, 14), (9, 12), 13, (1, 3), 0.035)


@dataclass(frozen=True, eq=False)
class Buildings:
    """Footprints.

    Parameters
    ----------
    shape : (n,) polygons
        Rectangles, metres in the plane.
    height_m : (n,) float64
        From the ground to the roof.
    use : n str
        residential, commercial, office, industrial, school, hospital or police.
    """

    shape: NDArray[np.object_]
    height_m: Array
    use: list[str]


def raise_buildings(
    blocks: Blocks, network: RoadNetwork, places: Places, rng: np.random.Generator
) -> Buildings:
    """Build on every block, off the roads."""
    ground, of = _ground(blocks, network)
    kind = dict(zip(places.block.tolist(), places.kind, strict=True))
    corners, heights, uses, grounds = [], [], [], []
    boxes = shapely.get_coordinates(shapely.oriented_envelope(ground)).reshape(len(ground), 5, 2)
    for i, (block, box) in enumerate(zip(of.tolist(), boxes, strict=True)):
        pattern = _pattern(blocks, block, kind.get(block), rng)
        if pattern is None:
            continue
        rectangles = _rows(box, pattern, rng)
        low, high = pattern.storeys
        tall = rng.beta(1.0 + 1.2 * blocks.density[block], 2.2, len(rectangles))
        heights.append(np.round(low + (high - low) * tall) * STOREY_M)
        corners.append(rectangles)
        uses += [pattern.use] * len(rectangles)
        grounds.append(np.full(len(rectangles), i))
    shape = np.asarray(shapely.polygons(np.concatenate(corners)))
    inside = shapely.contains_properly(ground[np.concatenate(grounds)], shape)
    return Buildings(
        shape[inside],
        np.concatenate(heights)[inside],
        [use for use, keep in zip(uses, inside.tolist(), strict=True) if keep],
    )


def _ground(blocks: Blocks, network: RoadNetwork) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Blocks without the roads in and around them, and the block each of these is of."""
    one = np.flatnonzero((network.reverse == -1) | (network.reverse > np.arange(network.n_edges)))
    edge = np.repeat(np.arange(network.n_edges), np.diff(network.vertex_offset))
    vertices = np.column_stack([network.vertex_x, network.vertex_y])
    lines = np.asarray(shapely.linestrings(vertices, indices=edge))[one]
    width = np.array([CLEAR_M[RoadClass(k)] for k in network.road_class[one]])
    roads = shapely.buffer(lines, width, quad_segs=1, cap_style="square")
    block, road = shapely.STRtree(roads).query(blocks.shape, predicate="intersects")
    covered = np.full(len(blocks.shape), shapely.Polygon(), object)
    cuts = np.flatnonzero(np.diff(block)) + 1
    for group, first in zip(np.split(road, cuts), block[np.concatenate([[0], cuts])].tolist(), strict=True):
        covered[first] = shapely.union_all(roads[group])
    ground, of = shapely.get_parts(shapely.difference(blocks.shape, covered), return_index=True)
    large = shapely.area(ground) > 250
    return ground[large], of[large]


def _pattern(blocks: Blocks, block: int, kind: str | None, rng: np.random.Generator) -> Pattern | None:
    use, density, luck = Use(int(blocks.use[block])), blocks.density[block], rng.uniform()
    if kind is not None:
        return {"school": SCHOOL, "hospital": HOSPITAL}.get(kind, STATION)
    if use == Use.RESIDENTIAL and density > 0.62:
        return TOWERS if luck < 0.34 else SHOPS if luck < 0.44 else SLABS
    if use == Use.COMMERCIAL:
        return OFFICES if luck < 0.5 else SHOPS
    return {
        Use.RESIDENTIAL: SLABS if luck < 0.82 else TOWERS if luck < 0.93 else SHOPS,
        Use.INDUSTRIAL: WORKS,
        Use.CAMPUS: SCHOOL,
        Use.RURAL: VILLAGE,
        Use.OLD: OLD if luck < 0.85 else SHOPS,
    }.get(use)


def _rows(box: Array, pattern: Pattern, rng: np.random.Generator) -> Array:
    """(n, 5, 2) corners of the buildings that fit into a box, from one side to the other."""
    first, second = box[1] - box[0], box[2] - box[1]
    # Dwellings face south: rows run from west to east.
    if abs(first[0]) < abs(second[0]):
        first, second = second, first
    length, depth = rng.uniform(*pattern.length_m), rng.uniform(*pattern.depth_m)
    wide, deep = float(np.hypot(*first)), float(np.hypot(*second))
    along, across = first / wide, second / deep
    length, depth = min(length, wide - 2), min(depth, deep - 2)
    if length < 8 or depth < 8:
        return np.empty((0, 5, 2))
    middle = (box[0] + box[2]) / 2
    at = _places(wide - 2, length, pattern.gap_m)
    row = _places(deep - 2, depth, pattern.gap_m * 1.4)
    u, v = (part.ravel() for part in np.meshgrid(at, row))
    keep = rng.uniform(size=len(u)) < pattern.filled
    u, v = u[keep], v[keep]
    u = u + rng.normal(0, pattern.gap_m * 0.07, len(u))
    half = length / 2 * rng.uniform(0.75, 1.0, len(u)), depth / 2 * rng.uniform(0.88, 1.0, len(u))
    sign_u, sign_v = np.array([-1, 1, 1, -1, -1]), np.array([-1, -1, 1, 1, -1])
    x = u[:, None] + half[0][:, None] * sign_u
    y = v[:, None] + half[1][:, None] * sign_v
    return np.asarray(middle + x[..., None] * along + y[..., None] * across)


def _places(room: float, size: float, gap: float) -> Array:
    """Middles of as many things as fit into some room, from its one end to the other."""
    count = max(1, int((room + gap) // (size + gap)))
    return np.linspace(-(room - size) / 2, (room - size) / 2, count) if count > 1 else np.zeros(1)
