"""``geo-policing looks``: who asked where something was or what had happened."""

from pathlib import Path
from typing import Annotated

import typer


def looks(
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    datetime: Annotated[
        str | None, typer.Option(help="Only in this window: start/end, both RFC 3339 with an offset.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most, the newest first.", min=1)] = 100,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the databases; as the service has it by default (GEO_POLICING_DATA_DIR)."
        ),
    ] = None,
) -> None:
    """Print number, time, account, role, client, rows and question of each look, separated by tabs."""
    from geo_policing.cli.options import given
    from geo_policing.model import TimeWindow, format_instant
    from geo_policing.model.account import account_key
    from geo_policing.settings import ServiceSettings
    from geo_policing.store import open_records

    window = None if datetime is None else TimeWindow.parse(datetime, field="--datetime")
    key = None if account is None else account_key(account)
    settings = given(ServiceSettings, data_dir=data_dir)
    with open_records(settings.data_dir, settings.records_url) as records:
        for look in records.looks.list(window, key, limit=limit):
            at = format_instant(look.at_us)
            print(*(look.id, at, look.account, look.role, look.client, look.rows, look.question), sep="\t")
