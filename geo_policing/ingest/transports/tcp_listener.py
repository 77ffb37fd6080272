"""TCP, receivers connect to us."""

import asyncio
import contextlib
import errno
import socket

from geo_policing.errors import Unavailable
from geo_policing.ingest.transports.base import (
    CHUNK,
    GRACE_S,
    QUIET_S,
    RECEIVE_BUFFER,
    Carry,
    Incoming,
    Origin,
    allow_many_files,
    carried,
    finish,
    keep_alive,
)


class TcpListener:
    """Accept receivers on a port; each connection is a line of its own.

    Parameters
    ----------
    host, port : str, int
        Address to listen on; port 0 lets the system choose, see `port` after `start`.
    quiet_s : float
        Silence after which a line counts as quiet.
    max_connections : int
        Connections beyond these are closed at once and counted in `turned_away`.
    """

    def __init__(
        self, host: str, port: int, *, quiet_s: float = QUIET_S, max_connections: int = 20_000
    ) -> None:
        self.host, self.port = host, port
        self.turned_away = 0
        self._quiet_s = quiet_s
        self._max_connections = max_connections
        self._carry: Carry | None = None
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.Task[None], tuple[Incoming, asyncio.StreamWriter]] = {}

    @property
    def connections(self) -> int:
        """Connections open now."""
        return len(self._lines)

    async def start(self, carry: Carry) -> None:
        """Listen.

        Raises
        ------
        Unavailable
            If the port is in use, needs more rights, or the address is not ours.
        """
        self._carry = carry
        allow_many_files()
        try:
            self._server = await asyncio.start_server(
                self._accept, self.host, self.port, limit=CHUNK, backlog=1024, start_serving=False
            )
            for sock in self._server.sockets:
                # Connections inherit it: thousands that wait for a slow store must not fill the memory.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            await self._server.start_serving()
        except OSError as error:
            raise listening_failed("TCP", self.host, self.port, error) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def wait(self) -> None:
        """Wait forever: a listener does not end."""
        await asyncio.get_running_loop().create_future()

    async def stop(self) -> None:
        """Stop listening, carry what receivers have said, and close the connections."""
        if self._server is not None:
            self._server.close()
        for incoming, _ in self._lines.values():
            incoming.finish()
        await finish(self._lines, GRACE_S)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._lines) >= self._max_connections:
            self.turned_away += 1
            writer.transport.abort()
            return
        incoming = Incoming(reader, self._quiet_s)
        line = asyncio.create_task(self._line(incoming, writer))
        self._lines[line] = incoming, writer
        line.add_done_callback(self._hung_up)

    async def _line(self, incoming: Incoming, writer: asyncio.StreamWriter) -> None:
        assert self._carry is not None
        peer = writer.get_extra_info("peername")
        with contextlib.suppress(OSError):
            keep_alive(writer.get_extra_info("socket"))
        origin = Origin(f"tcp:{self.port}", host=str(peer[0]) if peer else "")
        await carried(self._carry, origin, aiter(incoming))

    def _hung_up(self, line: asyncio.Task[None]) -> None:
        _, writer = self._lines.pop(line)
        writer.transport.abort()


def listening_failed(kind: str, host: str, port: int, error: OSError) -> Unavailable:
    """Say in one line why we cannot listen, and what to do."""
    place = f"{kind} port {port} on {host}"
    if isinstance(error, socket.gaierror):
        return Unavailable(f"{place}: no such address; give one of this machine, such as 127.0.0.1")
    if error.errno == errno.EADDRINUSE:
        return Unavailable(f"{place} is in use; stop what listens there or choose another port")
    if error.errno == errno.EACCES:
        return Unavailable(f"{place}: no permission; choose a port of 1024 or above")
    # Python 3.13's asyncio gives no number when it could bind none of a host's addresses.
    if error.errno in {errno.EADDRNOTAVAIL, None}:
        return Unavailable(f"{place}: not an address of this machine; use 127.0.0.1 or 0.0.0.0")
    return Unavailable(f"{place} cannot be opened: {error.strerror or error}")
