"""The history as it is at one instant, and the queries that its questions are made of."""

# ruff: noqa: S608 - queries are put together of our own names, numbers and paths

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from geo_policing.model import FixColumns
from geo_policing.model.fix import FIX_SCHEMA
from geo_policing.store.history import layout
from geo_policing.store.history.manifest import DAY_US, Manifest
from geo_policing.store.history.reading import SealedReader

COLUMNS = tuple(FIX_SCHEMA.names)
LISTED = ", ".join(COLUMNS)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The history as it is at one instant, to be asked with SQL.

    Parameters
    ----------
    cursor : DuckDB connection
        In a transaction of that instant.
    folder : Path
        Of the sealed days.
    sealed : SealedReader
        Reads a few rows of them.
    manifest : Manifest
        What is sealed.
    hot : dict of str to int
        Tables of what is not, with their days.
    """

    cursor: Any
    folder: Path
    sealed: SealedReader
    manifest: Manifest
    hot: dict[str, int]

    def unsealed(self, start_us: int, end_us: int) -> Self | None:
        """Return what is not sealed of [start, end), to be asked with SQL; None if there is none."""
        first, last = start_us // DAY_US, (end_us - 1) // DAY_US
        hot = {table: day for table, day in self.hot.items() if first <= day <= last}
        return replace(self, manifest=Manifest(), hot=hot) if hot else None

    def select(
        self,
        names: tuple[str, ...],
        start_us: int | None = None,
        end_us: int | None = None,
        kind: str = "by_device",
        where: str = "",
    ) -> str:
        """Return a query for columns of all fixes, or of those in [start, end), and where something holds."""
        parts = self.manifest.parts
        tables = list(self.hot)
        if start_us is not None and end_us is not None:
            first, last = start_us // DAY_US, (end_us - 1) // DAY_US
            parts = self.manifest.overlapping(start_us, end_us)
            tables = [table for table, day in self.hot.items() if first <= day <= last]
            where += f" AND time >= {start_us} AND time < {end_us}"
        shown = ", ".join(names)
        sources = layout.scan_parts(self.folder, parts, kind, names)
        sources += [f"SELECT {shown} FROM {table}" for table in tables]
        if not sources:
            sources = [f"SELECT {shown} FROM newest WHERE false"]
        clause = f" WHERE true {where}" if where else ""
        return " UNION ALL ".join(f"SELECT {shown} FROM ({source}){clause}" for source in sources)


def unsealed(now: Snapshot) -> str:
    """Return the query for what is not sealed, and of what is the newest fix of each device."""
    tables = ["newest", *now.hot]
    return " UNION ALL ".join(f"SELECT {LISTED} FROM {table}" for table in tables)


def newest(fixes: str) -> str:
    """Return the query for the newest fix of each device, without sorting all of them."""
    last = f"SELECT device, max(time) AS time FROM ({fixes}) GROUP BY device"
    return (
        f"SELECT {LISTED} FROM ({fixes}) SEMI JOIN ({last}) last USING (device, time) "
        "QUALIFY row_number() OVER (PARTITION BY device ORDER BY received DESC) = 1"
    )


def columns(cursor: Any, query: str, values: dict[str, Any]) -> FixColumns:
    """Return what a query gives, which has all columns."""
    fixes = FixColumns.from_arrow(cursor.sql(query, params=values).to_arrow_table())
    # Arrow hands out read-only views of its own memory; callers get arrays that are theirs.
    return fixes.take(np.arange(len(fixes)))
