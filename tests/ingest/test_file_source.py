"""Files and standard input: the sources that end."""

import asyncio
import os
import subprocess
import sys

import pytest

from geo_policing.errors import InvalidFile
from geo_policing.ingest.transports import FileSource, running
from geo_policing.ingest.transports.base import CHUNK
from tests.ingest.lines import Recorder

ECHO = """
import asyncio, sys
from geo_policing.ingest.transports import FileSource, running

async def carry(origin, chunks):
    assert origin.key == "stdin"
    print("live" if origin.live else "kept", end=" ", flush=True)
    async for chunk in chunks:
        sys.stdout.buffer.write(chunk or b"(quiet)")
        sys.stdout.buffer.flush()

async def main():
    source = FileSource("-", quiet_s=0.05)
    async with running([source], carry):
        await source.wait()

asyncio.run(main())
"""


async def test_a_file_is_carried_to_its_end(tmp_path):
    log, heard = tmp_path / "a.log", Recorder()
    log.write_bytes(os.urandom(3 * CHUNK + 1))
    source = FileSource(log)
    async with running([source], heard):
        await source.wait()
    assert heard.said == log.read_bytes()
    assert [(o.key, o.live) for o in heard.origins] == [(f"file:{log}", False)]


async def test_stopping_ends_a_file_in_the_middle(tmp_path):
    log, heard = tmp_path / "a.log", Recorder()
    log.write_bytes(bytes(2 * CHUNK))

    async def carry(origin, chunks):
        await heard(origin, only_first(chunks))
        await asyncio.Event().wait()

    async def only_first(chunks):
        async for chunk in chunks:
            yield chunk
            return

    async with running([FileSource(log)], carry):
        await heard.until(lambda: heard.ended)
    assert heard.said == bytes(CHUNK)


@pytest.mark.parametrize("name", ["none.log", "."])
async def test_what_is_no_file_is_said_in_one_line(tmp_path, name):
    with pytest.raises(InvalidFile, match="check the path"):
        await FileSource(tmp_path / name).start(Recorder())


async def test_a_name_that_is_no_text_is_still_a_name_in_the_history(tmp_path):
    log, heard = tmp_path / os.fsdecode(b"\xff.log"), Recorder()
    log.write_bytes(b"one")
    source = FileSource(log)
    async with running([source], heard):
        await source.wait()
    assert heard.origins[0].key.encode()


def test_standard_input_may_pause_and_ends_when_it_is_closed():
    with subprocess.Popen(
        [sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as echo:
        echo.stdin.write(b"one")
        echo.stdin.flush()
        assert echo.stdout.read(15) == b"live one(quiet)"
        out, _ = echo.communicate(b"two", timeout=60)
    assert (out, echo.returncode) == (b"two", 0)


def test_standard_input_may_be_a_file(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"one\ntwo\n")
    with log.open("rb") as file:
        echo = subprocess.run(
            [sys.executable, "-c", ECHO], stdin=file, capture_output=True, check=True, timeout=60
        )
    assert echo.stdout == b"kept one\ntwo\n"


def test_standard_input_may_be_nothing():
    echo = subprocess.run(
        [sys.executable, "-c", ECHO], stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60
    )
    assert echo.stdout == b"live "
