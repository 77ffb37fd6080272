"""One trace matched from its fixes to its path, in one call: what is between them never becomes Python."""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.kernels import (
    edge_candidates,
    edge_grid,
    map_matching,
    path_confidence,
    path_joining,
    path_times,
)
from geo_policing.kernels.map_matching import Model
from geo_policing.kernels.node_tables import Table
from geo_policing.kernels.way_search import Ways

#: Edges are looked for this many sigmas away, if that is beyond the radius.
RADIUS_SIGMAS = 3.0


class Reading(NamedTuple):
    """How fixes are read, and what a gap is; see `MatcherParameters`."""

    sigma_m: float
    course_kappa: float
    course_mps: float
    radius_m: float
    wide_radius_m: float
    candidates: int
    held: int
    thin_m: float
    thin_s: float
    least_m: float
    gap_s: float
    gap_intervals: float
    gap_m: float
    fastest_mps: float


class Lattice(NamedTuple):
    """What can be said of a trace before a sequence is chosen: n of its fixes have candidates.

    fix (n,) i64, which; x, y (n,) f64 m; speaker (of all fixes) i64 of `path_joining.thin`; usual_s, median
    time between fixes; emission (n, k) f64 and edge, offset, score, back, how, step of
    `map_matching.forward`.
    """

    fix: NDArray[Any]
    x: NDArray[Any]
    y: NDArray[Any]
    speaker: NDArray[Any]
    usual_s: float
    emission: NDArray[Any]
    edge: NDArray[Any]
    offset: NDArray[Any]
    score: NDArray[Any]
    back: NDArray[Any]
    how: NDArray[Any]
    step: NDArray[Any]


class Found(NamedTuple):
    """Path of a trace: u of its fixes have a place.

    fix (u,) i64, which; edge (u,) i32 and offset_m (u,) f64, where; how (u,) i8 of `map_matching`;
    probability (u,) f64; path (p,) i32, edges of all pieces one after the other, with entered_s (p,) f64 of
    `path_times`; at (u,) i64, starts (u,) bool, entered_m, left_m (u,) f64 of `path_joining`; gap (u,) bool
    of `path_times.unseen`; sure (p,) f64 of `path_confidence`, of each edge of path.
    """

    fix: NDArray[Any]
    edge: NDArray[Any]
    offset_m: NDArray[Any]
    how: NDArray[Any]
    probability: NDArray[Any]
    path: NDArray[Any]
    entered_s: NDArray[Any]
    at: NDArray[Any]
    starts: NDArray[Any]
    entered_m: NDArray[Any]
    left_m: NDArray[Any]
    gap: NDArray[Any]
    sure: NDArray[Any]


@njit(cache=True, nogil=True)
def sigmas(accuracy_m: NDArray[Any], reading: Reading) -> NDArray[np.float64]:
    """1 sigma of fixes (n,) f64 m, of accuracy_m (n,) f64, NaN unknown.

    Never below half of the default: receivers are optimists, roads no centre lines.
    """
    out = np.full(accuracy_m.shape[0], reading.sigma_m)
    for i in range(out.shape[0]):
        if accuracy_m[i] > 0.0 and accuracy_m[i] < np.inf:
            out[i] = min(max(accuracy_m[i], reading.sigma_m / 2.0), reading.wide_radius_m / RADIUS_SIGMAS)
    return out


@njit(cache=True, nogil=True)
def concentrations(
    speed_mps: NDArray[Any], course_deg: NDArray[Any], reading: Reading
) -> tuple[bool, NDArray[np.float64]]:
    """Whether any course tells something, and how much each does, (n,) f64: nothing of who hardly moves.

    speed_mps, course_deg (n,) f64, NaN unknown.
    """
    out = np.zeros(course_deg.shape[0])
    told = False
    for i in range(out.shape[0]):
        if speed_mps[i] >= reading.course_mps and np.isfinite(course_deg[i]):
            out[i] = reading.course_kappa
            told = True
    return told, out


@njit(cache=True, nogil=True)
def lattice_of(
    t_s: NDArray[Any],
    x: NDArray[Any],
    y: NDArray[Any],
    speed_mps: NDArray[Any],
    course_deg: NDArray[Any],
    accuracy_m: NDArray[Any],
    grid: edge_grid.Grid,
    shapes: edge_grid.Shapes,
    ways: Ways,
    table: Table,
    reading: Reading,
    model: Model,
    thorough: bool,
) -> Lattice:
    """Thin a trace, find candidates, weigh them and the transitions between them; as for `match_trace`.

    Where no fix is near a road it has no fix. thorough as for `map_matching.forward`.
    """
    usual_s = path_times.usual_interval(t_s)
    # Errors of neighbours are the less alike the longer the time between them.
    alike_m = max(reading.least_m, reading.thin_m * math.exp(-usual_s / reading.thin_s))
    speaker = path_joining.thin(x, y, alike_m)
    fix = np.flatnonzero(speaker == np.arange(speaker.shape[0]))
    sigma_m = sigmas(accuracy_m[fix], reading)
    radius_m = np.minimum(np.maximum(reading.radius_m, RADIUS_SIGMAS * sigma_m), reading.wide_radius_m)
    candidate_edge, distance, candidate_offset = edge_grid.nearest(
        x[fix], y[fix], radius_m, reading.wide_radius_m, reading.candidates, grid
    )
    has = np.flatnonzero(candidate_edge[:, 0] >= 0)
    if has.shape[0] < fix.shape[0]:
        fix, distance, sigma_m = fix[has], distance[has], sigma_m[has]
        candidate_edge, candidate_offset = candidate_edge[has], candidate_offset[has]
    emission = map_matching.emission_logp(distance, sigma_m)
    told, concentration = concentrations(speed_mps[fix], course_deg[fix], reading)
    if told:
        heading_deg = edge_candidates.headings(
            candidate_edge, candidate_offset, shapes.offset, shapes.x, shapes.y, shapes.length_m
        )
        emission += map_matching.course_logp(heading_deg, course_deg[fix], concentration)
    x, y = x[fix], y[fix]
    edge, offset, score, back, how, step = map_matching.forward(
        x, y, emission, candidate_edge, candidate_offset, ways, table, reading.held, model, thorough
    )
    return Lattice(fix, x, y, speaker, usual_s, emission, edge, offset, score, back, how, step)


@njit(cache=True, nogil=True)
def found_of(
    lattice: Lattice,
    chosen: NDArray[Any],
    arrived: NDArray[Any],
    of_state: NDArray[Any],
    links: map_matching.Links,
    t_s: NDArray[Any],
    ways: Ways,
    travel_s: NDArray[Any],
    table: Table,
    reading: Reading,
    model: Model,
    weigh_edges: bool,
) -> Found:
    """Join one sequence of states to a path.

    chosen (n,) i64, state of each fix of the lattice; arrived (n,) i8 of `map_matching`, how; of_state and
    links of `map_matching.posterior`; the others as for `match_trace`.
    """
    # A held state is an outlier, and has no place.
    used = np.flatnonzero(chosen < reading.candidates)
    u = used.shape[0]
    edge, offset_m = np.empty(u, np.int32), np.empty(u)
    probability = np.empty(u)
    for i in range(u):
        at_fix, state = used[i], chosen[used[i]]
        edge[i], offset_m[i] = lattice.edge[at_fix, state], lattice.offset[at_fix, state]
        probability[i] = min(of_state[at_fix, state], 1.0)
    how, fix = arrived[used], lattice.fix[used]
    silent_s = max(reading.gap_s, reading.gap_intervals * lattice.usual_s)
    gap = path_times.unseen(
        *(t_s, lattice.speaker, fix, lattice.x[used], lattice.y[used]),
        *(silent_s, reading.gap_m, reading.fastest_mps),
    )
    path, at, starts, entered_m, left_m = path_joining.join(edge, offset_m, how, gap, ways, table)
    entered_s = path_times.entered(path, at, starts, left_m, t_s[fix], travel_s, ways.length_m)
    if weigh_edges:
        sure = path_confidence.of_edges(
            *(path, at, starts, used, chosen, lattice.edge, lattice.offset, of_state, links),
            *(reading.candidates, model.backward_m, lattice.usual_s, ways, table),
        )
    else:
        sure = np.full(path.shape[0], np.nan)
    return Found(
        *(fix, edge, offset_m, how, probability, path, entered_s, at, starts, entered_m, left_m, gap, sure)
    )


@njit(cache=True, nogil=True)
def match_trace(
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
) -> Found:
    """Match n fixes: thin, find candidates, weigh, decode, join.

    t_s, x, y, speed_mps, course_deg, accuracy_m (n,) f64, seconds and metres in the plane, the last three NaN
    where unknown; travel_s (m,) f64, what each edge usually takes. Where no fix is near a road, none has a
    place.
    Where weigh_edges is False, sure is NaN, which saves a tenth to a fifth of the time.
    """
    lattice = lattice_of(
        *(t_s, x, y, speed_mps, course_deg, accuracy_m, grid, shapes, ways, table, reading, model, False)
    )
    if lattice.fix.shape[0] == 0:
        reals, none = np.empty(0), np.empty(0, np.int32)
        flags, marks = np.empty(0, np.bool_), np.empty(0, np.int8)
        fix = lattice.fix
        return Found(fix, none, reals, marks, reals, none, reals, fix, flags, reals, reals, flags, reals)
    chosen = map_matching.trace_back(lattice.score, lattice.back)
    arrived = np.empty(chosen.shape[0], np.int8)
    for i in range(chosen.shape[0]):
        arrived[i] = lattice.how[i, chosen[i]]
    of_state, links = map_matching.posterior(lattice.step)
    return found_of(
        *(lattice, chosen, arrived, of_state, links, t_s, ways, travel_s, table, reading, model, weigh_edges)
    )
