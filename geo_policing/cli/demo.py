"""``geo-policing demo``: the sample city at work, what ``make run`` starts."""

import csv
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

if TYPE_CHECKING:
    from geo_policing.store import Records

#: How much of the fleet's log is history when the city is first seen, so that there are tracks to ask for.
HISTORY = timedelta(minutes=30)
#: What calls are taken for a unit that is sent: the police's own.
POLICE = frozenset({"patrol_car", "officer"})


def demo(
    host: Annotated[str | None, typer.Option(help="Address of the web interface.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the web interface.", min=0, max=65535)] = None,
    tcp: Annotated[str | None, typer.Option(help="HOST:PORT on which the fleet connects.")] = None,
    data_dir: Annotated[Path, typer.Option(help="Folder of the city and its databases.")] = Path("var/demo"),
    seed: Annotated[int | None, typer.Option(help="Which city; 7 when it is made.", min=0)] = None,
    vehicles: Annotated[
        int | None, typer.Option(help="Size of the fleet; 150 when it is made.", min=10, max=5000)
    ] = None,
    hours: Annotated[
        float | None, typer.Option(help="Length of the fleet's log, which starts over; 2 when it is made.")
    ] = None,
) -> None:
    """Make the sample city if it is not there, serve it, and let a simulated fleet stream into it."""
    from geo_policing.cli.options import given, url
    from geo_policing.ingest.transports.address import parse_address
    from geo_policing.service.dependencies import Rooms
    from geo_policing.service.run import bound_socket, serve
    from geo_policing.settings import IngestSettings, ServiceSettings
    from geo_policing.store import open_records

    city = data_dir / "city"
    settings = given(ServiceSettings, host=host, port=port, data_dir=data_dir)
    tcp_host, tcp_port = parse_address(tcp, "--tcp") if tcp is not None else (None, None)
    ingest = given(IngestSettings, tcp_host=tcp_host, tcp_port=tcp_port)
    # Both ports before the minute that the city may take.
    web = bound_socket(settings.host, settings.port)
    bound_socket(ingest.tcp_host, ingest.tcp_port, "receivers'").close()
    made = build_city(city, seed, vehicles, hours)
    # An invented city never gets into the records of a real one, whatever the environment says.
    settings = settings.model_copy(
        update={"roads": city / "city.roads", "tiles": city / "city.pmtiles", "records_url": None}
    )
    with open_records(data_dir) as records:
        furnish(records, city)
        name, password = sign_in(records, data_dir / "sign-in.txt")

    def ready(rooms: Rooms, _: object) -> None:
        fleet.start(url((rooms.listeners[0].host, rooms.listeners[0].port), "tcp"))
        print(f"open     {url(web.getsockname())}/maps/live")
        print(f"sign in  {name}  {password}")
        print("Ctrl-C stops; everything acknowledged is on disk", flush=True)

    with Fleet(city / "fleet.nmea", data_dir / "fleet.json", timedelta(hours=made.hours)) as fleet:
        serve(settings, ingest, web, ready)
    print("stopped; nothing is lost")


@dataclass(frozen=True, slots=True)
class Making:
    """What the city in the folder was made with."""

    seed: int = 7
    vehicles: int = 150
    hours: float = 2.0


def build_city(city: Path, seed: int | None, vehicles: int | None, hours: float | None) -> Making:
    """Make the sample city and its basemap where they are not there; return what it was made with.

    Raises
    ------
    InvalidInput
        If another city than the one asked for is there.
    """
    from geo_policing.cli.sample_city import sample_city
    from geo_policing.cli.tiles import build_tiles
    from geo_policing.errors import InvalidInput

    asked = {"seed": seed, "vehicles": vehicles, "hours": hours}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    # Beside the city and not in it, for the city's folder is replaced as a whole.
    note = city.with_name("city.json")
    making = Making(**json.loads(note.read_text())) if note.is_file() else Making()
    if not (city / "city.roads").is_file():
        making = Making(**given)
        sample_city(city, **asdict(making))
        note.write_text(json.dumps(asdict(making)))
    for name, value in given.items():
        there = getattr(making, name)
        if value != there:
            raise InvalidInput(
                f"the city in {city} was made with {name} {there}; "
                f"leave --{name} out, or give another --data-dir, or delete {city.parent}",
                field=f"--{name}",
                value=value,
            )
    if not (city / "city.pmtiles").is_file():
        build_tiles(city, out=city / "city.pmtiles")
    return making


def furnish(records: "Records", city: Path) -> None:
    """Put the city's devices, units and calls into records that have none.

    The calls come last and all at once: where they are, everything is.
    """
    from geo_policing.ingest.incident_files import read_incidents
    from geo_policing.model import Device, DeviceKind, Unit

    if records.incidents.list(limit=1):
        return
    with (city / "devices.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    records.devices.save_all([Device(row["id"], DeviceKind(row["kind"]), row["name"]) for row in rows])
    police = [row for row in rows if row["kind"] in POLICE]
    records.units.save_all([Unit(row["id"], row["call_sign"] or row["name"], row["id"]) for row in police])
    calls = read_incidents(city / "incidents.csv").incidents
    # The newest call has just come in; the rest as long before it as in the invented city.
    now = datetime.now(tz=calls[0].occurred.tzinfo).replace(microsecond=0)
    shift = now - max(call.occurred for call in calls)
    records.incidents.save_all(replace(call, occurred=call.occurred + shift) for call in calls)


def sign_in(records: "Records", note: Path) -> tuple[str, str]:
    """Return a name and a password for the demo.

    The password lies in the data folder, readable by its owner alone: this is an invented city. The service
    itself keeps no password anywhere.
    """
    from geo_policing.access import Access

    made = Access(records.accounts, records.sessions).first_admin()
    if made is not None:
        with open_private(note) as file:
            file.write("\t".join(made))
    try:
        name, password = note.read_text(encoding="utf-8").split("\t")
    except (OSError, ValueError):
        return "admin", f"(make a new one: geo-policing account password admin --data-dir {note.parent})"
    return name, password


@contextmanager
def open_private(path: Path) -> Iterator[TextIO]:
    """Open a new file that only its owner may read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        yield file


class Fleet:
    """The simulated fleet: a process of its own that plays the log of the receivers into the service's port.

    Parameters
    ----------
    log : Path
        What the receivers said.
    state : Path
        Remembers when the log began, so that a restart finds the fleet where it would have driven meanwhile.
    length : timedelta
        Of the log.
    """

    def __init__(self, log: Path, state: Path, length: timedelta) -> None:
        self._log, self._state, self._length = log, state, length
        self._process: subprocess.Popen[bytes] | None = None
        self._begin_us = 0
        self._stopping = False

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._remember(self._begin_us, time.time_ns() // 1_000)

    def start(self, target: str) -> None:
        """Let it drive."""
        from geo_policing.model import format_instant

        now_us = time.time_ns() // 1_000
        begin_us, since_us = drives_from(
            now_us, *self._remembered(), self._length // timedelta(microseconds=1)
        )
        self._begin_us = begin_us
        # When it stops is known once it has; whoever is killed has nothing in store.
        self._remember(begin_us, 0)
        times = ["--begin", format_instant(begin_us), "--since", format_instant(since_us)]
        command = [sys.executable, "-m", "geo_policing", "replay", str(self._log), "--to", target, *times]
        # Not in our process group: Ctrl-C is for the service, which then ends the fleet.
        log = self._state.with_suffix(".log")
        with log.open("wb") as problems:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*command, "--restamp", "--loop", "--quiet"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=problems,
                start_new_session=True,
            )
        threading.Thread(target=self._watch, args=(self._process, log), daemon=True).start()

    def _watch(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        """Say when the fleet has ended by itself: the map would stand still without a word."""
        process.wait()
        if not self._stopping:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            why = said[-1] if said else f"exit code {process.returncode}"
            print(f"geo-policing: the fleet has stopped ({why}); start again", file=sys.stderr, flush=True)

    def _remember(self, begin_us: int, stop_us: int) -> None:
        self._state.write_text(json.dumps({"begin_us": begin_us, "stop_us": stop_us}))

    def _remembered(self) -> tuple[int | None, int]:
        try:
            state = json.loads(self._state.read_text())
            return int(state["begin_us"]), int(state["stop_us"])
        except (OSError, ValueError, KeyError, TypeError):
            return None, 0


def drives_from(now_us: int, began_us: int | None, stopped_us: int, length_us: int) -> tuple[int, int]:
    """Return when the log counts as begun and since when its lines are sent, microseconds of UTC.

    The first time the log begins `HISTORY` ago. After a stop the fleet drives on where it would be by now,
    and the receivers send what they have in store, of `HISTORY` at most; a log that has ended begins anew.
    """
    history_us = HISTORY // timedelta(microseconds=1)
    since_us = now_us - history_us
    if began_us is not None:
        since_us = max(since_us, stopped_us or now_us)
    if began_us is None or not began_us <= now_us < began_us + length_us:
        began_us = since_us
    return began_us, since_us
