"""How much memory and time it takes to seal, to merge and to verify a large day.

``python -m benchmarks.sealing --rows 50e6 --roads city.roads --json OUT.json``

One day of a fleet on the sample roads (`benchmarks.days`) is appended as a whole and sealed; then come the
fixes of every twentieth device, late, which are sealed and merged with the day; then all is verified. Each is
done by a process of its own that has the history to itself; its memory is the most that it ever had.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._sealing import keep
from benchmarks.days import FIRST_DAY, ROWS_A_DEVICE_DAY, Fleet
from geo_policing.model import FixColumns
from geo_policing.store import FixStore

LATE = 20  # of so many devices one
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=float, default=5e6, help="fixes of the day, about")
    parser.add_argument("--roads", type=Path, help="road network (.roads); the sample city without it")
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
        found = run(int(args.rows), roads, folder)
    finally:
        shutil.rmtree(folder)
    text = json.dumps(found, indent=2)
    if args.json is not None:
        args.json.write_text(text + "\n", encoding="ascii")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
