"""The database behind the records: opened, brought to the newest migration, its errors in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from geo_policing.errors import Conflict, InvalidInput, NotFound, Unavailable
from geo_policing.store.private import tighten

_MIGRATING = 7_301_110  # PostgreSQL's advisory lock of whoever migrates; any number that is only ours
_CONNECTIONS = 50


def open_engine(url: str | sa.URL) -> sa.Engine:
    """Connect to a database and bring it to the newest migration; processes that start together take turns.

    Raises
    ------
    Unavailable
        If it cannot be opened, written or migrated.
    InvalidInput
        If the address is none, or its driver is not installed.
    """
    engine = _engine(url)
    if engine.dialect.name == "sqlite":
        _make_file(engine.url)
        sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "handle_error", _in_our_words)
    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    try:
        with writing(engine) as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATING)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except BaseException:
        engine.dispose()
        raise
    return engine


def _engine(url: str | sa.URL) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
            raise InvalidInput(
                "records in memory are lost and each thread has its own; "
                "name a file, like sqlite:////var/lib/geo_policing/records.sqlite",
                field="records_url",
            )
        # As many connections as the service has threads, so that none waits for another's; and one that
        # died with a database that was restarted is found out before it is used.
        return sa.create_engine(parsed, pool_size=5, max_overflow=_CONNECTIONS - 5, pool_pre_ping=True)
    except sa.exc.ArgumentError:
        raise InvalidInput(
            "the address of the records is none; write it like sqlite:////var/lib/geo_policing/records.sqlite",
            field="records_url",
        ) from None
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"the records need the module {error.name}; for PostgreSQL: "
            "pip install 'geo-policing[postgresql]' and an address like postgresql+psycopg://…"
        ) from None


def _make_file(url: sa.URL) -> None:
    """Make the folder and the file of a SQLite database; it holds password hashes, so for its owner only."""
    if url.database is None or url.database.startswith("file:"):
        return
    path = Path(url.database)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
        # SQLite gives its log and the log's index the mode of the file.
        tighten(path, "-wal", "-shm", "-journal")
    except OSError as error:
        raise Unavailable(
            f"records {path} cannot be made ({error.strerror}); check the folder, permissions and space"
        ) from None


#: How long a record waits for another process that writes.
PATIENCE_MS = 10_000


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The patience first: the change to WAL itself may have to wait for another process.
    # What is deleted, like answers in time, is overwritten as well.
    for pragma in (f"busy_timeout={PATIENCE_MS}", "journal_mode=WAL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _in_our_words(context: sa.engine.ExceptionContext) -> None:
    """Say in one line what a database cannot do; breaches of integrity are for whoever asked."""
    if context.is_pre_ping:
        return  # not an error: the pool replaces the connection
    error = context.original_exception
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    wrapped = context.sqlalchemy_exception
    if isinstance(error, UnicodeEncodeError | OverflowError) or isinstance(wrapped, sa.exc.DataError):
        raise InvalidInput(f"a text or number that the records cannot hold ({said}); correct it") from None
    if isinstance(wrapped, sa.exc.DBAPIError) and not isinstance(
        wrapped, sa.exc.IntegrityError | sa.exc.ProgrammingError
    ):
        shown = context.dialect.name if context.engine is None else context.engine.url.render_as_string()
        raise Unavailable(
            f"records {shown} cannot be used ({said}); check the folder, permissions and space"
        ) from None


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction that writes: all of it or nothing, and on SQLite nobody else writes meanwhile.

    What is read first and then changed must be read with ``with_for_update()`` for PostgreSQL.
    """
    with engine.begin() as db:
        if engine.dialect.name == "sqlite":
            # Otherwise the driver begins at the first change only, after what was read may have changed.
            db.exec_driver_sql("BEGIN IMMEDIATE")
        yield db


def insert(engine: sa.Engine, table: sa.Table, kind: str, row: dict[str, Any]) -> None:
    """Insert a row; Conflict if its id is taken."""
    try:
        with writing(engine) as db:
            db.execute(table.insert(), row)
    except sa.exc.IntegrityError:
        raise Conflict(f"{kind} {row['id']!r} exists already; choose another id") from None


def get(engine: sa.Engine, table: sa.Table, kind: str, key: str) -> sa.RowMapping:
    """Return the row with an id, or raise NotFound."""
    with engine.connect() as db:
        row = db.execute(sa.select(table).where(table.c.id == key)).mappings().one_or_none()
    if row is None:
        raise NotFound(kind, key)
    return row
