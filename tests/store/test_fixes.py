import os
import random
import signal
import subprocess
import sys
import threading

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_a_question_that_takes_long_draws_nothing_on_standard_output(tmp_path):
    with FixStore(tmp_path / "fixes.duckdb") as store, store.snapshot() as now:
        # DuckDB would begin after two seconds.
        ((draws,),) = now.cursor.execute("SELECT current_setting('enable_progress_bar')").fetchall()
    assert draws is False


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
    assert store.count() == 3


def test_the_latest_of_one_time_is_the_one_received_last(store):
    for lon, received in ((113.1, T + 2), (113.2, T + 3), (113.3, T + 1)):
        store.append(columns(Fix("car", T, lon, 27.8, received=received)))
    assert [f.lon for f in store.latest()] == [113.2]


def test_the_latest_is_known_after_a_restart_and_late_fixes_do_not_change_it(tmp_path):
    path = tmp_path / "fixes.duckdb"
    with FixStore(path) as store:
        store.append(columns(Fix("car", T + 9, 113.2, 27.8, 60.5, 3, 90, 2, 4, 30, 18, "tcp", T + 10)))
    with FixStore(path) as store:
        before = list(store.latest())
        store.append(columns(Fix("car", T + 8, 113.9, 27.8, received=T + 99), Fix("bus", T, 113.3, 27.8)))
    with FixStore(path) as store:
        assert [f for f in store.latest() if f.device == "car"] == before
        assert store.devices() == ["bus", "car"]
        assert store.count() == 3


def test_a_file_of_before_the_newest_were_kept_apart_is_brought_up(tmp_path):
    path = tmp_path / "fixes.duckdb"
    with FixStore(path) as store:
        store.append(columns(*(Fix(f"d{n % 3}", T + n, 113.1 + n / 100, 27.8) for n in range(9))))
    with duckdb.connect(str(path)) as db:
        db.execute("DROP TABLE newest")
    with FixStore(path) as store:
        assert [(f.device, f.time - T) for f in store.latest()] == [("d0", 6), ("d1", 7), ("d2", 8)]
        store.append(columns(Fix("d0", T + 99, 113.0, 27.8)))
        assert [f.time - T for f in store.latest()] == [99, 7, 8]


def test_an_empty_batch_is_nothing(store):
    store.append(columns())
    assert (store.count(), len(store.latest()), store.devices()) == (0, 0, [])


arrivals = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 5)), max_size=6), max_size=5
)


@settings(max_examples=15)
@given(arrivals)
def test_the_latest_are_those_a_search_through_the_history_finds(tmp_path_factory, batches):
    path = tmp_path_factory.mktemp("any") / "fixes.duckdb"
    newest, rows = {}, 0
    with FixStore(path) as store:
        for batch in batches:
            fixes = [Fix(device, T + t, 113.1, 27.8, received=T + r) for device, t, r in batch]
            store.append(columns(*fixes))
            rows += len(fixes)
            for fix in fixes:
                newest[fix.device] = max(newest.get(fix.device, (0, 0)), (fix.time, fix.received))
            assert {f.device: (f.time, f.received) for f in store.latest()} == newest
        assert store.count() == rows


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
    with pytest.raises(Unavailable, match="not a valid DuckDB database file") as caught:
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


def test_a_closed_store_closes_again_and_takes_and_answers_nothing(tmp_path):
    store = FixStore(tmp_path / "fixes.duckdb")
    store.append(columns(Fix("car", T, 113.1, 27.8)))
    store.close()
    store.close()
    for ask in (store.latest, store.count, lambda: store.append(columns(Fix("car", T, 113.1, 27.8)))):
        with pytest.raises(Unavailable, match="is closed; open the store again") as said:
            ask()
        assert "\n" not in str(said.value)
    with FixStore(tmp_path / "fixes.duckdb") as again:
        assert again.count() == 1


# The two headers, the first block, and every page of the blocks after it.
@pytest.mark.parametrize(
    "places", [[20], [4096 + 8], [12288 + 100], range(12288 + 262144 + 100, 10**9, 4096)]
)
def test_a_damaged_file_is_said_and_answers_nothing_wrong(tmp_path, places):
    path = tmp_path / "fixes.duckdb"
    rng = random.Random(1)
    with FixStore(path) as store:
        for n in range(5):
            rows = (Fix(f"d{k}", T + n, 113 + rng.random(), 27 + rng.random()) for k in range(2000))
            store.append(columns(*rows))
    damaged = bytearray(path.read_bytes())
    for place in places:
        if place < len(damaged):
            damaged[place] ^= 0xFF
    path.write_bytes(damaged)
    said = r"Corrupt database file.*; check the disk's space and the file$"
    # Opening reads the headers only: damage further inside is found when it is read.
    with pytest.raises(Unavailable, match=said), FixStore(path) as store:
        store.between(HOUR)


FILLER = """
import random, resource, sys
from pathlib import Path
from geo_policing.errors import Unavailable
from geo_policing.model import Fix, FixColumns
from geo_policing.store import FixStore

rng = random.Random(1)
def batch():
    times = [rng.randrange(2**40) for _ in range(2000)]
    return FixColumns.from_fixes([Fix(f"d{k}", t, 113 + rng.random(), 27.8) for k, t in enumerate(times)])

path = Path(sys.argv[1])
store = FixStore(path)
store._db.execute(f"SET checkpoint_threshold = '{sys.argv[2]}'")
store.append(batch())
acknowledged = 1
# A limit on the size of files is what a process may give itself; a full disk fails in the same places.
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), most))
refused = []
while len(refused) < 3:
    try:
        store.append(batch())
        acknowledged += 1
    except Unavailable as error:
        refused.append(str(error))
assert all("File too large" in said and "\\n" not in said for said in refused), refused
assert store.count() == acknowledged * 2000, (store.count(), acknowledged)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
store.append(batch())
assert len(store.latest()) == 2000
store.close()
print(acknowledged + 1, "checkpoint" in refused[0])
"""


@pytest.mark.parametrize(("threshold", "limit"), [("16MB", 700_000), ("300KB", 1_500_000)])
def test_a_full_disk_refuses_in_one_line_and_with_space_again_nothing_is_missing(tmp_path, threshold, limit):
    """Full for the log in the one case, for the file that the log is written into in the other."""
    path = tmp_path / "fixes.duckdb"
    filled = subprocess.run(
        [sys.executable, "-c", FILLER, str(path), threshold, str(limit)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert filled.returncode == 0, filled.stderr
    acknowledged, at_checkpoint = filled.stdout.split()
    assert at_checkpoint == str(threshold == "300KB")
    with FixStore(path) as store:
        assert store.count() == int(acknowledged) * 2000
