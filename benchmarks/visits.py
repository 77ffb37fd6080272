"""How much of the cells that devices truly crossed their visits cover, on the sample city.

``python -m benchmarks.visits --json OUT.json``

For half an hour ``--devices`` people and vehicles move about the city of seed 7; one place each ``--every``
seconds, 4 m off (1 sigma, each axis), is a fix. The H3 cells of resolution 10 that a device truly crossed are
those of its place at every second and of the straight ways between. Over all devices, for each cell crossed:

fixes                     cells that have a fix
straight, roads           cells of the visits of the straight movement, as the history keeps them, and of that
                          along the matched roads (`tracks.searches.on_roads`)
straight_wrong,           cells of those visits that were not crossed
roads_wrong
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from geo_policing_sample_city.city import build_city
from geo_policing_sample_city.fleet import enlist, make_world, move
from geo_policing_sample_city.traffic import Movement
from numpy.typing import NDArray

from geo_policing.geodesy import cells
from geo_policing.kernels import cell_visits
from geo_policing.matching import Matcher
from geo_policing.tracks.searches import on_roads

SEED, HOUR, LIFE_S = 7, 7.0, 1800
ERROR_M = 4.0
EVERY_S = (5, 15, 30, 60, 100, 180, 300)


def crossed(
    time: NDArray[np.int64], lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the visits of one device: cell (v,), from when and until when (v,) us."""
    one, mine = np.zeros(len(time), np.int32), np.ones(len(time), bool)
    _, cell, first, last = cell_visits.visits(one, time, lon, lat, cells(lon, lat), mine, 10)
    return cell, first, last


def coverage(matcher: Matcher, movements: Sequence[Movement], every_s: int) -> dict[str, Any]:
    """Thin each movement to a fix each so many seconds, and count the cells that are found."""
    plane = matcher.network.plane
    counts = np.zeros(6, np.int64)
    for n, movement in enumerate(movements):
        second = np.arange(len(movement.x))
        true = set(crossed(second * 1_000_000, *plane.inverse(movement.x, movement.y))[0].tolist())
        at = second[::every_s]
        x, y = np.random.default_rng(n).normal(0, ERROR_M, (2, len(at)))
        fixes = (at * 1_000_000, *plane.inverse(movement.x[at] + x, movement.y[at] + y))
        seen = set(cells(*fixes[1:]).tolist())
        straight = set(crossed(*fixes)[0].tolist())
        roads = set(crossed(*on_roads(matcher, *fixes))[0].tolist())
        counts += [
            *(len(true), len(true & seen), len(true & straight), len(straight - true)),
            *(len(true & roads), len(roads - true)),
        ]
    names = ("fixes", "straight", "straight_wrong", "roads", "roads_wrong")
    shares = (round(count / int(counts[0]), 4) for count in counts[1:].tolist())
    return {"every_s": every_s, "cells": int(counts[0]), **dict(zip(names, shares, strict=True))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=30)
    parser.add_argument("--every", type=lambda text: [int(s) for s in text.split(",")], default=EVERY_S)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    city = build_city(SEED)
    movements: list[Movement] = []
    move(
        enlist(given.devices),
        make_world(city, HOUR, LIFE_S, SEED),
        SEED,
        lambda _, movement: movements.append(movement),
    )
    matcher = Matcher(city.network)
    found = [coverage(matcher, movements, every_s) for every_s in given.every]
    text = json.dumps(found, indent=2)
    print(text)
    if given.json is not None:
        given.json.write_text(text + "\n", encoding="ascii")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
