"""Running the service in this process until it is told to stop."""

import socket
from collections.abc import Callable

import uvicorn

from geo_policing.ingest.transports.tcp_listener import listening_failed
from geo_policing.service.app import create_app
from geo_policing.service.dependencies import Rooms
from geo_policing.settings import IngestSettings, ServiceSettings

#: How long open requests may go on after the service was told to stop.
GRACE_S = 3


def bound_socket(host: str, port: int) -> socket.socket:
    """Take the address before anything else is done, so that a port in use is known at once.

    Raises
    ------
    Unavailable
        In one line that says what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
    except OSError as error:
        taken.close()
        raise listening_failed("web", host, port, error) from None
    return taken


def serve(
    settings: ServiceSettings,
    ingest: IngestSettings,
    web: socket.socket,
    ready: Callable[[Rooms], None],
) -> None:
    """Serve until SIGINT or SIGTERM; when it returns, all that was accepted is on disk.

    Parameters
    ----------
    web : socket
        Where browsers connect; from `bound_socket`.
    ready : callable
        Called when receivers can connect; browsers are answered right after.

    Raises
    ------
    Unavailable
        If a database or a port is not to be had.
    """
    failure: list[BaseException] = []
    app = create_app(settings, ingest, ready=ready, failed=failure.append)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
    )
    uvicorn.Server(config).run(sockets=[web])
    if failure:
        raise failure[0]
