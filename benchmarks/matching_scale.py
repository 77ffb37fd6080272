"""How the matcher grows with the city, and what a second thread gains.

``python -m benchmarks.matching_scale --edges 20000,200000 --workers 1,2 --json OUT.json``

For each size it invents a city (a grid of streets of about 150 m, its crossings moved by noise, three streets
in ten left out), saves it, makes a matcher on the file (which makes the table and keeps it), another one that
finds it, drives random ways through it and matches them, several rounds. In each round each number of threads
has its turn, from the first trace to the last match. Fixes a second are those of the median and of the best
turn, by the clock, with the kernels compiled; ``times_first`` is how many times as fast it was as with the
first of the numbers in the same round, in the median and at best. Where others use the machine too, the clock
says little: ``fixes_per_cpu_second`` is by the processor time of all threads together. If a CPU second does
as much with two threads as with one, and neither waits for the other, two reach twice one on two free cores.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geo_policing.geodesy import LocalPlane
from geo_policing.matching import Match, Matcher, match_many
from geo_policing.roads import RoadNetwork

Array = NDArray[np.float64]

BLOCK_M, NOISE_M, LEFT_OUT = 150.0, 25.0, 0.3
SPEED_MPS, ERROR_M = 10.0, 5.0
ROUNDS = 21


def city(n_edges: int, seed: int = 7) -> RoadNetwork:
    """Invent a city of about as many directed edges."""
    rng = np.random.default_rng(seed)
    side = round((n_edges / (4.0 * (1.0 - LEFT_OUT))) ** 0.5)
    plane = LocalPlane.around(113.13, 27.83)
    crossing = np.arange(side * side)
    at = np.column_stack([crossing % side, crossing // side]) * BLOCK_M
    at += rng.normal(0.0, NOISE_M, at.shape)
    east, north = crossing[crossing % side < side - 1], crossing[: side * (side - 1)]
    streets = np.concatenate([np.column_stack([east, east + 1]), np.column_stack([north, north + side])])
    streets = streets[rng.random(len(streets)) >= LEFT_OUT]
    ends = np.concatenate([streets, streets[:, ::-1]])
    # A street bends in its middle, both ways alike.
    bend = at[streets].mean(axis=1) + rng.normal(0.0, NOISE_M / 3.0, streets.shape)
    middle = np.concatenate([bend, bend])
    lon, lat = plane.inverse(
        np.concatenate([at[ends[:, 0], 0], middle[:, 0], at[ends[:, 1], 0]]),
        np.concatenate([at[ends[:, 0], 1], middle[:, 1], at[ends[:, 1], 1]]),
    )
    lines = np.stack([lon, lat], axis=1).reshape(3, len(ends), 2).transpose(1, 0, 2)
    node_lon, node_lat = plane.inverse(at[:, 0], at[:, 1])
    return RoadNetwork.build(
        node_lon=node_lon,
        node_lat=node_lat,
        edge_id=[str(e) for e in range(len(ends))],
        from_node=ends[:, 0].astype(np.int32),
        to_node=ends[:, 1].astype(np.int32),
        geometry_lonlat=list(lines),
        speed_mps=np.full(len(ends), SPEED_MPS, np.float32),
        plane=plane,
    )


def drives(network: RoadNetwork, count: int, every_s: float, seed: int = 3) -> list[dict[str, Array]]:
    """Drive ways of 150 edges, turning at random and back only at dead ends."""
    rng = np.random.default_rng(seed)
    found: list[dict[str, Array]] = []
    while len(found) < count:
        edge = int(rng.integers(network.n_edges))
        way = [edge]
        while len(way) < 150:
            v = network.to_node[edge]
            out = network.out_edge[network.out_offset[v] : network.out_offset[v + 1]]
            onward = out[out != network.reverse[edge]]
            edge = int(rng.choice(onward if len(onward) else out))
            way.append(edge)
        xy = np.concatenate([network.vertices(e) for e in way])
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
        driven = np.arange(0.0, along[-1], SPEED_MPS * every_s)
        x, y = (np.interp(driven, along, column) for column in xy.T)
        x, y = x + rng.normal(0.0, ERROR_M, len(x)), y + rng.normal(0.0, ERROR_M, len(y))
        lon, lat = network.plane.inverse(x, y)
        found.append({"t_s": driven / SPEED_MPS, "lon": lon, "lat": lat})
    return found


def measure(
    roads: Path, n_edges: int, tracks: int, every_s: float, workers: Sequence[int]
) -> dict[str, object]:
    """Make, find, match."""
    city(n_edges).save(roads)
    network = RoadNetwork.load(roads)
    seconds, cpu_seconds, matcher = _timed(network)
    found_seconds, _, matcher = _timed(network)
    traces = drives(network, tracks, every_s)
    for trace in traces[:5]:
        matcher.match(trace["t_s"], trace["lon"], trace["lat"])
    fixes = sum(len(trace["t_s"]) for trace in traces)
    row: dict[str, object] = {
        "edges": network.n_edges,
        "nodes": network.n_nodes,
        "network_bytes": roads.stat().st_size,
        "table_bytes": matcher.table_bytes,
        "matcher_seconds": round(seconds, 2),
        "matcher_cpu_seconds": round(cpu_seconds, 2),
        "matcher_seconds_with_kept_table": round(found_seconds, 2),
        "every_s": every_s,
        "tracks": tracks,
        "fixes": fixes,
        "most_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    row["with_workers"] = _match_all(matcher, traces, workers, fixes)
    return row


def _timed(network: RoadNetwork) -> tuple[float, float, Matcher]:
    start, cpu = time.perf_counter(), time.process_time()
    matcher = Matcher(network)
    return time.perf_counter() - start, time.process_time() - cpu, matcher


def _match_all(
    matcher: Matcher, traces: Sequence[Mapping[str, Array]], workers: Sequence[int], fixes: int
) -> dict[int, dict[str, float]]:
    """Match the traces in rounds, with each number of threads in turn; the first round does not count."""
    seconds, cpu = np.zeros((ROUNDS + 1, len(workers))), np.zeros((ROUNDS + 1, len(workers)))
    empty = np.zeros(len(workers), int)
    for turn, k in np.ndindex(seconds.shape):
        start, own = time.perf_counter(), time.process_time()
        found = match_many(matcher, traces, workers=workers[k])
        empty[k] = sum(not (isinstance(one, Match) and one.pieces) for one in found)
        seconds[turn, k] = time.perf_counter() - start
        cpu[turn, k] = time.process_time() - own
    seconds, cpu = seconds[1:], cpu[1:]
    times = seconds[:, :1] / seconds
    return {
        n: {
            "fixes_per_second": round(fixes / float(np.median(seconds[:, k]))),
            "fixes_per_second_best": round(fixes / float(seconds[:, k].min())),
            "times_first": round(float(np.median(times[:, k])), 2),
            "times_first_best": round(float(times[:, k].max()), 2),
            "fixes_per_cpu_second": round(fixes / float(np.median(cpu[:, k]))),
            "empty": int(empty[k]),
        }
        for k, n in enumerate(workers)
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edges", default="20000,200000", help="sizes of cities, separated by commas")
    parser.add_argument("--workers", default="1,2", help="numbers of threads, separated by commas")
    parser.add_argument("--tracks", type=int, default=1000, help="drives")
    parser.add_argument("--every", type=float, default=15.0, help="seconds between fixes")
    parser.add_argument("--json", type=Path, help="file to write as well")
    args = parser.parse_args(arguments)
    sizes, workers = ([int(text) for text in given.split(",")] for given in (args.edges, args.workers))
    with tempfile.TemporaryDirectory() as folder:
        # What is compiled or read from the cache of kernels is not part of what making a matcher takes.
        Matcher(city(500))
        found = [
            measure(Path(folder) / f"{size}.roads", size, args.tracks, args.every, workers) for size in sizes
        ]
    text = json.dumps(found, indent=2)
    if args.json is not None:
        args.json.write_text(text + "\n", encoding="ascii")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
