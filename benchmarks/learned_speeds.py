"""Whether speeds learned of a city's own cars tell better where its other cars were.

``python -m benchmarks.learned_speeds --city OUT --gap 300,600 --json RESULT.json``

OUT is what ``geo-policing sample-city OUT --vehicles 300 --hours 2`` wrote. Of its cars, in the order of
their ids, every other one is history: matched, and its speeds by road class and hour counted as by
``geo-policing learn-speeds``. Of each of the others the longest stretch of ten minutes or more in which its
receiver spoke is taken, twenty minutes at most: one fix each ``--gap`` seconds and the last are sightings of
20 m accuracy, every tenth second is held out and scored as by `benchmarks.watches`, with the speeds and
without. The people of the sample city drive by tastes, lights and traffic that the reconstruction knows
nothing of.

without, with    means over cars: coverage_50, coverage_90, log_score (nats), seconds of processor
gain             log score with the speeds less that without; gain_error the standard error of its mean
worst, best      gain of the car with the least and the most
history          cars and hours that the speeds were learned of
"""

import argparse
import csv
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track as progress

from benchmarks.watches import CARS, LEAST_S, MOST_S, Drive, city_of, score
from geo_policing.ingest.nmea0183 import Decoder
from geo_policing.matching import Matcher
from geo_policing.roads import Access
from geo_policing.tracks import MovementModel, Speeds
from geo_policing.tracks.learning import Driven, learn

Array = NDArray[np.float64]

TIME_ZONE = "Asia/Shanghai"
#: A receiver that is silent for longer is off.
SILENT_S = 30.0
#: Bytes of the log in hand at once.
_BLOCK = 1 << 20


def heard(log: Path, devices: Iterable[str]) -> dict[str, tuple[Array, Array, Array]]:
    """Seconds since 1970, lon, lat of the fixes of some devices, in order of time."""
    wanted, decoder = set(devices), Decoder()
    rows: dict[str, list[tuple[float, float, float]]] = {device: [] for device in wanted}
    with log.open("rb") as lines:
        for block in iter(lambda: lines.readlines(_BLOCK), []):
            mine = b"".join(line for line in block if _source(line) in wanted)
            for fix in decoder.feed(mine):
                rows[fix.device].append((fix.time / 1e6, fix.lon, fix.lat))
    for fix in decoder.flush():
        rows[fix.device].append((fix.time / 1e6, fix.lon, fix.lat))
    found = {}
    for device, fixes in rows.items():
        if fixes:
            t, lon, lat = np.array(fixes).T
            _, first = np.unique(t, return_index=True)
            found[device] = (t[first], lon[first], lat[first])
    return found


def _source(line: bytes) -> str:
    return line[3 : line.find(b",")].decode() if line.startswith(b"\\s:") else ""


def learned(matcher: Matcher, fixes: Iterable[tuple[Array, Array, Array]]) -> Speeds:
    """Count the speeds of matched fixes, as ``geo-policing learn-speeds`` does."""
    tracks = (Driven(t, lon, lat, matcher.match(t, lon, lat)) for t, lon, lat in fixes)
    return learn(matcher.network, tracks, MovementModel.of("car"), TIME_ZONE)


def drive_of(city: Path, fixes: tuple[Array, Array, Array]) -> Drive | None:
    """Return the longest stretch in which a receiver spoke, by the second; None if it is too short."""
    t, lon, lat = fixes
    cut = np.flatnonzero(np.diff(t) > SILENT_S) + 1
    begins, ends = np.concatenate([[0], cut]), np.concatenate([cut, [len(t)]])
    k = int((t[ends - 1] - t[begins]).argmax())
    part = slice(int(begins[k]), int(ends[k]))
    seconds = np.arange(0.0, min(t[part][-1] - t[part][0], MOST_S))
    if len(seconds) < LEAST_S:
        return None
    at = t[part][0] + seconds
    start = datetime.fromtimestamp(float(t[part][0]), UTC)
    return Drive(city, np.interp(at, t[part], lon[part]), np.interp(at, t[part], lat[part]), [], 0, start)


def measure(drives: Sequence[Drive], gap_s: int, model: MovementModel) -> dict[str, Any]:
    """Score drives with a model and with that of the package."""
    console = Console(stderr=True)
    both = [
        (score(drive, gap_s), score(drive, gap_s, model=model))
        for drive in progress(drives, f"{gap_s} s", console=console, transient=True)
    ]
    gain = np.array([after["log_score"] - before["log_score"] for before, after in both])
    console.print(f"{gap_s} s: gain {gain.mean():.4f}, error {gain.std() / len(gain) ** 0.5:.4f}")

    def mean(side: int) -> dict[str, float]:
        return {name: round(float(np.mean([pair[side][name] for pair in both])), 4) for name in both[0][side]}

    return {
        "gap": gap_s,
        "cars": len(drives),
        "without": mean(0),
        "with": mean(1),
        "gain": round(float(gain.mean()), 4),
        "gain_error": round(float(gain.std(ddof=1) / len(gain) ** 0.5), 4) if len(gain) > 1 else None,
        "worst": round(float(gain.min()), 4),
        "best": round(float(gain.max()), 4),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--city", type=Path, required=True, help="folder that sample-city wrote")
    parser.add_argument("--cars", type=int, default=1000, help="so many cars of each half at most")
    parser.add_argument("--gap", default="300,600", help="seconds between sightings, separated by commas")
    parser.add_argument("--json", type=Path, help="file to write; without it only printed")
    args = parser.parse_args(arguments)
    try:
        gaps = [int(text) for text in args.gap.split(",")]
    except ValueError:
        parser.error(f"--gap {args.gap!r}: write whole seconds separated by commas, like 300,600")
    files = [args.city / name for name in ("city.gpkg", "devices.csv", "fleet.nmea")]
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        parser.error(f"--city: {missing[0]} is no file; make it with geo-policing sample-city")
    with files[1].open(encoding="utf-8", newline="") as table:
        cars = sorted(row["id"] for row in csv.DictReader(table) if row["kind"] in {k.value for k in CARS})
    halves = [cars[side::2] for side in (0, 1)]
    history, others = ([*_spread(half, args.cars)] for half in halves)
    fixes = heard(files[2], [*history, *others])
    matcher = Matcher(city_of(files[0]).network, access=Access.CAR)
    console = Console(stderr=True)
    known = [fixes[car] for car in history if car in fixes]
    speeds = learned(matcher, progress(known, "learning", console=console, transient=True))
    drives = [drive_of(files[0], fixes[car]) for car in others if car in fixes]
    shown = [drive for drive in drives if drive is not None]
    if not shown:
        parser.error(
            f"--city {args.city}: no car is on the road for {LEAST_S} s; give more vehicles or hours"
        )
    model = MovementModel.of("car", speeds)
    score(shown[0], gaps[0], model=model)  # compiles the kernels
    hours = sum(seconds for (_, hour), seconds in speeds.seconds.items() if hour is None) / 3600.0
    result = {
        "history": {"cars": len(known), "hours": round(hours, 1)},
        "gaps": [measure(shown, gap, model) for gap in gaps],
    }
    text = json.dumps(result, indent=2)
    if args.json is not None:
        args.json.write_text(text + "\n", encoding="ascii")
    print(text)
    return 0


def _spread(half: Sequence[str], most: int) -> Iterable[str]:
    """Take so many of them, evenly: the kinds lie together."""
    return (half[k * len(half) // min(most, len(half))] for k in range(min(most, len(half))))


if __name__ == "__main__":
    raise SystemExit(main())
