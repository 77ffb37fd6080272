"""``geo-policing ingest`` and ``replay``: whole processes, real sockets, real files."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from geo_policing.model import Device, format_instant
from geo_policing.store import FixStore, Records
from tests.ingest.lines import NOW, SECOND, rmc

COMMAND = (sys.executable, "-c", "from geo_policing.cli import main; main()")
START = NOW - 30 * 24 * 3600 * SECOND


@contextmanager
def ingesting(data, *arguments):
    """Run a listener on a port of the system's choice; yield its process and the port."""
    command = [*COMMAND, "ingest", "--data-dir", str(data), "--tcp", ":0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline()
            yield process, int(re.fullmatch(r"listening on tcp://127\.0\.0\.1:(\d+)\n", line)[1])
        finally:
            process.kill()


def track(seconds, tag=""):
    return b"".join(rmc(START + n * SECOND, tag=tag) for n in seconds)


def written(path, data):
    path.write_bytes(data)
    return path


def counts(text):
    """What the report says: first word to number."""
    return {line.split()[0]: int(line.split()[1].replace(",", "")) for line in text.splitlines()[:3]}


def test_files_are_stored_and_counted_and_the_device_is_known_from_then_on(geo_policing, tmp_path):
    log = written(tmp_path / "a.log", track(range(50)) + track(range(10)))
    code, out, err = geo_policing("ingest", log, "--device", "car", "--data-dir", tmp_path / "data")
    assert (code, err) == (0, "")
    assert counts(out) == {"accepted": 50, "stored": 50, "late": 0}
    assert "refused     10 duplicate: car 10\n" in out
    with FixStore(tmp_path / "data" / "fixes.duckdb") as store:
        assert store.count() == 50
    with Records(f"sqlite:///{tmp_path / 'data' / 'records.sqlite'}") as records:
        assert [device.id for device in records.devices.list()] == ["car"]


def test_strangers_are_reported_and_admitting_all_admits_them_for_good(geo_policing, tmp_path):
    log = written(tmp_path / "a.log", track(range(5), "s:ghost"))
    _, out, _ = geo_policing("ingest", log, "--data-dir", tmp_path / "data")
    assert counts(out) == {"accepted": 0, "stored": 0, "late": 0}
    assert re.search(r"quarantine  ghost: \d+ bytes, 5 fixes not stored, last .s:ghost\*..\\\$GNRMC", out)
    assert "say --admit-all" in out
    _, out, _ = geo_policing("ingest", log, "--data-dir", tmp_path / "data", "--admit-all")
    assert counts(out)["stored"] == 5
    more = written(tmp_path / "b.log", track(range(5, 8), "s:ghost"))
    _, out, _ = geo_policing("ingest", more, "--data-dir", tmp_path / "data")
    assert counts(out)["stored"] == 3


def test_who_speaks_on_a_line_is_what_was_admitted_in_the_service(geo_policing, tmp_path):
    log = written(tmp_path / "a.log", track(range(5)))
    (tmp_path / "data").mkdir()
    with Records(f"sqlite:///{tmp_path / 'data' / 'records.sqlite'}") as records:
        records.devices.admit(Device("patrol-07"), f"file:{log}")
    _, out, _ = geo_policing("ingest", log, "--data-dir", tmp_path / "data", "--device", "other")
    assert counts(out)["stored"] == 5
    with FixStore(tmp_path / "data" / "fixes.duckdb") as store:
        assert store.devices() == ["patrol-07"]


def test_the_settings_of_the_service_say_who_speaks_and_what_is_believed(geo_policing, tmp_path, monkeypatch):
    log = written(tmp_path / "a.log", track(range(5)) + rmc(START + 6 * SECOND, 113.135, 27.83))
    monkeypatch.setenv("GEO_POLICING_INGEST_LINES", json.dumps({f"file:{log}": "patrol-07"}))
    monkeypatch.setenv("GEO_POLICING_INGEST_MAX_SPEED_MPS", "1000")
    _, out, _ = geo_policing("ingest", log, "--data-dir", tmp_path / "data", "--device", "other")
    assert counts(out)["stored"] == 6
    with FixStore(tmp_path / "data" / "fixes.duckdb") as store:
        assert store.devices() == ["patrol-07"]
    named = written(tmp_path / "b.log", track(range(5), "s:ghost"))
    monkeypatch.setenv("GEO_POLICING_INGEST_ADMIT_ALL", "true")
    _, out, _ = geo_policing("ingest", named, "--data-dir", tmp_path / "data")
    assert counts(out)["stored"] == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to receive from"),
        (("--serial", "/dev/ttyUSB0"), "is not DEV@BAUD, like /dev/ttyUSB0@9600"),
        (("--serial", "/dev/ttyNONE0@9600"), "/dev/ttyNONE0 cannot be opened: it is not there"),
        (("--tcp", "7001"), "write HOST:PORT"),
        (("none.log",), "none.log: No such file or directory"),
        (("none.log", "--device", "two words"), "device id 'two words' is not"),
    ],
)
def test_what_cannot_be_received_from_is_one_line(geo_policing, tmp_path, arguments, said):
    code, out, err = geo_policing("ingest", "--data-dir", tmp_path, *arguments)
    assert (code, out) == (1, "")
    assert said in err
    assert re.fullmatch("geo-policing: .*\n", err)


def test_a_port_in_use_is_one_line(geo_policing, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        _, _, err = geo_policing("ingest", "--data-dir", tmp_path, "--tcp", f"127.0.0.1:{port}")
    in_use = f"TCP port {port} on 127.0.0.1 is in use; stop what listens there or choose another port"
    assert err == f"geo-policing: {in_use}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_stores_what_it_received_and_says_what_became_of_it(geo_policing, tmp_path, number):
    with ingesting(tmp_path, "--device", "car") as (process, port):
        # Nobody else may open the history meanwhile.
        code, _, err = geo_policing("ingest", "--data-dir", tmp_path, "--tcp", ":0")
        assert code == 1
        assert re.fullmatch("geo-policing: .* is open in another process; stop that one, .*\n", err)
        with socket.create_connection(("127.0.0.1", port)) as receiver:
            receiver.sendall(track(range(1_000)))
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    with FixStore(tmp_path / "fixes.duckdb") as store:
        assert store.count() == counts(out)["accepted"] == counts(out)["stored"]


def test_a_replay_registers_its_log_and_stops_when_asked(tmp_path):
    log = written(tmp_path / "a.log", track(range(0, 9_000, 300)))
    with ingesting(tmp_path / "data", "--admit-all") as (process, port):
        wal = tmp_path / "data" / "fixes.duckdb.wal"
        before = wal.stat().st_size if wal.exists() else 0
        an_hour_ago = format_instant(time.time_ns() // 1_000 - 3_600 * SECOND)
        command = [*COMMAND, "replay", str(log), "--to", f"tcp://127.0.0.1:{port}", "--device", "car"]
        with subprocess.Popen(
            [*command, "--loop", "--begin", an_hour_ago], stdout=subprocess.PIPE, text=True
        ) as player:
            # What is past already is sent at once.
            while not wal.exists() or wal.stat().st_size <= before:
                assert player.poll() is None
                time.sleep(0.02)
            player.send_signal(signal.SIGINT)
            out, _ = player.communicate(timeout=60)
        process.send_signal(signal.SIGINT)
        report, _ = process.communicate(timeout=60)
    assert player.returncode == 0
    assert re.fullmatch(r"stopped after 1[23] lines over 1 connections\n", out)
    assert counts(report)["stored"] in {12, 13}
    with FixStore(tmp_path / "data" / "fixes.duckdb") as store:
        assert store.devices() == ["car"]


def test_nobody_to_replay_to_is_one_line(geo_policing, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = written(tmp_path / "a.log", track(range(3)))
    code, out, err = geo_policing("replay", log, "--to", f"tcp://127.0.0.1:{port}")
    assert (code, out) == (1, "")
    assert re.fullmatch("geo-policing: .* nobody listens there; start the listener first\n", err)
