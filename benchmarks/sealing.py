"""How much memory and time it takes to seal, to merge and to verify a large day.

``python -m benchmarks.sealing --rows 50e6 --roads city.roads --json OUT.json``

One day of a fleet on the sample roads (`benchmarks.days`) is appended as a whole and sealed; then come the
fixes of every tenth device, late, which are sealed and merged with the day; then all is verified. Each is
done by a process of its own that has the history to itself; its memory is the most that it ever had.

``--service`` has it done by the service instead, as it does it by itself: it is started on the unsealed day,
which it seals, and started again on the late fixes in so many parts that it merges them with the day. While
it does, 500 cars send it a fix a second, and somebody asks, one question after the other, for where a car was
in the last minute (``last_seen``), for a device's day and for who was in 1 km² in an hour of the day
(``device_day``, ``area_hour``). ``behind`` is by how many seconds the newest fix of that car was old when it
was told; ``kept`` is whether each fix was there in the end.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._sealing import keep
from benchmarks._service import Beside, serving, told
from benchmarks.days import DAY_US, FIRST_DAY, ROWS_A_DEVICE_DAY, Fleet
from geo_policing.model import FixColumns
from geo_policing.store import FixStore
from geo_policing.store.fixes import sealed_folder
from geo_policing.store.history.manifest import Manifest

#: Of so many devices one is late: the day has less than `piling.ENDED` times as many fixes, so it is merged.
LATE = 10
_LATE_PARTS = 7
_LOOK_S = 0.2
_TOGETHER = 40  # of the fleet's batches


def fill(path: Path, fleet: Fleet) -> list[FixColumns]:
    """Append a day but for the devices that are late, and return the fixes of those."""
    late_names = set(fleet.names[LATE // 2 :: LATE].tolist())
    late: list[FixColumns] = []
    waiting: list[FixColumns] = []

    def pour(store: FixStore) -> None:
        batch = FixColumns.concatenated(waiting)
        waiting.clear()
        is_late = np.array([name in late_names for name in batch.device.tolist()], np.bool_)
        late.append(batch.take(is_late))
        store.append(batch.take(~is_late))

    with FixStore(path) as store:
        for batch in fleet.day(0):
            waiting.append(batch)
            if len(waiting) == _TOGETHER:
                pour(store)
        pour(store)
    return late


def run(rows: int, roads: Path, folder: Path) -> dict[str, Any]:
    """Measure in a folder that is empty."""
    fleet = Fleet.on(roads, max(2 * LATE, round(rows / ROWS_A_DEVICE_DAY)))
    path = folder / "fixes.duckdb"
    late = fill(path, fleet)
    found: dict[str, Any] = {"devices": fleet.devices}
    for work in ("seal", "seal and merge", "verify"):
        if work == "seal and merge":
            with FixStore(path) as store:
                for batch in late:
                    store.append(batch)
        done = keep(work, path, FIRST_DAY + 1)
        name = work.rsplit(" ", maxsplit=1)[-1]
        found |= {
            "rows": done.rows,
            f"{name}_seconds": round(done.seconds, 1),
            f"{name}_cpu_seconds": round(done.cpu_seconds, 1),
            f"{name}_peak_mb": done.peak_mb,
        }
        print(f"{work}: {done}", file=sys.stderr)
    return found


def run_in_service(rows: int, roads: Path, folder: Path) -> dict[str, Any]:
    """Have the service seal a day and merge it with late parts, in a folder that is empty."""
    fleet = Fleet.on(roads, max(2 * LATE, round(rows / ROWS_A_DEVICE_DAY)))
    path = folder / "fixes.duckdb"
    late = FixColumns.concatenated(fill(path, fleet))
    with FixStore(path) as store:
        filled = store.count()
    found: dict[str, Any] = {"devices": fleet.devices, "rows": filled + len(late)}

    found["seal"], sent = _served(path, roads, fleet, lambda now: bool(now.of_day(FIRST_DAY)))
    for n in range(_LATE_PARTS):
        with FixStore(path) as store:
            store.append(late.take(slice(n, None, _LATE_PARTS)))
        keep("seal", path, FIRST_DAY + 1)
    found["merge"], more = _served(path, roads, fleet, lambda now: len(now.of_day(FIRST_DAY)) == 1)
    with FixStore(path) as store:
        found["kept"] = store.count() == filled + len(late) + sent + more
    return found


def _served(
    path: Path, roads: Path, fleet: Fleet, is_done: Callable[[Manifest], bool]
) -> tuple[dict[str, Any], int]:
    """Run the service until the manifest says that it is done; also return how many fixes it was sent."""
    began = time.monotonic()
    with serving(path.parent, roads) as service:
        hub_node, *_, lon, lat = fleet.arrays
        centre = (float(lon[hub_node[0]]), float(lat[hub_node[0]]))
        with Beside(service, FIRST_DAY * DAY_US, fleet.names.tolist(), centre) as beside:
            while not is_done(Manifest.read(sealed_folder(path))):
                if service.process.poll() is not None:
                    sys.exit("the service has ended")
                time.sleep(_LOOK_S)
            ended, peak_mb = time.monotonic(), service.memory_mb()
            behind_s = list(beside.behind_s)
        found = {
            "seconds": round(ended - began, 1),
            "peak_mb": peak_mb,
            "after_mb": service.memory_mb("VmRSS"),
            "live_fixes": beside.sent,
            "behind_median_s": round(statistics.median(behind_s), 2) if behind_s else None,
            "behind_most_s": round(max(behind_s), 2) if behind_s else None,
            "questions": told(beside.asked, ended),
        }
    print(found, file=sys.stderr)
    return found, beside.sent


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=float, default=5e6, help="fixes of the day, about")
    parser.add_argument("--roads", type=Path, help="road network (.roads); the sample city without it")
    parser.add_argument("--service", action="store_true", help="have the running service do it")
    parser.add_argument("--json", type=Path, help="file to write, beside what is printed")
    args = parser.parse_args(arguments)
    if not 1e4 <= args.rows <= 1e9:
        parser.error(f"--rows {args.rows:g}: 10,000 to 1e9")
    folder = Path(tempfile.mkdtemp(prefix="sealing-"))
    try:
        roads = args.roads
        if roads is None:
            command = [sys.executable, "-m", "geo_policing", "sample-city", str(folder / "city")]
            subprocess.run(command, check=True, stdout=sys.stderr)
            roads = folder / "city" / "city.roads"
        measure = run_in_service if args.service else run
        found = measure(int(args.rows), roads, folder)
    finally:
        shutil.rmtree(folder)
    text = json.dumps(found, indent=2)
    if args.json is not None:
        args.json.write_text(text + "\n", encoding="ascii")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
