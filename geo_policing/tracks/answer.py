"""The answer as GeoJSON: paths, sightings, cells and regions at each moment, gates, where to look next."""

import hashlib
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata, resources
from pathlib import Path as File
from typing import Any

import numpy as np
import shapely
from h3.api import basic_int as h3

from geo_policing.model import Sighting
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.containment import Passing, containment, gates_of
from geo_policing.tracks.fit import information_bits, leave_one_out
from geo_policing.tracks.holding import Arrival, Held, Holding, UnitAt
from geo_policing.tracks.mixture import Mixture
from geo_policing.tracks.moments import Outlines, moment_features, moments_of
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.reconstruction import Path, Reconstruction
from geo_policing.tracks.turns import Turns

Feature = dict[str, Any]
#: A sighting that the others make less likely than this does not fit; the first and the last have others on
#: one side alone, from which one may have come by many ways.
MISFIT, MISFIT_AT_END = 0.05, 0.001


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read out of a reconstruction.

    Parameters
    ----------
    every_s : int
        Seconds between the moments.
    paths : int
        How many of the most frequent paths.
    resolution : int
        Of the H3 cells, 9 to 11.
    cameras : mapping of str to int
        Edges that cameras look at, by their ids; every edge that may have been passed where there are none.
    looks : int
        How many of the cameras that tell most.
    units : sequence of UnitAt
        Who can hold gates.
    """

    every_s: int = 60
    paths: int = 5
    resolution: int = 10
    cameras: Mapping[str, int] | None = None
    looks: int = 20
    units: Sequence[UnitAt] = ()


def features_of(
    found: Reconstruction,
    model: MovementModel,
    wanted: Wanted | None = None,
    *,
    turns: Turns | None = None,
    seed: int = 0,
    tell: Callable[[], None] = lambda: None,
) -> list[Feature]:
    """Read everything out of a reconstruction, as GeoJSON features that ``what`` tells apart.

    Parameters
    ----------
    found : Reconstruction
        The answer.
    model : MovementModel
        As it was given to `reconstruct`.
    wanted : Wanted, optional
        What is read out.
    turns : Turns, optional
        Those of the network, where they are known from before.
    seed : int
        Of the ways drawn after the last sighting.
    tell : callable
        Called often, at the latest before each path, moment and gate; what it raises ends the work.
    """
    wanted = wanted or Wanted()
    network = found.lattice.network
    found.unfold(tell)
    tell()
    features = [path_feature(network, found.best_path, "best")]
    tell()
    features += [path_feature(network, way, "sampled") for way in found.paths(wanted.paths)]
    alone = leave_one_out(network, found.sightings, model, turns=turns, found=found, tell=tell)
    features += [
        sighting_feature(one, float(truth), float(fit), at_end=i in (0, len(alone) - 1))
        for i, (one, truth, fit) in enumerate(zip(found.sightings, found.truth, alone, strict=True))
    ]
    features += moment_features(found, wanted.every_s, wanted.resolution, tell)
    after = moments_after(found)
    if after:
        passings = containment(found, gates_of(network), after, seed=seed, tell=tell)
        features += gate_features(network, passings, after, last_seen(found), wanted.units)
    tell()
    features += camera_features(found, wanted.cameras, wanted.looks)
    return features


def gate_features(
    network: RoadNetwork,
    passings: Sequence[Passing],
    after: Sequence[datetime],
    last: datetime,
    units: Sequence[UnitAt],
) -> list[Feature]:
    """Return the gates by some moments after one was last seen, and the units that are there first."""
    held = [Held.since(last, p.gate.edges, after, p.passed) for p in passings]
    gates = [gate_feature(network, p, after, one.likely) for p, one in zip(passings, held, strict=True)]
    if units:
        first, _ = Holding(network).first(held, units)
        for gate, arrivals in zip(gates, first, strict=True):
            gate["properties"]["units"] = [told_arrival(one) for one in arrivals]
    return gates


def moments_after(found: Reconstruction | Mixture) -> list[datetime]:
    """Return the minutes of the window after the last sighting."""
    last = last_seen(found)
    return [m for m in moments_of(found, 60) if m > last]


def last_seen(found: Reconstruction | Mixture) -> datetime:
    """Return the latest moment of a sighting, in the zone of the window whatever zones they are told in."""
    return max(one.last for one in found.sightings).astimezone(found.window.start.tzinfo)


def path_feature(network: RoadNetwork, way: Path, kind: str) -> Feature:
    """Return a path with the times at which its edges were entered, and how far along it they begin."""
    *begins_m, length_m = way.begins_m(network).round(1).tolist()
    beside = [h3.int_to_str(c) if c else None for c in way.cells.tolist()]
    off_road = {"off_road": True, "cells": beside} if beside else {}
    return {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": way.lonlat(network).round(7).tolist()},
        "properties": {
            "what": "path",
            "kind": kind,
            "probability": round(way.probability, 4) if kind == "sampled" else None,
            "edges": [network.edge_ids[e] if e >= 0 else None for e in way.edges.tolist()],
            **off_road,
            "entered": [time.isoformat() for time in way.entered],
            "begins_m": begins_m,
            "length_m": length_m,
        },
    }


def sighting_feature(sighting: Sighting, truth: float, fit: float, *, at_end: bool = False) -> Feature:
    """Return a sighting with how probable it is after all, and by the others alone."""
    least = MISFIT_AT_END if at_end else MISFIT
    # After an hour any place is improbable; one that the others make more probable than it was given fits.
    backed = 0.0 < sighting.probability < 1.0 and truth >= sighting.probability
    geometry: dict[str, Any] = {
        "type": "Point",
        "coordinates": [round(sighting.lon, 7), round(sighting.lat, 7)],
    }
    if sighting.area is not None:
        geometry = shapely.geometry.mapping(shapely.transform(sighting.area, lambda c: c.round(7)))
    elif sighting.cell:
        geometry = Outlines()[int(sighting.cell, 16)]
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {
            "what": "sighting",
            "time": sighting.time.isoformat(),
            "until": None if sighting.until is None else sighting.until.isoformat(),
            "observer": sighting.observer,
            "kind": sighting.kind.value,
            "edge": sighting.edge,
            "accuracy_m": round(sighting.accuracy_m, 3),
            "given_probability": sighting.probability,
            "probability": round(truth, 6),
            "leave_one_out": None if math.isnan(fit) else round(fit, 6),
            "fits": None if math.isnan(fit) else fit >= least or backed,
        },
    }


def gate_feature(
    network: RoadNetwork, passing: Passing, moments: Sequence[datetime], likely: datetime | None
) -> Feature:
    """Return a gate with the probability of having been passed by each moment, and when it likely is."""
    gate = passing.gate
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [round(gate.lon, 7), round(gate.lat, 7)]},
        "properties": {
            "what": "gate",
            "name": gate.name,
            "kind": gate.kind.value,
            "earliest": None if passing.earliest is None else passing.earliest.isoformat(),
            "likely": None if likely is None else likely.isoformat(timespec="seconds"),
            "edges": [network.edge_ids[edge] for edge in gate.edges.tolist()],
            "times": [moment.isoformat() for moment in moments],
            "passed": [round(float(p), 4) for p in passing.passed],
        },
    }


def told_arrival(arrival: Arrival) -> dict[str, Any]:
    """Return what is told of a unit on its way to a gate."""
    return {
        "unit": arrival.unit,
        "arrives": arrival.arrives.isoformat(timespec="seconds"),
        "road_s": round(arrival.road_s, 1),
        "in_time": round(arrival.in_time, 4),
        "meets": round(arrival.meets, 4),
    }


def camera_features(
    found: Reconstruction | Mixture, cameras: Mapping[str, int] | None = None, most: int = 20
) -> list[Feature]:
    """Return the cameras that are expected to tell most about the path, or the edges where one would."""
    network = found.network
    named = (
        {network.edge_ids[e]: e for e in found.likely_edges()}
        if cameras is None
        else dict(sorted(cameras.items()))
    )
    bits = information_bits(found, list(named.values()))
    order = np.argsort(-bits, kind="stable")[:most]
    ids = list(named)
    features = []
    for k in order.tolist():
        edge = named[ids[k]]
        if bits[k] < 1e-6:
            continue
        middle = network.lonlat(edge).mean(axis=0)
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": middle.round(7).tolist()},
                "properties": {
                    "what": "camera",
                    "camera": ids[k] if cameras is not None else None,
                    "edge": network.edge_ids[edge],
                    "name": network.name_of(edge),
                    "bits": round(float(bits[k]), 4),
                    "passing": round(found.passing(edge), 4),
                },
            }
        )
    return features


def versions() -> dict[str, str]:
    """Return what computed it: versions of this package and of what its numbers depend on."""
    names = ("geo-policing", "numpy", "numba", "h3", "shapely")
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in names}


def fingerprint(content: bytes | File) -> str:
    """SHA-256 of what was put in, as hexadecimal digits."""
    data = content.read_bytes() if isinstance(content, File) else content
    return hashlib.sha256(data).hexdigest()


def model_fingerprint() -> str:
    """SHA-256 of the numbers that the movement model was learned to have."""
    return fingerprint((resources.files("geo_policing.tracks") / "learned.json").read_bytes())
