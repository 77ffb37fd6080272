"""The real service in a process of its own: receivers that speak to it, somebody who asks, its memory."""

import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx
import shapely

from geo_policing.access import Access
from geo_policing.model import Role, format_instant, from_us, parse_instant
from geo_policing.store import open_records

CASE = "B20260302001"
#: So many cars send so many fixes each second while the service seals, in so many connections.
CARS, FIXES_A_SECOND, LINES = 500, 1.0, 5
_PASSWORD = secrets.token_urlsafe(16)
_ASKER = "asker"
_PAUSE_S, _FIRST_S = 0.5, 5.0


class Asked(NamedTuple):
    """A question: its name, when it was asked and answered, on the clock, and the status of the answer."""

    name: str
    began_s: float
    ended_s: float
    status: int


class Service:
    """`geo-policing serve` on free ports, with somebody signed in.

    Parameters
    ----------
    process : Popen
        It.
    base : str
        Its web address.
    receivers : (str, int)
        Where receivers connect.
    """

    def __init__(self, process: "subprocess.Popen[str]", base: str, receivers: tuple[str, int]) -> None:
        self.process, self.base, self.receivers = process, base, receivers

    def client(self) -> httpx.Client:
        """Return a client of a detective."""
        client = httpx.Client(base_url=self.base, timeout=600)
        said = client.post("/api/sign-in", json={"name": _ASKER, "password": _PASSWORD})
        said.raise_for_status()
        client.headers["authorization"] = f"Bearer {said.json()['token']}"
        return client

    def memory_mb(self, which: str = "VmHWM") -> int:
        """Return the most memory that it ever had, or what it has now (``VmRSS``)."""
        said = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"{which}:\s+(\d+)", said)
        assert found is not None
        return int(found[1]) // 1024


@contextmanager
def serving(data_dir: Path, roads: Path) -> Iterator[Service]:
    """Run the service on a folder until the block ends; then it is stopped, and must end well."""
    with open_records(data_dir) as records:
        access = Access(records.accounts, records.sessions)
        if _ASKER not in {account.name for account in access.accounts()}:
            access.add(_ASKER, _PASSWORD, Role.DETECTIVE)
    command = [sys.executable, "-m", "geo_policing", "serve", "--admit-all", "--data-dir", str(data_dir)]
    command += ["--port", "0", "--tcp", "127.0.0.1:0", "--roads", str(roads)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Ctrl-C"):
                break
        web, receivers = (re.search(rf"{kind}://([\d.]+):(\d+)", said) for kind in ("http", "tcp"))
        if web is None or receivers is None:
            sys.exit(f"the service did not start: {said}")
        yield Service(process, web[0], (receivers[1], int(receivers[2])))
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(600)
    if code:
        sys.exit(f"the service ended with {code}")


class Beside:
    """Live fixes and questions beside what the service does, until the block ends.

    Parameters
    ----------
    service : Service
        Whom to speak to and to ask.
    day_us : int
        Midnight before the day that is asked about, microseconds of UTC.
    devices : sequence of str
        Who drove about then.
    centre : (float, float)
        Where many did, longitude and latitude.
    """

    def __init__(
        self, service: Service, day_us: int, devices: list[str], centre: tuple[float, float]
    ) -> None:
        self._service, self._day_us, self._devices, self._centre = service, day_us, devices, centre
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(2)
        self._at_work: list[Future[None]] = []
        self.sent = 0
        self.asked: list[Asked] = []
        #: Seconds from a fix until a question finds it on disk, one each round of questions.
        self.behind_s: list[float] = []

    def __enter__(self) -> Self:
        """Begin."""
        client = self._service.client()  # who cannot sign in is told so at once
        self._at_work = [self._pool.submit(self._send), self._pool.submit(self._ask, client)]
        return self

    def __exit__(self, *_error: object) -> None:
        """End, when what has been asked is answered."""
        self._over.set()
        with self._pool:
            for work in self._at_work:
                work.result()

    def _send(self) -> None:
        """Let cars drive north at 10 m/s, each a fix a second."""
        lines = [socket.create_connection(self._service.receivers) for _ in range(LINES)]
        began = time.monotonic()
        while not self._over.is_set():
            now_us = time.time_ns() // 1_000
            for n, line in enumerate(lines):
                cars = range(n, CARS, LINES)
                lat = self._centre[1] + (time.monotonic() - began) * 10.0 / 111_320
                lon = [self._centre[0] + car * 1e-4 for car in cars]
                line.sendall(
                    b"".join(_sentence(f"live-{c}", now_us, x, lat) for c, x in zip(cars, lon, strict=True))
                )
            self.sent += CARS
            self._over.wait(1.0 / FIXES_A_SECOND - (time.time_ns() // 1_000 - now_us) / 1e6)
        for line in lines:
            line.shutdown(socket.SHUT_WR)
            while line.recv(4096):
                pass
            line.close()

    def _ask(self, client: httpx.Client) -> None:
        with closing(client):
            self._over.wait(_FIRST_S)  # somebody is heard of
            n = 0
            while not self._over.is_set():
                for name, ask in self._questions(client, n).items():
                    began = time.monotonic()
                    answer = ask()
                    self.asked.append(Asked(name, began, time.monotonic(), answer.status_code))
                    if name == "last_seen" and answer.status_code == 200:
                        self._look(answer.json())
                n += 1
                self._over.wait(_PAUSE_S)

    def _look(self, track: dict[str, Any]) -> None:
        fixes = next((f for f in track["features"] if f["properties"]["role"] == "fixes"), None)
        if fixes is not None and fixes["properties"]["times"]:
            last = fixes["properties"]["times"][-1]
            self.behind_s.append(time.time() - parse_instant(last).timestamp())

    def _questions(self, client: httpx.Client, n: int) -> dict[str, Callable[[], httpx.Response]]:
        hour_us = self._day_us + (7 + n % 12) * 3_600_000_000
        lon, lat = self._centre
        area = shapely.box(lon - 0.005, lat - 0.0045, lon + 0.005, lat + 0.0045)
        presences = {
            "reason": "benchmark",
            "area": shapely.geometry.mapping(area),
            "window": _window(hour_us, hour_us + 3_600_000_000),
        }
        now_us = time.time_ns() // 1_000
        return {
            "last_seen": lambda: _track(client, "live-0", now_us - 60_000_000, now_us),
            "device_day": lambda: _track(
                client,
                self._devices[n * 37 % len(self._devices)],
                self._day_us,
                self._day_us + 86_400_000_000,
            ),
            "area_hour": lambda: client.post(
                f"/api/investigations/{CASE}/searches/presences", json=presences
            ),
        }


def told(asked: list[Asked], until_s: float) -> dict[str, Any]:
    """Return of each name how many questions were asked until then, were answered, and how long it took."""
    found = {}
    for name in dict.fromkeys(one.name for one in asked):
        mine = [one for one in asked if one.name == name and one.began_s < until_s]
        took = [(one.ended_s - one.began_s) * 1000 for one in mine]
        if mine:
            found[name] = {
                "asked": len(mine),
                "answered": sum(one.status == 200 for one in mine),
                "median_ms": round(statistics.median(took), 1),
                "most_ms": round(max(took), 1),
            }
    return found


def _track(client: httpx.Client, device: str, start_us: int, end_us: int) -> httpx.Response:
    return client.get(f"/api/tracks/{device}", params={"datetime": _window(start_us, end_us)})


def _window(start_us: int, end_us: int) -> str:
    return f"{format_instant(start_us)}/{format_instant(end_us)}"


def _signed(body: str) -> str:
    return f"{body}*{reduce(xor, body.encode()):02X}"


def _sentence(device: str, time_us: int, lon: float, lat: float) -> bytes:
    """Return an RMC sentence with the source that says it."""
    at = from_us(time_us)
    east, north = divmod(lon * 60, 60), divmod(lat * 60, 60)
    body = (
        f"GNRMC,{at:%H%M%S}.{at.microsecond // 10_000:02d},A,"
        f"{north[0]:02.0f}{north[1]:07.4f},N,{east[0]:03.0f}{east[1]:07.4f},E,19.4,0.0,{at:%d%m%y},,,A"
    )
    return f"\\{_signed(f's:{device}')}\\${_signed(body)}\r\n".encode("ascii")
