"""``geo-policing serve``: the service, until Ctrl-C."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Address of the web interface.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the web interface.", min=0, max=65535)] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the databases.")] = None,
    roads: Annotated[Path | None, typer.Option(help="Road network (.roads).")] = None,
    tiles: Annotated[Path | None, typer.Option(help="Basemap (.pmtiles).")] = None,
    tcp: Annotated[str | None, typer.Option(help="HOST:PORT on which receivers connect.")] = None,
    udp_port: Annotated[int | None, typer.Option(help="UDP port for receivers.", min=0, max=65535)] = None,
    admit_all: Annotated[
        bool, typer.Option("--admit-all", help="Admit unknown devices that name themselves.")
    ] = False,
) -> None:
    """Receive, keep, show: the web interface and the receivers' port, until Ctrl-C.

    What is not given comes from the environment (GEO_POLICING_…, see docs/settings.md), then from defaults.
    """
    from geo_policing.cli.options import given, url
    from geo_policing.ingest.transports import TcpListener
    from geo_policing.ingest.transports.address import parse_address
    from geo_policing.service.dependencies import Rooms
    from geo_policing.service.run import bound_socket
    from geo_policing.service.run import serve as run
    from geo_policing.settings import IngestSettings, ServiceSettings

    settings = given(ServiceSettings, host=host, port=port, data_dir=data_dir, roads=roads, tiles=tiles)
    tcp_host, tcp_port = parse_address(tcp, "--tcp") if tcp is not None else (None, None)
    ingest = given(
        IngestSettings,
        tcp_host=tcp_host,
        tcp_port=tcp_port,
        udp_port=udp_port,
        admit_all=True if admit_all else None,
    )

    def ready(rooms: Rooms, first: tuple[str, str] | None) -> None:
        print(f"web interface  {url(web.getsockname())}/")
        for listener in rooms.listeners:
            scheme = "tcp" if isinstance(listener, TcpListener) else "udp"
            print(f"receivers      {url((listener.host, listener.port), scheme)} (NMEA 0183)")
        if first:
            name, password = first
            print(f"first start    sign in as {name} with {password}  (told once; change it with")
            print(f"               geo-policing account password {name} --data-dir {settings.data_dir})")
        print("Ctrl-C stops; everything acknowledged is on disk", flush=True)

    with bound_socket(settings.host, settings.port) as web:
        run(settings, ingest, web, ready)
    print("stopped; nothing is lost")
