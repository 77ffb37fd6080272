"""From the socket to the disk: real receivers' logs over real connections into the real history."""

import asyncio
import signal
import socket
import subprocess
import sys

import numpy as np

from geo_policing.ingest.nmea0183 import Decoder
from geo_policing.ingest.pipeline import Pipeline
from geo_policing.ingest.plausibility import Plausibility
from geo_policing.ingest.registry import Registry
from geo_policing.ingest.sessions import Sessions
from geo_policing.ingest.transports import TcpListener, running
from geo_policing.model import FixColumns, TimeWindow, from_us
from geo_policing.store import FixStore
from tests.ingest.lines import NOW, SECOND, clock, rmc, until
from tests.shared_data import shared

ENDLESS_S = 3600.0
EVER = TimeWindow(from_us(0), from_us(NOW + 10**14))
START = NOW - 30 * 24 * 3600 * SECOND

#: A service in small: says how many fixes are acknowledged, line by line.
SERVICE = """
import asyncio, sys
from pathlib import Path
from geo_policing.ingest.nmea0183 import Decoder
from geo_policing.ingest.pipeline import Pipeline
from geo_policing.ingest.registry import Registry
from geo_policing.ingest.sessions import Sessions
from geo_policing.ingest.transports import TcpListener, running
from geo_policing.store import FixStore

async def main():
    store, listener = FixStore(Path(sys.argv[1])), TcpListener("127.0.0.1", 0)
    async with Pipeline(store, batch_rows=100, batch_seconds=0.01) as pipeline:
        sessions = Sessions(pipeline, Registry(["car"]), Decoder)
        with pipeline.subscribe() as news:
            async with running([listener], sessions.carry):
                print(listener.port, flush=True)
                async for _ in news:
                    print(pipeline.stored, flush=True)

asyncio.run(main())
"""


async def test_real_logs_over_tcp_are_stored_as_the_decoder_reads_them_without_what_is_refused(tmp_path):
    logs = {log.stem: log.read_bytes() for log in sorted(shared("nmea").glob("*.log"))}
    listener = TcpListener("127.0.0.1", 0, quiet_s=ENDLESS_S)
    with FixStore(tmp_path / "fixes.duckdb") as store:
        async with Pipeline(store, clock=clock) as pipe:
            sessions = Sessions(pipe, Registry(logs), Decoder, clock=clock)
            async with running([listener], sessions.carry):
                for name, data in logs.items():
                    _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
                    writer.write(f"ID {name}\r\n".encode() + data)
                    writer.close()
                await until(lambda: sessions.counts.opened == len(logs) and sessions.counts.open == 0)
        checks = Plausibility()
        for name, data in logs.items():
            decoder = Decoder(name)
            fixes = decoder.feed(data, received_at=NOW) + decoder.flush(received_at=NOW)
            expected = [fix for fix in fixes if checks.check(fix, NOW) is None]
            assert_same(store.window(name, EVER), FixColumns.from_fixes(expected), name)
        refused = {key: n for key, n in checks.counts.items() if key[0] != "late"}
        assert pipe.refusals == refused
        assert store.count() == pipe.stored > 1_000
        assert sessions.counts.fixes == pipe.stored + sum(refused.values())
        assert sessions.counts.decoder_errors == sessions.counts.unknown_fixes == 0


def assert_same(stored, expected, name):
    a, b = (
        columns.take(np.lexsort((columns.lat, columns.lon, columns.time))) for columns in (stored, expected)
    )
    for column in ("device", "time", "lon", "lat", "alt_m", "speed_mps", "course_deg", "accuracy_m"):
        np.testing.assert_array_equal(getattr(a, column), getattr(b, column), f"{name} {column}")
    for column in ("quality", "satellites", "beidou_satellites", "received"):
        np.testing.assert_array_equal(getattr(a, column), getattr(b, column), f"{name} {column}")
    assert len(a) == 0 or a.cell.all()
    assert all(source.startswith("nmea0183:tcp:") for source in a.source)


def test_an_old_log_on_a_live_line_keeps_its_dates():
    for log in sorted(shared("nmea").glob("*.log")):
        kept, live = (
            decoder.feed(log.read_bytes(), received_at=at) + decoder.flush(received_at=at)
            for decoder, at in ((Decoder(), 0), (Decoder(), NOW))
        )
        dated = {fix.time for fix in kept}
        # What no sentence dates is taken to be of the day on which it came; nothing else differs.
        assert all(fix.time in dated or abs(fix.time - NOW) <= 12 * 3600 * SECOND for fix in live), log.stem
        assert dated <= {fix.time for fix in live}, log.stem


def test_what_was_acknowledged_outlives_a_kill_while_a_receiver_streams(tmp_path):
    path = tmp_path / "fixes.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE, path], stdout=subprocess.PIPE, text=True
    ) as service:
        port = int(service.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as receiver:
            receiver.sendall(b"ID car\r\n")
            sent = acknowledged = 0
            while acknowledged < 1_000:
                receiver.sendall(b"".join(rmc(START + n * SECOND) for n in range(sent, sent + 250)))
                sent += 250
                acknowledged = int(service.stdout.readline())
            service.send_signal(signal.SIGKILL)
            service.wait(60)
        acknowledged = max([acknowledged, *map(int, service.stdout.read().split())])
    with FixStore(path) as store:
        kept = store.window("car", EVER).time
        assert acknowledged <= len(kept) <= sent
        # From the first on, and none is missing in between.
        np.testing.assert_array_equal(kept, START + np.arange(len(kept)) * SECOND)


async def test_after_a_restart_the_live_position_does_not_go_back(tmp_path):
    seen = []

    async def run(*seconds):
        with FixStore(tmp_path / "fixes.duckdb") as store:
            pipe = Pipeline(store, clock=clock)
            pipe.prime(store.latest())
            async with pipe:
                with pipe.subscribe() as news:
                    decoder = Decoder("car")
                    for second in seconds:
                        fixes = decoder.feed(rmc(START + second * SECOND)) + decoder.flush()
                        await pipe.submit(fixes)
                    news.close()
                    seen.extend([(f.time - START) // SECOND async for s in news for f in s.live])
            return store.count()

    assert await run(10, 11) == 2
    assert await run(5, 10, 11, 12) == 4
    assert seen == [10, 11, 12]
