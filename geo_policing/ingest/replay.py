"""Receivers' logs played to a port, as if the receivers were there.

Each source that TAG blocks name is a connection of its own, as it is in the field; a log that names none is
one receiver. Lines are read as they are due, so that a log may be of any size.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from geo_policing.errors import InvalidFile, InvalidInput, Unavailable
from geo_policing.ingest.log_lines import LogReader
from geo_policing.ingest.transports.address import parse_address
from geo_policing.ingest.transports.base import allow_many_files, finish

#: Bytes of lines in hand at once.
BLOCK = 1 << 16
#: A longer pause in a log, or step back, is a receiver that was off or a clock that was set: not waited for.
LONGEST_PAUSE_US = 600_000_000
#: What stands in for such a pause.
PAUSE_US = 1_000_000
#: Lines that are due so soon are sent at once: timers of a millisecond cost more than they are worth.
SOON_S = 0.005
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """Where to play to.

    Parameters
    ----------
    scheme : str
        ``tcp`` or ``udp``.
    host, port : str, int
        The listener's.
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str, field: str = "--to") -> "Target":
        """Read ``tcp://HOST:PORT`` or ``udp://HOST:PORT``.

        Raises
        ------
        InvalidInput
            If it is neither.
        """
        scheme, separator, address = text.partition("://")
        if scheme not in {"tcp", "udp"} or not separator:
            raise InvalidInput(
                f"{field} {text!r} is neither tcp://HOST:PORT nor udp://HOST:PORT", field=field, value=text
            )
        return cls(scheme, *parse_address(address, field))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class Timeline:
    """Maps the time of a log to the time on the wall; pauses too long to wait for are left out.

    Parameters
    ----------
    begin_us : int
        When the first line is due, microseconds of UTC.
    speed : float
        Seconds of the log in a second.
    """

    def __init__(self, begin_us: int, speed: float) -> None:
        self._begin_us, self._speed = begin_us, speed
        self._log_us: int | None = None
        self._last_us = 0

    def reach(self, log_us: int) -> int:
        """Go on to a time of the log; return when that is due."""
        if self._log_us is None:
            # Whole seconds, so that a receiver's round seconds stay round, and never in the future.
            self._begin_us -= (self._begin_us - log_us) % _SECOND_US
            self._log_us = log_us
        elif abs(log_us - self._last_us) > LONGEST_PAUSE_US:
            # Again by whole seconds.
            self._begin_us = self.moved(self._last_us) + PAUSE_US
            self._begin_us += (log_us - self._begin_us) % _SECOND_US
            self._log_us = log_us
        self._last_us = log_us
        return self.moved(log_us)

    def moved(self, log_us: int) -> int:
        """Return when a time of the log is due."""
        assert self._log_us is not None
        return self._begin_us + round((log_us - self._log_us) / self._speed)


class Replay:
    """Plays logs; each begins at once, at its own first time.

    Parameters
    ----------
    logs : sequence of Path
        Files of what receivers said, NMEA 0183 with or without TAG blocks.
    target : Target
        Where to.
    speed : float
        Seconds of the log in a second; 0 plays as fast as it is taken.
    restamp : bool
        Whether the times in it are moved to now, so that an old log looks live. At another speed than 1
        the times are stretched or pressed together as well.
    loop : bool
        Whether to start over at the end, with restamped times.
    begin_us : int, optional
        When the first line counts as said, microseconds of UTC, now when not given; with one in the past,
        what is due by now is sent at once.
    since_us : int, optional
        What is due before is passed over, so that a replay can be taken up where it was left.
    device : str
        Who is registered on the connection of a log, for lines whose TAG block names no source.
    max_connections : int
        Further sources share the connections of others.

    Raises
    ------
    InvalidInput
        If the speed is none, or what is asked needs another.
    """

    def __init__(
        self,
        logs: Sequence[Path],
        target: Target,
        *,
        speed: float = 1.0,
        restamp: bool = False,
        loop: bool = False,
        begin_us: int | None = None,
        since_us: int | None = None,
        device: str = "",
        max_connections: int = 1_000,
    ) -> None:
        if not 0 <= speed < float("inf"):
            raise InvalidInput(f"speed {speed} is none; give 0 or more", field="speed", value=speed)
        if speed == 0 and (restamp or loop):
            raise InvalidInput(
                "speed 0 takes the log as it is; to restamp or loop, give a speed such as 1",
                field="speed",
                value=speed,
            )
        if speed == 0 and target.scheme == "udp":
            raise InvalidInput(
                "UDP cannot say how fast it is taken; give a speed such as 10", field="speed", value=speed
            )
        self.lines = 0
        self.bytes_read = 0
        self.rounds = 0
        self._logs, self._target, self._speed = logs, target, speed
        self._restamp, self._loop = restamp or loop, loop
        self._begin_us, self._since_us, self._device = begin_us, since_us, device
        self._mouths = _Mouths(target, max_connections)

    @property
    def connections(self) -> int:
        """Connections that were opened."""
        return self._mouths.opened

    async def run(self) -> None:
        """Play to the end; with `loop`, until it is cancelled.

        Raises
        ------
        InvalidFile
            If a log cannot be read.
        Unavailable
            If nobody listens at the target, or not any longer.
        """
        allow_many_files()
        begin_us = _now_us() if self._begin_us is None else self._begin_us
        plays = [asyncio.create_task(self._play(log, begin_us)) for log in self._logs]
        try:
            await asyncio.gather(*plays)
        finally:
            await finish(plays)
            await self._mouths.close()

    async def _play(self, log: Path, begin_us: int) -> None:
        while True:
            due_us = await self._play_once(log, begin_us)
            self.rounds += 1
            if not self._loop:
                return
            begin_us = max(due_us, begin_us) + PAUSE_US

    async def _play_once(self, log: Path, begin_us: int) -> int:
        """Play a log once; return when its last line was due."""
        reader, timeline = LogReader(), Timeline(begin_us, self._speed or 1.0)
        decimals = 0 if self._speed == 1 else 3
        due_us, timed = begin_us, False
        async for data in _lines(log):
            line = reader.read(data)
            if line.time is not None:
                due_us, timed = timeline.reach(line.time), True
            self.bytes_read += len(data)
            if self._since_us is not None and due_us < self._since_us:
                continue
            if self._speed:
                await _until(due_us)
            if self._restamp and timed:
                data = reader.restamped(line, timeline.moved, decimals=decimals)  # noqa: PLW2901
            mouth = await self._mouths.of(line.source or str(log), "" if line.source else self._device)
            await mouth.say(data)
            self.lines += 1
        if self._loop and not timed:
            raise InvalidFile(f"{log}: no line tells a time; is it an NMEA 0183 log?", value=str(log))
        return due_us


async def _lines(log: Path) -> AsyncIterator[bytes]:
    """Yield the lines of a file, a block in hand; what is longer than a block comes in pieces."""
    rest = b""
    try:
        with await asyncio.to_thread(log.open, "rb") as file:
            while block := await asyncio.to_thread(file.read, BLOCK):
                *lines, rest = (rest + block).splitlines(keepends=True)
                for line in lines:
                    yield line
                if rest.endswith(b"\n") or len(rest) > BLOCK:
                    yield rest
                    rest = b""
            if rest:
                yield rest
    except OSError as error:
        raise InvalidFile(f"{log}: {error.strerror}; check the path", value=str(log)) from None


def _now_us() -> int:
    return time.time_ns() // 1_000


async def _until(due_us: int) -> None:
    wait_s = (due_us - _now_us()) / 1e6
    if wait_s > SOON_S:
        await asyncio.sleep(wait_s)


class _Mouth(Protocol):
    """Where one receiver speaks."""

    async def say(self, data: bytes) -> None:
        """Send, as fast as it is taken."""

    async def close(self) -> None:
        """Send the rest and hang up."""


class _Mouths:
    """Opens a mouth for each receiver when it first speaks."""

    def __init__(self, target: Target, limit: int) -> None:
        self.opened = 0
        self._target, self._limit = target, limit
        self._open: list[_Mouth] = []
        self._of: dict[str, _Mouth] = {}

    async def of(self, receiver: str, registered: str) -> _Mouth:
        mouth = self._of.get(receiver)
        if mouth is None:
            if len(self._open) < self._limit:
                make: Callable[[Target, str], _Mouth] = _Tcp if self._target.scheme == "tcp" else _Udp
                mouth = make(self._target, registered)
                self._open.append(mouth)
                self.opened += 1
            else:
                mouth = self._open[len(self._of) % self._limit]
            self._of[receiver] = mouth
        return mouth

    async def close(self) -> None:
        for mouth in self._open:
            await mouth.close()


class _Tcp:
    """A connection, made when there is something to say, and made anew once when it has ended."""

    def __init__(self, target: Target, registered: str) -> None:
        self._target, self._registered = target, registered
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def say(self, data: bytes) -> None:
        try:
            try:
                await self._send(data)
            except (ConnectionResetError, BrokenPipeError):
                # Whoever listened hung up while we spoke, and may listen again.
                self._ends = None
                await self._send(data)
        except OSError as error:
            reason = "nobody listens there" if isinstance(error, ConnectionRefusedError) else str(error)
            raise Unavailable(f"{self._target}: {reason}; start the listener first") from None

    async def close(self) -> None:
        if self._ends is not None:
            _, writer = self._ends
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _send(self, data: bytes) -> None:
        writer = await self._writer()
        writer.write(data)
        await writer.drain()

    async def _writer(self) -> asyncio.StreamWriter:
        if self._ends is not None:
            reader, writer = self._ends
            if not reader.at_eof() and not writer.is_closing():
                return writer
            writer.close()
        self._ends = _, writer = await asyncio.open_connection(self._target.host, self._target.port)
        if self._registered:
            writer.write(b"ID %b\r\n" % self._registered.encode())
        return writer


class _Udp:
    """A socket; each line is a datagram."""

    def __init__(self, target: Target, registered: str) -> None:
        self._target = target
        self._head = b"ID %b\r\n" % registered.encode() if registered else b""
        self._transport: asyncio.DatagramTransport | None = None

    async def say(self, data: bytes) -> None:
        if self._transport is None:
            loop = asyncio.get_running_loop()
            address = (self._target.host, self._target.port)
            try:
                self._transport, _ = await loop.create_datagram_endpoint(
                    asyncio.DatagramProtocol, remote_addr=address
                )
            except OSError as error:
                raise Unavailable(f"{self._target}: {error.strerror or error}; check the address") from None
        self._transport.sendto(self._head + data)

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
