"""``geo-policing ingest``: receivers into the history, without the web service."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from geo_policing.ingest.pipeline import Pipeline
    from geo_policing.ingest.registry import Registry
    from geo_policing.ingest.transports import Transport

#: Devices named for each reason, and strangers shown.
SHOWN = 5

_Many = list[str] | None


def ingest(
    files: Annotated[
        _Many, typer.Argument(help="Logs of receivers; - is standard input.", show_default=False)
    ] = None,
    tcp: Annotated[_Many, typer.Option(help="HOST:PORT on which receivers connect.")] = None,
    connect: Annotated[_Many, typer.Option(help="HOST:PORT of a receiver to connect to.")] = None,
    udp: Annotated[_Many, typer.Option(help="HOST:PORT on which datagrams come.")] = None,
    serial: Annotated[_Many, typer.Option(help="Serial port, DEV@BAUD, like /dev/ttyUSB0@9600.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the databases.")] = None,
    device: Annotated[str, typer.Option(help="Device of lines that name none.")] = "",
    admit_all: Annotated[
        bool, typer.Option("--admit-all", help="Admit unknown devices that name themselves.")
    ] = False,
) -> None:
    """Receive until the files have ended or Ctrl-C, and say what became of it.

    Who speaks on which line and what is believed comes from the environment (GEO_POLICING_INGEST_…, see
    docs/settings.md), as for the service.
    """
    import asyncio
    import logging

    from geo_policing.cli.options import given
    from geo_policing.errors import InvalidInput
    from geo_policing.ingest.pipeline import Pipeline
    from geo_policing.ingest.plausibility import Plausibility
    from geo_policing.ingest.registry import Registry
    from geo_policing.model import Device
    from geo_policing.settings import IngestSettings, ServiceSettings
    from geo_policing.store import FixStore, open_records

    logging.basicConfig(format="%(message)s")
    transports = _transports(files or (), tcp or (), connect or (), udp or (), serial or ())
    if not transports:
        raise InvalidInput("nothing to receive from; give FILEs, --tcp, --connect, --udp or --serial")
    settings = given(ServiceSettings, data_dir=data_dir)
    believed = given(IngestSettings, admit_all=True if admit_all else None)
    with (
        FixStore(settings.data_dir / "fixes.duckdb") as store,
        open_records(settings.data_dir, settings.records_url) as records,
    ):
        known = {known.id for known in records.devices.list()}
        registry = Registry(
            known,
            believed.lines,
            admitted_lines=records.devices.lines(),
            default=device,
            admit_all=believed.admit_all,
        )
        plausibility = Plausibility(believed.max_future_s, believed.max_speed_mps)
        pipeline = Pipeline(
            store, plausibility, batch_rows=believed.batch_rows, batch_seconds=believed.batch_seconds
        )
        pipeline.prime(store.latest())
        try:
            asyncio.run(_receive(transports, pipeline, registry))
        finally:
            records.devices.add_new([Device(new) for new in sorted(registry.known - known)])


def _transports(
    files: Sequence[str],
    tcp: Sequence[str],
    connect: Sequence[str],
    udp: Sequence[str],
    serial: Sequence[str],
) -> "list[Transport]":
    from geo_policing.errors import InvalidInput
    from geo_policing.ingest.transports import FileSource, SerialPort, TcpClient, TcpListener, UdpListener
    from geo_policing.ingest.transports.address import parse_address

    ports = []
    for text in serial:
        name, at, baud = text.rpartition("@")
        if not at or not name or not (baud.isascii() and baud.isdigit()):
            raise InvalidInput(
                f"--serial {text!r} is not DEV@BAUD, like /dev/ttyUSB0@9600", field="--serial", value=text
            )
        ports.append(SerialPort(name, int(baud)))
    return [
        *(TcpListener(*parse_address(text, "--tcp")) for text in tcp),
        *(TcpClient(*parse_address(text, "--connect")) for text in connect),
        *(UdpListener(*parse_address(text, "--udp")) for text in udp),
        *ports,
        *(FileSource(name) for name in files),
    ]


async def _receive(transports: "Sequence[Transport]", pipeline: "Pipeline", registry: "Registry") -> None:
    from geo_policing.cli.bars import shown
    from geo_policing.cli.stopping import until_done_or_stopped
    from geo_policing.ingest.protocols import PROTOCOLS
    from geo_policing.ingest.sessions import Sessions
    from geo_policing.ingest.transports import FileSource, TcpListener, UdpListener, running

    sessions = Sessions(pipeline, registry, PROTOCOLS["nmea0183"])
    started = False
    try:
        async with pipeline, running(transports, sessions.carry):
            started = True
            logs = [transport for transport in transports if isinstance(transport, FileSource)]
            size = sum(log.size for log in logs)
            async with shown("reading", size, lambda: sum(log.bytes_read for log in logs)):
                # Right before signals are heeded, for who reads it may send one.
                for transport in transports:
                    if isinstance(transport, TcpListener | UdpListener):
                        kind = "tcp" if isinstance(transport, TcpListener) else "udp"
                        where = f"{kind}://{transport.host}:{transport.port}"
                        print(f"listening on {where}", file=sys.stderr, flush=True)
                await until_done_or_stopped(*(transport.wait() for transport in transports))
    finally:
        if started:
            _report(pipeline, registry)


def _report(pipeline: "Pipeline", registry: "Registry") -> None:
    print(f"accepted    {pipeline.accepted:,}")
    print(f"stored      {pipeline.stored:,}")
    print(f"late        {pipeline.late:,}")
    reasons: dict[str, Counter[str]] = {}
    for (reason, device), n in pipeline.refusals.items():
        reasons.setdefault(reason, Counter())[device] += n
    for reason, devices in sorted(reasons.items()):
        named = [f"{device or '(no name)'} {n:,}" for device, n in devices.most_common(SHOWN)]
        more = ["…"] if len(devices) > SHOWN else []
        print(f"refused     {devices.total():,} {reason}: {', '.join(named + more)}")
    strangers = registry.quarantine
    if not (pipeline.accepted or reasons or strangers):
        print("nothing was said that could be understood; was it NMEA 0183?", file=sys.stderr)
    for stranger in strangers[:SHOWN]:
        print(
            f"quarantine  {stranger.key}: {stranger.bytes:,} bytes, {stranger.fixes:,} fixes not stored, "
            f"last {stranger.last_sentence}"
        )
    if strangers:
        more_text = f"{len(strangers) - SHOWN:,} more; " if len(strangers) > SHOWN else ""
        print(
            f"            {more_text}to store them, say --admit-all, or --device ID for lines that name none"
        )
