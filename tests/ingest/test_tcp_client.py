"""TCP, we connect to a receiver: real sockets on the loopback."""

import asyncio
import logging
import socket
from contextlib import asynccontextmanager

from geo_policing.ingest.transports import TcpClient, running
from geo_policing.ingest.transports.base import Backoff
from tests.ingest.lines import Recorder, until

ENDLESS_S = 3600.0


def impatient():
    return Backoff(0.001, 0.01)


class Receiver:
    """A receiver that listens; says what it is told to on the connection that came last."""

    def __init__(self):
        self.port = 0
        self.clients = []

    async def listen(self):
        self.server = await asyncio.start_server(self._welcome, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def leave(self):
        self.server.close()
        self.hang_up()

    def say(self, data):
        self.clients[-1].write(data)

    def hang_up(self):
        for client in self.clients:
            client.close()

    def _welcome(self, reader, writer):
        self.clients.append(writer)


@asynccontextmanager
async def receiver():
    there = Receiver()
    await there.listen()
    try:
        yield there
    finally:
        await there.leave()


def client_of(there, **options):
    return TcpClient("127.0.0.1", there.port, **{"quiet_s": ENDLESS_S, "backoff": impatient(), **options})


async def test_what_the_receiver_says_is_carried():
    heard = Recorder()
    async with receiver() as there, running([client_of(there)], heard):
        await until(lambda: there.clients)
        there.say(b"one\n")
        await heard.until(lambda: heard.said == b"one\n")
        assert [o.key for o in heard.origins] == [f"connect:127.0.0.1:{there.port}/127.0.0.1"]


async def test_silence_is_told_once_and_is_not_the_end():
    heard = Recorder()
    async with receiver() as there, running([client_of(there, quiet_s=0.01)], heard):
        await until(lambda: there.clients)
        there.say(b"one\n")
        await heard.until(lambda: heard.chunks == [b"one\n", b""])
        there.say(b"two\n")
        await heard.until(lambda: heard.chunks == [b"one\n", b"", b"two\n", b""])
        assert (heard.ended, len(there.clients)) == (0, 1)


async def test_a_connection_that_ends_is_made_anew():
    heard = Recorder()
    async with receiver() as there, running([client_of(there)], heard):
        for word in (b"one\n", b"two\n", b"three\n"):
            seen = len(there.clients)
            there.hang_up()
            await until(lambda seen=seen: len(there.clients) > seen)
            there.say(word)
            await heard.until(lambda word=word: heard.said.endswith(word))
        assert heard.said == b"one\ntwo\nthree\n"


async def test_a_receiver_that_is_not_there_yet_is_found_when_it_comes(caplog):
    heard, there = Recorder(), Receiver()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        there.port = free.getsockname()[1]
    client = client_of(there)
    with caplog.at_level(logging.CRITICAL):
        async with running([client], heard):
            await until(lambda: client.attempts > 2)
            await there.listen()
            await until(lambda: there.clients)
            there.say(b"at last\n")
            await heard.until(lambda: heard.said == b"at last\n")
    await there.leave()


async def test_a_receiver_that_hangs_up_at_once_is_not_hammered():
    heard = Recorder()
    async with receiver() as there:
        backoff = Backoff(0.001, 3600)
        async with running([client_of(there, backoff=backoff)], heard):
            for _ in range(5):
                seen = len(there.clients)
                await until(lambda seen=seen: len(there.clients) > seen)
                there.hang_up()
            assert backoff.next_s() >= 0.001 * 2**4 / 2


async def test_a_line_that_fails_is_begun_anew(caplog):
    async def carry(origin, chunks):
        async for _ in chunks:
            raise RuntimeError("a bug")

    with caplog.at_level(logging.CRITICAL):
        async with receiver() as there, running([client_of(there)], carry):
            await until(lambda: there.clients)
            there.say(b"one\n")
            await until(lambda: len(there.clients) == 2)


async def test_stopping_closes_the_connection_and_carries_what_came():
    heard = Recorder()
    async with receiver() as there:
        async with running([client_of(there)], heard):
            await until(lambda: there.clients)
            there.say(b"one\n")
            await heard.until(lambda: heard.said)
        assert (heard.ended, heard.said) == (1, b"one\n")


def test_each_wait_is_at_most_twice_the_one_before_and_bounded():
    backoff = Backoff(1.0, 8.0)
    for bound in (1.0, 2.0, 4.0, 8.0, 8.0):
        assert bound / 2 <= backoff.next_s() <= bound
    backoff.reset()
    assert backoff.next_s() <= 1.0


async def test_a_name_that_does_not_resolve_is_tried_again(caplog):
    client = TcpClient("::1%nowhere", 7001, backoff=impatient())
    with caplog.at_level(logging.CRITICAL):
        async with running([client], Recorder()):
            await until(lambda: client.attempts > 1)
