"""The command as it is run: its first lines, its end, and what a kill leaves behind."""

import contextlib
import itertools
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from geo_policing.errors import Unavailable
from geo_policing.model import TimeWindow, from_us
from geo_policing.service.run import bound_socket, serve
from geo_policing.settings import IngestSettings, ServiceSettings
from geo_policing.store import FixStore
from tests.ingest.lines import rmc
from tests.service.running import events

LON, LAT = 113.131, 27.831
SECOND_US = 1_000_000


def free_port():
    with bound_socket("127.0.0.1", 0) as taken:
        return taken.getsockname()[1]


def command(folder, web, receivers, *more):
    return [
        *(sys.executable, "-m", "geo_policing", "serve", "--admit-all", "--data-dir", str(folder)),
        *("--port", str(web), "--tcp", f"127.0.0.1:{receivers}", *more),
    ]


class Process:
    """`geo-policing serve` on free ports, and somebody signed in."""

    def __init__(self, folder):
        self.web, self.receivers = free_port(), free_port()
        self.process = subprocess.Popen(
            command(folder, self.web, self.receivers),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if line.startswith("Ctrl-C"):
                break
        assert self.process.poll() is None, self.process.stderr.read()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.web}", timeout=60)

    def sign_in(self, name, password):
        token = self.client.post("/api/sign-in", json={"name": name, "password": password}).json()["token"]
        self.client.headers["authorization"] = f"Bearer {token}"

    def end(self, number):
        self.process.send_signal(number)
        code = self.process.wait(60)
        self.client.close()
        rest = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, rest


def first_sign_in(said):
    return re.search(r"sign in as (\S+) with (\S+)", said).groups()


def stored(folder):
    with FixStore(folder / "fixes.duckdb") as store:
        return store.between(TimeWindow(from_us(0), from_us(2**52))).time.tolist()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_quickly_and_loses_nothing_though_somebody_watches(tmp_path, number):
    service = Process(tmp_path)
    service.sign_in(*first_sign_in(service.said))
    start = time.time_ns() // 1_000 // SECOND_US * SECOND_US - 600 * SECOND_US
    times = [start + n * SECOND_US for n in range(500)]
    with service.client.stream("GET", "/api/live") as stream:
        told = events(stream.iter_lines())
        assert next(told)[1] == "snapshot"
        with socket.create_connection(("127.0.0.1", service.receivers)) as line:
            line.sendall(b"".join(rmc(us, LON, LAT, tag="s:car") for us in times))
            assert next(told)[1] == "units"
            # The line is still open, and its last fixes may be on their way.
            time.sleep(1)
            code, complaints = service.end(number)
    assert (code, complaints) == (0, "")
    assert stored(tmp_path) == times


def test_what_a_watcher_has_seen_outlives_a_kill(tmp_path):
    service = Process(tmp_path)
    service.sign_in(*first_sign_in(service.said))
    start = time.time_ns() // 1_000 - 3000 * SECOND_US
    stop = threading.Event()

    def stream_fixes():
        with socket.create_connection(("127.0.0.1", service.receivers)) as line:
            for n in range(3000):
                if stop.is_set():
                    return
                try:
                    line.sendall(rmc(start + n * SECOND_US, LON, LAT + n * 1e-6, tag="s:car"))
                except OSError:
                    return
                time.sleep(0.002)

    sender = threading.Thread(target=stream_fixes)
    sender.start()
    seen = []
    with service.client.stream("GET", "/api/live") as stream:
        for _, kind, data in events(stream.iter_lines()):
            features = data["units"]["features"] if kind == "snapshot" else data["features"]
            seen += [feature["properties"]["time"] for feature in features]
            if len(seen) >= 5:
                service.process.kill()
                break
    service.end(signal.SIGKILL)
    stop.set()
    sender.join()
    kept = {from_us(us).isoformat(timespec="milliseconds") for us in stored(tmp_path)}
    assert {time.replace("Z", "+00:00") for time in seen} <= kept


def test_while_the_disk_is_full_health_says_so_and_with_space_again_nothing_is_missing(tmp_path):
    service = Process(tmp_path)

    def until_health_says(status, reason):
        deadline = time.monotonic() + 60
        while True:
            answer = service.client.get("/health")
            said = answer.json()
            if said["status"] == status and reason in " ".join(said["reasons"]):
                assert answer.status_code == 200
                return
            assert time.monotonic() < deadline, said
            time.sleep(0.05)

    times = [time.time_ns() // 1_000 // SECOND_US * SECOND_US - n * SECOND_US for n in range(9, -1, -1)]
    _, most = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    try:
        with socket.create_connection(("127.0.0.1", service.receivers)) as line:
            # A limit on the size of files; a full disk fails in the same places.
            resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (0, most))
            line.sendall(b"".join(rmc(us, LON, LAT, tag="s:car") for us in times))
            until_health_says("degraded", "kept in memory and tried again")
            resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (most, most))
            until_health_says("ok", "")
    finally:
        code, _ = service.end(signal.SIGTERM)
    assert code == 0
    assert stored(tmp_path) == times


def complaint(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "geo_policing", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def line(geo_policing, monkeypatch):
    """What the command says in one line where it does not start; in this process, for it never serves."""
    for name in [name for name in os.environ if name.startswith("GEO_POLICING")]:
        monkeypatch.delenv(name)

    def said(*arguments):
        code, out, err = geo_policing(*arguments)
        assert (code, out) == (1, "")
        (line,) = err.splitlines()
        return line

    return said


def test_a_port_in_use_is_one_line_that_says_what_to_do(tmp_path, line):
    with bound_socket("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        folder = ("--data-dir", str(tmp_path / "data"))
        web = line("serve", *folder, "--port", str(port))
        receivers = complaint("serve", *folder, "--port", "0", "--tcp", f"127.0.0.1:{port}")
    assert f"web port {port} on 127.0.0.1 is in use; stop what listens there or choose another port" in web
    assert f"TCP port {port} on 127.0.0.1 is in use" in receivers


def test_a_start_that_failed_leaves_the_first_sign_in_to_the_next(tmp_path, line):
    with bound_socket("127.0.0.1", 0) as taken:
        taken.listen()
        receivers = f"127.0.0.1:{taken.getsockname()[1]}"
        line("serve", "--data-dir", str(tmp_path), "--port", "0", "--tcp", receivers)
    service = Process(tmp_path)
    assert f"geo-policing account password admin --data-dir {tmp_path})" in service.said
    service.sign_in(*first_sign_in(service.said))
    assert service.end(signal.SIGTERM) == (0, "")


def test_a_port_that_another_took_meanwhile_is_said_alike(tmp_path):
    with bound_socket("127.0.0.1", 0) as first, bound_socket("127.0.0.1", first.getsockname()[1]) as second:
        first.listen()
        settings, ingest = ServiceSettings(data_dir=tmp_path), IngestSettings(tcp_port=0)
        with pytest.raises(Unavailable, match=rf"web port {second.getsockname()[1]} .* is in use; stop"):
            serve(settings, ingest, second, lambda *_: None)


def test_a_folder_that_cannot_be_written_is_one_line(line):
    assert "cannot be made" in line("serve", "--data-dir", "/proc/nowhere", "--port", "0")


def test_a_setting_that_is_none_is_one_line(line, monkeypatch):
    monkeypatch.setenv("GEO_POLICING_PORT", "many")
    assert "GEO_POLICING_PORT" in line("serve")


def test_a_folder_that_another_service_has_open_is_one_line(tmp_path, line):
    service = Process(tmp_path)
    try:
        said = line("serve", "--data-dir", str(tmp_path), "--port", "0", "--tcp", "127.0.0.1:0")
    finally:
        service.end(signal.SIGTERM)
    assert "is open in another process" in said


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_ports_that_the_system_chose_are_told(tmp_path, host):
    place = f"[{host}]" if ":" in host else host
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "geo_policing", "serve", "--data-dir", str(tmp_path), "--host", host),
            *("--port", "0", "--tcp", f"{place}:0", "--udp-port", "0"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process, contextlib.closing(process.stdout) as out:
        said = "".join(itertools.takewhile(lambda line: not line.startswith("Ctrl-C"), out))
        found = dict(re.findall(rf"(http|tcp|udp)://{re.escape(place)}:(\d+)", said))
        assert set(found) == {"http", "tcp", "udp"}
        assert httpx.get(f"http://{place}:{found['http']}/health", timeout=60).status_code == 200
        socket.create_connection((host, int(found["tcp"])), timeout=60).close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_the_password_of_the_first_start_is_told_once(tmp_path):
    first = Process(tmp_path)
    first.end(signal.SIGINT)
    again = Process(tmp_path)
    again.sign_in(*first_sign_in(first.said))
    assert json.loads(again.client.get("/api/units").content)["features"] == []
    again.end(signal.SIGINT)
    assert "sign in as" not in again.said
