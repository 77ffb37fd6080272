"""Questions to the history that end when they must."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from geo_policing.model import Halt
from geo_policing.store.fixes import FixStore
from geo_policing.store.history.snapshot import Snapshot


@contextmanager
def heeding(store: FixStore, halt: Halt) -> Iterator[Snapshot]:
    """See the history of one instant as `FixStore.snapshot` does; what DuckDB works on ends when it must.

    Raises
    ------
    Cancelled, TookTooLong
        As `Halt.check` does.
    """
    with store.snapshot() as now, halt.interrupting(now.cursor.interrupt):
        try:
            yield now
        except duckdb.InterruptException:
            halt.check()
            raise
