"""How fast the online matcher is, and how far it agrees with the matcher of whole traces.

``python -m benchmarks.online_matching --data DIR --lag 10 --fixes 5 --devices 20000 --seconds 60``

DIR is as in `benchmarks.matching`. Agreement: each drive, at 1 s, is fed fix by fix; its final places are
joined to a path, and so are those of the whole trace, before gaps are looked for. Agreed is the length of the
edges that both have, as often as both have them, over that of the longer path. Speed: many devices drive the
drive with the largest network, each from another fix on, one call of ``feed`` a second, on one thread.
"""

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.matching import BESIDE
from geo_policing.kernels import path_joining
from geo_policing.kernels.trace_matching import match_trace
from geo_policing.matching import Matcher, OnlineMatcher
from geo_policing.roads.tables import read_tables

#: What a path is joined from.
COLUMNS = ("edge", "offset_m", "how")
#: Calls before the clock runs.
WARM = 20


def read(folder: Path) -> tuple[Matcher, pd.DataFrame]:
    """Read the network and the fixes, t in seconds, lon, lat, of a drive."""
    network = read_tables(folder / "nodes.csv.gz", folder / "edges.csv.gz")
    return Matcher(network), pd.read_csv(folder / "fixes.csv.gz", usecols=["t", "lon", "lat"])


def agreement(
    matcher: Matcher, fixes: pd.DataFrame, lag_s: float, lag_fixes: int, *, every: int = 1
) -> tuple[float, float]:
    """Return the metres that both paths of one drive have, and the metres of the longer one.

    Of its fixes each `every`-th is taken.
    """
    t, lon, lat = (fixes[column].to_numpy()[::every] for column in ("t", "lon", "lat"))
    x, y = matcher.network.plane.forward(lon, lat)
    unknown, graph = np.full(len(t), np.nan), matcher.graph
    whole = match_trace(
        *(t.astype(float), x, y, unknown, unknown, unknown),
        *(graph.grid, graph.shapes, graph.ways, graph.travel_s, graph.table),
        *(matcher.parameters.reading, matcher.parameters.model, False),
    )
    batch = _path(matcher, whole.edge, whole.offset_m, whole.how)
    online = OnlineMatcher(matcher, 1, lag_s=lag_s, lag_fixes=lag_fixes)
    parts = [online.feed([0], t[i : i + 1], lon[i : i + 1], lat[i : i + 1]) for i in range(len(t))]
    parts.append(online.finish([0]))
    edge, offset_m, how = (np.concatenate([getattr(p, name) for p in parts]) for name in COLUMNS)
    kept = edge >= 0
    fed = _path(matcher, edge[kept], offset_m[kept], how[kept])
    length_m = matcher.network.length_m
    both, one, other = (
        sum(float(length_m[e]) * times for e, times in path.items()) for path in (batch & fed, batch, fed)
    )
    return both, max(one, other)


def _path(
    matcher: Matcher, edge: NDArray[np.int32], offset_m: NDArray[np.float64], how: NDArray[np.int8]
) -> Counter[int]:
    """Edges of the path over some places, and how often each is there."""
    new = np.zeros(len(edge), np.bool_)
    path = path_joining.join(edge, offset_m, how, new, matcher.graph.ways, matcher.graph.table)[0]
    return Counter(path.tolist())


def speed(
    matcher: Matcher, fixes: pd.DataFrame, devices: int, seconds: int, lag_s: float, lag_fixes: int
) -> dict[str, float]:
    """Feed a fix of each device a second, each on the same drive from another fix on."""
    lon, lat = fixes["lon"].to_numpy(), fixes["lat"].to_numpy()
    online = OnlineMatcher(matcher, devices, lag_s=lag_s, lag_fixes=lag_fixes)
    who = np.arange(devices)
    start_at = np.random.default_rng(7).integers(0, max(1, len(lon) - seconds - WARM), devices)
    taken: list[float] = []
    finals = 0
    for second in range(seconds + WARM):
        at = (start_at + second) % len(lon)
        now = np.full(devices, float(second))
        begin = time.perf_counter()
        final = online.feed(who, now, lon[at], lat[at])
        if second >= WARM:
            taken.append(time.perf_counter() - begin)
            finals += len(final.fix)
    return {
        "devices": devices,
        "fixes": devices * seconds,
        "fixes_per_second": round(devices * seconds / sum(taken)),
        "slowest_call_s": round(max(taken), 3),
        "finals": finals,
        "state_bytes": online.state_bytes,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of tracks; without it, the one beside the checkout")
    parser.add_argument("--only", help="names of tracks, separated by commas")
    parser.add_argument("--lag", type=float, default=10.0, help="seconds a place may wait")
    parser.add_argument("--fixes", type=int, default=5, help="later fixes used that a place may wait for")
    parser.add_argument("--devices", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=60)
    args = parser.parse_args(arguments)
    data = args.data or BESIDE
    if not data.is_dir():
        print(
            f"benchmarks.online_matching: no real drives in {data}; name a folder with --data",
            file=sys.stderr,
        )
        return 0 if args.data is None else 2
    data = data / "tracks" if (data / "tracks").is_dir() else data
    wanted = set(args.only.split(",")) if args.only else None
    folders = sorted(f.parent for f in data.glob("*/truth.txt") if wanted is None or f.parent.name in wanted)
    if not folders:
        parser.error(f"--data {data}: no folder in it has a truth.txt")
    both = longer = 0.0
    worst, largest = (math.inf, ""), None
    for folder in folders:
        matcher, fixes = read(folder)
        metres, of = agreement(matcher, fixes, args.lag, args.fixes)
        both, longer, worst = both + metres, longer + of, min(worst, (metres / of, folder.name))
        if largest is None or matcher.network.n_edges > largest[0].network.n_edges:
            largest = matcher, fixes
    found: dict[str, object] = {
        "lag_s": args.lag,
        "lag_fixes": args.fixes,
        "agreement": round(both / longer, 4),
        "worst": [worst[1], round(worst[0], 4)],
    }
    if largest is not None:
        found |= speed(*largest, args.devices, args.seconds, args.lag, args.fixes)
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
