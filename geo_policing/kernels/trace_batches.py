"""Many traces matched one after the other in one call, during which other threads run."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels import edge_grid
from geo_policing.kernels.map_matching import Model
from geo_policing.kernels.node_tables import Table
from geo_policing.kernels.trace_matching import Found, Reading, match_trace
from geo_policing.kernels.way_search import Ways


@njit(cache=True, nogil=True)
def _room(u: int, p: int) -> Found:
    """Make a path of p edges over u places, to be filled."""
    return Found(
        np.empty(u, np.int64),
        np.empty(u, np.int32),
        np.empty(u),
        np.empty(u, np.int8),
        np.empty(u),
        np.empty(p, np.int32),
        np.empty(p),
        np.empty(u, np.int64),
        np.empty(u, np.bool_),
        np.empty(u),
        np.empty(u),
        np.empty(u, np.bool_),
        np.empty(p),
    )


@njit(cache=True, nogil=True)
def match_traces(
    first: NDArray[Any],
    t_s: NDArray[Any],
    x: NDArray[Any],
    y: NDArray[Any],
    speed_mps: NDArray[Any],
    course_deg: NDArray[Any],
    accuracy_m: NDArray[Any],
    grid: edge_grid.Grid,
    shapes: edge_grid.Shapes,
    ways: Ways,
    travel_s: NDArray[Any],
    table: Table,
    reading: Reading,
    model: Model,
    weigh_edges: bool,
) -> tuple[Found, NDArray[np.int64], NDArray[np.int64]]:
    """Match k traces, trace j of the fixes first[j] to first[j + 1], as `match_trace` does each.

    first (k + 1,) i64; the others as in `match_trace`, of all traces one after the other. -> what was found
    of each one after the other, its fixes and edges numbered as if it were alone; places (k + 1,) and edges
    (k + 1,) i64, where those of each begin.
    """
    k = first.shape[0] - 1
    places, edges = np.zeros(k + 1, np.int64), np.zeros(k + 1, np.int64)
    each = []
    for j in range(k):
        a, b = first[j], first[j + 1]
        found = match_trace(
            t_s[a:b],
            x[a:b],
            y[a:b],
            speed_mps[a:b],
            course_deg[a:b],
            accuracy_m[a:b],
            grid,
            shapes,
            ways,
            travel_s,
            table,
            reading,
            model,
            weigh_edges,
        )
        each.append(found)
        places[j + 1] = places[j] + found.fix.shape[0]
        edges[j + 1] = edges[j] + found.path.shape[0]
    out = _room(places[k], edges[k])
    for j in range(k):
        found = each[j]
        u, v = places[j], places[j + 1]
        out.fix[u:v], out.edge[u:v], out.offset_m[u:v] = found.fix, found.edge, found.offset_m
        out.how[u:v], out.probability[u:v] = found.how, found.probability
        out.at[u:v], out.starts[u:v], out.gap[u:v] = found.at, found.starts, found.gap
        out.entered_m[u:v], out.left_m[u:v] = found.entered_m, found.left_m
        u, v = edges[j], edges[j + 1]
        out.path[u:v], out.entered_s[u:v], out.sure[u:v] = found.path, found.entered_s, found.sure
    return out, places, edges
