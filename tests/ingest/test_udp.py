"""UDP: real datagrams on the loopback."""

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager

import pytest

from geo_policing.errors import Unavailable
from geo_policing.ingest.pipeline import Pipeline
from geo_policing.ingest.registry import Registry
from geo_policing.ingest.sessions import Sessions
from geo_policing.ingest.transports import UdpListener, running
from tests.ingest.lines import LineDecoder, MemorySink, Recorder, clock, until

ENDLESS_S = 3600.0


@asynccontextmanager
async def listening(carry, **options):
    listener = UdpListener("127.0.0.1", 0, **{"quiet_s": ENDLESS_S, **options})
    async with running([listener], carry):
        yield listener


@contextmanager
def peer(listener):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", listener.port))
        yield sock


async def test_each_peer_is_a_line_of_its_own():
    heard = {}

    async def carry(origin, chunks):
        words = heard.setdefault(len(heard), [])
        async for chunk in chunks:
            words.append(chunk)

    async with listening(carry) as listener, asyncio.timeout(20):
        with peer(listener) as a, peer(listener) as b:
            for sock, word in ((a, b"a1"), (b, b"b1"), (a, b"a2"), (b, b"b2")):
                sock.send(word)
            await until(lambda: sum(map(len, heard.values())) == 4)
    assert sorted(heard.values()) == [[b"a1", b"a2"], [b"b1", b"b2"]]


async def test_a_line_says_that_chunks_are_datagrams():
    heard = Recorder()
    async with listening(heard) as listener:
        with peer(listener) as sock:
            sock.send(b"one")
            await heard.until(lambda: heard.said)
        (origin,) = heard.origins
        assert (origin.key, origin.datagrams) == (f"udp:{listener.port}/127.0.0.1", True)


async def test_silence_is_told_once_and_is_not_the_end():
    heard = Recorder()
    async with listening(heard, quiet_s=0.01) as listener:
        with peer(listener) as sock:
            sock.send(b"one")
            await heard.until(lambda: heard.chunks == [b"one", b""])
            sock.send(b"two")
            await heard.until(lambda: heard.chunks == [b"one", b"", b"two", b""])
    assert heard.ended == 1


async def test_a_peer_silent_for_long_is_forgotten_and_heard_again_when_it_speaks():
    heard = Recorder()
    async with listening(heard, quiet_s=0.01, idle_s=0.02) as listener:
        with peer(listener) as sock:
            sock.send(b"one")
            await heard.until(lambda: heard.ended == 1)
            sock.send(b"two")
            await heard.until(lambda: heard.ended == 2)
        assert heard.said == b"onetwo"


async def test_the_excess_of_a_peer_that_floods_is_dropped_and_counted_and_the_others_are_heard():
    sink, registry = MemorySink(), Registry(["flood", "calm"])
    async with Pipeline(sink, batch_seconds=0.01, clock=clock) as pipe:
        sessions = Sessions(pipe, registry, LineDecoder, bytes_per_second=10.0, burst_bytes=10, clock=clock)
        async with listening(sessions.carry, quiet_s=0.01, queue=4) as listener:
            with peer(listener) as flood, peer(listener) as calm:
                for second in range(-50, -1):
                    flood.send(b"ID flood\n%d\n" % second)
                    await asyncio.sleep(0)
                await until(lambda: listener.dropped > 0)
                calm.send(b"ID calm\n-1\n")
                await until(lambda: sink.seconds("calm") == [-1])
    assert len(sink.seconds("flood")) < 49


async def test_peers_beyond_the_bound_are_dropped_and_counted():
    heard = Recorder()
    async with listening(heard, max_peers=1) as listener:
        with peer(listener) as first, peer(listener) as second:
            first.send(b"first")
            await heard.until(lambda: heard.said)
            second.send(b"second")
            await until(lambda: listener.dropped == 1)
    assert heard.said == b"first"


async def test_stopping_carries_what_was_received():
    sink, registry = MemorySink(), Registry(default="car")
    async with Pipeline(sink, clock=clock) as pipe:
        sessions = Sessions(pipe, registry, LineDecoder, clock=clock)
        async with listening(sessions.carry) as listener:
            with peer(listener) as sock:
                sock.send(b"-2\n-1\n")
                await until(lambda: sessions.counts.bytes)
    assert sink.seconds() == [-2, -1]


async def test_a_port_in_use_is_said_in_one_line():
    async with listening(Recorder()) as listener:
        with pytest.raises(Unavailable, match=f"UDP port {listener.port} on 127.0.0.1 is in use"):
            await UdpListener("127.0.0.1", listener.port).start(Recorder())
