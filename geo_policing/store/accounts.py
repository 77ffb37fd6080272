"""Accounts with the hashes of their passwords, and the sessions open on them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from geo_policing.errors import Conflict, NotFound
from geo_policing.model import Account, Role
from geo_policing.model.account import account_key
from geo_policing.store import tables
from geo_policing.store.engine import writing

_accounts = tables.accounts.c
_sessions = tables.sessions.c


class Accounts:
    """Accounts by name; names that differ only in case or width are the same."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, account: Account, password_hash: str) -> None:
        """Add an account; Conflict if the name is taken."""
        try:
            with writing(self._engine) as db:
                db.execute(tables.accounts.insert(), _row(account, password_hash))
        except sa.exc.IntegrityError:
            raise Conflict(f"account {account.name!r} exists already; choose another name") from None

    def add_first(self, account: Account, password_hash: str) -> bool:
        """Add an account if there is none at all, in one step; return whether it was added."""
        with writing(self._engine) as db:
            if db.dialect.name == "postgresql":
                # Two transactions that do not see each other's row would both find the table empty.
                db.execute(sa.text("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE"))
            if db.execute(sa.select(_accounts.key).limit(1)).first() is not None:
                return False
            db.execute(tables.accounts.insert(), _row(account, password_hash))
        return True

    def find(self, name: str) -> tuple[Account, str] | None:
        """Return the account and the hash of its password, or None."""
        query = sa.select(tables.accounts).where(_accounts.key == account_key(name))
        with self._engine.connect() as db:
            row = db.execute(query).mappings().one_or_none()
        return None if row is None else (_account(row), row["password_hash"])

    def list(self) -> Sequence[Account]:
        """Return all accounts by name."""
        with self._engine.connect() as db:
            rows = db.execute(sa.select(tables.accounts).order_by(_accounts.key)).mappings()
            return [_account(row) for row in rows]

    def set_password(self, name: str, password_hash: str) -> None:
        """Change the password and end the account's sessions, both or neither; NotFound if no such name."""
        self._change(name, True, password_hash=password_hash)

    def rehash(self, name: str, before: str, after: str) -> bool:
        """Replace the hash of the same password if it still is ``before``; return whether it was."""
        with writing(self._engine) as db:
            changed = db.execute(
                tables.accounts.update()
                .where(_accounts.key == account_key(name), _accounts.password_hash == before)
                .values(password_hash=after)
            )
            return changed.rowcount == 1

    def disable(self, name: str, now_us: int) -> None:
        """Disable the account and end its sessions, both or neither; NotFound if no such name."""
        # Disabled again, it keeps the time of the first.
        self._change(name, True, disabled_us=sa.func.coalesce(_accounts.disabled_us, now_us))

    def enable(self, name: str) -> None:
        """Let the account sign in again; NotFound if no such name."""
        self._change(name, False, disabled_us=None)

    def _change(self, name: str, ends_sessions: bool, **values: Any) -> None:
        key = account_key(name)
        with writing(self._engine) as db:
            changed = db.execute(tables.accounts.update().where(_accounts.key == key).values(**values))
            if changed.rowcount != 1:
                raise NotFound("account", name)
            if ends_sessions:
                db.execute(tables.sessions.delete().where(_sessions.account == key))


class Sessions:
    """Sessions by the SHA-256 of their token."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def open(self, token_hash: str, name: str, password_hash: str, created_us: int, expires_us: int) -> bool:
        """Open a session if the account is not disabled and has still this hash; return whether it was."""
        granted = (
            sa.select(
                sa.literal(token_hash, sa.Text),
                _accounts.key,
                sa.literal(created_us, sa.BigInteger),
                sa.literal(expires_us, sa.BigInteger),
                sa.literal(created_us, sa.BigInteger),
            )
            .where(
                _accounts.key == account_key(name),
                _accounts.password_hash == password_hash,
                _accounts.disabled_us.is_(None),
            )
            # A change of the account waits until the session is there, and then ends it.
            .with_for_update(read=True)
        )
        columns = ["token_hash", "account", "created_us", "expires_us", "last_used_us"]
        with writing(self._engine) as db:
            opened = tables.sessions.insert().from_select(columns, granted)
            # Inserted rows are counted only when that is asked for.
            return db.execute(opened.execution_options(preserve_rowcount=True)).rowcount == 1

    def find(self, token_hash: str, now_us: int) -> tuple[Account, int] | None:
        """Return whose session it is and when it was last used; None if unknown, expired or disabled."""
        query = (
            sa.select(tables.accounts, _sessions.last_used_us)
            .join_from(tables.sessions, tables.accounts)
            .where(
                _sessions.token_hash == token_hash,
                _sessions.expires_us > now_us,
                _accounts.disabled_us.is_(None),
            )
        )
        with self._engine.connect() as db:
            row = db.execute(query).mappings().one_or_none()
        return None if row is None else (_account(row), row["last_used_us"])

    def touch(self, token_hash: str, now_us: int) -> None:
        """Note that the session was used."""
        with writing(self._engine) as db:
            mine = tables.sessions.update().where(_sessions.token_hash == token_hash)
            db.execute(mine.values(last_used_us=now_us))

    def end(self, token_hash: str) -> None:
        """End a session, if there is one."""
        with writing(self._engine) as db:
            db.execute(tables.sessions.delete().where(_sessions.token_hash == token_hash))

    def purge(self, now_us: int) -> int:
        """Delete the sessions that have expired; return how many."""
        with writing(self._engine) as db:
            return db.execute(tables.sessions.delete().where(_sessions.expires_us <= now_us)).rowcount


def _row(account: Account, password_hash: str) -> dict[str, Any]:
    return {
        "key": account.key,
        "name": account.name,
        "display_name": account.display_name,
        "role": account.role.value,
        "password_hash": password_hash,
        "created_us": account.created_us,
        "disabled_us": account.disabled_us,
    }


def _account(row: sa.RowMapping) -> Account:
    return Account(row["name"], Role(row["role"]), row["display_name"], row["created_us"], row["disabled_us"])
