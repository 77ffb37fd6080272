"""Killed at any instant of sealing, merging and deleting, the history has each row once."""

import math
import os
import random
import shutil
import subprocess
import sys
import time

import numpy as np

from geo_policing.model import TimeWindow, from_us
from geo_policing.store import FixStore
from geo_policing.store.history.checks import verify
from geo_policing.store.history.keeper import Keeper
from tests.store.moving import DAY_US, FIRST_DAY, T, rows, walks

ALL = TimeWindow(from_us(T - DAY_US), from_us(T + 9 * DAY_US))
KILLS = 50
LATE = 4  # times at which fixes come late

# Starting Python takes long: one process that has everything loaded forks a child for each kill. A child
# has the thread that forked alone, and what another one held stays locked in it: so there must be no other.
ALONE = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
KEEPER = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from geo_policing.store import FixStore
from geo_policing.geodesy import cells
from geo_policing.store.history import spill
from geo_policing.store.history.keeper import Keeper
from geo_policing.store.history.sealing import visits_of
from tests.store.moving import FIRST_DAY, walks

LATE = %d
spill.SLICE_ROWS = 100  # less than a day has
fixes = walks(np.random.default_rng(20), days=2)
moved = fixes.to_arrow()
cells(fixes.lon, fixes.lat)
visits_of(moved.append_column("mine", [np.ones(len(moved), bool)]))

def keep(path):
    with FixStore(path) as store:
        keeper = Keeper(store)
        keeper.seal(FIRST_DAY + 1)
        for n in range(LATE):
            store.append(fixes.take(np.arange(len(fixes)) % (3 * LATE) == 3 * n + 1))
            print("late", n, flush=True)
            # First as on the second day, then as when both have ended: parts pile up and are merged.
            keeper.keep_up(FIRST_DAY + (1 if n < LATE - 1 else 9), 1)
        keeper.compact()

for line in sys.stdin:
    wait_s, path = line.strip().split(" ", 1)
    others = [open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task")][1:]
    if others:
        sys.exit(f"a process with the threads {others} must not fork")
    child = os.fork()
    if child == 0:
        keep(Path(path))
        os._exit(0)
    if wait_s != "inf":
        time.sleep(float(wait_s))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print("ended", flush=True)
""".replace("%d", str(LATE))


def test_each_row_is_there_once_whenever_the_process_is_killed(tmp_path):
    fixes = walks(np.random.default_rng(20), days=2)
    number = np.arange(len(fixes))
    so_far = [rows(fixes.take((number % 3 != 1) | (number % (3 * LATE) < 3 * n))) for n in range(LATE + 1)]
    with FixStore(tmp_path / "start" / "fixes.duckdb") as store:
        store.append(fixes.take(number % 3 == 0))
        store.append(fixes.take(number % 3 == 2))
    chance, took_s, states = random.Random(21), 0.0, set()
    command = [sys.executable, "-W", "ignore", "-c", KEEPER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, **ALONE}, **pipes) as forker:
        for kill in range(KILLS + 2):
            folder = tmp_path / "history"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(tmp_path / "start", folder)
            path = folder / "fixes.duckdb"
            # Two are let run: the second says how long it takes.
            wait_s = chance.random() * took_s if kill > 1 else math.inf
            began = time.monotonic()
            forker.stdin.write(f"{wait_s} {path}\n")
            forker.stdin.flush()
            said = []
            while "ended" not in said:
                said.append(forker.stdout.readline().strip())
                assert said[-1], "the process that forks has ended"
            took_s = took_s if kill > 1 else time.monotonic() - began
            with FixStore(path) as store:
                kept = rows(store.between(ALL))
                assert kept in so_far
                assert not list(store.folder.rglob("*.spill"))
                assert so_far.index(kept) >= sum(line.startswith("late") for line in said)
                assert store.count() == len(kept)
                assert list(verify(store.folder, store.manifest)) == []
                states.add((len(store.manifest.parts), store.manifest.next_part, len(kept)))
                if kill % 10 == 2:  # and goes on from there
                    Keeper(store).seal(FIRST_DAY + 9)
                    Keeper(store).compact()
                    assert rows(store.between(ALL)) == kept
                    assert list(verify(store.folder, store.manifest)) == []
        forker.stdin.close()
    assert len(states) > 6  # the kills met different states
