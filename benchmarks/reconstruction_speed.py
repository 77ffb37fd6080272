"""How long a reconstruction takes, how much memory, and what that grows with.

``python -m benchmarks.reconstruction_speed --json OUT.json``

The theft: the six sightings of the sample city's theft, 20,000 edges, as they were and with their times
stretched to three hours, each with the probabilities of the file and as if all were sure. ``--city`` is a
folder that `geo-policing sample-city` has written; without it one is made.

Growth: six sightings about a kilometre apart in the middle of invented cities of some sizes (those of
`benchmarks.matching_scale`), a fifth of the window between two of them. Windows and cities grow by factors.

Each is measured in a process of its own, with the kernels compiled and the roads read, in ``--workers``
threads. ``cpu_seconds`` is processor time, ``seconds`` by the clock, both of `reconstruct` alone, the median
of ``--samples`` times; ``most_memory_mb`` is the most that the process has had in memory, ``before_mb`` what
it had with the roads and their turns read. ``states`` counts the bins that carry probability, over all steps:
the spread; ``bins`` those that roads within reach are cut into, whether they carry any or not.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.matching_scale import city
from geo_policing.model import Sighting
from geo_policing.roads import RoadNetwork
from geo_policing.tracks import MovementModel, reconstruct
from geo_policing.tracks.turns import Turns

START = datetime(2026, 3, 2, 7, tzinfo=UTC)
THREE_HOURS_S = 10800.0
#: Metres east and north of the middle of the city.
PLACES_M = ((-1500, -400), (-700, 300), (100, -300), (900, 300), (700, 1100), (-200, 900))
ACCURACY_M = 20.0


def theft(case: dict[str, Any], span_s: float | None = None, *, sure: bool = False) -> list[Sighting]:
    """Sightings of a theft, from the first to the last in so many seconds; as they were for None."""
    seen = case["sightings"]
    times = [datetime.fromisoformat(one["time"]) for one in seen]
    stretch = 1.0 if span_s is None else span_s / (times[-1] - times[0]).total_seconds()
    return [
        Sighting(
            times[0] + (at - times[0]) * stretch,
            one["lon"],
            one["lat"],
            ACCURACY_M,
            edge=one["edge_id"],
            probability=1.0 if sure else one["confidence"],
        )
        for one, at in zip(seen, times, strict=True)
    ]


def through_the_middle(network: RoadNetwork, minutes: float) -> list[Sighting]:
    """Sightings in the middle of a city, evenly over so many minutes."""
    x0, y0 = network.node_x.mean(), network.node_y.mean()
    found = []
    for k, (east, north) in enumerate(PLACES_M):
        node = int(np.hypot(network.node_x - x0 - east, network.node_y - y0 - north).argmin())
        lon, lat = network.plane.inverse(network.node_x[node : node + 1], network.node_y[node : node + 1])
        at = START + timedelta(minutes=minutes * k / (len(PLACES_M) - 1))
        found.append(Sighting(at, float(lon[0]), float(lat[0]), ACCURACY_M))
    return found


def measure(roads: Path, sightings: Sequence[Sighting], workers: int, samples: int = 1) -> dict[str, float]:
    """Reconstruct some times, in this process, after kernels are compiled."""
    network = RoadNetwork.load(roads)
    model = MovementModel.of("car")
    turns = Turns.of(network, model.access)
    _compile(network, sightings[0], turns)
    before_mb = _most_mb()
    passes = []
    for _ in range(samples):
        start, cpu = time.perf_counter(), time.process_time()
        found = reconstruct(network, sightings, model, turns=turns, workers=workers)
        passes.append((time.perf_counter() - start, time.process_time() - cpu))
        step_s, bins, states = found.step_s, len(found.lattice), sum(map(len, found.smoothed.bins))
        del found  # the next one has its memory
    seconds, cpu_seconds = (median(column) for column in zip(*passes, strict=True))
    return {
        "edges": network.n_edges,
        "minutes": round((sightings[-1].time - sightings[0].time).total_seconds() / 60.0, 2),
        "sure": sum(one.probability == 1.0 for one in sightings),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "most_memory_mb": round(_most_mb()),
        "before_mb": round(before_mb),
        "step_s": step_s,
        "bins": bins,
        "states": states,
    }


def _compile(network: RoadNetwork, first: Sighting, turns: Turns) -> None:
    """Ask for an hour at one place, doubtful in the middle, in which every kernel and both gears are used."""
    later = [
        replace(first, time=first.time + timedelta(seconds=seconds), probability=probability)
        for seconds, probability in ((900, 0.5), (1800, 1.0))
    ]
    near = [replace(one, edge="", accuracy_m=30.0) for one in (replace(first, probability=1.0), *later)]
    model = replace(MovementModel.of("car"), prune=1e-3)
    reconstruct(network, near, model, turns=turns, samples=2, workers=1)


def _most_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def alone(work: Callable[..., Any], *given: Any) -> Any:
    """Do it in a process of its own, so that its memory is its own as well."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, given)


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",") if part]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--city", type=Path, help="folder with city.roads and theft.json; else one is made")
    parser.add_argument(
        "--edges", default="20000,200000", help="sizes of invented cities, by commas, or none"
    )
    parser.add_argument("--minutes", default="15,30,60", help="windows in them, by commas")
    parser.add_argument("--workers", type=int, default=1, help="threads")
    parser.add_argument("--samples", type=int, default=1, help="times each is measured")
    parser.add_argument("--json", type=Path, help="file to write as well")
    args = parser.parse_args(arguments)
    if args.samples < 1:
        parser.error(f"--samples {args.samples}: measure at least once")
    how = (args.workers, args.samples)
    console = Console(stderr=True)
    found: dict[str, list[dict[str, Any]]] = {"theft": [], "growth": []}
    with tempfile.TemporaryDirectory() as folder:
        at = args.city or Path(folder)
        if args.city is None:
            from geo_policing_sample_city.simulate import make_sample_city

            make_sample_city(at, 7, 300, 2.0)
        case = json.loads((at / "theft.json").read_text(encoding="utf-8"))
        for span_s in (None, THREE_HOURS_S):
            for sure in (True, False):
                row = alone(measure, at / "city.roads", theft(case, span_s, sure=sure), *how)
                console.print(row)
                found["theft"].append(row)
        for edges in _numbers(args.edges):
            roads = Path(folder) / f"{edges:g}.roads"
            network = city(round(edges))
            network.save(roads)
            for minutes in _numbers(args.minutes):
                row = alone(measure, roads, through_the_middle(network, minutes), *how)
                console.print(row)
                found["growth"].append(row)
    text = json.dumps(found, indent=2)
    if args.json is not None:
        args.json.write_text(text + "\n", encoding="ascii")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
