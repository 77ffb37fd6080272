"""One process has the history after another: what the one before has sealed and merged is not undone."""

import subprocess
import sys

import duckdb
import numpy as np

from geo_policing.model import TimeWindow, from_us
from geo_policing.store import FixStore
from geo_policing.store.history.checks import verify
from geo_policing.store.history.keeper import Keeper
from tests.store.moving import DAY_US, FIRST_DAY, T, rows, walks

ALL = TimeWindow(from_us(T - DAY_US), from_us(T + 9 * DAY_US))


#: The other process.
SEAL_AND_MERGE = f"""
import sys
from pathlib import Path
from geo_policing.store import FixStore
from geo_policing.store.history.keeper import Keeper

with FixStore(Path(sys.argv[1])) as store:
    Keeper(store).seal({FIRST_DAY + 9})
    Keeper(store).compact()
"""


def let_another_seal_first(monkeypatch, path):
    """Have another process get hold of the history just before this one opens its file for the next time."""
    connect = duckdb.connect

    def late(name):
        monkeypatch.setattr(duckdb, "connect", connect)
        subprocess.run([sys.executable, "-c", SEAL_AND_MERGE, str(path)], check=True)
        return connect(name)

    monkeypatch.setattr(duckdb, "connect", late)


def seal_and_merge(store):
    Keeper(store).seal(FIRST_DAY + 9)
    Keeper(store).compact()


def pieces():
    fixes = walks(np.random.default_rng(40))
    piece = np.arange(len(fixes)) % 3
    return fixes, [fixes.take(piece == n) for n in range(3)]


def test_what_another_process_seals_until_a_store_is_opened_is_there(tmp_path, monkeypatch):
    fixes, (first, second, third) = pieces()
    path = tmp_path / "fixes.duckdb"
    with FixStore(path) as store:
        store.append(first)
        Keeper(store).seal(FIRST_DAY + 9)
        store.append(second)
    let_another_seal_first(monkeypatch, path)
    with FixStore(path) as store:
        store.append(third)
        assert rows(store.between(ALL)) == rows(fixes)
        seal_and_merge(store)
        assert rows(store.between(ALL)) == rows(fixes)
        assert list(verify(store.folder, store.manifest)) == []


def test_a_store_that_opens_its_file_again_goes_by_what_another_process_has_sealed_meanwhile(
    tmp_path, monkeypatch
):
    fixes, (first, second, third) = pieces()
    path = tmp_path / "fixes.duckdb"
    with FixStore(path) as store:
        store.append(first)
        Keeper(store).seal(FIRST_DAY + 9)
        store.append(second)
        let_another_seal_first(monkeypatch, path)
        store._broken = True  # as after a fatal error of DuckDB's: a disk that was full, for instance
        store.append(third)
        assert rows(store.between(ALL)) == rows(fixes)
        seal_and_merge(store)
        assert rows(store.between(ALL)) == rows(fixes)
        assert list(verify(store.folder, store.manifest)) == []
        assert store.count() == len(fixes)
