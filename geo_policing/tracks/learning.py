"""Speeds by road class and hour out of tracks that were matched."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from geo_policing.matching import Match
from geo_policing.roads import RoadClass, RoadNetwork
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.speeds import Key, Speeds

Array = NDArray[np.float64]

#: Speeds are taken between fixes so far apart, seconds: nearer ones tell more of the receiver than of the
#: road, and between farther ones the speed has changed.
LEAST_S, MOST_S = 4.0, 12.0
#: Who stands for longer, seconds, has parked: that is no speed of the road.
PARKED_S = 300.0
#: Slower than this is standing, m/s.
STANDING_MPS = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Driven:
    """One track.

    Parameters
    ----------
    time_s : (n,) float64
        Seconds, ascending; since 1970 where the hour is known.
    lon, lat : (n,) float64
        Degrees WGS 84.
    match : Match
        What the fixes were matched to, in the same time.
    dated : bool
        Whether the hour is known.
    """

    time_s: Array
    lon: Array
    lat: Array
    match: Match
    dated: bool = True


def learn(network: RoadNetwork, tracks: Iterable[Driven], model: MovementModel, time_zone: str) -> Speeds:
    """Count how long each speed was driven on roads of each class, at each hour of the day.

    Parameters
    ----------
    network : RoadNetwork
        What the tracks were matched to.
    tracks : iterable of Driven
        Of those who travel as the model says.
    model : MovementModel
        Its classes of speed, and how common they are where little is known.
    time_zone : str
        Of the hours.

    Returns
    -------
    Speeds
        Without a row for what nobody drove.
    """
    edge_of_class = _bounds(model.speed_mps)
    zone = ZoneInfo(time_zone)
    counted: dict[Key, Array] = {}
    for track in tracks:
        speed, lasted, at, edge = _passages(network, track)
        kind = np.searchsorted(edge_of_class, speed, side="right")
        hours = [datetime.fromtimestamp(t, UTC).astimezone(zone).hour for t in at] if track.dated else None
        for i, (k, seconds, road) in enumerate(
            zip(kind.tolist(), lasted.tolist(), network.road_class[edge].tolist(), strict=True)
        ):
            keys: list[Key] = [(RoadClass(road), None)]
            if hours is not None:
                keys.append((RoadClass(road), hours[i]))
            for key in keys:
                counted.setdefault(key, np.zeros(len(model.speed_mps)))[k] += seconds
    return Speeds.counted(model.mode.value, time_zone, model.speed_mps, model.start, counted)


def _passages(network: RoadNetwork, track: Driven) -> tuple[Array, Array, Array, NDArray[np.int32]]:
    """Speeds, how long each lasted, when, and on which edge, each (k,), on what was observed."""
    x, y = network.plane.forward(track.lon, track.lat)
    taken = _apart(track.time_s)
    lasted = np.diff(track.time_s[taken])
    speed = np.hypot(np.diff(x[taken]), np.diff(y[taken])) / np.maximum(lasted, 1e-9)
    at = (track.time_s[taken[1:]] + track.time_s[taken[:-1]]) / 2.0
    edge = _edges(track.match, at)
    keep = (lasted <= MOST_S) & (edge >= 0) & ~_parked(speed, lasted)
    return speed[keep], lasted[keep], at[keep], edge[keep]


def _apart(time_s: Array) -> NDArray[np.int64]:
    """Take the fixes (k,) that are `LEAST_S` or more after the one taken before."""
    taken, last = [], -np.inf
    for i, t in enumerate(time_s.tolist()):
        if t - last >= LEAST_S:
            taken.append(i)
            last = t
    return np.array(taken, np.int64)


def _edges(match: Match, at: Array) -> NDArray[np.int32]:
    """Edge (k,) on which somebody was at some moments; -1 where nobody saw it."""
    if not match.pieces:
        return np.full(len(at), -1, np.int32)
    edge = np.concatenate([np.where(piece.inferred, -1, piece.edges) for piece in match.pieces])
    enter_s = np.concatenate([piece.enter_s for piece in match.pieces])
    before = np.searchsorted(enter_s, at, side="right") - 1
    return np.where(before >= 0, edge[before], -1).astype(np.int32)


def _parked(speed: Array, lasted: Array) -> NDArray[np.bool_]:
    """Whether each passage is part of a standing that is longer than `PARKED_S`."""
    stands = speed < STANDING_MPS
    change = np.flatnonzero(np.diff(np.concatenate([[False], stands, [False]]).astype(np.int8)))
    parked = np.zeros(len(speed), np.bool_)
    for first, last in zip(change[0::2].tolist(), change[1::2].tolist(), strict=True):
        parked[first:last] = lasted[first:last].sum() > PARKED_S
    return parked


def _bounds(speed_mps: Array) -> Array:
    """Speeds (classes - 1,) at which the nearest class changes; the first class is standing."""
    between = (speed_mps[1:] + speed_mps[:-1]) / 2.0
    between[0] = min(between[0], STANDING_MPS)
    return np.asarray(between)
