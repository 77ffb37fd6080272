"""The roads of the city: laid, named, joined, directed."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo_policing.roads.network import Access, EdgeFlag, RoadClass, RoadNetwork
from geo_policing_sample_city import names
from geo_policing_sample_city.blocks import OLD_CENTRE_M, Blocks, divide, yards
from geo_policing_sample_city.expressway import Expressway, lay_expressway
from geo_policing_sample_city.field import Field, make_field
from geo_policing_sample_city.footways import lay_footways
from geo_policing_sample_city.lines import Line, along
from geo_policing_sample_city.noding import Graph, node_lines
from geo_policing_sample_city.skeleton import carriageways, lay_arterials, lay_secondary
from geo_policing_sample_city.streamlines import Tracer
from geo_policing_sample_city.terrain import ARTERIAL_HILL, EXPRESSWAY_HILL, Array, Terrain
from geo_policing_sample_city.turns import Drivable, forbid_turns

Flags = NDArray[np.bool_]
#: Usual speeds, m/s.
SPEED = {
    RoadClass.EXPRESSWAY: 22.2,
    RoadClass.EXPRESSWAY_RAMP: 12.5,
    RoadClass.ARTERIAL: 15.3,
    RoadClass.SECONDARY: 12.5,
    RoadClass.STREET: 10.3,
    RoadClass.RESIDENTIAL: 8.3,
    RoadClass.SERVICE: 4.2,
    RoadClass.FOOTWAY: 1.4,
}
ACCESS = {
    RoadClass.EXPRESSWAY: Access.CAR,
    RoadClass.EXPRESSWAY_RAMP: Access.CAR,
    RoadClass.FOOTWAY: Access.FOOT,
}
#: Water and hills reach this far for what passes over and under them.
SHORE_M = 45.0


@dataclass(frozen=True, eq=False)
class Streets:
    """Roads, and the land between them.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    blocks : Blocks
        Land between them, with its use.
    quarters : Quarters
        Parts of the city with names.
    field : Field
        How built up it is where.
    """

    network: RoadNetwork
    blocks: Blocks
    quarters: names.Quarters
    field: Field


def make_streets(terrain: Terrain, rng: np.random.Generator) -> Streets:
    """Lay the roads from the large to the small, and join them."""
    field = make_field(terrain, rng)
    tracer = Tracer(field)
    arterials = lay_arterials(terrain, field, tracer, rng)
    secondary = lay_secondary(terrain, field, tracer, rng)
    large = names.name_large(arterials + secondary, rng)
    expressway = lay_expressway(terrain, large)
    roads = [part for line in large for part in _parted(line, rng)]
    blocks = divide(terrain, field, roads, expressway, rng)
    quarters = names.make_quarters(terrain, rng)
    small = [*blocks.streets, *yards(blocks, rng), *lay_footways(terrain, blocks, rng)]
    lines = [*roads, *expressway.ramps, *names.name_small(small, quarters)]
    lines, candidate = _one_way_in_old_centre(lines, terrain, rng)
    graph, lines = _join(terrain, lines, expressway)
    network = _network(terrain, graph, lines, candidate, rng)
    return Streets(network, blocks, quarters, field)


def _parted(line: Line, rng: np.random.Generator) -> list[Line]:
    """Give long arterials two carriageways."""
    length = line.length_m
    wide = length > 4500 and (line.through or rng.uniform() < 0.35)
    if line.road_class != RoadClass.ARTERIAL or not wide:
        return [line]
    return carriageways(line, 420.0, length - 420.0)


def _one_way_in_old_centre(
    lines: list[Line], terrain: Terrain, rng: np.random.Generator
) -> tuple[list[Line], set[int]]:
    """Make some streets of the old centre one-way, and say which."""
    middles = np.array([along(one.xy, np.array([one.length_m / 2]))[0] for one in lines])
    near = np.hypot(*(middles - terrain.centres[1, :2]).T) < OLD_CENTRE_M
    luck = rng.uniform(size=len(lines))
    share = {RoadClass.STREET: 0.6, RoadClass.RESIDENTIAL: 0.6, RoadClass.SERVICE: 0.35}
    chosen = {
        i
        for i, one in enumerate(lines)
        if near[i] and not one.open_end and luck[i] < share.get(one.road_class, 0.0)
    }
    turned = [
        replace(one, one_way=True, xy=one.xy[::-1] if luck[i] < 0.25 else one.xy) if i in chosen else one
        for i, one in enumerate(lines)
    ]
    return turned, chosen


def _join(terrain: Terrain, lines: list[Line], expressway: Expressway) -> tuple[Graph, list[Line]]:
    n = len(lines)
    lines = lines + expressway.carriageways
    level = np.repeat([0, 1], [n, len(expressway.carriageways)])
    shore = terrain.river.buffer(SHORE_M)
    tunnels = [terrain.hills[i] for i in (ARTERIAL_HILL, EXPRESSWAY_HILL)]
    portals = [shore.exterior, *(hill.exterior for hill in tunnels)]
    breaks = [(n + i, place) for i, place in expressway.leaves]
    for i, line in enumerate(lines):
        if line.through:
            shape = shapely.linestrings(line.xy)
            breaks += [(i, p) for p in shapely.get_coordinates(shapely.intersection(shape, portals))]
    rim = terrain.urban_area.exterior.buffer(150)
    return node_lines(lines, level, shapely.union_all([shore, *tunnels]), rim, breaks), lines


def _network(
    terrain: Terrain, graph: Graph, lines: list[Line], candidate: set[int], rng: np.random.Generator
) -> RoadNetwork:
    kind = np.array([one.road_class for one in lines])[graph.line]
    allowed = np.array([ACCESS.get(RoadClass(k), Access.ALL) for k in kind])
    one_way = _connected(graph, np.array([one.one_way for one in lines]), candidate, allowed)
    keep = _reached(graph, one_way, allowed)
    used, ends = np.unique(graph.ends[keep], return_inverse=True)
    ends = ends.reshape(-1, 2)
    count = np.where(one_way[keep], 1, 2)
    piece = np.repeat(keep, count)
    against = np.concatenate([[False], piece[1:] == piece[:-1]])
    both = np.where(against[:, None], np.repeat(ends, count, axis=0)[:, ::-1], np.repeat(ends, count, axis=0))
    shape = [
        graph.shape[p][::-1] if r else graph.shape[p] for p, r in zip(piece.tolist(), against, strict=True)
    ]
    flags, over = _structures(terrain, [graph.shape[p] for p in keep], [lines[i] for i in graph.line[keep]])
    road_class = kind[piece].astype(np.uint8)
    number = np.arange(len(piece))
    reverse = np.where(against, number - 1, np.where(np.append(against[1:], False), number + 1, -1))
    drivable = Drivable(
        both[:, 0], both[:, 1], reverse, road_class, allowed[piece].astype(np.uint8),
        np.array([np.arctan2(*(s[1] - s[0])[::-1]) for s in shape]),
        np.array([np.arctan2(*(s[-1] - s[-2])[::-1]) for s in shape]),
    )  # fmt: skip
    lon, lat = terrain.plane.inverse(*graph.node[used].T)
    lonlat = np.column_stack(terrain.plane.inverse(*np.concatenate(shape).T))
    geometry = np.split(lonlat, np.cumsum([len(s) for s in shape])[:-1])
    return RoadNetwork.build(
        node_lon=lon,
        node_lat=lat,
        edge_id=[f"{e + 1}" for e in number],
        from_node=both[:, 0],
        to_node=both[:, 1],
        geometry_lonlat=geometry,
        speed_mps=np.array([SPEED[RoadClass(k)] for k in road_class], np.float32),
        road_class=road_class,
        access=drivable.access,
        flags=np.repeat(flags, count),
        edge_name=np.repeat(np.array(over, object), count).tolist(),
        forbidden_turn=forbid_turns(drivable, rng).astype(np.int32),
        plane=terrain.plane,
        source="geo_policing sample city",
    )


def _structures(
    terrain: Terrain, shape: list[Array], lines: list[Line]
) -> tuple[NDArray[np.uint8], list[str]]:
    """Find flags and names of pieces: bridges and tunnels have names of their own."""
    middle = np.array([along(s, np.array([np.hypot(*np.diff(s, axis=0).T).sum() / 2]))[0] for s in shape])
    through = np.array([one.through for one in lines])
    bridge = through & shapely.contains_xy(terrain.river.buffer(SHORE_M), *middle.T)
    name = [one.name for one in lines]
    flags = np.where(bridge, EdgeFlag.BRIDGE, 0).astype(np.uint8)
    for hill, of in ((ARTERIAL_HILL, RoadClass.ARTERIAL), (EXPRESSWAY_HILL, RoadClass.EXPRESSWAY)):
        inside = through & shapely.contains_xy(terrain.hills[hill], *middle.T)
        inside &= np.array([one.road_class == of for one in lines])
        flags[inside] = EdgeFlag.TUNNEL
        for i in np.flatnonzero(inside).tolist():
            name[i] = names.HILLS[hill] + "隧道"
    large = np.array([one.road_class == RoadClass.EXPRESSWAY for one in lines])
    for called, which in ((names.BRIDGES, bridge & ~large), (names.EXPRESSWAY_BRIDGES, bridge & large)):
        own = np.flatnonzero(which)
        y = middle[own, 1]
        rank = np.concatenate([[0], np.cumsum(np.diff(np.sort(y)) > 400)])
        for i, r in zip(own[np.argsort(y, kind="stable")].tolist(), rank.tolist(), strict=True):
            name[i] = called[r]
    return flags, name


def _connected(graph: Graph, one_way: Flags, candidate: set[int], allowed: NDArray[Any]) -> Flags:
    """Which pieces are one-way, when those that would cut off streets are driven both ways after all."""
    free = np.zeros(len(one_way), bool)
    free[list(candidate)] = True
    while True:
        label = _pieces(graph, one_way[graph.line], allowed)
        apart = (label[graph.ends] != _largest(label)).any(axis=1) & (allowed & Access.CAR > 0)
        undo = np.unique(graph.line[apart])
        undo = undo[free[undo] & one_way[undo]]
        if not len(undo):
            return one_way[graph.line]
        one_way[undo] = False


def _reached(graph: Graph, one_way: Flags, allowed: NDArray[Any]) -> NDArray[np.int64]:
    """Pieces that cars reach and return from, and footways that join them."""
    label = _pieces(graph, one_way, allowed)
    cars = allowed & Access.CAR > 0
    keep = ~cars | (label[graph.ends] == _largest(label)).all(axis=1)
    ends = graph.ends[keep]
    n = len(graph.node)
    whole = connected_components(
        coo_array((np.ones(len(ends)), tuple(ends.T)), shape=(n, n)), directed=False
    )[1]
    return np.flatnonzero(keep & (whole[graph.ends[:, 0]] == _largest(whole)))


def _pieces(graph: Graph, one_way: Flags, allowed: NDArray[Any]) -> NDArray[np.int32]:
    cars = allowed & Access.CAR > 0
    ends = np.concatenate([graph.ends[cars], graph.ends[cars & ~one_way][:, ::-1]])
    n = len(graph.node)
    matrix = coo_array((np.ones(len(ends)), tuple(ends.T)), shape=(n, n))
    return np.asarray(connected_components(matrix, connection="strong")[1])


def _largest(label: NDArray[np.int32]) -> int:
    return int(np.bincount(label).argmax())
