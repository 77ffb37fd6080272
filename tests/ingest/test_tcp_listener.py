"""TCP, receivers connect to us: real sockets on the loopback."""

import asyncio
import logging
import socket
import struct
from contextlib import asynccontextmanager

import pytest

from geo_policing.errors import Unavailable
from geo_policing.ingest.pipeline import Pipeline
from geo_policing.ingest.registry import Registry
from geo_policing.ingest.sessions import Sessions
from geo_policing.ingest.transports import TcpListener, running
from tests.ingest.lines import LineDecoder, MemorySink, Recorder, clock, until

ENDLESS_S = 3600.0


@asynccontextmanager
async def listening(carry, **options):
    listener = TcpListener("127.0.0.1", 0, **{"quiet_s": ENDLESS_S, **options})
    async with running([listener], carry):
        yield listener


@asynccontextmanager
async def client(listener):
    _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        yield writer
    finally:
        writer.close()


async def hung_up(reader):
    """Whether the other end is gone, politely or not."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


async def test_what_a_receiver_says_is_carried_until_it_hangs_up():
    heard = Recorder()
    async with listening(heard) as listener:
        async with client(listener) as receiver:
            receiver.write(b"one\ntwo\n")
        await heard.until(lambda: heard.ended)
        assert heard.said == b"one\ntwo\n"
        assert [o.key for o in heard.origins] == [f"tcp:{listener.port}/127.0.0.1"]
        await until(lambda: listener.connections == 0)


async def test_silence_is_told_once_and_is_not_the_end():
    heard = Recorder()
    async with listening(heard, quiet_s=0.01) as listener, client(listener) as receiver:
        receiver.write(b"one\n")
        await heard.until(lambda: heard.chunks == [b"one\n", b""])
        receiver.write(b"two\n")
        await heard.until(lambda: heard.chunks == [b"one\n", b"", b"two\n", b""])
        assert heard.ended == 0


async def test_a_receiver_that_vanishes_without_goodbye_ends_only_its_own_line():
    heard = Recorder()
    async with listening(heard) as listener, client(listener) as stays:
        async with client(listener) as goes:
            goes.write(b"gone\n")
            await heard.until(lambda: heard.said == b"gone\n")
            # Closing with linger 0 resets the connection.
            linger = struct.pack("ii", 1, 0)
            goes.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            goes.transport.abort()
        await heard.until(lambda: heard.ended == 1)
        stays.write(b"here\n")
        await heard.until(lambda: heard.said == b"gone\nhere\n")


async def test_a_port_in_use_is_said_in_one_line():
    async with listening(Recorder()) as listener:
        with pytest.raises(Unavailable, match=f"TCP port {listener.port} on 127.0.0.1 is in use; stop what"):
            await TcpListener("127.0.0.1", listener.port).start(Recorder())


@pytest.mark.parametrize("host", ["192.0.2.1", "::1%nowhere"])
async def test_an_address_that_is_not_ours_is_said_in_one_line(host):
    with pytest.raises(Unavailable, match=r"address.*127\.0\.0\.1"):
        await TcpListener(host, 0).start(Recorder())


async def test_connections_beyond_the_bound_are_turned_away():
    heard = Recorder()
    async with listening(heard, max_connections=1) as listener, client(listener) as first:
        first.write(b"first\n")
        await heard.until(lambda: heard.said)
        reader, second = await asyncio.open_connection("127.0.0.1", listener.port)
        assert await hung_up(reader)
        second.close()
        assert (listener.turned_away, listener.connections) == (1, 1)


async def test_a_line_that_fails_ends_alone(caplog):
    heard = Recorder()

    async def carry(origin, chunks):
        async for chunk in chunks:
            if chunk == b"bad\n":
                raise RuntimeError("a bug")
            await heard(origin, as_line(chunk))

    async def as_line(chunk):
        yield chunk

    async with listening(carry) as listener, client(listener) as bad, client(listener) as good:
        with caplog.at_level(logging.CRITICAL):
            bad.write(b"bad\n")
            await until(lambda: listener.connections == 1)
        good.write(b"good\n")
        await heard.until(lambda: heard.said == b"good\n")


async def test_stopping_carries_what_was_received_and_closes_the_connections():
    sink, registry = MemorySink(), Registry(default="car")
    async with Pipeline(sink, clock=clock) as pipe:
        sessions = Sessions(pipe, registry, LineDecoder, clock=clock)
        async with listening(sessions.carry) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(b"-3\n-2\n-1\n")
            await until(lambda: sessions.counts.bytes == 9)
        assert sink.seconds() == [-3, -2, -1]
        assert listener.connections == 0
        assert await hung_up(reader)
        writer.close()


async def test_stopping_carries_also_what_is_still_on_its_way():
    sink, registry = MemorySink(), Registry(default="car")
    async with Pipeline(sink, clock=clock) as pipe:
        sessions = Sessions(pipe, registry, LineDecoder, clock=clock)
        async with listening(sessions.carry) as listener, client(listener) as receiver, client(listener):
            await until(lambda: listener.connections == 2)
            receiver.write(b"".join(b"%d\n" % second for second in range(-20_000, 0)))
            await receiver.drain()
    assert len(sink.fixes) == 20_000


async def test_a_receiver_that_floods_is_slowed_and_the_others_are_not():
    sink, registry = MemorySink(), Registry(default="car")
    async with Pipeline(sink, batch_seconds=0.01, clock=clock) as pipe:
        sessions = Sessions(
            pipe, registry, LineDecoder, bytes_per_second=1_000, burst_bytes=1_000, clock=clock
        )
        async with listening(sessions.carry, quiet_s=0.01) as listener, client(listener) as flood:
            flooding = asyncio.create_task(pour(flood))
            await until(lambda: sessions.counts.bytes > 1_000)
            async with client(listener) as calm:
                calm.write(b"-1\n")
                await until(lambda: sink.seconds() == [-1])
            # 64 MB were offered; what was taken is the burst, a chunk, and 1,000 bytes a second.
            assert sessions.counts.bytes < 200_000
            assert not flooding.done()
            flooding.cancel()


async def pour(writer):
    for _ in range(1024):
        writer.write(b"x" * 63 + b"\n" + b"x" * 65472)
        await writer.drain()


async def test_while_the_store_is_slow_sockets_are_read_no_further():
    sink, registry = MemorySink(), Registry(default="car")
    sink.open.clear()
    async with Pipeline(sink, batch_seconds=0.001, max_waiting=10, clock=clock) as pipe:
        sessions = Sessions(pipe, registry, LineDecoder, clock=clock)
        async with listening(sessions.carry) as listener, client(listener) as receiver:
            receiver.write(b"".join(b"%d\n" % -second for second in range(100_000, 0, -1)))
            await until(lambda: pipe.waiting >= 10)
            await until(sink.asked.is_set)
            taken = sessions.counts.bytes
            assert taken <= 1 << 15
            sink.open.set()
            await until(lambda: sessions.counts.bytes > taken)
            receiver.transport.abort()
    assert sink.seconds()[:2] == [-100_000, -99_999]
    assert len(sink.fixes) == pipe.accepted


async def test_a_thousand_receivers_at_once():
    sink, registry = MemorySink(), Registry(admit_all=True)
    async with Pipeline(sink, batch_seconds=0.05, clock=clock) as pipe:
        sessions = Sessions(pipe, registry, LineDecoder, clock=clock)
        async with listening(sessions.carry) as listener:
            ends = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(1_000)]
            for n, (_, writer) in enumerate(ends):
                writer.write(b"ID car-%d\r\n-2\n-1\n" % n)
                writer.close()
            await until(lambda: sessions.counts.opened == 1_000 and sessions.counts.open == 0)
    assert {f.device for f in sink.fixes} == {f"car-{n}" for n in range(1_000)}
    assert len(sink.fixes) == 2_000
