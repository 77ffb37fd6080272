"""A small invented town for tests: a grid of two-way streets, some one-way, with a dead end and a gap."""

import numpy as np

from geo_policing.roads import Access, RoadNetwork

LON, LAT = 113.13, 27.83
STEP = 0.002  # about 200 m


def grid(n=6, one_way=(), forbidden=(), footways=(), closed=(), speeds=None, lon=LON, lat=LAT):
    """n x n crossings; edges ``a>b`` by crossing numbers; ``one_way`` edges have no way back.

    Edges ``closed`` are not there; ``speeds`` says how fast some are in m/s, the others are 10 m/s.
    """
    lon = lon + STEP * (np.arange(n * n) % n)
    lat = lat + STEP * (np.arange(n * n) // n)
    pairs = []
    for i in range(n * n):
        for j in ((i + 1) if (i + 1) % n else None, i + n if i + n < n * n else None):
            if j is not None:
                pairs += [p for p in ((i, j), (j, i)) if f"{p[1]}>{p[0]}" not in one_way]
    pairs = [p for p in pairs if f"{p[0]}>{p[1]}" not in closed]
    ids = [f"{a}>{b}" for a, b in pairs]
    number = {name: k for k, name in enumerate(ids)}
    return RoadNetwork.build(
        node_lon=lon,
        node_lat=lat,
        edge_id=ids,
        from_node=np.array([a for a, _ in pairs]),
        to_node=np.array([b for _, b in pairs]),
        geometry_lonlat=[np.array([[lon[a], lat[a]], [lon[b], lat[b]]]) for a, b in pairs],
        speed_mps=np.array([(speeds or {}).get(i, 10.0) for i in ids], np.float32),
        access=np.array([Access.FOOT if i in footways else Access.ALL for i in ids], np.uint8),
        forbidden_turn=np.array([[number[a], number[b]] for a, b in forbidden], np.int32).reshape(-1, 2),
    )


def drive(network, edges, spacing_m=40.0, noise_m=0.0, seed=0):
    """lon, lat of fixes along a route of edge ids."""
    number = {name: k for k, name in enumerate(network.edge_ids)}
    xy = np.concatenate([network.vertices(number[e]) for e in edges])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    at = np.arange(10.0, along[-1] - 10.0, spacing_m)
    noise = np.random.default_rng(seed).normal(0.0, noise_m, (2, len(at)))
    x, y = np.interp(at, along, xy[:, 0]) + noise[0], np.interp(at, along, xy[:, 1]) + noise[1]
    return network.plane.inverse(x, y)
