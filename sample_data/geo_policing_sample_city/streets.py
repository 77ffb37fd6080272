"""The streets: a lattice along the river, finer towards the centres, thinned to blocks, with bridges."""

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import Delaunay

from geo_policing.roads.network import Access, EdgeFlag, RoadClass, RoadNetwork
from geo_policing_sample_city.terrain import Array, Terrain

Pairs = NDArray[np.int64]
BRIDGES = 6
ARTERIAL_NAMES = [
    "建设",
    "人民",
    "新华",
    "泰山",
    "长江",
    "株洲",
    "红旗",
    "滨江",
    "天台",
    "黄河",
    "炎帝",
    "神农",
    "芦淞",
    "迎宾",
    "响石",
    "珠江",
]
STREET_NAMES = [
    "车站",
    "合泰",
    "钟鼓",
    "文化",
    "桂花",
    "荷花",
    "石峰",
    "田心",
    "枫溪",
    "白石",
    "清水",
    "茨菇",
    "东湖",
    "月塘",
    "贺嘉",
    "学林",
]
SPEED = {RoadClass.ARTERIAL: 13.9, RoadClass.SECONDARY: 11.1, RoadClass.RESIDENTIAL: 8.3}


def make_streets(terrain: Terrain, rng: np.random.Generator) -> RoadNetwork:
    """Lay the streets of a city: strongly connected, planar but for the bridges."""
    xy = _corners(terrain, rng)
    pairs = _blocks(xy, terrain)
    pairs = np.concatenate([pairs, _bridges(xy, pairs, terrain)])
    bridge = shapely.intersects(_lines(xy, pairs), terrain.river)
    xy, pairs, bridge = _largest(xy, pairs, bridge)
    road_class = _classes(xy, pairs, bridge, terrain, rng)
    return _network(terrain, xy, pairs, bridge, road_class)


def _corners(terrain: Terrain, rng: np.random.Generator) -> Array:
    """Split squares along the river while the density asks for it; return their jittered middles."""
    size = 640.0
    grid = np.arange(-14080.0, 14080.0, size) + size / 2
    u, y = (part.ravel() for part in np.meshgrid(grid, grid + terrain.y_0))
    done = []
    for limit in (0.02, 0.45, np.inf):
        split = terrain.density(terrain.river_x(y) + u, y) * rng.uniform(0.6, 1.5, len(u)) > limit
        if size > 600:
            split[:] = True
        done.append(np.column_stack([u[~split], y[~split]]) + rng.normal(0, size * 0.09, ((~split).sum(), 2)))
        u, y = u[split], y[split]
        size /= 2
        u = np.concatenate([u - size / 2, u + size / 2, u - size / 2, u + size / 2])
        y = np.concatenate([y - size / 2, y - size / 2, y + size / 2, y + size / 2])
    points = np.concatenate(done)
    xy = np.column_stack([terrain.river_x(points[:, 1]) + points[:, 0], points[:, 1]])
    xy = xy[shapely.contains_xy(terrain.urban_area, xy[:, 0], xy[:, 1])]
    return xy[~shapely.contains_xy(terrain.river.buffer(50), xy[:, 0], xy[:, 1])]


def _blocks(xy: Array, terrain: Terrain) -> Pairs:
    """Delaunay edges without the longest of each triangle (Urquhart 1980), off the water."""
    corners = Delaunay(xy).simplices.astype(np.int64)
    sides = np.sort(np.stack([corners, np.roll(corners, -1, axis=1)], axis=2), axis=2)
    length = np.hypot(*np.moveaxis(xy[sides[..., 0]] - xy[sides[..., 1]], -1, 0))
    longest = sides[np.arange(len(sides)), length.argmax(axis=1)]
    n = len(xy)
    keep = np.setdiff1d(sides.reshape(-1, 2) @ [n, 1], longest @ [n, 1])
    pairs = np.column_stack([keep // n, keep % n])
    lines = _lines(xy, pairs)
    return pairs[~shapely.intersects(lines, terrain.river) & shapely.within(lines, terrain.urban_area)]


def _bridges(xy: Array, pairs: Pairs, terrain: Terrain) -> Pairs:
    """Join the banks at a few places, with the shortest line between the main pieces of each side."""
    south, north = terrain.y_0 - 7500, terrain.y_0 + 7500
    main = _component(len(xy), pairs)
    size = np.bincount(main)
    west = xy[:, 0] < terrain.river_x(xy[:, 1])
    sides = [np.flatnonzero(part & (main == _largest_label(main, size, part))) for part in (west, ~west)]
    found = []
    for y in np.linspace(south, north, BRIDGES):
        a, b = (side[np.abs(xy[side, 1] - y) < 700] for side in sides)
        gap = np.hypot(xy[a, 0][:, None] - xy[b, 0], xy[a, 1][:, None] - xy[b, 1])
        i, j = np.unravel_index(gap.argmin(), gap.shape)
        found.append((a[i], b[j]))
    return np.array(found, np.int64)


def _largest_label(main: NDArray[np.int32], size: Pairs, part: NDArray[np.bool_]) -> int:
    """Return the label of the largest piece among some nodes."""
    labels = np.unique(main[part])
    return int(labels[size[labels].argmax()])


def _classes(
    xy: Array, pairs: Pairs, bridge: NDArray[np.bool_], terrain: Terrain, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Shortest paths between centres, bridges and the rim become arterials, others secondary streets."""
    length = np.hypot(*(xy[pairs[:, 0]] - xy[pairs[:, 1]]).T)
    n, m = len(xy), len(pairs)
    graph = coo_array((length, (pairs[:, 0], pairs[:, 1])), shape=(n, n)).tocsr()
    number = {(a, b): e for e, (a, b) in enumerate(pairs.tolist())}
    rim = shapely.get_coordinates(terrain.urban_area)[::18]
    hubs = np.concatenate([terrain.centres[:, :2], xy[pairs[bridge].ravel()], rim])
    hub = np.unique(((xy[None] - hubs[:, None]) ** 2).sum(axis=2).argmin(axis=1))
    more = rng.choice(n, 60, replace=False)
    road_class = np.full(m, RoadClass.RESIDENTIAL, np.uint8)
    for kind, ends, reach in ((RoadClass.SECONDARY, more, 5000.0), (RoadClass.ARTERIAL, hub, 6500.0)):
        far, before = dijkstra(graph, directed=False, indices=ends, return_predecessors=True)
        for i in range(len(ends)):
            for j in ends[far[i, ends] < reach].tolist():
                node = j
                while (prior := int(before[i, node])) >= 0:
                    road_class[number.get((prior, node), number.get((node, prior), 0))] = kind
                    node = prior
    road_class[bridge] = RoadClass.ARTERIAL
    return road_class


def _network(
    terrain: Terrain, xy: Array, pairs: Pairs, bridge: NDArray[np.bool_], road_class: NDArray[np.uint8]
) -> RoadNetwork:
    both = np.concatenate([pairs, pairs[:, ::-1]])
    kind, over = np.tile(road_class, 2), np.tile(bridge, 2)
    lon, lat = terrain.plane.inverse(xy[:, 0], xy[:, 1])
    lonlat = np.column_stack([lon, lat])
    middle = (xy[both[:, 0]] + xy[both[:, 1]]) / 2
    span = np.abs(xy[both[:, 0]] - xy[both[:, 1]])
    eastward = span[:, 0] > span[:, 1]
    strip = (np.where(eastward, middle[:, 1], middle[:, 0]) // 900).astype(int)
    name = [
        (ARTERIAL_NAMES if k == RoadClass.ARTERIAL else STREET_NAMES)[s % 16] + ("路" if e else "大道")
        if k != RoadClass.RESIDENTIAL
        else ""
        for k, s, e in zip(kind, strip, eastward, strict=True)
    ]
    m, big = len(pairs), road_class == RoadClass.ARTERIAL
    arms = np.bincount(pairs[big].ravel(), minlength=len(xy))
    edges = np.arange(2 * m)
    barred = np.tile(big, 2) & (arms[both[:, 1]] >= 3)
    no_u_turn = np.column_stack([edges, (edges + m) % (2 * m)])[barred]
    return RoadNetwork.build(
        node_lon=lon,
        node_lat=lat,
        edge_id=[f"{e + 1}" for e in range(len(both))],
        from_node=both[:, 0],
        to_node=both[:, 1],
        geometry_lonlat=list(lonlat[both]),
        speed_mps=np.array([SPEED[RoadClass(k)] for k in kind], np.float32),
        road_class=kind,
        access=np.full(len(both), Access.ALL, np.uint8),
        flags=np.where(over, EdgeFlag.BRIDGE, 0).astype(np.uint8),
        edge_name=name,
        forbidden_turn=no_u_turn,
        plane=terrain.plane,
        source="geo_policing sample city",
    )


def _lines(xy: Array, pairs: Pairs) -> NDArray[np.object_]:
    return np.asarray(shapely.linestrings(xy[pairs]))


def _component(n: int, pairs: Pairs) -> NDArray[np.int32]:
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1])


def _largest(xy: Array, pairs: Pairs, bridge: NDArray[np.bool_]) -> tuple[Array, Pairs, NDArray[np.bool_]]:
    label = _component(len(xy), pairs)
    keep = label == np.bincount(label).argmax()
    inside = keep[pairs[:, 0]]
    return xy[keep], (np.cumsum(keep) - 1)[pairs[inside]], bridge[inside]
