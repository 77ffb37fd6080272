"""A square town for tests: streets of about 200 m between n x n crossings."""

import numpy as np

from geo_policing.roads import RoadNetwork

STEP_DEG = 0.002


def grid(n=6, one_way=(), forbidden=()):
    """Two-way edges ``a>b`` between crossings numbered row by row; ``one_way`` ones have no way back."""
    at = np.arange(n * n)
    place = np.column_stack([113.13 + STEP_DEG * (at % n), 27.83 + STEP_DEG * (at // n)])
    streets = [(i, i + 1) for i in at if (i + 1) % n] + [(i, i + n) for i in at if i + n < n * n]
    pairs = [p for a, b in streets for p in ((a, b), (b, a)) if f"{p[1]}>{p[0]}" not in one_way]
    ids = [f"{a}>{b}" for a, b in pairs]
    return RoadNetwork.build(
        node_lon=place[:, 0],
        node_lat=place[:, 1],
        edge_id=ids,
        from_node=np.array([a for a, _ in pairs]),
        to_node=np.array([b for _, b in pairs]),
        geometry_lonlat=[place[list(pair)] for pair in pairs],
        forbidden_turn=np.array([[ids.index(a), ids.index(b)] for a, b in forbidden]).reshape(-1, 2),
    )
