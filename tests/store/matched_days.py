"""A town's devices on one sealed day, for the tests of what they are matched to."""

import numpy as np
import pyarrow.parquet as pq

from geo_policing.cli.match_day import match_history_day
from geo_policing.store import FixStore
from geo_policing.store.history.keeper import Keeper
from tests.matching.city import drive, grid
from tests.store.moving import FIRST_DAY, T, fixes_at

ROUTES = [
    ["0>1", "1>2", "2>8", "8>14", "14>13", "13>12"],
    ["30>31", "31>32", "32>26", "26>20", "20>21"],
    ["5>11", "11>17", "17>16", "16>10", "10>9"],
]
DAY = "2026-03-01"


def drives(devices=12, seed=0):
    """Fixes of a morning, as they arrive; what device `d03` sent over some streets is lost."""
    town, columns = grid(), []
    for number in range(devices):
        lon, lat = drive(town, ROUTES[number % 3], noise_m=5.0, seed=seed + number)
        seconds = 25_000 + 60 * number + 4 * np.arange(len(lon))
        seen = (number != 3) | (np.arange(len(lon)) < 6) | (np.arange(len(lon)) > 16)
        name = np.full(seen.sum(), f"d{number:02}", object)
        columns.append((name, T + seconds[seen] * 1_000_000, lon[seen], lat[seen]))
    device, at, lon, lat = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return fixes_at(device, at, lon.round(7), lat.round(7)).take(np.argsort(at, kind="stable"))


def seal(folder, *batches):
    with FixStore(folder / "fixes.duckdb") as store:
        for batch in batches:
            store.append(batch)
            Keeper(store).seal(FIRST_DAY + 9)


def match(data, out=None, **options):
    """Match the day in ranges of about two devices."""
    options = {"range_fixes": 70} | options
    match_history_day(FIRST_DAY, data / "fixes.duckdb", data / "city.roads", out=out, **options)
    return (out or data / "matched") / f"day={DAY}"


def contents(folder):
    """All that the files of a day have in them, by name."""
    return {
        path.name: (pq.read_table(path).to_pydict(), pq.read_schema(path).metadata)
        for path in sorted(folder.glob("*.parquet"))
    }


def edges_of(folder):
    return pq.read_table(folder).to_pylist()


def history(folder, fixes):
    """Make a history of the fixes in two parts, the second of late ones, and roads beside it."""
    late = np.arange(len(fixes)) % 7 == 3
    seal(folder, fixes.take(~late), fixes.take(late))
    grid().save(folder / "city.roads")
    return folder
