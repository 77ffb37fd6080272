"""How right a reconstruction from a few sightings is on real drives whose route is known.

``python -m benchmarks.reconstruction --data DIR --gap 120,300,600 --json OUT.json``

DIR is laid out as for `benchmarks.matching`. For each gap, in seconds, of each track the first fix, each
first one a gap or more after the last taken, and the last are sightings of 20 m accuracy; all other fixes are
held out. Scored are the H3 cells (resolution 10) of the fixes held out, and the arcs of the route.

coverage_50, coverage_90  share of fixes in the smallest region of so much probability; the cell at its edge
                          counts with the part of it that is needed
area_90_km2               mean over tracks of the median area of the 90 % region
log_score                 mean logarithm of the probability of the fix's cell, in nats; a thousandth of the
                          probability is spread evenly over the cells of the prism, here and for the baseline
log_score_gain            that, less the score of the shortest way at constant speed, with a normal
                          distribution along it whose width (as a share of the way, largest in the middle)
                          is fitted to all tracks
path_f1                   of the arcs of the best path, weighted by length: metres of all tracks together, so
                          that a long track counts for more; shortest_path_f1 of the shortest way
path_f1_mean              the same as a mean over tracks; shortest_path_f1_mean of the shortest way
prism_ratio               area of the 90 % region over that of the cells that 33 m/s reaches in time
seconds                   in `reconstruct`, a track, on one thread, with the kernels compiled

All others are means over tracks. ``--half shown`` takes only every other track, those that nothing was
learned on.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from h3.api import basic_int as h3
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track as progress

from benchmarks._prism import Prism
from benchmarks._shortest_way import ACCURACY_M, Way, along, joined, shortest_ways
from benchmarks.matching import BESIDE, Drive
from geo_policing.geodesy import cells
from geo_policing.model import Sighting
from geo_policing.roads import RoadNetwork
from geo_policing.tracks import MovementModel, reconstruct
from geo_policing.tracks.turns import Turns

Array = NDArray[np.float64]

#: Share of the probability that is spread over the prism before the logarithm is taken.
SPREAD = 1e-3
#: Widths tried for the baseline, as shares of the way.
WIDTHS = (0.03, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3)
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class Task:
    """One track with the fixes that are sightings.

    Parameters
    ----------
    drive : Drive
        The track.
    turns : Turns
        Of its network.
    taken : (s,) int64
        Which fixes are sightings.
    """

    drive: Drive
    turns: Turns
    taken: NDArray[np.int64]

    @property
    def network(self) -> RoadNetwork:
        """The roads."""
        return self.drive.matcher.network

    @cached_property
    def fix(self) -> tuple[Array, Array, Array]:
        """Seconds from the first fix, lon, lat."""
        table = self.drive.fixes
        t, lon, lat = (table[column].to_numpy(np.float64) for column in ("t", "lon", "lat"))
        return t - t[0], lon, lat

    @cached_property
    def sightings(self) -> list[Sighting]:
        """What is known."""
        t, lon, lat = self.fix
        return [
            Sighting(START + timedelta(seconds=float(t[i])), float(lon[i]), float(lat[i]), ACCURACY_M)
            for i in self.taken
        ]

    @cached_property
    def hidden(self) -> NDArray[np.int64]:
        """Which fixes are held out."""
        return np.setdiff1d(np.arange(len(self.fix[0])), self.taken)

    @cached_property
    def ways(self) -> list[Way] | None:
        """Shortest ways through all sightings; None where no road leads through them."""
        return shortest_ways(self.network, *(values[self.taken] for values in self.fix[1:]))


def compared(drive: Drive, edges: Sequence[int], start_m: float, end_m: float) -> Array:
    """Metres (3,) of the arcs of a route that were driven, of all its arcs, and of all that were driven."""
    arcs = [arc for edge in edges for arc in drive.arcs_of[edge].tolist()]
    if edges:
        arcs = _trimmed(drive, arcs, edges, start_m, end_m)
    ours, theirs = Counter(arcs), Counter(drive.truth)
    return np.array(
        [
            sum(drive.arc_length_m[arc] * n for arc, n in some.items())
            for some in (ours & theirs, ours, theirs)
        ]
    )


def _trimmed(drive: Drive, arcs: list[int], edges: Sequence[int], start_m: float, end_m: float) -> list[int]:
    """Leave out the arcs before the start on the first edge, and after the end on the last."""
    arcs = arcs[_arc_at(drive, edges[0], start_m) :]
    unused = len(drive.arcs_of[edges[-1]]) - 1 - _arc_at(drive, edges[-1], end_m)
    return arcs[: max(len(arcs) - unused, 1)]


def f1(metres: Array) -> Array:
    """F1 (n,) of rows (n, 3) of `compared`."""
    return np.asarray(2.0 * metres[..., 0] / (metres[..., 1] + metres[..., 2]))


def _arc_at(drive: Drive, edge: int, offset_m: float) -> int:
    ends = np.cumsum([drive.arc_length_m[arc] for arc in drive.arcs_of[edge].tolist()])
    share = offset_m / max(float(drive.matcher.network.length_m[edge]), 1e-9)
    return min(int(np.searchsorted(ends, share * ends[-1])), len(ends) - 1)


def region(probability: Array, at: int, share: float) -> tuple[float, float]:
    """Whether the cell ranked `at` (-1 none) is in the smallest region of a share, and its size in cells."""
    total = np.cumsum(probability)
    edge = min(int(np.searchsorted(total, share)), len(total) - 1)
    part = min((share - (total[edge - 1] if edge else 0.0)) / probability[edge], 1.0)
    inside = 0.0 if at < 0 else 1.0 if at < edge else float(part) if at == edge else 0.0
    return inside, edge + part


def baseline(task: Task, moments: NDArray[np.int64], cell: NDArray[np.uint64]) -> Array:
    """Probability (widths, moments) of the cell of each fix, on the shortest way at constant speed."""
    found = np.zeros((len(WIDTHS), len(moments)))
    if task.ways is None:
        return found
    places = along(task.network, task.ways)
    t, taken = task.fix[0], task.fix[0][task.taken]
    for k, i in enumerate(moments.tolist()):
        gap = int(np.clip(np.searchsorted(taken, t[i], side="right") - 1, 0, len(taken) - 2))
        at, sides = places[gap]
        share = (t[i] - taken[gap]) / (taken[gap + 1] - taken[gap])
        whole = max(task.ways[gap].length_m, 1.0)
        here = (sides == cell[k]).mean(axis=1)
        for w, width in enumerate(WIDTHS):
            sigma = ACCURACY_M + 2.0 * width * whole * np.sqrt(share * (1.0 - share))
            weight = np.exp(-0.5 * ((at - share * whole) / sigma) ** 2) + 1e-300
            found[w, k] = (weight * here).sum() / weight.sum()
    return found


def score(task: Task, model: MovementModel, every: int) -> dict[str, Any]:
    """Reconstruct one track and score it."""
    started = time.perf_counter()
    found = reconstruct(task.network, task.sightings, model, turns=task.turns, workers=1)
    best = found.best_path
    seconds = time.perf_counter() - started
    t, lon, lat = task.fix
    moments = task.hidden[::every]
    cell = cells(lon[moments], lat[moments])
    prism = Prism(found, *(values[task.taken] for values in task.fix))
    area_km2 = h3.cell_area(int(cell[0]), unit="km^2")
    rows, chances = [], []
    for k, i in enumerate(moments.tolist()):
        step = min(round(t[i] / found.step_s), len(found.smoothed.bins) - 1)
        there, probability = found.occupancy_at(step)
        hit = np.flatnonzero(there == cell[k])
        at = int(hit[0]) if len(hit) else -1
        in_50, _ = region(probability, at, 0.5)
        in_90, n_90 = region(probability, at, 0.9)
        reached = prism.cells(float(t[i]))
        chances.append(probability[at] if at >= 0 else 0.0)
        rows.append((in_50, in_90, n_90 * area_km2, n_90 / reached, SPREAD / reached))
    in_50s, in_90s, area, ratio, floor = np.array(rows).T
    shortest = task.ways
    return {
        "track": task.drive.name,
        "coverage_50": in_50s.mean(),
        "coverage_90": in_90s.mean(),
        "area_90_km2": np.median(area),
        "prism_ratio": np.median(ratio),
        "log_score": np.log((1.0 - SPREAD) * np.array(chances) + floor).mean(),
        "baseline": np.log((1.0 - SPREAD) * baseline(task, moments, cell) + floor).mean(axis=1),
        "path_f1": compared(task.drive, best.edges.tolist(), best.start_m, best.end_m),
        "shortest_path_f1": compared(task.drive, [], 0.0, 0.0)
        if shortest is None
        else compared(task.drive, joined(shortest), shortest[0].start_m, shortest[-1].end_m),
        "seconds": seconds,
    }


def measure(
    drives: Sequence[tuple[Drive, Turns]], gap_s: float, every: int, per_track: bool
) -> dict[str, float]:
    """Score all tracks at one gap."""
    model = MovementModel.of("any")
    rows = []
    console = Console(stderr=True)
    for drive, turns in progress(drives, f"{gap_s:g} s", console=console, transient=True):
        index = drive.sampled(gap_s).index
        rows.append(score(Task(drive, turns, drive.fixes.index.get_indexer(index)), model, every))
        if per_track:
            one = rows[-1]
            told = {
                k: round(float(f1(v) if k.endswith("path_f1") else v), 3)
                for k, v in one.items()
                if k not in ("track", "baseline")
            }
            console.print(drive.name, f"base {one['baseline'].max():.3f}", str(told), soft_wrap=True)
    metres = {name: np.array([row[name] for row in rows]) for name in ("path_f1", "shortest_path_f1")}
    mean = {
        name: float(np.mean([row[name] for row in rows]))
        for name in rows[0]
        if name not in ("track", "baseline", *metres)
    }
    gain = mean["log_score"] - float(np.mean([row["baseline"] for row in rows], axis=0).max())
    names = ("coverage_50", "coverage_90", "area_90_km2", "log_score")
    return {
        "gap": gap_s,
        **{name: round(mean[name], 4) for name in names},
        "log_score_gain": round(gain, 4),
        **{name: round(float(f1(of_all.sum(axis=0))), 4) for name, of_all in metres.items()},
        **{f"{name}_mean": round(float(f1(of_all).mean()), 4) for name, of_all in metres.items()},
        "prism_ratio": round(mean["prism_ratio"], 4),
        "seconds": round(mean["seconds"], 3),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of tracks; without it, the one beside the checkout")
    parser.add_argument("--gap", default="120,300,600", help="seconds between sightings, separated by commas")
    parser.add_argument("--only", help="names of tracks, separated by commas")
    parser.add_argument("--half", choices=("all", "learned", "shown"), default="all", help="which tracks")
    parser.add_argument("--every", type=int, default=1, help="score each so many-th fix held out")
    parser.add_argument("--per-track", action="store_true", help="say the figures of each track")
    parser.add_argument(
        "--json", type=Path, help="file to write; without it nothing is written, only printed"
    )
    args = parser.parse_args(arguments)
    try:
        gaps = [float(text) for text in args.gap.split(",")]
    except ValueError:
        parser.error(f"--gap {args.gap!r}: write seconds separated by commas, like 120,300,600")
    data = args.data or BESIDE
    data = data / "tracks" if (data / "tracks").is_dir() else data
    folders = sorted(f.parent for f in data.glob("*/truth.txt"))
    folders = {"all": folders, "learned": folders[0::2], "shown": folders[1::2]}[args.half]
    folders = [f for f in folders if args.only is None or f.name in args.only.split(",")]
    if not folders:
        parser.error(f"--data {data}: no folder in it has a truth.txt")
    console = Console(stderr=True)
    drives = []
    for folder in progress(folders, "reading", console=console, transient=True):
        drive = Drive.read(folder)
        drives.append((drive, Turns.of(drive.matcher.network)))
    for gap in gaps:  # compiles the kernels: which are needed depends on the gap
        measure(drives[:1], gap, args.every, per_track=False)
    found = [measure(drives, gap, args.every, args.per_track) for gap in gaps]
    text = json.dumps(found, indent=2)
    if args.json is not None:
        args.json.write_text(text + "\n", encoding="ascii")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
