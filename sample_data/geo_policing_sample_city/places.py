"""Places people go to: police stations and their precincts, hospitals, schools."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPoint

from geo_policing_sample_city.blocks import Blocks, Use
from geo_policing_sample_city.names import Quarters, numeral
from geo_policing_sample_city.terrain import Array, Terrain

STATIONS, HOSPITALS, SCHOOLS = 26, 14, 84
#: The best known of them; the others are called after their quarters.
HOSPITAL_NAMES = ("市中心医院", "市第一人民医院", "市第二人民医院", "市中医院", "市妇幼保健院", "市儿童医院")
SCHOOL_NAMES = (
    "市第一中学",
    "市第二中学",
    "市第四中学",
    "市第八中学",
    "市实验小学",
    "市外国语学校",
    "职业技术学院",
)
SCHOOL_KINDS = ("小学", "小学", "中学", "小学", "实验学校")


@dataclass(frozen=True, eq=False)
class Places:
    """Places, each in a block of its own.

    Parameters
    ----------
    xy : (n, 2) float64
        Where they are, metres.
    block : (n,) int64
        The block each takes up; a police station only a part of it.
    kind, name : n str
        police_station, hospital or school; what it is called.
    """

    xy: Array
    block: NDArray[np.int64]
    kind: list[str]
    name: list[str]


def choose_places(blocks: Blocks, quarters: Quarters, rng: np.random.Generator) -> Places:
    """Choose blocks for the places, nearer to each other where the city is denser."""
    area = shapely.area(blocks.shape)
    compact = 4 * np.pi * area / shapely.length(blocks.shape) ** 2 > 0.5
    built = compact & (blocks.use != Use.PARK) & (blocks.use != Use.INDUSTRIAL) & (blocks.density > 0.15)
    middle = shapely.get_coordinates(shapely.point_on_surface(blocks.shape))
    free = built.copy()
    chosen: list[int] = []
    kinds: list[str] = []
    for kind, count, low, high, apart in (
        ("hospital", HOSPITALS, 15_000, 60_000, 1500.0),
        ("school", SCHOOLS, 13_000, 110_000, 600.0),
        ("police_station", STATIONS, 4_000, 40_000, 1300.0),
    ):
        spread = _spread(middle, blocks.density, free & (area > low) & (area < high), count, apart, rng)
        free[spread] = False
        chosen += spread
        kinds += [kind] * len(spread)
    order = np.argsort([("police_station", "hospital", "school").index(k) for k in kinds], kind="stable")
    block = np.array(chosen)[order]
    kinds = [kinds[i] for i in order]
    xy = middle[block]
    return Places(xy, block, kinds, _names(kinds, quarters.of(xy), quarters))


def precincts(terrain: Terrain, stations: Array) -> NDArray[np.object_]:
    """Share out the urban area: each place belongs to the nearest station."""
    cells = shapely.get_parts(
        shapely.voronoi_polygons(MultiPoint(stations.tolist()), extend_to=terrain.urban_area)
    )
    pairs: Any = shapely.STRtree(cells).query(shapely.points(stations), predicate="within")
    return np.asarray(shapely.intersection(cells[pairs[1][np.argsort(pairs[0])]], terrain.urban_area))


def _spread(
    middle: Array,
    density: Array,
    fit: NDArray[np.bool_],
    count: int,
    apart_m: float,
    rng: np.random.Generator,
) -> list[int]:
    """Pick blocks at random that keep apart, the more the thinner the city; closer if there is no room."""
    order = rng.permutation(np.flatnonzero(fit))
    chosen: list[int] = []
    while len(chosen) < count and apart_m > 50:
        for i in order.tolist():
            if len(chosen) == count:
                break
            room = apart_m * (1.7 - density[i])
            if not chosen or np.hypot(*(middle[chosen] - middle[i]).T).min() > room:
                chosen.append(i)
        apart_m *= 0.8
    return chosen


def _names(kinds: list[str], of: list[int], quarters: Quarters) -> list[str]:
    known = {"hospital": list(HOSPITAL_NAMES), "school": list(SCHOOL_NAMES), "police_station": []}
    used: dict[str, int] = {}
    names = []
    for i, (kind, quarter) in enumerate(zip(kinds, of, strict=True)):
        if known[kind]:
            names.append(known[kind].pop(0))
            continue
        end = {"hospital": "医院", "police_station": "派出所"}.get(kind, SCHOOL_KINDS[i % len(SCHOOL_KINDS)])
        name = quarters.name[quarter] + end
        used[name] = used.get(name, 0) + 1
        names.append(name if used[name] == 1 else f"{quarters.name[quarter]}第{numeral(used[name])}{end}")
    return names
