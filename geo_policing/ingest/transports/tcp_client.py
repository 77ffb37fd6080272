"""TCP, we connect to a receiver or a serial server, again and again."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from geo_policing.ingest.transports.base import (
    CHUNK,
    GRACE_S,
    QUIET_S,
    Backoff,
    Carry,
    Incoming,
    Origin,
    carried,
    finish,
    keep_alive,
)

log = logging.getLogger(__name__)


class TcpClient:
    """Keep a connection to a receiver; when it is refused or ends, try again later.

    Parameters
    ----------
    host, port : str, int
        Where the receiver listens.
    quiet_s : float
        Silence after which the line counts as quiet.
    connect_s : float
        Longest that one attempt may take.
    backoff : Backoff
        Waits between attempts; begins anew once the receiver has said something.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        quiet_s: float = QUIET_S,
        connect_s: float = 10.0,
        backoff: Backoff | None = None,
    ) -> None:
        self.host, self.port = host, port
        self.attempts = 0
        self._quiet_s, self._connect_s = quiet_s, connect_s
        self._backoff = backoff or Backoff()
        self._task: asyncio.Task[None] | None = None
        self._incoming: Incoming | None = None
        self._ending = asyncio.Event()

    async def start(self, carry: Carry) -> None:
        """Begin to connect; a receiver that is not there yet is no error."""
        self._task = asyncio.create_task(self._run(carry))

    async def wait(self) -> None:
        """Wait forever: the receiver may always come back."""
        await asyncio.get_running_loop().create_future()

    async def stop(self) -> None:
        """Carry what the receiver has said, and close the connection."""
        self._ending.set()
        if self._incoming is not None:
            self._incoming.finish()
        if self._task is not None:
            await finish({self._task}, GRACE_S if self._incoming is not None else 0.0)

    async def _run(self, carry: Carry) -> None:
        origin = Origin(f"connect:{self.host}:{self.port}", host=self.host)
        while not self._ending.is_set():
            self.attempts += 1
            try:
                async with asyncio.timeout(self._connect_s):
                    reader, writer = await asyncio.open_connection(self.host, self.port, limit=CHUNK)
            except OSError as error:
                log.warning("%s: %s", origin.receiver, error.strerror or str(error) or "no answer")
            else:
                log.info("%s: connected", origin.receiver)
                with contextlib.suppress(OSError):
                    keep_alive(writer.get_extra_info("socket"))
                self._incoming = Incoming(reader, self._quiet_s)
                try:
                    await carried(carry, origin, self._chunks(self._incoming))
                finally:
                    writer.transport.abort()
                    self._incoming = None
                log.warning("%s: the connection has ended", origin.receiver)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.next_s()):
                    await self._ending.wait()

    async def _chunks(self, incoming: Incoming) -> AsyncIterator[bytes]:
        async for chunk in incoming:
            self._backoff.reset()
            yield chunk
