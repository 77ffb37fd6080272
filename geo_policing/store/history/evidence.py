"""The fixes behind what a search found: of each device, between two moments, as they were received."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from geo_policing.model import FixColumns, Halt
from geo_policing.model.fix import FIX_SCHEMA
from geo_policing.model.moves import Proof, Stretch
from geo_policing.store.fixes import FixStore
from geo_policing.store.history import layout
from geo_policing.store.history.heeding import heeding
from geo_policing.store.history.manifest import DAY_US
from geo_policing.store.history.snapshot import Snapshot

# ruff: noqa: S608 - queries are put together of our own names, numbers and paths

_TOGETHER_US = 2 * DAY_US  # what is asked for in one query lies within such a time


def evidence(store: FixStore, asked: Sequence[Stretch], most: int, halt: Halt | None = None) -> list[Proof]:
    """Return the first and the last fix of each stretch and some evenly between, all from one instant.

    Parameters
    ----------
    store : FixStore
        The history.
    asked : sequence of Stretch
        Which.
    most : int
        About how many of a stretch are returned, at least 2: at most one more.
    halt : Halt, optional
        Says when the question must end.
    """
    halt = halt or Halt()
    found = [Proof(0, FixColumns.from_fixes([]))] * len(asked)
    with heeding(store, halt) as now:
        for batch in _batches(asked):
            halt.check()
            table = _read(now, [(n, asked[n]) for n in batch], most)
            number, total = (table.column(name).to_numpy() for name in ("n", "total"))
            fixes = FixColumns.from_arrow(table)
            for n in np.unique(number).tolist():
                # Arrow hands out read-only views of its own memory.
                at = np.arange(*np.searchsorted(number, [n, n + 1]))
                found[n] = Proof(int(total[at[0]]), fixes.take(at))
    return found


def _batches(asked: Sequence[Stretch]) -> Iterator[list[int]]:
    """Put together what lies near in time, so that no question reads months of many devices."""
    batch: list[int] = []
    until = 0
    for n in sorted(range(len(asked)), key=lambda n: asked[n].first_us):
        long = asked[n].last_us - asked[n].first_us > _TOGETHER_US
        if batch and (long or asked[n].last_us > until):
            yield batch
            batch = []
        if not batch:
            until = asked[n].first_us + _TOGETHER_US
        batch.append(n)
        if long:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(now: Snapshot, batch: list[tuple[int, Stretch]], most: int) -> pa.Table:
    devices = ", ".join(layout.quoted(device) for device in sorted({one.device for _, one in batch}))
    query = now.select(
        tuple(FIX_SCHEMA.names),
        min(one.first_us - one.around_us for _, one in batch),
        max(one.last_us + one.around_us for _, one in batch) + 1,
        where=f"AND device IN ({devices})",
    )
    stretches = ", ".join(
        f"({n}, {layout.quoted(one.device)}, {one.first_us}, {one.last_us}, {one.around_us})"
        for n, one in batch
    )
    found = now.cursor.sql(f"""
        WITH near AS (
            SELECT s.n, f.*, coalesce(max(f.time) FILTER (f.time <= s.first_us) OVER mine, s.first_us) AS low,
                   coalesce(min(f.time) FILTER (f.time >= s.last_us) OVER mine, s.last_us) AS high
            FROM ({query}) f
            JOIN (VALUES {stretches}) s(n, device, first_us, last_us, around_us)
              ON f.device = s.device
             AND f.time BETWEEN s.first_us - s.around_us AND s.last_us + s.around_us
            WINDOW mine AS (PARTITION BY s.n)
        ), placed AS (
            SELECT *, count(*) OVER (PARTITION BY n) AS total,
                   row_number() OVER (PARTITION BY n ORDER BY time, received) AS place
            FROM near WHERE time BETWEEN low AND high
        )
        SELECT * FROM placed
        WHERE place IN (1, total) OR (place - 1) % ceil(total / {most - 1}) = 0
        ORDER BY n, place
    """)
    return found.to_arrow_table()
