"""UDP: each peer is a line of its own. Datagrams cannot be slowed, so the excess of a peer is dropped."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from geo_policing.ingest.transports.base import GRACE_S, QUIET_S, Carry, Origin, carried, finish
from geo_policing.ingest.transports.tcp_listener import listening_failed

log = logging.getLogger(__name__)


class UdpListener:
    """Receive datagrams on a port.

    Parameters
    ----------
    host, port : str, int
        Address to listen on; port 0 lets the system choose, see `port` after `start`.
    quiet_s : float
        Silence after which a peer counts as quiet.
    idle_s : float
        Silence after which a peer is forgotten; its next datagram is a new line.
    queue : int
        Datagrams of one peer that may wait; beyond that the oldest is lost and counted in `dropped`.
    max_peers : int
        Peers heard at once; datagrams of further ones are lost and counted in `dropped`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        quiet_s: float = QUIET_S,
        idle_s: float = 600.0,
        queue: int = 256,
        max_peers: int = 20_000,
    ) -> None:
        self.host, self.port = host, port
        self.dropped = 0
        self._quiet_s, self._idle_s, self._queue, self._max_peers = quiet_s, idle_s, queue, max_peers
        self._carry: Carry | None = None
        self._socket: asyncio.DatagramTransport | None = None
        self._peers: dict[tuple[str, int], asyncio.Queue[bytes]] = {}
        self._lines: set[asyncio.Task[None]] = set()

    async def start(self, carry: Carry) -> None:
        """Listen.

        Raises
        ------
        Unavailable
            If the port is in use, needs more rights, or the address is not ours.
        """
        self._carry = carry
        loop = asyncio.get_running_loop()
        try:
            self._socket, _ = await loop.create_datagram_endpoint(
                lambda: _Receiver(self._receive), local_addr=(self.host, self.port)
            )
        except OSError as error:
            raise listening_failed("UDP", self.host, self.port, error) from None
        self.port = self._socket.get_extra_info("sockname")[1]

    async def wait(self) -> None:
        """Wait forever: a listener does not end."""
        await asyncio.get_running_loop().create_future()

    async def stop(self) -> None:
        """Stop listening and wait until what was received has been carried."""
        if self._socket is not None:
            self._socket.close()

        for queue in self._peers.values():
            # An empty datagram ends a line once all before it are carried.
            self._queue_up(queue, b"")
        await finish(self._lines, GRACE_S)

    def _receive(self, data: bytes, peer: tuple[str, int]) -> None:
        queue = self._peers.get(peer)
        if queue is None:
            if len(self._peers) >= self._max_peers:
                self.dropped += 1
                return
            queue = self._peers[peer] = asyncio.Queue(self._queue)
            line = asyncio.create_task(self._line(peer, queue))
            self._lines.add(line)
            line.add_done_callback(self._lines.discard)
        if data:
            self._queue_up(queue, data)

    def _queue_up(self, queue: asyncio.Queue[bytes], data: bytes) -> None:
        if queue.full():
            queue.get_nowait()
            self.dropped += 1
        queue.put_nowait(data)

    async def _line(self, peer: tuple[str, int], queue: asyncio.Queue[bytes]) -> None:
        assert self._carry is not None
        origin = Origin(f"udp:{self.port}", host=peer[0], datagrams=True)
        try:
            await carried(self._carry, origin, self._chunks(peer, queue))
        finally:
            self._forget(peer, queue)

    def _forget(self, peer: tuple[str, int], queue: asyncio.Queue[bytes]) -> None:
        if self._peers.get(peer) is queue:
            del self._peers[peer]

    async def _chunks(self, peer: tuple[str, int], queue: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
        spoke = False
        while True:
            try:
                async with asyncio.timeout(self._quiet_s if spoke else self._idle_s):
                    datagram = await queue.get()
            except TimeoutError:
                if not spoke:
                    # At once, so that a datagram that comes now opens a new line.
                    self._forget(peer, queue)
                    return
                spoke = False
                yield b""
                continue
            if not datagram:
                return
            spoke = True
            yield datagram


class _Receiver(asyncio.DatagramProtocol):
    """Hands datagrams on."""

    def __init__(self, receive: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        """Hand a datagram on, with the address and port it came from."""
        self._receive(data, (str(addr[0]), addr[1]))

    def error_received(self, exc: Exception) -> None:
        """Note what the system says of a datagram; the socket goes on."""
        log.info("UDP: %s", exc)
