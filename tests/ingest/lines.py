"""What the tests of ingest share: a tiny decoder, sinks that can be slow or fail, sentences."""

import asyncio
import threading
from functools import reduce
from operator import xor

from geo_policing.model import Fix, FixColumns, from_us

NOW = 1_790_000_000_000_000
SECOND = 1_000_000


def fix(seconds=0.0, lon=113.13, lat=27.83, device="car"):
    return Fix(device, NOW + round(seconds * SECOND), lon, lat)


def clock():
    return NOW


class LineDecoder:
    """``SECONDS[ DEVICE]`` a line, a fix when the next line begins or the line is quiet; ``boom`` raises."""

    def __init__(self, device_id=""):
        self._device = device_id
        self._rest = b""
        self._held = None

    def feed(self, chunk, received_at=0):
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        fixes = []
        for line in lines:
            words = line.decode("ascii", "replace").split()
            if words == ["boom"]:
                raise RuntimeError("boom")
            if words and words[0].lstrip("-").isdigit():
                fixes += self.flush()
                self._held = fix(int(words[0]), device=words[1] if len(words) > 1 else self._device)
        return fixes

    def flush(self, received_at=0):
        held, self._held = self._held, None
        return [held] if held else []


class MemorySink:
    """Keeps what is appended; `open` is cleared to make it slow, `failures` to make it fail so many times."""

    def __init__(self):
        self.columns = []
        self.failures = 0
        self.open = threading.Event()
        self.open.set()
        self.asked = threading.Event()

    def append(self, columns):
        self.asked.set()
        assert self.open.wait(30)
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        self.columns.append(columns)

    def pages(self, device, window):
        yield FixColumns.from_fixes(f for f in self.fixes if f.device == device and f.time in window)

    @property
    def fixes(self):
        return [f for columns in self.columns for f in columns]

    def seconds(self, device=None):
        return [(f.time - NOW) // SECOND for f in self.fixes if device in {None, f.device}]


class Recorder:
    """A carry that keeps what each line said, and can be awaited."""

    def __init__(self):
        self.chunks = []
        self.origins = []
        self.ended = 0
        self._news = asyncio.Event()

    async def __call__(self, origin, chunks):
        self.origins.append(origin)
        try:
            async for chunk in chunks:
                self.chunks.append(chunk)
                self._news.set()
        finally:
            self.ended += 1
            self._news.set()

    @property
    def said(self):
        return b"".join(self.chunks)

    async def until(self, true):
        await until(true, self._news)


async def until(true, news=None):
    """Wait until something is true; fail after 20 s instead of hanging."""
    async with asyncio.timeout(20):
        while not true():
            if news is None:
                await asyncio.sleep(0.005)
            else:
                await news.wait()
                news.clear()


def signed(text):
    return f"{text}*{reduce(xor, text.encode()):02X}"


def rmc(time_us, lon=113.13, lat=27.83, tag=""):
    at = from_us(time_us)
    east, north = divmod(lon * 60, 60), divmod(lat * 60, 60)
    body = (
        f"GNRMC,{at:%H%M%S}.{at.microsecond // 10_000:02d},A,"
        f"{north[0]:02.0f}{north[1]:07.4f},N,{east[0]:03.0f}{east[1]:07.4f},E,10.0,90.0,{at:%d%m%y},,,A"
    )
    return ((f"\\{signed(tag)}\\" if tag else "") + f"${signed(body)}\r\n").encode()
