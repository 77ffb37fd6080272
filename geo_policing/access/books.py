"""What access asks of whoever keeps its accounts and sessions."""

from collections.abc import Sequence
from typing import Protocol

from geo_policing.model import Account


class AccountBook(Protocol):
    """Keeps accounts with the hashes of their passwords; names are compared by their key."""

    def add(self, account: Account, password_hash: str) -> None:
        """Add an account; Conflict if the name is taken."""

    def add_first(self, account: Account, password_hash: str) -> bool:
        """Add an account if there is none at all, in one step; return whether it was added."""

    def find(self, name: str) -> tuple[Account, str] | None:
        """Return the account and the hash of its password, or None."""

    def list(self) -> Sequence[Account]:
        """Return all accounts by name."""

    def set_password(self, name: str, password_hash: str) -> None:
        """Change the password and end the account's sessions, both or neither; NotFound if no such name."""

    def rehash(self, name: str, before: str, after: str) -> bool:
        """Replace the hash of the same password if it still is ``before``; return whether it was."""

    def disable(self, name: str, now_us: int) -> None:
        """Disable the account and end its sessions, both or neither; NotFound if no such name."""

    def enable(self, name: str) -> None:
        """Let the account sign in again; NotFound if no such name."""


class SessionBook(Protocol):
    """Keeps sessions by the hash of their token; the token itself is known to its holder only."""

    def open(self, token_hash: str, name: str, password_hash: str, created_us: int, expires_us: int) -> bool:
        """Open a session if the account is not disabled and has still this hash; return whether it was."""

    def find(self, token_hash: str, now_us: int) -> tuple[Account, int] | None:
        """Return whose session it is and when it was last used; None if unknown, expired or disabled."""

    def touch(self, token_hash: str, now_us: int) -> None:
        """Note that the session was used."""

    def end(self, token_hash: str) -> None:
        """End a session, if there is one."""

    def purge(self, now_us: int) -> int:
        """Delete the sessions that have expired; return how many."""
