"""Sealing in a process of its own, which tells how long it took and how much memory it ever had."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

_PROGRAM = """
import re, sys, time
from pathlib import Path
from geo_policing.store import FixStore
from geo_policing.store.history.checks import verify
from geo_policing.store.history.keeper import Keeper
work, path, before = sys.argv[1:]
with FixStore(Path(path)) as store:
    began = time.perf_counter()
    keeper = Keeper(store)
    parts = keeper.seal(int(before)) if "seal" in work else []
    parts = (keeper.compact() if "merge" in work else []) or parts
    if "verify" in work:
        parts = store.manifest.parts
        for line in verify(store.folder, store.manifest):
            sys.exit(line)
    seconds = time.perf_counter() - began
# Not ru_maxrss: that counts what the process had that this one was started from.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
print(sum(p.rows for p in parts), seconds, time.process_time(), peak)
"""


class Done(NamedTuple):
    """Fixes that were sealed, merged or verified, the time it took, and the most memory it had."""

    rows: int
    seconds: float
    cpu_seconds: float
    peak_mb: int


def keep(work: str, path: Path, before: int) -> Done:
    """Seal, merge and verify a history, as ``work`` says, the days before a day of UTC since 1970."""
    command = [sys.executable, "-c", _PROGRAM, work, str(path), str(before)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return Done(int(said[0]), float(said[1]), float(said[2]), int(said[3]))
