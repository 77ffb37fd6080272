"""Parks, hills, woods, the banks of the river, and lakes in the largest parks."""

from dataclasses import dataclass

import numpy as np
import shapely

from geo_policing_sample_city.blocks import RIVERSIDE_STRIP_M, Blocks, Use
from geo_policing_sample_city.names import HILLS, Quarters
from geo_policing_sample_city.terrain import Terrain

LAKE_NAMES = ("神农湖", "东湖")
#: A lake keeps this far from the streets around its park, metres.
SHORE_M = 75.0
WOODS = 46


@dataclass(frozen=True, eq=False)
class Green:
    """What is green, and lakes.

    Parameters
    ----------
    shape, name : shapes and what they are called
        Parks, hills, banks and woods; woods have no name.
    lakes, lake_names : the same of lakes
        They lie in parks.
    """

    shape: list[shapely.Geometry]
    name: list[str]
    lakes: list[shapely.Polygon]
    lake_names: list[str]


def make_green(terrain: Terrain, blocks: Blocks, quarters: Quarters, rng: np.random.Generator) -> Green:
    """Gather the city's green."""
    parks = [shapely.Polygon(p.exterior) for p in blocks.shape[blocks.use == Use.PARK]]
    of = quarters.of(np.array([p.centroid.coords[0] for p in parks]))
    banks = shapely.intersection(
        terrain.river.buffer(RIVERSIDE_STRIP_M - 8).difference(terrain.river),
        shapely.intersection(terrain.urban_area, shapely.Polygon(terrain.ring)),
    )
    lakes = lakes_of(blocks)
    woods = _woods(terrain, blocks, rng)
    shape = [p.difference(shapely.union_all(lakes)) for p in parks]
    return Green(
        shape=[*shape, *(h.intersection(terrain.urban_area) for h in terrain.hills), banks, *woods],
        name=[*(quarters.name[q] + "公园" for q in of), *HILLS, "湘江风光带", *[""] * len(woods)],
        lakes=lakes,
        lake_names=list(LAKE_NAMES[: len(lakes)]),
    )


def lakes_of(blocks: Blocks) -> list[shapely.Polygon]:
    """Lakes in the largest parks."""
    parks = blocks.shape[blocks.use == Use.PARK]
    largest = parks[np.argsort(-shapely.area(parks), kind="stable")][: len(LAKE_NAMES)]
    return [lake for park in largest if (lake := _lake(park)).area > 5000]


def _lake(park: shapely.Polygon) -> shapely.Polygon:
    """Bays and headlands at shares of the way from the middle to the shore."""
    shore = park.buffer(-SHORE_M)
    middle = np.array(park.centroid.coords[0])
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    rays = middle + 3000 * np.column_stack([np.cos(angle), np.sin(angle)])
    ends = np.stack([np.broadcast_to(middle, rays.shape), rays], axis=1)
    room = shapely.length(shapely.intersection(shapely.linestrings(ends), shore))
    first = middle[0] % 7
    share = 0.68 + 0.16 * np.cos(2 * angle + first) + 0.12 * np.cos(3 * angle + 2 * first)
    reach = np.minimum(room, 1.6 * room.min()) * share
    return shapely.Polygon(middle + reach[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))


def _woods(terrain: Terrain, blocks: Blocks, rng: np.random.Generator) -> list[shapely.Geometry]:
    """Woods outside the ring, off the river and what is built up."""
    reach = np.array(terrain.urban_area.bounds)
    xy = rng.uniform(reach[:2], reach[2:], (600, 2))
    xy = xy[terrain.density(*xy.T) < 0.06][:WOODS]
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    built = blocks.shape[(blocks.use != Use.RURAL) & (blocks.density > 0.1)]
    barred = shapely.union_all([terrain.river.buffer(150), terrain.hilly, shapely.union_all(built)])
    woods = []
    for middle in xy:
        radius = np.full(len(angle), rng.uniform(220, 760))
        for lobes in (2, 3, 4, 5):
            radius *= 1 + rng.normal(0, 0.12) * np.cos(lobes * angle + rng.uniform(0, 7))
        shape = shapely.Polygon(middle + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))
        open_ = shape.intersection(terrain.urban_area).difference(barred)
        # Without necks so narrow that degrees cannot tell their sides apart.
        rounded = open_.buffer(-10).buffer(10)
        woods += [part for part in shapely.get_parts(rounded) if part.area > 30_000]
    return woods
