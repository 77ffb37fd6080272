import os
import signal
import subprocess
import sys
import threading

import pytest

from geo_policing.errors import Unavailable
from geo_policing.model import BoundingBox, Fix, FixColumns, TimeWindow
from geo_policing.store import FixStore

T = 1_772_323_200_000_000  # 2026-03-01T00:00:00Z
HOUR = TimeWindow.parse("2026-03-01T00:00:00Z/2026-03-01T01:00:00Z")
SECOND = 1_000_000


def columns(*fixes):
    return FixColumns.from_fixes(fixes)


@pytest.fixture
def store(tmp_path):
    with FixStore(tmp_path / "new" / "fixes.duckdb") as store:
        yield store


def test_a_device_and_a_window_give_its_fixes_by_time_and_not_the_end(store):
    store.append(columns(*(Fix("car", T + s * SECOND, 113.1, 27.8) for s in (3600, 5, 0, 3599))))
    store.append(columns(Fix("bus", T, 113.1, 27.8), Fix("car", T - 1, 113.1, 27.8)))
    assert [(t - T) // SECOND for t in store.window("car", HOUR).time.tolist()] == [0, 5, 3599]
    assert len(store.window("nobody", HOUR)) == 0


def test_every_column_comes_back_as_it_was(store):
    fix = Fix("车-1", T, 113.123456789, 27.8, 63.5, 10.25, 90.5, 2.5, 4, 30, 18, "nmea0183:tcp:7001", T + 1)
    store.append(columns(fix))
    assert list(store.window("车-1", HOUR)) == [fix]


def test_the_newest_by_time_is_the_latest_whatever_came_last(store):
    store.append(columns(Fix("car", T + 9, 113.2, 27.8), Fix("bus", T + 1, 113.3, 27.8)))
    store.append(columns(Fix("car", T + 5, 113.1, 27.8)))
    assert [(f.device, f.lon) for f in store.latest()] == [("bus", 113.3), ("car", 113.2)]
    assert store.devices() == ["bus", "car"]


def test_a_box_holds_its_edges(store):
    store.append(columns(Fix("a", T, 113.1, 27.8), Fix("b", T, 113.2, 27.8), Fix("c", T, 113.3, 27.8)))
    inside = store.between(HOUR, BoundingBox(113.1, 27.7, 113.2, 27.9))
    assert inside.device.tolist() == ["a", "b"]
    assert len(store.between(HOUR)) == 3


def test_a_second_process_is_told_who_stands_in_the_way(store, tmp_path):
    code = f"""
from pathlib import Path
from geo_policing.errors import Unavailable
from geo_policing.store import FixStore
try:
    FixStore(Path({str(tmp_path)!r}) / "new" / "fixes.duckdb")
except Unavailable as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "is open in another process; stop that one" in said


def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path):
    path = tmp_path / "fixes.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(Unavailable, match="cannot be opened") as caught:
        FixStore(path)
    assert "\n" not in str(caught.value)


def test_questions_are_answered_while_fixes_are_appended(store):
    def write():
        for n in range(50):
            store.append(columns(*(Fix(f"d{k}", T + n, 113.1, 27.8) for k in range(20))))

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        # A batch is seen whole or not at all.
        assert len(store.between(HOUR)) % 20 == 0
    writer.join()
    assert store.count() == 1000


WRITER = """
import sys
from pathlib import Path
from geo_policing.model import Fix, FixColumns
from geo_policing.store import FixStore
store = FixStore(Path(sys.argv[1]))
n = 0
while True:
    store.append(FixColumns.from_fixes([Fix("car", n + k, 113.1, 27.8) for k in range(100)]))
    n += 100
    print(n, flush=True)
"""


def test_what_was_acknowledged_outlives_a_kill(tmp_path):
    path = tmp_path / "fixes.duckdb"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    acknowledged = 0
    for line in writer.stdout:
        acknowledged = int(line)
        if acknowledged >= 2000:
            os.kill(writer.pid, signal.SIGKILL)
            break
    acknowledged = max([acknowledged, *(int(line) for line in writer.stdout.read().split())])
    writer.wait()
    writer.stdout.close()
    with FixStore(path) as store:
        kept = store.between(TimeWindow.parse("1970-01-01T00:00:00Z/1971-01-01T00:00:00Z")).time.tolist()
    assert kept == list(range(len(kept)))
    assert len(kept) >= acknowledged
    assert len(kept) % 100 == 0
