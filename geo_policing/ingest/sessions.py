r"""Sessions: one open line, from its bytes to the pipeline, and who is speaking on it.

A device is named, in this order, by the source of a sentence's TAG block; by a registration line; by what
the registry knows of the line. The registration line is the first line of a connection (in UDP, of any
datagram)::

    ID patrol-07\r\n

Serial servers and cellular modems can be set to send it when they connect. It says who speaks; it is no
proof of it.
"""

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import reduce
from operator import xor

from geo_policing.errors import InvalidInput
from geo_policing.ingest.pipeline import Pipeline
from geo_policing.ingest.protocols import Decoder
from geo_policing.ingest.registry import Registry
from geo_policing.ingest.transports.base import Origin
from geo_policing.model import Fix
from geo_policing.model.device import check_device_id

log = logging.getLogger(__name__)

_TAG_SOURCE = re.compile(rb"\\(?:[^\\]*,)?s:([^,*\\]+)[^\\]*\\")
_TAG_GROUP = re.compile(rb"\\(?:[^\\]*,)?g:\d+-\d+-\d+[^\\]*\\")
_REGISTRATION = re.compile(rb"ID ([^\r\n]{1,64})\r?\n")
_REGISTRATION_BEGINS = b"ID "
#: A sentence that has begun and whose checksum has not come yet.
_UNFINISHED = re.compile(rb"[$!\\][^\r\n]*(?<!\*[0-9A-Fa-f]{2})\Z")
REGISTRATION_LONGEST = 70
MAX_DECODER_ERRORS_LOGGED = 10
#: Bytes that lines may have decoded before whoever else waits for the loop has a turn.
TURN = 1 << 13
#: What is longer is no line; it is counted as it comes.
MAX_LINE = 1024


@dataclass(slots=True)
class SessionCounts:
    """What all sessions together have met."""

    open: int = 0
    opened: int = 0
    bytes: int = 0
    fixes: int = 0
    unknown_fixes: int = 0
    decoder_errors: int = 0


class Sessions:
    """Carries lines from transports to the pipeline; `carry` is what a transport is started with.

    Parameters
    ----------
    pipeline : Pipeline
        Takes the fixes of known devices.
    registry : Registry
        Says who is known.
    decoder : callable
        Makes the decoder of a line from a device id.
    bytes_per_second, burst_bytes : float, int
        What one line of the network may send in the long run and at once; one that sends more is read
        more slowly. A file is read as fast as it can be stored, a serial port as fast as it is.
    max_unacknowledged : int
        Fixes of one line that may wait for the disk before it is read no further.
    clock : callable
        Microseconds of UTC now.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        registry: Registry,
        decoder: Callable[[str], Decoder],
        *,
        bytes_per_second: float = 1_000_000,
        burst_bytes: int = 1_000_000,
        max_unacknowledged: int = 5_000,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        self.counts = SessionCounts()
        self._pipeline, self._registry, self._decoder = pipeline, registry, decoder
        self._bytes_per_second, self._burst_bytes = bytes_per_second, burst_bytes
        self._max_unacknowledged = max_unacknowledged
        self._clock = clock
        self._turn = asyncio.Lock()
        self._decoded_in_turn = 0

    async def carry(self, origin: Origin, chunks: AsyncIterator[bytes]) -> None:
        """Carry a line until it ends; all its fixes are on disk when this returns."""
        self.counts.open += 1
        self.counts.opened += 1
        line = _Line(self._registry, self._decoder, self.counts, origin)
        budget = Budget(self._bytes_per_second, self._burst_bytes)
        unacknowledged: deque[tuple[asyncio.Future[None], int]] = deque()
        waiting = 0
        try:
            async for chunk in chunks:
                async with self._turn:
                    fixes = line.take(chunk, self._clock())
                    if fixes:
                        # At once, so that a session that is cancelled has nothing in its hands.
                        unacknowledged.append((self._pipeline.take(fixes), len(fixes)))
                        waiting += len(fixes)
                    await self._let_others(len(chunk))
                while unacknowledged and (waiting > self._max_unacknowledged or unacknowledged[0][0].done()):
                    on_disk, n = unacknowledged.popleft()
                    waiting -= n
                    await asyncio.shield(on_disk)
                await self._pipeline.room()
                if origin.host:
                    await budget.spend(len(chunk))
        finally:
            self.counts.open -= 1
            rest = line.end(self._clock())
            if rest:
                unacknowledged.append((self._pipeline.take(rest), len(rest)))
        for on_disk, _ in unacknowledged:
            await asyncio.shield(on_disk)

    async def _let_others(self, n: int) -> None:
        """Give the loop to whoever waits for it when enough has been decoded; the next line comes after."""
        self._decoded_in_turn += n
        if self._decoded_in_turn >= TURN:
            self._decoded_in_turn = 0
            await asyncio.sleep(0)


class Budget:
    """A token bucket: who spends more than it fills waits until it is no longer in debt."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._left = burst
        self._at = asyncio.get_running_loop().time()

    async def spend(self, n: int) -> None:
        """Spend n, then wait while there is a debt."""
        now = asyncio.get_running_loop().time()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second) - n
        self._at = now
        if self._left < 0:
            await asyncio.sleep(-self._left / self._per_second)


class _Line:
    """What is known of one open line; no I/O."""

    def __init__(
        self, registry: Registry, decoder: Callable[[str], Decoder], counts: SessionCounts, origin: Origin
    ) -> None:
        self._registry, self._make_decoder, self._counts, self._origin = registry, decoder, counts, origin
        self._decoder = decoder("")
        self._device = ""
        self._first = b""
        self._may_register = True
        self._cut = b""
        self._tail = b""
        self._tagged = ""

    def take(self, chunk: bytes, now_us: int) -> list[Fix]:
        """Take in a chunk, an empty one when the line is quiet; return the fixes of known devices."""
        if not chunk:
            # In the middle of a sentence the rest is on its way, held up in the network; told to end now,
            # the decoder would lose both halves.
            if _UNFINISHED.search(self._tail) and not self._origin.datagrams:
                return []
            return self._known(self._decoded(b"", now_us), now_us)
        self._counts.bytes += len(chunk)
        self._tail = (self._tail + chunk)[-MAX_LINE:]
        fixes: list[Fix] = []
        if self._may_register or self._origin.datagrams:
            chunk = self._register(chunk, now_us, fixes)
        return fixes + self._hear(chunk, now_us) if chunk else fixes

    def end(self, now_us: int) -> list[Fix]:
        """Return the last fixes: the line has ended."""
        # What looked like the beginning of a registration line was none.
        fixes = self._hear(self._first, now_us, ended=True)
        return fixes + self._known(self._decoded(b"", now_us), now_us)

    def _register(self, chunk: bytes, now_us: int, fixes: list[Fix]) -> bytes:
        """Take the registration line off the beginning; return what is left to decode."""
        data, self._first = self._first + chunk, b""
        if match := _REGISTRATION.match(data):
            self._may_register = False
            try:
                device = check_device_id(match[1].decode("utf-8").strip())
            except (InvalidInput, UnicodeDecodeError):
                return data
            if device != self._device:
                fixes += self._known(self._decoded(b"", now_us), now_us)
                self._device = device
            return data[match.end() :]
        begun = data.startswith(_REGISTRATION_BEGINS[: len(data)]) and len(data) < REGISTRATION_LONGEST
        if begun and b"\n" not in data and not self._origin.datagrams:
            self._first = data
            return b""
        self._may_register = False
        return data

    def _hear(self, chunk: bytes, now_us: int, *, ended: bool = False) -> list[Fix]:
        fixes = self._decoded(chunk, now_us) if chunk else []
        self._note_strangers(chunk, now_us, ended=ended)
        return self._known(fixes, now_us)

    def _decoded(self, chunk: bytes, now_us: int) -> list[Fix]:
        """Decode a chunk, or flush on an empty one; an error of the decoder never ends a line."""
        received = now_us if self._origin.live else 0
        try:
            if chunk:
                return self._decoder.feed(chunk, received_at=received)
            return self._decoder.flush(received_at=received)
        except Exception:
            self._counts.decoder_errors += 1
            if self._counts.decoder_errors <= MAX_DECODER_ERRORS_LOGGED:
                log.exception("%s: the decoder failed", self._origin.key)
            self._decoder = self._make_decoder("")
            return []

    def _known(self, fixes: list[Fix], now_us: int) -> list[Fix]:
        """Name the device of each fix; leave out those of unknown ones, and count them."""
        known = []
        for fix in fixes:
            device = fix.device or self._speaker()
            self._counts.fixes += 1
            if self._registry.is_known(device):
                source = f"{fix.source}:{self._origin.receiver}" if fix.source else self._origin.receiver
                known.append(replace(fix, device=device, source=source))
            else:
                self._counts.unknown_fixes += 1
                self._registry.refuse(device, self._origin, now_us, 1)
        return known

    def _speaker(self) -> str:
        return self._device or self._registry.device_of(self._origin)

    def _note_strangers(self, chunk: bytes, now_us: int, *, ended: bool = False) -> None:
        """Count the bytes of each unknown device, line by line where TAG blocks name them."""
        speaker = self._speaker()
        if b"\\" not in chunk and not self._cut and self._registry.is_known(speaker):
            return
        lines = (self._cut + chunk).split(b"\n")
        self._cut = lines.pop()
        if self._cut and ((ended and not self._tagged) or len(self._cut) > MAX_LINE):
            lines.append(self._cut)
            self._cut = b""
        heard: dict[str, tuple[int, bytes]] = {}
        for line in lines:
            named = self._named(line)
            self._tagged = named or self._tagged
            device = named or speaker
            if device in heard or not self._registry.is_known(device):
                size, _ = heard.get(device, (0, b""))
                heard[device] = (size + len(line) + 1, line.strip())
        for device, (size, sentence) in heard.items():
            self._registry.note(device, self._origin, now_us, size, sentence)

    def _named(self, line: bytes) -> str:
        """Return the source that a TAG block names; empty without one, or when its checksum is wrong."""
        tag = _TAG_SOURCE.search(line)
        if tag is None:
            # The first line of a group says who speaks in all of it.
            return self._tagged if _TAG_GROUP.search(line) else ""
        source = tag[1].decode("ascii", "replace")
        if source in self._registry:
            return source
        body, _, given = tag[0][1:-1].rpartition(b"*")
        return source if given.upper() == b"%02X" % reduce(xor, body, 0) else ""
