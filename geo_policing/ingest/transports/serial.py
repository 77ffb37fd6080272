"""A serial port, by pyserial, read when the system says that there is something."""

import asyncio
import errno
import logging
from collections.abc import AsyncIterator

import serial

from geo_policing.errors import Unavailable
from geo_policing.ingest.transports.base import CHUNK, QUIET_S, Backoff, Carry, Origin, carried, finish

log = logging.getLogger(__name__)

_REASONS = {
    errno.EACCES: "no permission; join the group that owns it, often 'dialout'",
    errno.ENOENT: "it is not there; check the cable and the name",
    errno.ENXIO: "nothing is plugged in; check the cable",
    errno.EWOULDBLOCK: "another program reads it; stop that one",
    errno.EBUSY: "another program reads it; stop that one",
}


class SerialPort:
    """Read a serial port; one that is pulled out is opened again when it is back.

    Parameters
    ----------
    device : str
        Like ``/dev/ttyUSB0``.
    baud : int
        Bits a second: 4800 by the standard, usually 9600 or 115200.
    quiet_s : float
        Silence after which the line counts as quiet.
    backoff : Backoff
        Waits between attempts to open it again.
    """

    def __init__(
        self, device: str, baud: int = 9600, *, quiet_s: float = QUIET_S, backoff: Backoff | None = None
    ) -> None:
        self.device, self.baud = device, baud
        self._quiet_s = quiet_s
        self._backoff = backoff or Backoff()
        self._task: asyncio.Task[None] | None = None

    async def start(self, carry: Carry) -> None:
        """Open the port.

        Raises
        ------
        Unavailable
            If it is not there, is read by another program, we may not read it, or it has no such speed.
        """
        try:
            port = self._open()
        except ValueError as error:
            raise Unavailable(
                f"serial port {self.device}: {error}; choose a speed such as 9600 or 115200"
            ) from None
        except OSError as error:
            reason = _REASONS.get(error.errno or 0, f"{error}; is it a serial port?")
            raise Unavailable(f"serial port {self.device} cannot be opened: {reason}") from None
        self._task = asyncio.create_task(self._run(port, carry))

    async def wait(self) -> None:
        """Wait forever: a port may always come back."""
        await asyncio.get_running_loop().create_future()

    async def stop(self) -> None:
        """Close the port and wait until what it said has been carried."""
        if self._task is not None:
            await finish({self._task})

    def _open(self) -> serial.Serial:
        # Two readers of one port would each get half of the bytes.
        return serial.Serial(self.device, self.baud, timeout=0, exclusive=True)

    async def _run(self, port: serial.Serial, carry: Carry) -> None:
        origin = Origin(f"serial:{self.device}")
        while True:
            with port:
                await carried(carry, origin, self._chunks(port))
            log.warning("%s: the port is gone", origin.receiver)
            port = await self._again()

    async def _again(self) -> serial.Serial:
        while True:
            await asyncio.sleep(self._backoff.next_s())
            try:
                return self._open()
            except OSError as error:
                log.info("serial:%s: %s", self.device, error)

    async def _chunks(self, port: serial.Serial) -> AsyncIterator[bytes]:
        spoke = False
        while True:
            try:
                async with asyncio.timeout(self._quiet_s if spoke else None):
                    await readable(port.fileno())
            except TimeoutError:
                spoke = False
                yield b""
                continue
            try:
                chunk = port.read(CHUNK)
            except OSError:
                return
            if not chunk:
                return
            self._backoff.reset()
            spoke = True
            yield chunk


async def readable(fd: int) -> None:
    """Wait until a descriptor has something to read, or its other end is gone."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)
