"""Accounts: who may sign in, and as what."""

from dataclasses import dataclass
from enum import StrEnum

from geo_policing.errors import InvalidInput, NotAllowed


class Role(StrEnum):
    """What somebody is here for."""

    DISPATCHER = "dispatcher"
    DETECTIVE = "detective"
    ANALYST = "analyst"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in: a name without spaces, at most 64 characters, and a role."""

    name: str
    role: Role

    def __post_init__(self) -> None:
        """Refuse names that would break a log line."""
        if not (0 < len(self.name) <= 64 and self.name.isprintable() and " " not in self.name):
            raise InvalidInput(
                f"account name {self.name!r} is not 1 to 64 printable characters without spaces",
                field="name",
                value=self.name,
            )


def require(account: Account, *roles: Role) -> None:
    """Raise NotAllowed, naming what is missing, unless the account has one of the roles."""
    if account.role not in roles:
        raise NotAllowed(
            f"{account.name} is {account.role}; this needs the role {' or '.join(roles) or '(nobody has it)'}"
        )
