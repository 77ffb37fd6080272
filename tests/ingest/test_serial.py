"""A serial port, over a pseudo-terminal of the system."""

import logging
import os
import tty
from contextlib import contextmanager
from pathlib import Path

import pytest

from geo_policing.errors import Unavailable
from geo_policing.ingest.transports import SerialPort, running
from geo_policing.ingest.transports.base import Backoff
from tests.ingest.lines import Recorder, until

ENDLESS_S = 3600.0


class Terminal:
    """A port under a name of its own, that can be pulled out and put back."""

    def __init__(self, name: Path):
        self.name = name
        self.plug_in()

    def plug_in(self):
        self.receiver, port = os.openpty()
        tty.setraw(port)
        self.name.unlink(missing_ok=True)
        self.name.symlink_to(os.ttyname(port))
        # Opened by name only; the receiver alone keeps the terminal.
        os.close(port)

    def say(self, data):
        os.write(self.receiver, data)

    def unplug(self):
        os.close(self.receiver)
        self.name.unlink()


@pytest.fixture
def terminal(tmp_path):
    return Terminal(tmp_path / "ttyTEST0")


def port_of(terminal, **options):
    return SerialPort(
        str(terminal.name), 115_200, **{"quiet_s": ENDLESS_S, "backoff": Backoff(0.001, 0.01), **options}
    )


async def test_what_the_receiver_says_is_carried(terminal):
    heard = Recorder()
    async with running([port_of(terminal)], heard):
        terminal.say(b"$binary\x00\xff\x03\x04\x11\x13\r\n")
        await heard.until(lambda: heard.said == b"$binary\x00\xff\x03\x04\x11\x13\r\n")
        assert [o.key for o in heard.origins] == [f"serial:{terminal.name}"]
    assert heard.ended == 1


async def test_silence_is_told_once_and_is_not_the_end(terminal):
    heard = Recorder()
    async with running([port_of(terminal, quiet_s=0.01)], heard):
        terminal.say(b"one\n")
        await heard.until(lambda: heard.chunks == [b"one\n", b""])
        terminal.say(b"two\n")
        await heard.until(lambda: heard.chunks == [b"one\n", b"", b"two\n", b""])
        assert heard.ended == 0


async def test_a_port_that_was_unplugged_is_read_again_when_it_is_back(terminal, caplog):
    heard = Recorder()
    with caplog.at_level(logging.CRITICAL):
        async with running([port_of(terminal)], heard):
            terminal.say(b"one\n")
            await heard.until(lambda: heard.said == b"one\n")
            terminal.unplug()
            await heard.until(lambda: heard.ended == 1)
            terminal.plug_in()
            await until(lambda: len(heard.origins) == 2)
            terminal.say(b"two\n")
            await heard.until(lambda: heard.said == b"one\ntwo\n")


async def test_a_port_that_another_program_reads_is_refused(terminal):
    async with running([port_of(terminal)], Recorder()):
        with pytest.raises(Unavailable, match="another program reads it"):
            await port_of(terminal).start(Recorder())


async def test_a_port_that_is_not_there_is_said_in_one_line(tmp_path):
    with pytest.raises(Unavailable, match="ttyNONE0 cannot be opened: it is not there; check the cable"):
        await SerialPort(str(tmp_path / "ttyNONE0")).start(Recorder())


async def test_what_is_no_serial_port_is_said_in_one_line(tmp_path):
    (tmp_path / "a.log").write_text("no port")
    with pytest.raises(Unavailable, match="cannot be opened") as refused:
        await SerialPort(str(tmp_path / "a.log")).start(Recorder())
    assert "\n" not in str(refused.value)


async def test_a_speed_that_the_port_has_not_is_said_in_one_line(terminal):
    with pytest.raises(Unavailable, match="choose a speed such as 9600"):
        await SerialPort(str(terminal.name), -1).start(Recorder())


@contextmanager
def unreadable(path):
    path.chmod(0)
    try:
        yield path
    finally:
        path.chmod(0o600)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_port_that_we_may_not_read_names_the_group_to_join(tmp_path):
    (tmp_path / "ttyMINE0").touch()
    with unreadable(tmp_path / "ttyMINE0") as path, pytest.raises(Unavailable, match="dialout"):
        await SerialPort(str(path)).start(Recorder())
