"""``geo-policing replay``: receivers' logs played to a port, as if the receivers were there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from geo_policing.ingest.replay import Replay


def replay(
    files: Annotated[list[Path], typer.Argument(help="Logs of receivers, NMEA 0183.", show_default=False)],
    to: Annotated[str, typer.Option(help="tcp://HOST:PORT or udp://HOST:PORT.")] = "tcp://127.0.0.1:7001",
    speed: Annotated[float, typer.Option(help="Seconds of the log in a second; 0: as fast as taken.")] = 1.0,
    restamp: Annotated[
        bool, typer.Option("--restamp", help="Move the times in the log to now, so that it looks live.")
    ] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Start over at the end, restamped.")] = False,
    begin: Annotated[
        str | None,
        typer.Option(help="When the logs count as begun, RFC 3339; what is due by now is sent at once."),
    ] = None,
    since: Annotated[str | None, typer.Option(help="What is due before is not sent, RFC 3339.")] = None,
    device: Annotated[str, typer.Option(help="Register logs whose lines name no source as this.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing unless it fails.")] = False,
) -> None:
    """Play logs by their own times; each source that TAG blocks name is a connection of its own."""
    import asyncio

    from geo_policing.ingest.replay import Replay, Target
    from geo_policing.model import parse_instant, to_us
    from geo_policing.model.device import check_device_id

    play = Replay(
        files,
        Target.parse(to),
        speed=speed,
        restamp=restamp,
        loop=loop,
        begin_us=to_us(parse_instant(begin, field="--begin")) if begin else None,
        since_us=to_us(parse_instant(since, field="--since")) if since else None,
        device=check_device_id(device) if device else "",
    )
    stopped = asyncio.run(_play(play, 0 if quiet else sum(file.stat().st_size for file in files)))
    said = "stopped after" if stopped else "played"
    if not quiet:
        print(f"{said} {play.lines:,} lines over {play.connections:,} connections")


async def _play(play: "Replay", size: int) -> bool:
    """Play, with a bar over so many bytes; without one for none."""
    from geo_policing.cli.bars import shown
    from geo_policing.cli.stopping import until_done_or_stopped

    async with shown("playing", size, lambda: play.bytes_read % max(size, 1)):
        return await until_done_or_stopped(play.run())
