"""A real service on real ports, in a thread of the test, and receivers that speak to it."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from geo_policing.model import Device, DeviceKind, Incident, Role, Severity, Unit, from_us
from geo_policing.service.app import create_app, open_rooms
from geo_policing.service.run import Server, bound_socket
from geo_policing.settings import IngestSettings, ServiceSettings
from tests.ingest.lines import rmc
from tests.matching.city import drive, grid

PASSWORD = "correct horse battery"
SECOND_US = 1_000_000


#: Longer than a line is silent until its last fix counts as whole.
AT_REST_S = 0.6


class Line(socket.socket):
    """A receiver's connection, which counts what it has sent."""

    sent = 0

    def sendall(self, data):
        super().sendall(data)
        self.sent += len(data)


@dataclass
class Running:
    """The service as its users meet it."""

    base: str
    receivers: tuple[str, int]
    rooms: object = None
    clients: list = field(default_factory=list)
    lines: list = field(default_factory=list)

    def client(self, role=None):
        """A client signed in with a role, or a stranger."""
        client = httpx.Client(base_url=self.base, timeout=60)
        self.clients.append(client)
        if role:
            answer = client.post("/api/sign-in", json={"name": f"a-{role}", "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            client.headers["authorization"] = f"Bearer {answer.json()['token']}"
        return client

    @contextlib.contextmanager
    def receiver(self):
        with Line() as line:
            line.settimeout(60)
            line.connect(self.receivers)
            self.lines.append(line)
            yield line

    def settle(self):
        """Wait until what was sent is on disk and told: all has come, and nothing happened for a while."""
        counts, pipeline = self.rooms.sessions.counts, self.rooms.pipeline
        state, since = None, time.monotonic()
        deadline = since + 60
        while time.monotonic() < deadline:
            now = (counts.bytes, counts.fixes, pipeline.stored, pipeline.waiting)
            if now != state or counts.bytes < sum(line.sent for line in self.lines) or pipeline.waiting:
                state, since = now, time.monotonic()
            elif time.monotonic() - since > AT_REST_S:
                return
            time.sleep(0.02)
        raise AssertionError("the service did not come to rest")


@contextlib.contextmanager
def running(folder: Path, ingest=None, **settings):
    """Serve from a folder until the block ends; `ingest` has settings of how receivers reach it.

    With a heartbeat that is slower than a client's patience, an event that does not come fails the test.
    Searches may take as long as it takes to compile what they need.
    """
    settings = {"search_seconds": 900} | settings
    web = bound_socket("127.0.0.1", 0)
    ready = threading.Event()
    found = {}

    def told(rooms):
        found["rooms"] = rooms
        for role in Role:
            if f"a-{role}" not in {account.name for account in rooms.access.accounts()}:
                rooms.access.add(f"a-{role}", PASSWORD, role)
        ready.set()

    tcp = bound_socket("127.0.0.1", 0)
    receivers = tcp.getsockname()
    tcp.close()
    settings = ServiceSettings(data_dir=folder, **settings)
    ingest = IngestSettings(**{"tcp_port": receivers[1], "batch_seconds": 0.05} | (ingest or {}))
    receivers = (ingest.tcp_host, ingest.tcp_port)

    async def serve():
        async with open_rooms(settings, ingest) as rooms:
            found["server"] = Server(create_app(rooms))
            told(rooms)
            await found["server"].serve(sockets=[web])

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    service = Running(f"http://127.0.0.1:{web.getsockname()[1]}", receivers)
    try:
        assert ready.wait(300), "the service did not start"
        service.rooms = found["rooms"]
        while not found["server"].started:
            time.sleep(0.02)
        yield service
    finally:
        for client in service.clients:
            client.close()
        found["server"].should_exit = True
        thread.join(60)
        web.close()
        assert not thread.is_alive(), "the service did not stop"


def furnish(service: Running):
    """Three devices, one with a unit, and three incidents."""
    records = service.rooms.records
    for device in (
        Device("patrol-07", DeviceKind.PATROL_CAR, "湘B·0107"),
        Device("taxi-1", DeviceKind.TAXI),
        Device("officer-3", DeviceKind.OFFICER),
    ):
        records.devices.create(device)
        service.rooms.registry.admit(device.id)
    records.units.create(Unit("U7", "芦淞07", "patrol-07"))
    for n, (kind, lon) in enumerate([("theft", 113.131), ("fight", 113.135), ("noise", 113.139)]):
        at = from_us(1_772_406_000_000_000 + n * SECOND_US)
        incident = Incident(f"I{n}", kind, at, lon, 27.833, severity=Severity(n + 1))
        records.incidents.create(incident)
        service.rooms.picture.report(incident)
    service.rooms.picture.introduce(records.devices.list(), records.units.list())


def network():
    """The streets of the test town."""
    return grid()


def route(start_us, seconds=2.0):
    """Sentences of patrol-07 along five streets of the town, and the ids of those streets."""
    streets = ["0>1", "1>2", "2>8", "8>14", "14>15"]
    lon, lat = drive(network(), streets, spacing_m=25.0)
    times = start_us + round(seconds * SECOND_US) * np.arange(len(lon))
    return streets, [
        rmc(int(t), x, y, tag="s:patrol-07")
        for t, x, y in zip(times.tolist(), lon.tolist(), lat.tolist(), strict=True)
    ]


def events(lines):
    """Parse server-sent events: yields (id, event, data)."""
    found = {}
    for line in lines:
        if not line:
            if "data" in found:
                yield found.get("id"), found.get("event"), json.loads(found["data"])
            found = {}
        elif not line.startswith(":"):
            key, _, value = line.partition(":")
            found[key] = value.strip()
