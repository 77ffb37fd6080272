"""The theft of the small sample: the roads, what was seen, and receivers that could have been the thief's."""

import csv
import json
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np

from geo_policing.ingest.nmea0183 import Decoder
from geo_policing.model import FixColumns, to_us
from geo_policing.roads.gis import read_gis
from tests.store.moving import fixes_at

SMALL = Path(__file__).parents[2] / "sample_data" / "small"
SECOND_US = 1_000_000


@cache
def roads():
    """The roads of the old centre."""
    return read_gis(SMALL / "old-centre.gpkg", layer="roads", min_piece_nodes=0)[0]


def case():
    """What the police know."""
    return json.loads((SMALL / "theft.json").read_text("utf-8"))


def sightings(edges=True):
    """The sightings and the watches in vain, as a FeatureCollection."""
    seen = [
        (one, {"time": one["time"], "probability": one["confidence"], "kind": "camera"})
        for one in case()["sightings"]
    ]
    seen += [
        (one, {"time": one["from"], "until": one["to"], "seen": "no"})
        for one in case()["watched_without_sighting"]
    ]
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [one["lon"], one["lat"]]},
                "properties": about
                | {"observer": one["camera"]}
                | ({"edge": one["edge_id"]} if edges else {}),
            }
            for one, about in seen
        ],
    }


def fleet():
    """What the receivers of the fleet sent, none of which was the thief's."""
    found = [
        f for f in Decoder().feed((SMALL / "fleet.nmea").read_bytes()) if np.isfinite(f.lon) and f.device
    ]
    return FixColumns.from_fixes(found)


def thief(device="thief", every_s=5.0, noise_m=4.0, later_s=0.0, until=1.0, seed=0):
    """A receiver on the way that the thief truly drove, or did so later, or for a part of it."""
    network = roads()
    number = {name: e for e, name in enumerate(network.edge_ids)}
    with (SMALL / "theft_truth.csv").open(encoding="utf-8", newline="") as file:
        truth = list(csv.DictReader(file))
    enter_s = np.array([to_us(datetime.fromisoformat(row["enter_time"])) / 1e6 for row in truth])
    edges = [number[row["edge_id"]] for row in truth]
    xy, at_s = [], []
    for k, edge in enumerate(edges):
        corners = network.vertices(edge)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
        left = enter_s[k + 1] if k + 1 < len(edges) else enter_s[k] + network.length_m[edge] / 8.0
        # The first edge is where the thief stood until the theft.
        entered = max(enter_s[k], left - network.length_m[edge] / 4.0) if k == 0 else enter_s[k]
        xy.append(corners)
        at_s.append(entered + along / along[-1] * (left - entered))
    xy, at_s = np.concatenate(xy), np.concatenate(at_s)
    times = np.arange(at_s[0], at_s[0] + until * (at_s[-1] - at_s[0]), every_s)
    noise = np.random.default_rng(seed).normal(0.0, noise_m, (2, len(times)))
    x, y = np.interp(times, at_s, xy[:, 0]) + noise[0], np.interp(times, at_s, xy[:, 1]) + noise[1]
    lon, lat = network.plane.inverse(x, y)
    us = np.round((times + later_s) * 1e6).astype(np.int64)
    return fixes_at(np.full(len(times), device, object), us, lon, lat)
