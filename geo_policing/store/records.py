"""The records (devices, units, incidents, accounts, looks, questions of cases), in SQLite or elsewhere."""

from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from geo_policing.store.accounts import Accounts, Sessions
from geo_policing.store.answers import Answers
from geo_policing.store.devices import Devices, Units
from geo_policing.store.engine import open_engine
from geo_policing.store.incidents import Incidents
from geo_policing.store.looks import Looks
from geo_policing.store.reconstructions import Reconstructions
from geo_policing.store.searches import Searches


class Records:
    """The records behind one database, brought to the newest migration when opened.

    Safe to use from several threads and, where the database allows, from several processes.

    Parameters
    ----------
    url : str or URL
        SQLAlchemy's address of the database, like ``sqlite:////var/lib/geo_policing/records.sqlite`` (made
        when it is not there, its folder as well) or ``postgresql+psycopg://user@host/name``.

    Raises
    ------
    Unavailable
        If the database cannot be opened or written.
    InvalidInput
        If the address is none.
    """

    def __init__(self, url: str | sa.URL) -> None:
        self._engine = open_engine(url)
        self.devices = Devices(self._engine)
        self.units = Units(self._engine)
        self.incidents = Incidents(self._engine)
        self.accounts = Accounts(self._engine)
        self.sessions = Sessions(self._engine)
        self.looks = Looks(self._engine)
        self.reconstructions = Reconstructions(self._engine)
        self.searches = Searches(self._engine)
        self.answers = Answers(self._engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def open_records(folder: Path, url: str | None = None) -> Records:
    """Open the records at an address; without one, those in a SQLite file in a folder.

    Raises
    ------
    Unavailable
        If the database cannot be opened or written.
    InvalidInput
        If the address is none.
    """
    # Not written as text: a folder may have a question mark or a percent sign in its name.
    file = sa.URL.create("sqlite", database=str((folder / "records.sqlite").absolute()))
    return Records(url or file)
