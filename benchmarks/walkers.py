"""How well people on foot are found who stay on the roads, and who do not, in the sample city.

``python -m benchmarks.walkers --seeds 2 --gap 300,600 --json OUT.json``

Three groups walk in the old centre (``sample_data/small``): officers of the sample city, who live there for
an hour and stay on its roads by a taste of their own (``roads``); people who go the shortest way by the roads
between two places, but straight across where that saves a quarter of it or more (``short cuts``); and people
who go in a straight line whatever lies there (``straight``). The last two are invented here: they walk at a
steady speed, 1.34 m/s in the mean. One place each ``--gap`` seconds and the last are sightings of 20 m
accuracy, every tenth second of the others is held out. Each is reconstructed with the roads alone, and with
the open ground beside them.

coverage_50, coverage_90  share of seconds in the smallest region of so much probability; the cell at its edge
                          counts with the part of it that is needed
area_90_km2               mean size of the 90 % region
log_score                 mean logarithm of the probability of the true cell (H3, resolution 10), in nats; a
                          thousandth of the probability is spread evenly over the cells within reach
beside                    share of seconds more than 25 m beside all roads

All are means over walkers.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from geo_policing_sample_city.fleet import enlist, make_world, move
from geo_policing_sample_city.traffic import Movement
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track as progress

from benchmarks.reconstruction import SPREAD, region
from benchmarks.watches import EVERY_S, HOUR, LEAST_S, LIFE_S, MOST_S, SMALL, Drive, city_of
from geo_policing.geodesy import cells
from geo_policing.model import DeviceKind
from geo_policing.roads import Access, route
from geo_policing.tracks import MovementModel, reconstruct
from geo_policing.tracks.turns import Turns

Array = NDArray[np.float64]

#: Who walks at least so far, metres, is taken.
LEAST_M = 400.0
#: A short cut saves this share of the way or more, and is between so many metres long.
SAVES, SHORT_M = 0.25, (60.0, 500.0)
#: How far apart the ends of the invented walks are, and how fast they are walked: mean and deviation.
APART_M, WALKED_MPS = (800.0, 1500.0), (1.34, 0.2)
SPACING_M, BESIDE_M = 10.0, 25.0


def officers(seed: int, count: int) -> list[Drive]:
    """Let people live and take the longest walk of each officer."""
    city, moved = city_of(), []
    world = make_world(city, HOUR, LIFE_S, seed)
    members = [member for member in enlist(40 * count) if member.kind is DeviceKind.OFFICER][:count]
    move(members, world, seed, lambda _, movement: moved.append(movement))
    return [_walk(movement.x[a:b], movement.y[a:b]) for movement in moved for a, b in _on_foot(movement)]


def _on_foot(movement: Movement) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the stretch of so many seconds in which most is walked, if that is enough."""
    walked_m = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(movement.x), np.diff(movement.y)))])
    if len(walked_m) > MOST_S:
        begin = int((walked_m[MOST_S:] - walked_m[:-MOST_S]).argmax())
        if walked_m[begin + MOST_S] - walked_m[begin] >= LEAST_M:
            yield begin, begin + MOST_S


def _walk(x: Array, y: Array) -> Drive:
    lon, lat = city_of().network.plane.inverse(x, y)
    return Drive(SMALL, lon, lat, [], 0)


def invented(seed: int, count: int, *, straight: bool) -> list[Drive]:
    """Let people walk between places on the roads, straight or with short cuts."""
    network, rng = city_of().network, np.random.default_rng([seed, straight])
    found: list[Drive] = []
    open_ = np.flatnonzero((network.access & int(Access.FOOT)) != 0)
    water = shapely.union_all(city_of().water.to_crs(4326).geometry.to_numpy())
    while len(found) < count:
        a, b = rng.choice(open_, 2)
        ends = np.array([network.vertices(int(e))[0] for e in (a, b)])
        if not APART_M[0] < np.hypot(*(ends[1] - ends[0])) < APART_M[1]:
            continue
        way = route(network, int(a), 0.0, int(b), 0.0, by="length", access=Access.FOOT)
        if way is None:
            continue
        line = (
            ends if straight else _cut_short(np.column_stack(network.plane.forward(*way.lonlat(network).T)))
        )
        if shapely.LineString(np.column_stack(network.plane.inverse(*line.T))).intersects(water):
            continue
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        at = np.arange(0.0, along[-1], max(rng.normal(*WALKED_MPS), 0.8))[: MOST_S + 1]
        if len(at) >= LEAST_S:
            found.append(_walk(*(np.interp(at, along, of) for of in line.T)))
    return found


def _cut_short(line: Array) -> Array:
    """Leave out what of a line can be cut short, the greatest saving first from where one is."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.arange(0.0, along[-1], SPACING_M)
    places = np.column_stack([np.interp(at, along, of) for of in line.T])
    kept, i = [0], 0
    while i + 1 < len(places):
        apart = np.hypot(*(places[i + 1 :] - places[i]).T)
        driven = at[i + 1 :] - at[i]
        cut = (apart < (1.0 - SAVES) * driven) & (apart > SHORT_M[0]) & (apart < SHORT_M[1])
        i += 1 + (int(np.where(cut, driven - apart, 0.0).argmax()) if cut.any() else 0)
        kept.append(i)
    return places[kept]


def score(walk: Drive, gap_s: int, model: MovementModel, turns: Turns) -> dict[str, float]:
    """Reconstruct one walk and score it at the seconds held out."""
    network = city_of().network
    found = reconstruct(network, walk.sightings(gap_s), model, turns=turns, samples=0)
    rows = []
    for second in range(EVERY_S // 2, len(walk.lon), EVERY_S):
        step = min(round(second / found.step_s), len(found.smoothed.bins) - 1)
        there, probability = found.occupancy_at(step)
        hit = np.flatnonzero(there == cells(walk.lon[second], walk.lat[second])[0])
        at = int(hit[0]) if len(hit) else -1
        inside, size = region(probability, at, 0.9)
        rows.append((region(probability, at, 0.5)[0], inside, size, probability[at] if at >= 0 else 0.0))
    in_50, in_90, sizes, chance = np.array(rows).T
    floor = SPREAD / len(np.unique(found.lattice.cells(10)[1]))
    return {
        "coverage_50": float(in_50.mean()),
        "coverage_90": float(in_90.mean()),
        "area_90_km2": float(sizes.mean()) * CELL_KM2,
        "log_score": float(np.log((1.0 - SPREAD) * chance + floor).mean()),
    }


#: Of a cell of resolution 10, in the mean.
CELL_KM2 = 0.0150


def beside(walk: Drive) -> float:
    """Share of seconds far from all roads."""
    network = city_of().network
    roads = [network.vertices(e) for e in np.flatnonzero((network.access & int(Access.FOOT)) != 0).tolist()]
    tree = shapely.STRtree([shapely.LineString(line) for line in roads])
    places = shapely.points(np.column_stack(network.plane.forward(walk.lon, walk.lat)))
    near = tree.query(places, predicate="dwithin", distance=BESIDE_M)[0]
    return 1.0 - len(np.unique(near)) / len(walk.lon)


def measure(walks: Sequence[Drive], name: str, gap_s: int, turns: Turns) -> dict[str, Any]:
    """Score all of a group with and without the open ground."""
    walker = MovementModel.of("foot")
    models = {"roads_alone": replace(walker, off_road=None), "with_ground": walker}
    told: dict[str, Any] = {"gap": gap_s, "group": name, "walkers": len(walks)}
    told["beside"] = round(float(np.mean([beside(walk) for walk in walks])), 3)
    for which, model in models.items():
        each = progress(walks, f"{name}, {gap_s} s", console=Console(stderr=True), transient=True)
        rows = [score(walk, gap_s, model, turns) for walk in each]
        told[which] = {key: round(float(np.mean([row[key] for row in rows])), 4) for key in rows[0]}
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1, help="how often other people")
    parser.add_argument("--walkers", type=int, default=8, help="people in each group")
    parser.add_argument("--gap", default="300", help="seconds between sightings, separated by commas")
    parser.add_argument("--json", type=Path, help="file to write; without it only printed")
    args = parser.parse_args(arguments)
    try:
        gaps = [int(text) for text in args.gap.split(",")]
    except ValueError:
        parser.error(f"--gap {args.gap!r}: write whole seconds separated by commas, like 300,600")
    seeds = range(1, args.seeds + 1)
    groups = {
        "roads": [walk for seed in seeds for walk in officers(seed, args.walkers)],
        "short cuts": [w for seed in seeds for w in invented(seed, args.walkers, straight=False)],
        "straight": [w for seed in seeds for w in invented(seed, args.walkers, straight=True)],
    }
    turns = Turns.of(city_of().network, Access.FOOT)
    text = json.dumps(
        [measure(walks, name, gap, turns) for gap in gaps for name, walks in groups.items() if walks],
        indent=2,
    )
    if args.json is not None:
        args.json.write_text(text + "\n", encoding="ascii")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
