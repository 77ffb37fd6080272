"""How right and how fast the matcher is on real drives whose route is known.

``python -m benchmarks.matching --data DIR --sampling 1,15,60 --json OUT.json``

DIR has a folder a track with ``nodes.csv.gz`` (node, lon, lat), ``edges.csv.gz`` (edge, from_node, to_node,
length_m, arcs, wkt), ``arcs.csv.gz`` (arc, length_m, the straight parts of edges), ``fixes.csv.gz``
(t, lon, lat) and ``truth.txt``, the arcs driven. For each interval it thins the fixes, matches, writes the
predictions beside OUT and scores them. Seconds are those in the matcher, on one thread, with the networks
loaded and the kernels compiled: the median of nine passes over all tracks, after one that is not timed.

``--calibration`` prints instead, for bins of the confidence that edges of a path were given, what share of
their length was driven: on the drives the calibration was fitted on, every second one, and on the others; and
the interval in which 90 % of draws of as many of these drives have it. Then the same of what was inferred
across gaps of 1 to 5 minutes that are cut out of the drives.
"""

import argparse
import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track as progress

from benchmarks._calibration import tables
from geo_policing.matching import Match, Matcher, Piece
from geo_policing.roads.tables import read_tables

#: Real drives beside the checkout, read when no other folder is named.
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "matching" / "tracks"
#: Passes over all tracks that are timed, after one that is not.
PASSES = 9
#: An arc driven for less than this, where a stretch starts, ends or turns back, is noise of the receiver.
TOUCHED_M = 8.0


@dataclass(frozen=True, eq=False)
class Drive:
    """One network, the fixes of one drive on it, and the arcs that were really driven.

    Parameters
    ----------
    name : str
        Name of its folder.
    matcher : Matcher
        On its network.
    fixes : DataFrame
        t in seconds, lon, lat.
    arcs_of : tuple of (k,) int64
        Arcs of each edge, in order.
    arc_length_m : dict of int to float
        Their lengths.
    edge_of : dict of int to int
        The edge each arc belongs to.
    truth : list of int
        Arcs driven, in order.
    """

    name: str
    matcher: Matcher
    fixes: pd.DataFrame
    arcs_of: tuple[NDArray[np.int64], ...]
    arc_length_m: dict[int, float]
    edge_of: dict[int, int]
    truth: list[int]

    @classmethod
    def read(cls, folder: Path) -> "Drive":
        """Read the folder of a track."""
        edges = pd.read_csv(folder / "edges.csv.gz", usecols=["edge", "arcs"], dtype={"arcs": str})
        arcs = pd.read_csv(folder / "arcs.csv.gz", usecols=["arc", "length_m"])
        arcs_of = tuple(np.array(text.split(), np.int64) for text in edges["arcs"])
        return cls(
            name=folder.name,
            matcher=Matcher(read_tables(folder / "nodes.csv.gz", folder / "edges.csv.gz")),
            fixes=pd.read_csv(folder / "fixes.csv.gz", usecols=["t", "lon", "lat"]),
            arcs_of=arcs_of,
            arc_length_m=dict(zip(arcs["arc"].tolist(), arcs["length_m"].tolist(), strict=True)),
            edge_of={arc: edge for edge, of_edge in enumerate(arcs_of) for arc in of_edge.tolist()},
            truth=[int(arc) for arc in (folder / "truth.txt").read_text(encoding="ascii").split()],
        )

    def sampled(self, every_s: float) -> pd.DataFrame:
        """Return the first fix, each first one every_s or more after the last taken, and the last."""
        taken, t = [0], self.fixes["t"].to_numpy()
        for i in range(1, len(t)):
            if t[i] - t[taken[-1]] >= every_s:
                taken.append(i)
        return self.fixes.iloc[sorted({*taken, len(t) - 1})]

    def driven(self, match: Match) -> Iterator[list[int]]:
        """Yield the arcs of each connected stretch of a match.

        An arc that is entered or left within, where a stretch starts, ends or turns back, is there if more
        than ``TOUCHED_M`` of it was driven: less than that is noise.
        """
        parts: list[tuple[int, float, float]] = []
        before: Piece | None = None
        for piece in match.pieces:
            ends = [*self.matcher.network.length_m[piece.edges[:-1]].tolist(), piece.end_m]
            mine = list(
                zip(piece.edges.tolist(), [piece.start_m] + [0.0] * (len(ends) - 1), ends, strict=True)
            )
            if (
                before is not None
                and (before.edges[-1], before.end_m) == (mine[0][0], mine[0][1])
                and not piece.turned_back
            ):
                edge, start_m, _ = parts.pop()
                mine[0] = (edge, start_m, mine[0][2])
            elif before is not None and not piece.turned_back:
                yield [arc for part in parts for arc in self.arcs_on(*part)] or self._arc_at(*parts[0])
                parts = []
            parts += mine
            before = piece
        if parts:
            yield [arc for part in parts for arc in self.arcs_on(*part)] or self._arc_at(*parts[0])

    def arcs_on(self, edge: int, start_m: float, end_m: float) -> list[int]:
        """Arcs of an edge driven from one place on it to another."""
        arcs = self.arcs_of[edge].tolist()
        length_m = [self.arc_length_m[arc] for arc in arcs]
        scale = sum(length_m) / float(self.matcher.network.length_m[edge])
        start, end, found, at = start_m * scale, end_m * scale, [], 0.0
        for arc, length in zip(arcs, length_m, strict=True):
            driven = min(end, at + length) - max(start, at)
            if driven >= min(TOUCHED_M, 0.999 * length):
                found.append(arc)
            at += length
        return found

    def _arc_at(self, edge: int, start_m: float, _: float) -> list[int]:
        """Return the one arc of a stretch that is hardly more than a point."""
        ends = np.cumsum([self.arc_length_m[arc] for arc in self.arcs_of[edge].tolist()])
        share = start_m / float(self.matcher.network.length_m[edge])
        return [int(self.arcs_of[edge][min(int(np.searchsorted(ends, share * ends[-1])), len(ends) - 1)])]


@dataclass(frozen=True, slots=True)
class Score:
    """Lengths in metres and numbers of edges, right, added and missed."""

    truth_m: float
    added_m: float
    missed_m: float
    right: int
    added: int
    missed: int

    @classmethod
    def of(cls, drive: Drive, arcs: Sequence[int]) -> "Score":
        """Compare the arcs predicted with those driven, each as often as it is there."""
        length_m = drive.arc_length_m
        ours, theirs = Counter(arcs), Counter(drive.truth)
        edges, driven = (
            Counter(e for e, _ in groupby(drive.edge_of[a] for a in r)) for r in (arcs, drive.truth)
        )
        return cls(
            truth_m=sum(length_m[a] * n for a, n in theirs.items()),
            added_m=sum(length_m[a] * n for a, n in (ours - theirs).items()),
            missed_m=sum(length_m[a] * n for a, n in (theirs - ours).items()),
            right=(edges & driven).total(),
            added=(edges - driven).total(),
            missed=(driven - edges).total(),
        )


def measure(drives: Sequence[Drive], every_s: float, predictions: Path | None) -> dict[str, float]:
    """Match and score all drives at one interval, and write what was predicted."""
    scores, rows, empty = [], [], 0
    traces = [drive.sampled(every_s)[["t", "lon", "lat"]].to_numpy().T for drive in drives]
    passes = []
    # Nothing draws a bar meanwhile: it would take time from what is timed.
    for _ in range(1 + PASSES):
        start = time.perf_counter()
        matches = [drive.matcher.match(*trace) for drive, trace in zip(drives, traces, strict=True)]
        passes.append(time.perf_counter() - start)
    seconds, fixes = median(passes[1:]), sum(trace.shape[1] for trace in traces)
    for drive, match in zip(drives, matches, strict=True):
        stretches = list(drive.driven(match))
        empty += not stretches
        rows += [(drive.name, " ".join(map(str, arcs))) for arcs in stretches]
        scores.append(Score.of(drive, [arc for arcs in stretches for arc in arcs]))
    if predictions is not None:
        with predictions.open("w", newline="", encoding="ascii") as out:
            csv.writer(out).writerows([("track", "arcs"), *rows])
    return {
        "sampling": every_s,
        "RMF": round(sum(s.added_m + s.missed_m for s in scores) / sum(s.truth_m for s in scores), 4),
        "F1": round(
            2 * sum(s.right for s in scores) / sum(2 * s.right + s.added + s.missed for s in scores), 4
        ),
        "empty": empty,
        "fixes": fixes,
        "seconds": round(seconds, 3),
        "fixes_per_second": round(fixes / seconds),
        "table_bytes": max(drive.matcher.table_bytes for drive in drives),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of tracks; without it, the one beside the checkout")
    parser.add_argument("--sampling", default="1,15,60", help="seconds between fixes, separated by commas")
    parser.add_argument(
        "--calibration", action="store_true", help="print how right edges of each confidence are"
    )
    parser.add_argument("--only", help="names of tracks, separated by commas")
    parser.add_argument(
        "--json", type=Path, help="file to write; without it nothing is written, only printed"
    )
    args = parser.parse_args(arguments)
    try:
        intervals = [float(text) for text in args.sampling.split(",")]
    except ValueError:
        parser.error(f"--sampling {args.sampling!r}: write seconds separated by commas, like 1,15,60")
    data = args.data or BESIDE
    if not data.is_dir() and args.data is None:
        print(
            "benchmarks.matching: no real drives beside the checkout; name a folder with --data",
            file=sys.stderr,
        )
        return 0
    data = data / "tracks" if (data / "tracks").is_dir() else data
    wanted = set(args.only.split(",")) if args.only else None
    folders = sorted(f.parent for f in data.glob("*/truth.txt") if wanted is None or f.parent.name in wanted)
    if not folders:
        parser.error(f"--data {data}: no folder in it has a truth.txt")
    console = Console(stderr=True)
    drives = [Drive.read(f) for f in progress(folders, "reading", console=console, transient=True)]
    if args.calibration:
        print(tables(drives, intervals))
        return 0
    found = []
    for every_s in intervals:
        beside = None if args.json is None else args.json.with_name(f"{args.json.stem}-{every_s:g}s.csv")
        found.append(measure(drives, every_s, beside))
    text = json.dumps(found, indent=2)
    if args.json is not None:
        args.json.write_text(text + "\n", encoding="ascii")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
