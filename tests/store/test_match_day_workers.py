"""``geo-policing match-day`` by several processes, whatever becomes of them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from distributed import Client, LocalCluster

from geo_policing.cli import day_work
from geo_policing.cli.match_day import match_history_day
from geo_policing.errors import Conflict, InvalidInput, Unavailable
from tests.matching.city import grid
from tests.store.matched_days import DAY, contents, drives, history, match, seal
from tests.store.moving import FIRST_DAY

LOOPBACK = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "silence_logs": 50}


@pytest.fixture
def data(tmp_path):
    return history(tmp_path, drives())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of a scheduler with two workers, who stand in a folder of their own with other roads."""
    folder = tmp_path_factory.mktemp("elsewhere")
    grid(n=4).save(folder / "city.roads")
    here = Path.cwd()
    os.chdir(folder)
    try:
        workers = LocalCluster(n_workers=2, threads_per_worker=1, **LOOPBACK)
    finally:
        os.chdir(here)
    with workers:
        yield workers.scheduler_address


def matched_on():
    """How many matchers a process has: it has one where it has matched."""
    return len(day_work._own)


def test_two_workers_of_a_dask_scheduler_find_what_one_process_finds(data, cluster):
    alone = contents(match(data))
    together = match(data, out=data / "together", workers=cluster)
    assert contents(together) == alone
    with Client(cluster, set_as_default=False) as client:
        assert list(client.run(matched_on).values()) == [1, 1]


def test_a_worker_that_does_not_see_the_folders_or_has_other_roads_is_told(data, cluster, monkeypatch):
    monkeypatch.chdir(data)  # these paths lead elsewhere in the processes of the workers
    with pytest.raises(Unavailable, match=r"does not see /proc/self/cwd/out/day=2026-03-01; a worker needs"):
        match(data, out=Path("/proc/self/cwd/out"), workers=cluster)
    history = data / "fixes.duckdb"
    with pytest.raises(Conflict, match=r"/proc/self/cwd/city\.roads on .* is another file than where"):
        match_history_day(FIRST_DAY, history, Path("/proc/self/cwd/city.roads"), workers=cluster)
    with pytest.raises(Unavailable, match=r"/proc/self/cwd/fixes-sealed/.* on .*: No such file"):
        match_history_day(
            *(FIRST_DAY, Path("/proc/self/cwd/fixes.duckdb"), data / "city.roads"),
            workers=cluster,
            out=data / "matched",
        )
    assert contents(data / "matched" / f"day={DAY}") == {}


def test_a_scheduler_without_workers_and_the_address_of_a_worker_are_told(data, cluster):
    with Client(cluster, set_as_default=False) as client:
        worker = next(iter(client.scheduler_info()["workers"]))
    with pytest.raises(InvalidInput, match="is the address of a Dask worker; give"):
        match(data, workers=worker)
    with (
        LocalCluster(n_workers=0, **LOOPBACK) as empty,
        pytest.raises(Unavailable, match="has no workers; start `dask worker tcp://127"),
    ):
        match(data, workers=empty.scheduler_address)


PROGRAM = """
import sys
from pathlib import Path
from tests.store.matched_days import match

if __name__ == "__main__":
    match(Path(sys.argv[1]), range_fixes=1, workers=sys.argv[2])
"""


def killed_while_it_matches(data, workers):
    """Kill who matches a day as soon as a file is there; return the day's folder and the children it had."""
    script = data / "script.py"
    script.write_text(PROGRAM)
    command = [sys.executable, "-W", "ignore", str(script), str(data), workers]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as process:
        folder = data / "matched" / f"day={DAY}"
        while not list(folder.glob("*.parquet")) and process.poll() is None:
            time.sleep(0.01)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
    return folder, children


def test_two_processes_find_what_one_finds_and_end_with_the_one_that_started_them(data):
    seal(data, drives(60, seed=70))
    whole = contents(match(data, out=data / "whole", range_fixes=1))
    folder, children = killed_while_it_matches(data, "2")
    assert len(children) >= 2
    alive = psutil.wait_procs(children, timeout=60)[1]
    for child in alive:
        child.kill()
    assert alive == []
    # Whatever has its name is whole, and is not made again.
    there = contents(folder)
    assert 0 < len(there) < 60
    assert there == {name: whole[name] for name in there}
    times = {name: (folder / name).stat().st_mtime_ns for name in there}
    assert contents(match(data, range_fixes=1, workers="2")) == whole
    assert {name: (folder / name).stat().st_mtime_ns for name in there} == times
    assert {path.name for path in folder.iterdir()} == {*whole, "_plan.json"}


def test_started_again_while_workers_finish_for_one_that_was_killed_it_comes_to_the_same(data, cluster):
    seal(data, drives(60, seed=70))
    whole = contents(match(data, out=data / "whole", range_fixes=1))
    folder, _ = killed_while_it_matches(data, cluster)
    assert len(contents(folder)) > 0
    assert contents(match(data, range_fixes=1, workers=cluster)) == whole
