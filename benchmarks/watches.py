"""What cameras that did not see a car tell about where it was, on drives of the sample city.

``python -m benchmarks.watches --seeds 4 --json OUT.json``

For each seed people live for an hour in the old centre (``sample_data/small``), or with ``--city
OUT/city.gpkg`` in the city that ``geo-policing sample-city OUT`` wrote, each by a taste of their own for
roads and turns that the reconstruction knows nothing of. Every car that is on the road for ten minutes or
more is taken, for twenty at most: one place each ``--gap`` seconds and the last are sightings of 20 m
accuracy, every tenth second of the others is held out. A camera sees who passes with the probability
``--detection``; those that did not see the car in all that time are given as watches in vain of their edge.
Those that saw it are not told of, so that watches alone make the difference.

coverage_50, coverage_90  share of seconds in the smallest region of so much probability; the cell at its edge
                          counts with the part of it that is needed
log_score                 mean logarithm of the probability of the true cell (H3, resolution 10), in nats; a
                          thousandth of the probability is spread evenly over the cells within reach
gain                      log score with watches less that without; gain_error the standard error of its mean
worst, best               gain of the car with the least and the most
worse                     share of cars whose log score is less with watches by more than 0.02 nats
missed                    cameras that the car passed unseen, given as watches like the others, a car
seconds                   of processor in `reconstruct`, a car, without and with watches, kernels compiled
peak_mb                   most memory that the process had until then, the people of the city included

All others are means over cars.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from geo_policing_sample_city.city import City
from geo_policing_sample_city.fleet import enlist, make_world, move
from geo_policing_sample_city.theft import cameras_of
from geo_policing_sample_city.traffic import Movement
from geo_policing_sample_city.ways import Ways
from geo_policing_sample_city.write import LAYERS
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track as progress

from benchmarks._shortest_way import ACCURACY_M
from benchmarks.reconstruction import SPREAD, region
from geo_policing.geodesy import cells
from geo_policing.model import DeviceKind, Sighting, Watch
from geo_policing.roads import Access
from geo_policing.roads.gis import read_gis
from geo_policing.tracks import MovementModel, Reconstruction, reconstruct
from geo_policing.tracks.turns import Turns

SMALL = Path(__file__).parents[1] / "sample_data" / "small" / "old-centre.gpkg"
START = datetime(2026, 3, 1, 23, tzinfo=UTC)
HOUR, LIFE_S = 7.0, 3600
CARS = {DeviceKind.PATROL_CAR, DeviceKind.TAXI, DeviceKind.PRIVATE_CAR}
#: How long a drive is at least and at most, and every how many seconds of it are held out.
LEAST_S, MOST_S, EVERY_S = 600, 1200, 10
RADIUS_M = 30.0


@dataclass(frozen=True, eq=False)
class Drive:
    """One car on the road: where it was each second, and the cameras that did not see it.

    Parameters
    ----------
    city : Path
        GeoPackage of the city it drove in.
    lon, lat : (s,) float64
        Degrees, at seconds 0 to s - 1.
    watches : list of Watch
        Of cameras that did not see it.
    missed : int
        How many of them it passed.
    start : datetime
        When it set out.
    """

    city: Path
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    watches: list[Watch]
    missed: int
    start: datetime = START

    def sightings(self, gap_s: int) -> list[Sighting]:
        """One each gap and the last."""
        last = len(self.lon) - 1
        taken = [*range(0, last - gap_s // 2, gap_s), last]
        return [
            Sighting(self.start + timedelta(seconds=s), float(self.lon[s]), float(self.lat[s]), ACCURACY_M)
            for s in taken
        ]


@cache
def city_of(path: Path = SMALL) -> City:
    """Roads and shapes of a GeoPackage of `write_city`; the old centre without one."""
    network, _ = read_gis(path, layer="roads", min_piece_nodes=0)
    return City(network=network, **{layer: gpd.read_file(path, layer=layer) for layer in LAYERS})


@cache
def turns_of(path: Path = SMALL) -> Turns:
    """Of its roads, for cars."""
    return Turns.of(city_of(path).network, Access.CAR)


def drives(
    seed: int, vehicles: int, detection: float, most_s: int = MOST_S, path: Path = SMALL
) -> list[Drive]:
    """Let people live and take the cars that are on the road for long enough, each for so long at most."""
    city, moved = city_of(path), []
    world = make_world(city, HOUR, LIFE_S, seed)
    members = [member for member in enlist(4 * vehicles) if member.kind in CARS]
    members = members[:: max(len(members) // vehicles, 1)][:vehicles]
    move(members, world, seed, lambda _, movement: moved.append(movement))
    rng = np.random.default_rng([seed, 1])
    return [
        _drive(path, world.ways, movement, stretch, detection, rng)
        for movement in moved
        for stretch in _on_the_road(movement, most_s)
    ]


def _on_the_road(movement: Movement, most_s: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the longest stretch with the engine on, if it is long enough."""
    change = np.flatnonzero(np.diff(np.concatenate([[1], movement.off, [1]])))
    begin, end = change[0::2], change[1::2]
    if len(begin):
        k = int((end - begin).argmax())
        if end[k] - begin[k] >= LEAST_S:
            yield int(begin[k]), int(min(end[k], begin[k] + most_s))


def _drive(
    path: Path,
    ways: Ways,
    movement: Movement,
    stretch: tuple[int, int],
    detection: float,
    rng: np.random.Generator,
) -> Drive:
    begin, end = stretch
    city = city_of(path)
    network = city.network
    x, y = movement.x[begin:end], movement.y[begin:end]
    lon, lat = network.plane.inverse(x, y)
    edge = ways.edge[movement.way[begin:end]]
    watches, missed = [], 0
    for camera in cameras_of(city):
        (at_x,), (at_y,) = network.plane.forward(camera.lon, camera.lat)
        # Not by when the edge was entered: who parks on it, or sets out from it, may not come by.
        in_view = (edge == camera.edge) & (np.hypot(x - at_x, y - at_y) <= RADIUS_M)
        times = int((np.diff(in_view, prepend=False) & in_view).sum())
        if (rng.random(times) < detection).any():
            continue
        missed += times > 0
        watches.append(
            Watch(
                START,
                START + timedelta(seconds=end - begin),
                camera.lon,
                camera.lat,
                RADIUS_M,
                detection,
                camera.id,
                network.edge_ids[camera.edge],
            )
        )
    return Drive(path, lon, lat, watches, missed)


def score(
    drive: Drive, gap_s: int, watches: Sequence[Watch] = (), model: MovementModel | None = None
) -> dict[str, float]:
    """Reconstruct one drive and score it at the seconds held out."""
    network, turns = city_of(drive.city).network, turns_of(drive.city)
    sightings, model = drive.sightings(gap_s), model or MovementModel.of()
    began = time.process_time()
    found = reconstruct(network, sightings, model, watches=watches, turns=turns, samples=0)
    took_s = time.process_time() - began
    seconds = np.arange(EVERY_S // 2, len(drive.lon), EVERY_S)
    true = cells(drive.lon[seconds], drive.lat[seconds])
    rows = [_at(found, second, cell) for second, cell in zip(seconds.tolist(), true.tolist(), strict=True)]
    in_50, in_90, chance = np.array(rows).T
    floor = SPREAD / len(np.unique(found.lattice.cells(10)[1]))
    return {
        "coverage_50": float(in_50.mean()),
        "coverage_90": float(in_90.mean()),
        "log_score": float(np.log((1.0 - SPREAD) * chance + floor).mean()),
        "seconds": took_s,
    }


def _at(found: Reconstruction, second: int, cell: int) -> tuple[float, float, float]:
    step = min(round(second / found.step_s), len(found.smoothed.bins) - 1)
    there, probability = found.occupancy_at(step)
    hit = np.flatnonzero(there == np.uint64(cell))
    at = int(hit[0]) if len(hit) else -1
    chance = float(probability[at]) if at >= 0 else 0.0
    return region(probability, at, 0.5)[0], region(probability, at, 0.9)[0], chance


def measure(cars: Sequence[Drive], gap_s: int, per_car: bool = False) -> dict[str, Any]:
    """Score all cars with and without watches."""
    console = Console(stderr=True)
    both = [
        (score(car, gap_s), score(car, gap_s, car.watches))
        for car in progress(cars, f"{gap_s} s", console=console, transient=True)
    ]
    gain = np.array([after["log_score"] - before["log_score"] for before, after in both])
    for car, more in zip(cars, gain.tolist(), strict=True) if per_car else ():
        console.print(f"{len(car.lon)} s, {len(car.watches)} watches, missed {car.missed}, gain {more:.4f}")

    def mean(side: int) -> dict[str, float]:
        return {name: round(float(np.mean([pair[side][name] for pair in both])), 4) for name in both[0][side]}

    return {
        "gap": gap_s,
        "cars": len(cars),
        "watches": round(float(np.mean([len(car.watches) for car in cars])), 1),
        "missed": round(float(np.mean([car.missed for car in cars])), 3),
        "without": mean(0),
        "with": mean(1),
        "gain": round(float(gain.mean()), 4),
        "gain_error": round(float(gain.std(ddof=1) / len(gain) ** 0.5), 4) if len(gain) > 1 else None,
        "worst": round(float(gain.min()), 4),
        "best": round(float(gain.max()), 4),
        "worse": round(float((gain < -0.02).mean()), 4),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1, help="how many hours of other people")
    parser.add_argument("--cars", type=int, default=8, help="people with a car in each")
    parser.add_argument("--gap", default="300", help="seconds between sightings, separated by commas")
    parser.add_argument("--detection", type=float, default=0.9, help="how likely a camera sees who passes")
    parser.add_argument("--city", type=Path, default=SMALL, help="GeoPackage that sample-city wrote")
    parser.add_argument("--per-car", action="store_true", help="say the gain of each car")
    parser.add_argument("--json", type=Path, help="file to write; without it only printed")
    args = parser.parse_args(arguments)
    try:
        gaps = [int(text) for text in args.gap.split(",")]
    except ValueError:
        parser.error(f"--gap {args.gap!r}: write whole seconds separated by commas, like 300,600")
    if not args.city.is_file():
        parser.error(f"--city {args.city} is no file; make it with geo-policing sample-city OUT")
    cars = [
        car
        for seed in range(1, args.seeds + 1)
        for car in drives(seed, args.cars, args.detection, MOST_S, args.city)
    ]
    if not cars:
        parser.error(f"--cars {args.cars}: none is on the road for {LEAST_S} s; give more")
    score(cars[0], gaps[0], cars[0].watches)  # compiles the kernels
    text = json.dumps([measure(cars, gap, args.per_car) for gap in gaps], indent=2)
    if args.json is not None:
        args.json.write_text(text + "\n", encoding="ascii")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
