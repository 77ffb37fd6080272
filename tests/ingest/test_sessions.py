"""Open lines: from their bytes to the pipeline, and who is speaking on them."""

import asyncio
import logging
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.ingest.nmea0183 import Decoder
from geo_policing.ingest.pipeline import Pipeline
from geo_policing.ingest.registry import Registry
from geo_policing.ingest.sessions import TURN, Sessions
from geo_policing.ingest.transports import Origin
from tests.ingest.lines import NOW, SECOND, LineDecoder, MemorySink, clock, rmc, signed, until

LINE = Origin("tcp:7001", "10.0.0.5")
DATAGRAMS = Origin("udp:7002", "10.0.0.5", datagrams=True)


class Desk:
    """Sessions over a pipeline into memory."""

    def __init__(self, pipe, sink, registry, decoder, **options):
        self.pipe, self.sink, self.registry = pipe, sink, registry
        self.sessions = Sessions(pipe, registry, decoder, clock=clock, **options)

    async def hear(self, *chunks, origin=LINE):
        async def said():
            for chunk in chunks:
                yield chunk

        await self.sessions.carry(origin, said())

    @property
    def stored(self):
        """(device, seconds) of what is on disk."""
        return [(f.device, (f.time - NOW) // SECOND) for f in self.sink.fixes]


@asynccontextmanager
async def desk(*known, decoder=LineDecoder, registry=None, **options):
    sink = MemorySink()
    async with Pipeline(sink, batch_seconds=0.001, clock=clock) as pipe:
        yield Desk(pipe, sink, registry or Registry(known), decoder, **options)


async def test_when_a_line_has_ended_all_its_fixes_are_on_disk():
    async with desk("car") as d:
        await d.hear(b"ID car\r\n-3\n-2\n", b"-1\n")
        assert d.stored == [("car", -3), ("car", -2), ("car", -1)]
        assert (d.sessions.counts.opened, d.sessions.counts.open) == (1, 0)


@given(st.sets(st.integers(0, 22)))
def test_a_registration_line_names_the_device_however_it_is_cut(cuts):
    data = b"ID patrol-07\r\n-3\n-2\n-1\n"
    edges = [0, *sorted(cuts - {0}), len(data)]
    chunks = [data[a:b] for a, b in pairwise(edges)]

    async def heard():
        async with desk("patrol-07") as d:
            await d.hear(*chunks)
            return d.stored

    assert asyncio.run(heard()) == [("patrol-07", -3), ("patrol-07", -2), ("patrol-07", -1)]


async def test_what_only_begins_like_a_registration_line_is_decoded():
    async with desk(registry=Registry(default="car")) as d:
        await d.hear(b"I\n-3\n")
        await d.hear(b"ID two words\n-2\n")
        await d.hear(b"ID " + b"x" * 100 + b"\n-1\n")
        assert d.stored == [("car", -3), ("car", -2), ("car", -1)]


async def test_only_the_first_line_of_a_connection_registers():
    async with desk("a", "b") as d:
        await d.hear(b"ID a\n-3\n", b"ID b\n-2\n")
        assert d.stored == [("a", -3), ("a", -2)]


async def test_each_datagram_may_say_anew_who_speaks():
    async with desk("a", "b") as d:
        await d.hear(b"ID a\n-3\n", b"ID b\n-2\n", b"-1\n", origin=DATAGRAMS)
        assert d.stored == [("a", -3), ("b", -2), ("b", -1)]


async def test_a_tag_block_counts_more_than_registration_and_that_more_than_the_mapping():
    registry = Registry(["tagged", "registered"], {"tcp:7001": "mapped"})
    async with desk(decoder=Decoder, registry=registry) as d:
        await d.hear(rmc(NOW - 3 * SECOND))
        await d.hear(b"ID registered\r\n", rmc(NOW - 2 * SECOND), rmc(NOW - SECOND, tag="s:tagged"))
        assert d.stored == [("mapped", -3), ("registered", -2), ("tagged", -1)]
        assert {f.source for f in d.sink.fixes} == {"nmea0183:tcp:7001"}


async def test_a_stranger_is_not_stored_but_counted_with_its_last_sentence():
    async with desk(decoder=Decoder) as d:
        first, second = (rmc(NOW - s * SECOND, tag="s:ghost") for s in (2, 1))
        await d.hear(first, second[:30], second[30:])
        (stranger,) = d.registry.quarantine
        assert d.stored == []
        assert (stranger.key, stranger.named, stranger.fixes) == ("ghost", True, 2)
        assert stranger.bytes == len(first) + len(second)
        assert stranger.last_sentence == second.decode().strip()
        assert d.sessions.counts.unknown_fixes == 2


async def test_the_lines_of_a_group_are_all_of_the_device_that_the_first_names():
    async with desk("car", decoder=Decoder) as d:
        for second in (3, 2, 1):
            at = NOW - second * SECOND
            await d.hear(rmc(at, tag="s:car,g:1-2-7") + rmc(at, tag="g:2-2-7"))
        assert d.stored == [("car", -3), ("car", -2), ("car", -1)]
        assert d.registry.quarantine == []


async def test_a_line_that_names_nobody_is_quarantined_by_where_it_comes_from():
    async with desk(decoder=Decoder) as d:
        await d.hear(b"\x00\xff hello\r\n" + rmc(NOW))
        (stranger,) = d.registry.quarantine
        assert (stranger.key, stranger.named, stranger.fixes) == ("tcp:7001/10.0.0.5", False, 1)
        assert stranger.last_sentence.startswith("$GNRMC")


@pytest.mark.parametrize(("tag", "device"), [("s:ghost", ""), ("", "ghost")])
async def test_an_admitted_stranger_is_stored_from_its_next_fix_on_while_its_line_stays_open(tag, device):
    async with desk(decoder=Decoder) as d:
        said = asyncio.Queue()

        async def chunks():
            while chunk := await said.get():
                yield chunk

        line = asyncio.create_task(d.sessions.carry(LINE, chunks()))
        said.put_nowait(rmc(NOW - 3 * SECOND, tag=tag))
        said.put_nowait(rmc(NOW - 2 * SECOND, tag=tag))
        await until(lambda: d.sessions.counts.unknown_fixes == 1)
        (stranger,) = d.registry.quarantine
        d.registry.admit(*d.registry.check(stranger.key, device))
        said.put_nowait(rmc(NOW - SECOND, tag=tag))
        said.put_nowait(b"")
        await line
        assert d.stored == [("ghost", -2), ("ghost", -1)]
        assert d.registry.quarantine == []


async def test_admitting_all_does_not_believe_a_tag_block_with_a_broken_checksum():
    line = rmc(NOW, tag="s:ghost")
    async with desk(decoder=Decoder, registry=Registry(admit_all=True)) as d:
        await d.hear(line.replace(b"s:ghost", b"s:gHost"))
        assert d.registry.known == frozenset()
        await d.hear(line)
        assert d.registry.known == {"ghost"}


async def test_a_decoder_that_fails_is_counted_and_the_line_goes_on(caplog):
    async with desk(registry=Registry(default="car")) as d:
        with caplog.at_level(logging.CRITICAL):
            await d.hear(b"-3\n-2\n", b"boom\n", b"-1\n")
        assert d.stored == [("car", -3), ("car", -1)]
        assert d.sessions.counts.decoder_errors == 1


async def test_a_quiet_line_has_said_all_about_this_instant():
    async with desk(registry=Registry(default="car")) as d:
        said = asyncio.Queue()

        async def chunks():
            while (chunk := await said.get()) is not None:
                yield chunk

        line = asyncio.create_task(d.sessions.carry(LINE, chunks()))
        said.put_nowait(b"-1\n")
        said.put_nowait(b"")
        await until(lambda: d.stored == [("car", -1)])
        said.put_nowait(None)
        await line


async def test_a_pause_in_the_middle_of_a_sentence_loses_nothing():
    sentence = rmc(NOW - SECOND)
    for cut in range(1, len(sentence)):
        async with desk(decoder=Decoder, registry=Registry(default="car")) as d:
            await d.hear(sentence[:cut], b"", sentence[cut:])
            assert d.stored == [("car", -1)], cut


async def test_bytes_of_a_file_say_nothing_about_when_they_were_sent():
    async with desk(decoder=Decoder, registry=Registry(default="car")) as d:
        await d.hear(rmc(NOW - SECOND), origin=Origin("file:a.log", live=False))
        await d.hear(rmc(NOW))
        assert [f.received for f in d.sink.fixes] == [0, NOW]


async def test_a_line_with_much_that_is_not_on_disk_is_read_no_further():
    async with desk(registry=Registry(default="car"), max_unacknowledged=2) as d:
        d.sink.open.clear()
        read = []

        async def chunks():
            for second in range(-9, 0):
                read.append(second)
                yield b"%d\n" % second

        line = asyncio.create_task(d.sessions.carry(LINE, chunks()))
        await until(d.sink.asked.is_set)
        assert len(read) <= 5
        d.sink.open.set()
        await line
        assert d.stored == [("car", second) for second in range(-9, 0)]


async def test_lines_with_much_to_say_let_others_have_the_loop():
    async with desk("car", bytes_per_second=1e9, burst_bytes=10**9) as d:
        turns = 0

        async def somebody_else():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(somebody_else())
        await asyncio.gather(*(d.hear(*[b"x" * (TURN - 1) + b"\n"] * 50) for _ in range(4)))
        other.cancel()
        assert turns >= 4 * 50


async def test_a_line_that_is_cut_off_keeps_what_it_had_said():
    async with desk(registry=Registry(default="car")) as d:

        async def chunks():
            yield b"-2\n-1\n"
            await asyncio.Event().wait()

        line = asyncio.create_task(d.sessions.carry(LINE, chunks()))
        await until(lambda: d.sessions.counts.fixes == 1)
        line.cancel()
        await asyncio.wait({line})
        await d.pipe.submit([])
    assert d.stored == [("car", -2), ("car", -1)]


async def test_a_tag_source_that_is_no_device_id_stays_in_quarantine():
    tag = f"\\{signed('s:two words')}\\".encode()
    async with desk(decoder=Decoder, registry=Registry(admit_all=True)) as d:
        await d.hear(tag + rmc(NOW))
        assert d.stored == []
        assert [s.key for s in d.registry.quarantine] == ["two words"]
