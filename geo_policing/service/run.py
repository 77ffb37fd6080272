"""Running the service in this process until it is told to stop."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from geo_policing.ingest.transports.tcp_listener import listening_failed
from geo_policing.service.app import create_app, open_rooms
from geo_policing.service.dependencies import Rooms
from geo_policing.settings import IngestSettings, ServiceSettings

#: How long open requests may go on after the service was told to stop.
GRACE_S = 3
BACKLOG = 1024


def bound_socket(host: str, port: int, kind: str = "web") -> socket.socket:
    """Take the address before anything else is done, so that a port in use is known at once.

    Parameters
    ----------
    host, port : str, int
        The address; port 0 lets the system choose.
    kind : str
        What the port is for, told when it is not to be had.

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
        raise listening_failed(kind, host, port, error) from None
    return taken


class Server(uvicorn.Server):
    """A web server that leaves the signals to its caller, who has more to close than it knows of."""

    def __init__(self, app: FastAPI) -> None:
        proxies = app.state.rooms.settings.forwarded_allow_ips
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                # Off unless proxies are named: else any client says where it is from.
                proxy_headers=bool(proxies),
                forwarded_allow_ips=proxies,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
                timeout_keep_alive=30,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals as they are."""
        yield


def serve(
    settings: ServiceSettings,
    ingest: IngestSettings,
    web: socket.socket,
    ready: Callable[[Rooms, tuple[str, str] | None], None],
) -> None:
    """Serve until SIGINT or SIGTERM; when it returns, all that was accepted is on disk.

    Parameters
    ----------
    settings, ingest : ServiceSettings, IngestSettings
        Read by the caller and passed down.
    web : socket
        Where browsers connect; from `bound_socket`.
    ready : callable
        Called when receivers can connect, with name and password of the first administrator if this start has
        made one; browsers are answered right after.

    Raises
    ------
    Unavailable
        If a database or a port is not to be had, or not everything could be written at the end.
    """

    async def run() -> None:
        async with open_rooms(settings, ingest) as rooms:
            server = Server(create_app(rooms))

            def stop(number: int) -> None:
                for hub in rooms.hubs.values():
                    hub.close()
                server.handle_exit(number, None)

            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop, number)
            # From here on a browser may connect; it is answered when the server runs, right after.
            try:
                web.listen(BACKLOG)
            except OSError as error:
                host, port = web.getsockname()[:2]
                raise listening_failed("web", host, port, error) from None
            # When nothing can fail any more: the password is told once.
            ready(rooms, await run_in_threadpool(rooms.access.first_admin))
            await server.serve(sockets=[web])

    # What the databases put beside their files for a while is for the owner alone as well.
    before = os.umask(0o077)
    try:
        asyncio.run(run())
    finally:
        os.umask(before)
