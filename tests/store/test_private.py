"""Who may read the files: their owner, and nobody else."""

import os
import threading

import pytest

from geo_policing.model import Device, Fix, FixColumns
from geo_policing.store import FixStore, Records
from geo_policing.store.private import private

T = 1_772_323_200_000_000


@pytest.fixture(autouse=True)
def usual_mask():
    """What most systems give to new files: everybody may read them."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder):
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def columns(n):
    return FixColumns.from_fixes([Fix("car", T + n, 113.1, 27.8)])


def test_the_history_and_its_log_are_for_their_owner_however_often_the_log_is_made_anew(tmp_path):
    with FixStore(tmp_path / "fixes.duckdb") as store:
        for n in range(3):
            store.append(columns(n))
            assert modes(tmp_path) == {"fixes.duckdb": 0o600, "fixes.duckdb.wal": 0o600}
            store._db.execute("CHECKPOINT")
            assert modes(tmp_path) == {"fixes.duckdb": 0o600}
    assert modes(tmp_path) == {"fixes.duckdb": 0o600}


def test_a_history_that_others_could_read_is_taken_from_them(tmp_path):
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(columns(0))
        for path in tmp_path.iterdir():
            path.chmod(0o644)
            # As a process that was killed leaves them: beside the one that is open, in another folder.
            (tmp_path / "left").mkdir(exist_ok=True)
            (tmp_path / "left" / path.name).write_bytes(path.read_bytes())
    with FixStore(tmp_path / "left" / "fixes.duckdb") as store:
        assert modes(tmp_path / "left") == dict.fromkeys(modes(tmp_path / "left"), 0o600)
        assert store.count() == 1


def test_the_records_and_their_logs_are_for_their_owner(tmp_path):
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    names = {"records.sqlite", "records.sqlite-wal", "records.sqlite-shm"}
    with Records(url) as records:
        records.devices.create(Device("car"))
        assert modes(tmp_path) == dict.fromkeys(names, 0o600)
        for name in names:
            (tmp_path / name).chmod(0o664)
        with Records(url):
            assert modes(tmp_path) == dict.fromkeys(names, 0o600)


def test_the_mask_of_the_process_is_as_before_whoever_writes_at_the_same_time(tmp_path):
    def write(n):
        with FixStore(tmp_path / f"{n}.duckdb") as store:
            for i in range(5):
                store.append(columns(i))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert os.umask(0o022) == 0o022
    assert set(modes(tmp_path).values()) == {0o600}


def test_the_mask_is_as_before_after_a_failure(tmp_path):
    with pytest.raises(FileNotFoundError), private():
        (tmp_path / "nowhere" / "file").touch()
    (tmp_path / "usual").touch()
    assert modes(tmp_path) == {"usual": 0o644}
