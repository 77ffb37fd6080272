"""Accounts: who may sign in, and as what."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from geo_policing.errors import InvalidInput

MAX_NAME = 64


class Role(StrEnum):
    """What somebody is here for."""

    DISPATCHER = "dispatcher"
    DETECTIVE = "detective"
    ANALYST = "analyst"
    CORRECTIONS = "corrections"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in.

    Parameters
    ----------
    name : str
        1 to 64 printable characters without spaces; names that differ only in case or width are the same.
    role : Role
        What they are here for.
    display_name : str
        What people call them; the name when empty.
    created_us : int
        When the account was made, microseconds of UTC.
    disabled_us : int, optional
        When it was disabled; such an account does not sign in.
    """

    name: str
    role: Role
    display_name: str = ""
    created_us: int = 0
    disabled_us: int | None = None

    def __post_init__(self) -> None:
        """Refuse names that would break a log line."""
        if not is_account_name(self.name):
            raise InvalidInput(
                f"account name {self.name[: MAX_NAME + 1]!r} is not 1 to {MAX_NAME} printable characters "
                "without spaces",
                field="name",
                value=self.name,
            )
        if len(self.display_name) > MAX_NAME or not self.display_name.isprintable():
            raise InvalidInput(
                f"display name {self.display_name[: MAX_NAME + 1]!r} is not at most {MAX_NAME} printable "
                "characters",
                field="display_name",
                value=self.display_name,
            )

    @property
    def key(self) -> str:
        """The name as it is compared."""
        return account_key(self.name)

    @property
    def disabled(self) -> bool:
        """Whether it may not sign in."""
        return self.disabled_us is not None

    @property
    def shown_name(self) -> str:
        """What people call them."""
        return self.display_name or self.name


def account_key(name: str) -> str:
    """Return a name as it is compared: without case and compatibility forms (Unicode 3.13, D147)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", name).casefold())
    return unicodedata.normalize("NFKC", folded.casefold())


def is_account_name(name: str) -> bool:
    """Whether an account may have this name."""
    if len(name) > MAX_NAME:
        return False
    return all(
        0 < len(form) <= MAX_NAME and form.isprintable() and " " not in form
        for form in (name, account_key(name))
    )
