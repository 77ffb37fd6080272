"""How fast the history takes fixes and answers, and how small it is, beside PostgreSQL on the same rows.

``python -m benchmarks.history --rows 100e6 --roads city.roads --json OUT.json``

Makes realistic days of a fleet on the sample roads (`benchmarks.days`; 20 M rows a day from 100 M rows on,
fewer devices below), appends them in batches of 5,000 through the store while questions are being answered,
asks the last day while it is being written (``hot``: sealed and merged in parts, as the service does), seals
every day in a process of its own, and asks again: ``warm`` in a process that has asked before, ``cold`` with
a store just opened and its files out of the page cache. Each query is asked with different devices and
places.
``three_hour_job`` goes from six sightings over three hours, one of them of somebody else, to ranked suspects
and a map with the first one's track; ``first`` is how often the true one came first.
PostgreSQL takes the first ``--postgresql-rows`` of the same rows with its usual indexes; 0 leaves it out.
``--grow 3`` asks the history and one of three times as many days in turns, of their last day (``grown``): the
days before it are copies of its own at other times, so that they need not be made; ``times`` is what a median
has grown. Footholds and first entry look back 30 days, so that only from ``--days 31`` on they ask both for
as much; ``look_back_days`` is how many of these there are in each.
"""

import argparse
import json
import os
import pwd
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.csv
import shapely

from benchmarks._growth import grown, in_turns
from benchmarks._sealing import Done
from benchmarks._sealing import keep as keep_sealed
from benchmarks._three_hour_job import ThreeHourJob
from benchmarks.days import DAY_US, FIRST_DAY, ROWS_A_DEVICE_DAY, Fleet
from geo_policing.model import FixColumns, TimeWindow, from_us
from geo_policing.store import FixStore
from geo_policing.store.history.keeper import SEAL_ROWS, Keeper
from geo_policing.store.history.questions import Questions
from geo_policing.tracks.searches import Area, collision, companions, first_entry, footholds, presences

ZONE = ZoneInfo("Asia/Shanghai")
HOUR_US = 3_600_000_000
Query = Callable[[FixStore, int], int]


class Asked:
    """The queries, each of a number: different devices, places and hours of the same kind."""

    def __init__(self, fleet: Fleet, days: int, last: bool, roads: Path, folder: Path) -> None:
        self._rng = np.random.default_rng(3)
        hub_node, *_, lon, lat = fleet.arrays
        # Places where many drive: hubs, which all ways begin and end at.
        self._lon, self._lat = lon[hub_node], lat[hub_node]
        self._names = fleet.names
        self.day = FIRST_DAY + (days - 1 if last else days // 2)
        self._first = FIRST_DAY
        self._job = ThreeHourJob(roads, folder, self._names.tolist(), self.day * DAY_US + 7 * HOUR_US)

    def _square(self, n: int, metres: float = 1000.0) -> Area:
        lon, lat = self._lon[n % len(self._lon)], self._lat[n % len(self._lat)]
        east, north = metres / 2 / 98_400, metres / 2 / 110_850
        return Area(shapely.box(lon - east, lat - north, lon + east, lat + north))

    def _window(self, hour: float, hours: float) -> TimeWindow:
        start = self.day * DAY_US + int(hour * HOUR_US)
        return TimeWindow(from_us(start), from_us(start + int(hours * HOUR_US)))

    def _name(self, n: int) -> str:
        return str(self._names[(n * 37 + 2) % len(self._names)])

    def device_day(self, store: FixStore, n: int) -> int:
        """All columns of a device's fixes of a day."""
        return len(store.window(self._name(n), self._window(0, 24)))

    def area_hour(self, store: FixStore, n: int) -> int:
        """Who was in 1 km² in an hour, by movement, exact at the border, with times."""
        return len(presences(Questions(store), self._square(n), self._window(7 + n % 12, 1)))

    def collision(self, store: FixStore, n: int) -> int:
        """Who was in each of three areas of 1 km², two hours each."""
        places = [(self._square(n + 11 * k), self._window(7 + 4 * k, 2)) for k in range(3)]
        return len(collision(Questions(store), places))

    def companions(self, store: FixStore, n: int) -> int:
        """Whose company a device had over a day, with the null model."""
        return len(companions(Questions(store), self._name(n), self._window(0, 24)))

    def footholds(self, store: FixStore, n: int) -> int:
        """Where a device stayed in the 30 days until the end of the day."""
        end = from_us((self.day + 1) * DAY_US)
        window = TimeWindow(end - timedelta(days=30), end)
        return len(footholds(Questions(store), self._name(n), window, ZONE))

    def first_entry(self, store: FixStore, n: int) -> int:
        """Who was in 1 km² in an hour and not in the 30 days before."""
        return len(first_entry(Questions(store), self._square(n), self._window(12, 1), 30))

    def three_hour_job(self, store: FixStore, n: int) -> int:
        """From six sightings of a thief to ranked suspects and the first one's track on a map."""
        return self._job.rank(store, n)

    def prepare(self, store: FixStore, numbers: Sequence[int]) -> None:
        """Make what was seen of the thieves: that is not part of the job."""
        for n in numbers:
            self._job.seen(store, n)

    @property
    def queries(self) -> dict[str, Query]:
        """By name."""
        names = ["device_day", "area_hour", "collision", "companions", "footholds", "first_entry"]
        names.append("three_hour_job")
        return {name: getattr(self, name) for name in names}


def timed(query: Query, store: FixStore, numbers: Sequence[int]) -> list[float]:
    """Return milliseconds of each."""
    found = []
    for n in numbers:
        began = time.perf_counter()
        query(store, n)
        found.append((time.perf_counter() - began) * 1000)
    return found


def append(
    store: FixStore, fleet: Fleet, day: int, keep: Callable[[FixColumns], None], as_it_runs: bool
) -> float:
    """Append a day and return the rows a second of the time in `append`, with questions being answered.

    As it runs, what has come is sealed and merged as the service does it, but for what came last.
    """
    rows, seconds, done = 0, 0.0, threading.Event()
    start = from_us((FIRST_DAY + day) * DAY_US)
    keeper, sealed_us = Keeper(store), (FIRST_DAY + day) * DAY_US

    def ask() -> None:
        n = 0
        while not done.wait(0.05):
            store.window(str(fleet.names[n % fleet.devices]), TimeWindow(start, start + timedelta(hours=1)))
            n += 1

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for number, batch in enumerate(fleet.day(day)):
            if as_it_runs and number % 10 == 9:
                is_due = int(batch.time[0]) - sealed_us >= HOUR_US
                keeper.keep_up(FIRST_DAY + day, 1 if is_due else SEAL_ROWS)
                sealed_us = int(batch.time[0]) if is_due else sealed_us
            keep(batch)
            began = time.perf_counter()
            store.append(batch)
            seconds += time.perf_counter() - began
            rows += len(batch)
    finally:
        done.set()
        asking.join()
    return rows / seconds


def measure_queries(path: Path, asked: Asked, repeat: int, cold: int) -> dict[str, dict[str, float]]:
    """Ask each query warm and cold."""
    found: dict[str, dict[str, float]] = {}
    with FixStore(path) as store:
        asked.prepare(store, [*range(1000, 1000 + repeat // 2), *range(repeat), *range(cold)])
        for name, query in asked.queries.items():
            timed(query, store, range(1000, 1000 + repeat // 2))
            warm = timed(query, store, range(repeat))
            found[name] = {
                "warm_median_ms": round(statistics.median(warm), 2),
                "warm_p95_ms": round(float(np.percentile(warm, 95)), 2),
            }
        first = [asked.three_hour_job(store, n) == 1 for n in range(repeat)]
        found["three_hour_job"]["first"] = round(sum(first) / len(first), 3)
    for name, query in asked.queries.items() if cold else ():
        times = []
        for n in range(cold):
            for file in (path, *path.with_name(f"{path.stem}-sealed").rglob("*.parquet")):
                with file.open("rb") as opened:
                    os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            with FixStore(path) as store:
                times += timed(query, store, [n])
        found[name]["cold_median_ms"] = round(statistics.median(times), 2)
    return found


@contextmanager
def postgresql(folder: Path) -> Iterator[Any]:
    """Open a connection to a server of our own, through a socket in a folder of its own."""
    import psycopg

    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        sys.exit("PostgreSQL is not installed; on Debian: apt-get install postgresql, or --postgresql-rows 0")
    who: dict[str, Any] = {}
    if os.geteuid() == 0:  # for whom it does not start
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = folder / "data"
    init = [str(programs / "initdb"), "-D", str(data), "-U", "tester", "--auth=trust", "-E", "UTF8"]
    subprocess.run(init, check=True, capture_output=True, cwd=folder, **who)
    settings = ["shared_buffers=2GB", "work_mem=256MB", "maintenance_work_mem=1GB", "max_wal_size=8GB"]
    options = [part for setting in settings for part in ("-c", setting)]
    command = [str(programs / "postgres"), "-D", str(data), "-k", str(folder), "-h", "", *options]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **who)
    try:
        for _ in range(100):
            try:
                db = psycopg.connect(host=str(folder), user="tester", dbname="postgres", autocommit=True)
                break
            except psycopg.OperationalError:
                time.sleep(0.1)
        else:
            sys.exit(f"PostgreSQL does not start: {(folder / 'log').read_text()[-500:]}")
        with db:
            yield db
    finally:
        server.terminate()
        server.wait(60)


def measure_postgresql(folder: Path, rows: Path, asked: Asked, repeat: int) -> dict[str, Any]:
    """Load the rows, index them by device and time and by cell and time, and ask what can be asked in SQL.

    Cells are of the fixes, as is usual: what passes between two fixes is not found.
    """
    with postgresql(folder) as db:
        db.execute(
            "CREATE TABLE fixes (device text, time bigint, lon float8, lat float8, alt_m real, "
            "speed_mps real, course_deg real, accuracy_m real, quality int2, satellites int2, "
            "beidou_satellites int2, "
            "cell bigint, source text, received bigint)"
        )
        began = time.perf_counter()
        with rows.open("rb") as file, db.cursor().copy("COPY fixes FROM STDIN (FORMAT csv)") as copy:
            while block := file.read(1 << 22):
                copy.write(block)
        db.execute("CREATE INDEX ON fixes (device, time)")
        db.execute("CREATE INDEX ON fixes (cell, time)")
        db.execute("VACUUM ANALYZE fixes")
        seconds = time.perf_counter() - began
        count, size = db.execute("SELECT count(*), pg_total_relation_size('fixes') FROM fixes").fetchone()

        def at(window: TimeWindow) -> tuple[int, int]:
            return window.start_us, window.end_us

        def cells(n: int) -> list[int]:
            return asked._square(n).cells.astype(np.int64).tolist()

        def device_day(n: int) -> None:
            query = "SELECT * FROM fixes WHERE device = %s AND time >= %s AND time < %s ORDER BY time"
            db.execute(query, (asked._name(n), *at(asked._window(0, 24)))).fetchall()

        def area_hour(n: int) -> None:
            query = (
                "SELECT device, time, lon, lat FROM fixes WHERE cell = ANY(%s) AND time >= %s AND time < %s"
            )
            db.execute(query, (cells(n), *at(asked._window(7 + n % 12, 1)))).fetchall()

        def meet(n: int) -> None:
            one = "SELECT DISTINCT device FROM fixes WHERE cell = ANY(%s) AND time >= %s AND time < %s"
            values = [v for k in range(3) for v in (cells(n + 11 * k), *at(asked._window(7 + 4 * k, 2)))]
            db.execute(" INTERSECT ".join([one] * 3), values).fetchall()

        def company(n: int) -> None:
            query = (
                "SELECT o.device, count(DISTINCT o.cell) FROM (SELECT DISTINCT cell, "
                "time / 60000000 AS minute FROM fixes WHERE device = %s AND time >= %s AND time < %s) m "
                "JOIN fixes o ON o.cell = m.cell AND o.time >= (m.minute - 1) * 60000000 AND o.time "
                "< (m.minute + 2) * 60000000 "
                "GROUP BY o.device HAVING count(DISTINCT o.cell) >= 3"
            )
            db.execute(query, (asked._name(n), *at(asked._window(0, 24)))).fetchall()

        found: dict[str, Any] = {"rows": count, "bytes_per_row": round(size / count, 1)}
        found["copy_and_index_rows_per_second"] = round(count / seconds)
        for name, query in (
            ("device_day", device_day),
            ("area_hour", area_hour),
            ("collision", meet),
            ("companions", company),
        ):
            for n in range(1000, 1000 + repeat // 2):
                query(n)
            times = []
            for n in range(repeat):
                began = time.perf_counter()
                query(n)
                times.append((time.perf_counter() - began) * 1000)
            found[name] = {
                "warm_median_ms": round(statistics.median(times), 2),
                "warm_p95_ms": round(float(np.percentile(times, 95)), 2),
            }
        return found


def run(
    rows: int, days: int, roads: Path, folder: Path, pg_rows: int, repeat: int, cold: int, grow: int
) -> dict[str, Any]:
    """Measure everything in a folder that is empty."""
    fleet = Fleet.on(roads, max(20, round(rows / days / ROWS_A_DEVICE_DAY)))
    path = folder / "fixes.duckdb"
    csv, written = folder / "rows.csv", 0

    def keep(batch: FixColumns) -> None:
        nonlocal written
        if written < pg_rows:
            table = batch.to_arrow()
            h3 = pa.array(cells_of(batch))
            table = table.set_column(table.column_names.index("cell"), "cell", h3)
            with csv.open("ab") as file:
                options = pyarrow.csv.WriteOptions(include_header=False)
                pyarrow.csv.write_csv(table, file, options)
            written += len(batch)

    found: dict[str, Any] = {"rows": 0, "days": days, "devices": fleet.devices}
    speeds, sealing = [], list[Done]()
    for day in range(days):
        with FixStore(path) as store:
            speeds.append(append(store, fleet, day, keep, day == days - 1))
        if day == days - 1:
            found["hot"] = measure_queries(path, Asked(fleet, days, True, roads, folder), repeat, 0)
        sealing.append(keep_sealed("seal and merge", path, FIRST_DAY + day + 1))
        print(f"day {day + 1} of {days}: {sealing[-1]}", file=sys.stderr)
    total = sum(done.rows for done in sealing)
    size = sum(file.stat().st_size for file in path.with_name("fixes-sealed").rglob("*.parquet"))
    found |= {
        "rows": total,
        "append_rows_per_second": round(statistics.median(speeds)),
        "bytes_per_row": round(size / total, 2),
        "bytes_per_row_of": {
            kind: round(sum(f.stat().st_size for f in folder.glob(f"fixes-sealed/*/{kind}/*")) / total, 2)
            for kind in ("by_device", "by_cell", "visits")
        },
        "seal_rows_per_second": round(total / sum(done.seconds for done in sealing)),
        "seal_peak_mb": max(done.peak_mb for done in sealing),
        "queries": measure_queries(path, Asked(fleet, days, False, roads, folder), repeat, cold),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    if grow > 1:
        longer = grown(path, folder / "longer", grow)
        with FixStore(longer) as store:
            found["grown"] = {"rows": store.count(), "days": days * grow}
        found["grown"]["look_back_days"] = [min(30, days - 1), min(30, days * grow - 1)]
        asked = Asked(fleet, days, True, roads, folder)
        with FixStore(path) as store:
            asked.prepare(store, range(repeat))
        found["grown"]["queries"] = in_turns(path, longer, asked.queries, range(repeat))
    if pg_rows:
        known = min(days, max(1, written // max(1, total // days)))
        asked = Asked(fleet, known, True, roads, folder)
        server = Path(tempfile.mkdtemp(prefix="pg-"))
        try:
            found["postgresql"] = measure_postgresql(server, csv, asked, repeat)
        finally:
            shutil.rmtree(server)
    return found


def cells_of(batch: FixColumns) -> Any:
    """H3 cells as the signed numbers that PostgreSQL has."""
    from geo_policing.geodesy import cells

    return cells(batch.lon, batch.lat).astype(np.int64)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=float, default=5e6, help="fixes, about")
    parser.add_argument("--days", type=int, help="in so many; without it one for 20 million, two at least")
    parser.add_argument("--grow", type=int, default=1, help="and in so many times as many days")
    parser.add_argument("--roads", type=Path, help="road network (.roads); the sample city without it")
    parser.add_argument("--postgresql-rows", type=float, default=20e6, help="at most; 0 leaves it out")
    parser.add_argument("--repeat", type=int, default=20, help="how often each query is asked warm")
    parser.add_argument("--cold", type=int, default=5, help="and cold")
    parser.add_argument("--json", type=Path, help="file to write, beside what is printed")
    args = parser.parse_args(arguments)
    if not 1e4 <= args.rows <= 1e9:
        parser.error(f"--rows {args.rows:g}: 10,000 to 1e9")
    if args.days is not None and not 1 <= args.days <= 400:
        parser.error(f"--days {args.days}: 1 to 400")
    if not 1 <= args.grow <= 100:
        parser.error(f"--grow {args.grow}: 1 to 100")
    folder = Path(tempfile.mkdtemp(prefix="history-"))
    try:
        roads = args.roads
        if roads is None:
            command = [sys.executable, "-m", "geo_policing", "sample-city", str(folder / "city")]
            subprocess.run(command, check=True, stdout=sys.stderr)
            roads = folder / "city" / "city.roads"
        days = args.days or max(2, round(args.rows / 20e6))
        counts = (int(args.postgresql_rows), args.repeat, args.cold, args.grow)
        found = run(int(args.rows), days, roads, folder, *counts)
    finally:
        shutil.rmtree(folder)
    text = json.dumps(found, indent=2)
    if args.json is not None:
        args.json.write_text(text + "\n", encoding="ascii")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
