"""Who looked at the past: questions for tracks and for incidents that are over. Added to, never changed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from geo_policing.model import TimeWindow
from geo_policing.store import tables
from geo_policing.store.engine import writing


@dataclass(frozen=True, slots=True)
class Look:
    """A question about the past, and how much came back.

    Parameters
    ----------
    at_us : int
        When, microseconds of UTC.
    account, role : str
        The key of the account that asked, and what it was then.
    client : str
        The address it asked from.
    question : str
        Path and query as they were asked.
    rows : int
        Fixes or incidents that were found for the answer; 0 when it was refused.
    device : str, optional
        Whose track it was.
    start_us, end_us : int, optional
        The window, half open, microseconds of UTC.
    id : int
        Its number, which grows; 0 before it is kept.
    """

    at_us: int
    account: str
    role: str
    client: str
    question: str
    rows: int
    device: str | None = None
    start_us: int | None = None
    end_us: int | None = None
    id: int = 0


class Looks:
    """Looks in the order they were kept. There is no way to change or to delete one here."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, look: Look) -> None:
        """Keep a look; it is on disk when this returns.

        Raises
        ------
        Unavailable
            If it could not be kept.
        """
        row = asdict(look)
        del row["id"]
        with writing(self._engine) as db:
            db.execute(tables.looks.insert(), row)

    def list(
        self,
        window: TimeWindow | None = None,
        account: str | None = None,
        *,
        limit: int = 100,
        before: int | None = None,
    ) -> Sequence[Look]:
        """Return looks, the newest first.

        Parameters
        ----------
        window : TimeWindow, optional
            When they were.
        account : str, optional
            Key of the account that looked.
        limit : int
            How many at most.
        before : int, optional
            Number of the last look of the page before.
        """
        c = tables.looks.c
        query = sa.select(tables.looks).order_by(c.id.desc()).limit(limit)
        if window is not None:
            query = query.where(c.at_us >= window.start_us, c.at_us < window.end_us)
        if account is not None:
            query = query.where(c.account == account)
        if before is not None:
            query = query.where(c.id < before)
        with self._engine.connect() as db:
            return [Look(**row) for row in db.execute(query).mappings()]
