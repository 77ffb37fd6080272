"""What all transports share: where a line comes from, and who carries its bytes on."""

import asyncio
import logging
import random
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

log = logging.getLogger(__name__)

#: A line that says nothing for so long has said all it had to say about this instant.
QUIET_S = 0.3
#: Bytes read at once; small, so that one line holds the loop only for a moment.
CHUNK = 1 << 13
#: Bytes of one connection that the system may hold for us, beside what we have read.
RECEIVE_BUFFER = 1 << 15
#: A line that we want to end has nothing more on its way when it says nothing for so long.
LAST_S = 0.1
#: Longest that what a closed line said may take to be carried.
GRACE_S = 5.0
#: Open files that we ask the system for: a connection is one, and 1,024 is the usual limit.
FILES = 65_536


@dataclass(frozen=True, slots=True)
class Origin:
    """Where bytes come from.

    Parameters
    ----------
    receiver : str
        Our end, like ``tcp:7001`` or ``serial:/dev/ttyUSB0``.
    host : str
        Address of the other end, without its port; empty where there is none.
    live : bool
        Whether bytes are received when they are said; not so of a file.
    datagrams : bool
        Whether chunks may be lost between others, so that each may say anew who speaks.
    """

    receiver: str
    host: str = ""
    live: bool = True
    datagrams: bool = False

    @property
    def key(self) -> str:
        """``RECEIVER/HOST``, or the receiver alone."""
        return f"{self.receiver}/{self.host}" if self.host else self.receiver


#: Takes a line: its origin, and its chunks, of which an empty one means that the line is quiet.
Carry = Callable[[Origin, AsyncIterator[bytes]], Awaitable[None]]


class Transport(Protocol):
    """A source of lines."""

    async def start(self, carry: Carry) -> None:
        """Open; raise Unavailable in one line when the machine does not let us."""

    async def wait(self) -> None:
        """Return when the source has ended; a listener never does."""

    async def stop(self) -> None:
        """Close every line and wait until what was read has been carried."""


@asynccontextmanager
async def running(transports: Iterable[Transport], carry: Carry) -> AsyncIterator[None]:
    """Start transports, and stop those that were started however this ends."""
    async with AsyncExitStack() as stack:
        for transport in transports:
            await transport.start(carry)
            stack.push_async_callback(transport.stop)
        yield


async def carried(carry: Carry, origin: Origin, chunks: AsyncIterator[bytes]) -> None:
    """Carry a line; what goes wrong with it is logged and harms neither the transport nor another line."""
    try:
        await carry(origin, chunks)
    except Exception:
        log.exception("%s: the line was given up", origin.key)


async def finish(tasks: Iterable[asyncio.Task[None]], grace_s: float = 0.0) -> None:
    """Wait until tasks have ended; those that have not after a grace are cancelled."""
    pending = set(tasks)
    if pending and grace_s:
        _, pending = await asyncio.wait(pending, timeout=grace_s)
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)


class Incoming:
    """What a stream says in chunks, ``b""`` once when it falls quiet, until it ends.

    Parameters
    ----------
    reader : StreamReader
        The stream.
    quiet_s : float
        Silence after which it counts as quiet.
    """

    def __init__(self, reader: asyncio.StreamReader, quiet_s: float = QUIET_S) -> None:
        self._reader, self._quiet_s = reader, quiet_s
        self._finishing = False
        self._wait: asyncio.Timeout | None = None

    def finish(self) -> None:
        """Take what is on its way already, then end."""
        self._finishing = True
        if self._wait is not None and not self._wait.expired():
            self._wait.reschedule(asyncio.get_running_loop().time() + LAST_S)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what it says."""
        spoke = False
        while True:
            limit_s = LAST_S if self._finishing else self._quiet_s if spoke else None
            try:
                async with asyncio.timeout(limit_s) as wait:
                    self._wait = wait
                    chunk = await self._reader.read(CHUNK)
            except OSError:
                if self._finishing or not wait.expired():
                    # We have heard enough; the peer is gone without goodbye, or keepalive found out.
                    return
                spoke = False
                yield b""
                continue
            finally:
                self._wait = None
            if not chunk:
                return
            spoke = True
            yield chunk


def keep_alive(sock: socket.socket) -> None:
    """Let the kernel find out within two minutes that a peer lost power; silence alone is no sign of it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if option := getattr(socket, name, None):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def allow_many_files() -> None:
    """Raise the limit of open files as far as the system lets us, at most to FILES."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Backoff:
    """How long to wait before the next attempt: twice as long each time, with jitter.

    The jitter keeps many clients from coming back all at once.

    Parameters
    ----------
    first_s, longest_s : float
        Upper bound of the first wait, and of all later ones; a wait is drawn from the upper half.
    """

    def __init__(self, first_s: float = 0.5, longest_s: float = 30.0) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._bound_s = first_s

    def reset(self) -> None:
        """Begin anew: an attempt succeeded."""
        self._bound_s = self._first_s

    def next_s(self) -> float:
        """Seconds to wait now."""
        bound_s, self._bound_s = self._bound_s, min(2 * self._bound_s, self._longest_s)
        return bound_s * random.uniform(0.5, 1.0)
