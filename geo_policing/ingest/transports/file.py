"""A file, or standard input: the only sources that end."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from geo_policing.errors import InvalidFile, Unavailable
from geo_policing.ingest.transports.base import CHUNK, QUIET_S, Carry, Origin, carried, finish
from geo_policing.ingest.transports.serial import readable


class FileSource:
    """Read a file to its end; ``-`` is standard input, which may pause for as long as it likes.

    Parameters
    ----------
    path : str or Path
        The file.
    quiet_s : float
        Silence after which standard input counts as quiet.
    """

    def __init__(self, path: str | Path, *, quiet_s: float = QUIET_S) -> None:
        self.path = str(path)
        #: Size of the file once it is open, and how much of it is read; 0 for standard input.
        self.size = self.bytes_read = 0
        self._quiet_s = quiet_s
        self._task: asyncio.Task[None] | None = None

    async def start(self, carry: Carry) -> None:
        """Open the file.

        Raises
        ------
        InvalidFile
            If it is not there or is a folder.
        Unavailable
            If we may not read it.
        """
        if self.path == "-":
            fd = sys.stdin.fileno()
            # A log that was redirected to it was received when nobody knows.
            live = not stat.S_ISREG(os.fstat(fd).st_mode)
            chunks = self._listen(fd) if live else self._read(fd)
            self._task = asyncio.create_task(carried(carry, Origin("stdin", live=live), chunks))
            return
        try:
            file = await asyncio.to_thread(Path(self.path).open, "rb")
        except PermissionError:
            raise Unavailable(f"{self.path}: no permission to read it") from None
        except OSError as error:
            raise InvalidFile(f"{self.path}: {error.strerror}; check the path", value=self.path) from None
        self.size = os.fstat(file.fileno()).st_size
        self._task = asyncio.create_task(self._file(carry, file))

    async def wait(self) -> None:
        """Return when the file has been carried to its end."""
        assert self._task is not None
        await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Stop reading and wait until what was read has been carried."""
        if self._task is not None:
            await finish({self._task})

    async def _file(self, carry: Carry, file: BinaryIO) -> None:
        with file:
            name = self.path.encode(errors="replace").decode()  # Arrow takes no half characters
            await carried(carry, Origin(f"file:{name}", live=False), self._read(file.fileno()))

    async def _read(self, fd: int) -> AsyncIterator[bytes]:
        while chunk := await asyncio.to_thread(os.read, fd, CHUNK):
            self.bytes_read += len(chunk)
            yield chunk

    async def _listen(self, fd: int) -> AsyncIterator[bytes]:
        spoke = False
        while True:
            try:
                async with asyncio.timeout(self._quiet_s if spoke else None):
                    await readable(fd)
            except TimeoutError:
                spoke = False
                yield b""
                continue
            except PermissionError:
                # Something like /dev/null, which is always readable and cannot be waited for.
                async for chunk in self._read(fd):
                    yield chunk
                return
            chunk = os.read(fd, CHUNK)
            if not chunk:
                return
            spoke = True
            yield chunk
