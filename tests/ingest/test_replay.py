"""Logs played to a port."""

import asyncio
import logging
import socket
import struct
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.errors import InvalidFile, InvalidInput, Unavailable
from geo_policing.ingest.nmea0183 import Decoder
from geo_policing.ingest.pipeline import Pipeline
from geo_policing.ingest.registry import Registry
from geo_policing.ingest.replay import BLOCK, PAUSE_US, Replay, Target, Timeline
from geo_policing.ingest.sessions import Sessions
from geo_policing.ingest.transports import TcpListener, UdpListener, running
from tests.ingest.lines import NOW, SECOND, MemorySink, Recorder, rmc, until
from tests.shared_data import shared

ENDLESS_S = 3600.0
MINUTE = 60 * SECOND
YEAR = 365 * 24 * 60 * MINUTE


@asynccontextmanager
async def listening(carry):
    listener = TcpListener("127.0.0.1", 0, quiet_s=ENDLESS_S)
    async with running([listener], carry):
        yield Target("tcp", "127.0.0.1", listener.port)


class Lines:
    """What was said, connection by connection."""

    def __init__(self):
        self.said = []
        self.open = 0

    async def __call__(self, origin, chunks):
        mine = len(self.said)
        self.said.append(b"")
        self.open += 1
        async for chunk in chunks:
            self.said[mine] += chunk
        self.open -= 1


def write(path, *parts):
    path.write_bytes(b"".join(parts))
    return path


async def played(logs, **options):
    """What each connection carried."""
    heard = Lines()
    async with listening(heard) as target:
        replay = Replay(logs, target, **options)
        await replay.run()
        await until(lambda: len(heard.said) == replay.connections and not heard.open)
    return heard.said


async def test_a_log_is_played_byte_for_byte_as_fast_as_it_is_taken(tmp_path):
    junk = b"\x00\xff\r\r\n" + b"x" * (2 * BLOCK) + b"\n" + b"no end"
    log = write(tmp_path / "a.log", rmc(NOW), junk)
    assert await played([log], speed=0) == [log.read_bytes()]


async def test_real_logs_are_played_byte_for_byte_one_connection_each():
    logs = sorted(shared("nmea").glob("*.log"))
    assert sorted(await played(logs, speed=0)) == sorted(log.read_bytes() for log in logs)


async def test_each_source_is_a_connection_of_its_own(tmp_path):
    parts = [rmc(NOW + n * SECOND, tag=f"s:car-{n % 3},c:{NOW // SECOND + n}") for n in range(9)]
    log = write(tmp_path / "a.nmea", *parts)
    assert sorted(await played([log], speed=0)) == sorted(b"".join(parts[n::3]) for n in range(3))


async def test_sources_beyond_the_bound_share_connections(tmp_path):
    parts = [rmc(NOW, tag=f"s:car-{n}") for n in range(10)]
    said = await played([write(tmp_path / "a.nmea", *parts)], speed=0, max_connections=3)
    assert len(said) == 3
    assert sorted(b"".join(said).split(b"\r\n")) == sorted(b"".join(parts).split(b"\r\n"))


async def test_a_log_without_sources_can_be_registered(tmp_path):
    log = write(tmp_path / "a.log", rmc(NOW))
    assert await played([log], speed=0, device="patrol-07") == [b"ID patrol-07\r\n" + rmc(NOW)]


async def test_a_line_is_not_sent_before_it_is_due(tmp_path):
    log = write(tmp_path / "a.log", rmc(NOW), b"$GPGSV,1,1,00*79\r\n", rmc(NOW + 5 * MINUTE))
    heard = Lines()
    async with listening(heard) as target:
        play = asyncio.create_task(Replay([log], target, speed=1).run())
        await until(lambda: heard.said == [rmc(NOW) + b"$GPGSV,1,1,00*79\r\n"])
        assert not play.done()
        play.cancel()
        await asyncio.wait({play})
        await until(lambda: not heard.open)
    assert heard.said == [rmc(NOW) + b"$GPGSV,1,1,00*79\r\n"]


async def test_at_another_speed_it_is_due_sooner(tmp_path):
    log = write(tmp_path / "a.log", rmc(NOW), rmc(NOW + 5 * MINUTE))
    assert await played([log], speed=60_000) == [log.read_bytes()]


async def test_what_is_due_since_long_is_sent_at_once_and_stamped_with_then(tmp_path):
    log = write(tmp_path / "a.log", *(rmc(NOW + n * MINUTE) for n in range(9)))
    begin = NOW - YEAR
    (said,) = await played([log], speed=1, restamp=True, begin_us=begin)
    assert said == b"".join(rmc(begin + n * MINUTE) for n in range(9))


async def test_a_replay_can_be_taken_up_where_it_was_left(tmp_path):
    log = write(tmp_path / "a.log", *(rmc(NOW + n * MINUTE) for n in range(9)))
    begin = NOW - YEAR
    (said,) = await played([log], restamp=True, begin_us=begin, since_us=begin + 5 * MINUTE)
    assert said == b"".join(rmc(begin + n * MINUTE) for n in range(5, 9))


async def test_an_old_log_that_is_restamped_looks_live(tmp_path):
    log = write(
        tmp_path / "a.log", *(rmc(NOW - YEAR + n * SECOND // 10, tag=f"s:car,c:{NOW}") for n in range(9))
    )
    before = asyncio.get_running_loop().time()
    sink = MemorySink()
    async with Pipeline(sink, batch_seconds=0.01) as pipe:
        sessions = Sessions(pipe, Registry(["car"]), Decoder)
        async with listening(sessions.carry) as target:
            await Replay([log], target, restamp=True).run()
            await until(lambda: pipe.stored == 9)
    assert pipe.refusals == {}
    took_us = (asyncio.get_running_loop().time() - before + 2) * SECOND
    for fix in sink.fixes:
        assert 0 <= fix.received - fix.time <= took_us
    assert [b.time - a.time for a, b in pairwise(sink.fixes)] == [SECOND // 10] * 8


async def test_a_loop_starts_over_after_the_end_with_later_times(tmp_path):
    log = write(tmp_path / "a.log", *(rmc(NOW + n * MINUTE) for n in range(3)))
    heard = Lines()
    async with listening(heard) as target:
        replay = Replay([log], target, speed=60_000, loop=True)
        play = asyncio.create_task(replay.run())
        await until(lambda: replay.rounds >= 2 and heard.said[0].count(b"\n") >= 6)
        play.cancel()
        await asyncio.wait({play})
    decoder = Decoder()
    times = [fix.time for fix in decoder.feed(heard.said[0]) + decoder.flush()]
    assert len(times) >= 6
    assert times == sorted(set(times))


async def test_a_receiver_whose_connection_was_closed_comes_back(tmp_path):
    log = write(tmp_path / "a.log", *(rmc(NOW + n * MINUTE // 10) for n in range(1_000)))
    heard = []

    async def carry(origin, chunks):
        heard.append(b"")
        async for chunk in chunks:
            heard[-1] += chunk
            if len(heard) == 1:
                return

    async with listening(carry) as target:
        replay = Replay([log], target, speed=6_000)
        await replay.run()
        await until(lambda: len(heard) > 1 and heard[-1].endswith(rmc(NOW + 999 * MINUTE // 10)))


async def test_a_connection_reset_while_it_is_spoken_to_is_made_anew(tmp_path):
    log = write(tmp_path / "a.log", *[rmc(NOW)] * 100_000)
    connections = []

    async def accept(reader, writer):
        connections.append(reader)
        if len(connections) == 1:
            # Not read, so that who sends waits; then reset.
            await asyncio.sleep(0.3)
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            writer.transport.abort()
            return
        while await reader.read(1 << 16):
            pass
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        target = Target("tcp", *server.sockets[0].getsockname())
        await Replay([log], target, speed=0).run()
    assert len(connections) == 2


async def test_nobody_listening_is_said_in_one_line(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = write(tmp_path / "a.log", rmc(NOW))
    with pytest.raises(
        Unavailable, match=f"tcp://127.0.0.1:{port}: nobody listens there; start the listener"
    ):
        await Replay([log, log], Target("tcp", "127.0.0.1", port)).run()


async def test_what_is_no_file_is_said_in_one_line(tmp_path):
    async with listening(Recorder()) as target:
        with pytest.raises(InvalidFile, match="No such file or directory; check the path"):
            await Replay([tmp_path / "none.log"], target).run()
        with pytest.raises(InvalidFile, match="no line tells a time"):
            await Replay([write(tmp_path / "a.txt", b"hello\n")], target, loop=True).run()


async def test_over_udp_each_line_is_a_datagram_and_each_source_a_peer(tmp_path, caplog):
    parts = [rmc(NOW - MINUTE + n * SECOND, tag=f"s:car-{n % 3}") for n in range(9)]
    log, sink = write(tmp_path / "a.nmea", *parts), MemorySink()
    listener = UdpListener("127.0.0.1", 0, quiet_s=0.05)
    async with Pipeline(sink, batch_seconds=0.01, clock=lambda: NOW) as pipe:
        sessions = Sessions(pipe, Registry(admit_all=True), Decoder)
        with caplog.at_level(logging.CRITICAL):
            async with running([listener], sessions.carry):
                await Replay([log], Target("udp", "127.0.0.1", listener.port), speed=1_000).run()
                await until(lambda: pipe.stored == 9)
    assert sessions.counts.opened == 3
    assert {fix.device for fix in sink.fixes} == {"car-0", "car-1", "car-2"}


@pytest.mark.parametrize(
    "options",
    [{"speed": -1}, {"speed": float("nan")}, {"speed": 0, "restamp": True}, {"speed": 0, "loop": True}],
)
def test_a_speed_that_cannot_be_is_refused(options):
    with pytest.raises(InvalidInput, match="give"):
        Replay([], Target("tcp", "h", 1), **options)


def test_udp_as_fast_as_it_is_taken_is_refused():
    with pytest.raises(InvalidInput, match="UDP cannot say"):
        Replay([], Target("udp", "h", 1), speed=0)


def test_a_target_is_read_and_written():
    assert Target.parse("tcp://[::1]:7001") == Target("tcp", "::1", 7001)
    assert str(Target("tcp", "::1", 7001)) == "tcp://[::1]:7001"
    assert str(Target.parse("udp://gate:7002")) == "udp://gate:7002"
    for wrong in ("gate:7002", "http://gate:7002", "tcp://gate", "tcp:gate:1"):
        with pytest.raises(InvalidInput, match="--to"):
            Target.parse(wrong)


@given(st.lists(st.integers(0, 500 * SECOND), min_size=1), st.sampled_from([0.5, 1.0, 10.0]))
def test_between_lines_as_much_time_passes_as_in_the_log_over_the_speed(steps, speed):
    timeline, at = Timeline(NOW, speed), NOW - YEAR
    first = timeline.reach(at)
    assert NOW - SECOND < first <= NOW
    for step in steps:
        at += step
        assert timeline.reach(at) - first == round((at - NOW + YEAR) / speed)


@given(st.integers(11 * MINUTE, YEAR), st.booleans(), st.integers(0, SECOND))
def test_a_pause_too_long_and_a_clock_that_was_set_are_not_waited_for(jump, back, step):
    timeline = Timeline(NOW, 1.0)
    before = timeline.reach(NOW - YEAR)
    after = timeline.reach(NOW - YEAR + (-jump if back else jump))
    assert before + PAUSE_US <= after < before + 2 * PAUSE_US
    assert timeline.reach(NOW - YEAR + (-jump if back else jump) + step) == after + step
