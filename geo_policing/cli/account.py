"""``geo-policing account``: who may sign in. Works beside a running service; no password is an argument."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geo_policing.access import Access

account = typer.Typer(help="Accounts: who may sign in, and as what.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name to sign in with; case does not matter.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the databases; as the service has it by default (GEO_POLICING_DATA_DIR)."),
]


@account.command()
def add(
    name: Name,
    role: Annotated[str, typer.Option(help="dispatcher, detective, analyst, corrections or admin.")],
    display_name: Annotated[str, typer.Option(help="What people call them.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Make an account; its password is asked for, or read as the first line of standard input."""
    from geo_policing.errors import InvalidInput
    from geo_policing.model import Role

    if role not in set(Role):
        raise InvalidInput(f"role {role!r} is none; choose {', '.join(Role)}", field="role", value=role)
    with _access(data_dir) as access:
        made = access.add(name, _password(), Role(role), display_name)
        headless = all(one.role != Role.ADMIN for one in access.accounts())
    print(f"account {made.name} ({made.role}) is made")
    if headless:
        # The service makes the first account an administrator, and this one was before it.
        print("nobody is an administrator: geo-policing account add NAME --role admin", file=sys.stderr)


@account.command("list")
def list_accounts(data_dir: DataDir = None) -> None:
    """Print name, role, display name and state of every account, a line each, separated by tabs."""
    with _access(data_dir) as access:
        for one in access.accounts():
            print(one.name, one.role, one.display_name, "disabled" if one.disabled else "active", sep="\t")


@account.command()
def password(name: Name, data_dir: DataDir = None) -> None:
    """Change a password, asked for or read from standard input, and end the account's sessions."""
    with _access(data_dir) as access:
        access.set_password(name, _password())
    print(f"the password of {name} is changed; whoever was signed in signs in again")


@account.command()
def disable(name: Name, data_dir: DataDir = None) -> None:
    """Keep an account from signing in and end its sessions."""
    with _access(data_dir) as access:
        access.disable(name)
    print(f"account {name} is disabled")


@account.command()
def enable(name: Name, data_dir: DataDir = None) -> None:
    """Let a disabled account sign in again."""
    with _access(data_dir) as access:
        access.enable(name)
    print(f"account {name} may sign in again")


@contextmanager
def _access(data_dir: Path | None) -> "Iterator[Access]":
    from geo_policing.access import Access
    from geo_policing.cli.options import given
    from geo_policing.settings import ServiceSettings
    from geo_policing.store import open_records

    # The same choice as the service makes, so that both open the same records.
    settings = given(ServiceSettings, data_dir=data_dir)
    with open_records(settings.data_dir, settings.records_url) as records:
        yield Access(records.accounts, records.sessions)


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
