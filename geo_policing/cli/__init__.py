"""``geo-policing …``: one module a command; each imports what it needs when it runs, so that help is instant.

May import: every room. Nobody imports it.
"""

import sys

import typer

from geo_policing.cli.account import account
from geo_policing.cli.decode import decode
from geo_policing.cli.demo import demo
from geo_policing.cli.history import history
from geo_policing.cli.incidents import import_incidents
from geo_policing.cli.ingest import ingest
from geo_policing.cli.learn_speeds import learn_speeds
from geo_policing.cli.looks import looks
from geo_policing.cli.match import match
from geo_policing.cli.match_day import match_day
from geo_policing.cli.reconstruct import reconstruct
from geo_policing.cli.replay import replay
from geo_policing.cli.roads import import_roads
from geo_policing.cli.sample_city import sample_city
from geo_policing.cli.search import search
from geo_policing.cli.serve import serve
from geo_policing.cli.tiles import build_tiles
from geo_policing.cli.warm import warm_up
from geo_policing.errors import GeoPolicingError

app = typer.Typer(
    name="geo-policing",
    help="Positions and incidents of a city, live and in history.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.add_typer(account, name="account")
app.add_typer(history, name="history")
app.add_typer(search, name="search")
app.command()(decode)
app.command()(demo)
app.command()(learn_speeds)
app.command()(looks)
app.command()(match)
app.command()(match_day)
app.command()(reconstruct)
app.command()(ingest)
app.command()(replay)
app.command()(import_roads)
app.command()(import_incidents)
app.command()(sample_city)
app.command()(build_tiles)
app.command()(serve)
app.command()(warm_up)


@app.callback()
def geo_policing() -> None:
    """Positions and incidents of a city, live and in history."""


def main() -> None:
    """Run the command line; what the package raises on purpose becomes one line and exit code 1."""
    try:
        app()
    except GeoPolicingError as error:
        print(f"geo-policing: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        print(
            f"geo-policing: {error.strerror or error}:{place}; check the path and its permissions",
            file=sys.stderr,
        )
        raise SystemExit(1) from None
