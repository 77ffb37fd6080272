"""The sample city with its life, as a folder: all of it, or nothing."""

import csv
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import Conflict, InvalidInput
from geo_policing.model import Incident
from geo_policing.model.instant import to_us
from geo_policing_sample_city.city import City, build_city
from geo_policing_sample_city.fleet import Member, enlist, make_world, move
from geo_policing_sample_city.incidents import CHINA, Addresses, make_incidents
from geo_policing_sample_city.nmea import Sky, write_epochs
from geo_policing_sample_city.receivers import Observations, Surroundings, observe
from geo_policing_sample_city.theft import Theft, make_theft
from geo_policing_sample_city.traffic import Movement
from geo_policing_sample_city.write import write_city

START = datetime(2026, 3, 2, 7, 0, tzinfo=CHINA)
MOST_VEHICLES, MOST_HOURS = 5000, 48.0
#: First line of README.txt, by which a sample city is known.
MARK = "geo_policing sample city"
#: fleet.nmea is put into the order of reception by windows of so long.
WINDOW_MS = 600_000

#: Told what is being done and how far it is, 0 to 1.
Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Life:
    """What happened in the city in a stretch of time.

    Parameters
    ----------
    members : list of Member
        The fleet.
    edges : list of (k,) int32
        The edges that each truly took.
    enter_ms : list of (k,) int64
        When they entered them, milliseconds of UTC.
    observed : list of Observations
        What each receiver measured.
    incidents : list of Incident
        Calls before the begin.
    theft : Theft
        The one case.
    """

    members: list[Member]
    edges: list[NDArray[np.int32]]
    enter_ms: list[NDArray[np.int64]]
    observed: list[Observations]
    incidents: list[Incident]
    theft: Theft


def make_sample_city(
    out: Path,
    seed: int = 7,
    vehicles: int = 300,
    hours: float = 2.0,
    *,
    start: datetime = START,
    city_map: bool = True,
    progress: Progress | None = None,
) -> None:
    """Invent a city and a stretch of its life, and write both into a folder; the same seed, the same bytes.

    Parameters
    ----------
    out : Path
        Made if need be. An earlier sample city is replaced once the new one is complete.
    seed : int
        0 or more.
    vehicles : int
        Size of the fleet, 1 to 5000.
    hours : float
        How long, more than 0 to 48.
    start : datetime
        Begin, with its offset.
    city_map : bool
        Whether to write ``city.roads`` and ``city.gpkg`` too; without, the folder's other files stay.
    progress : callable, optional
        Told what is being done and how far it is.

    Raises
    ------
    InvalidInput
        If a number is out of its range.
    Conflict
        If the folder holds something else than a sample city.
    """
    _check(seed, vehicles, hours, start)
    tell = progress or (lambda _what, _share: None)
    if city_map:
        _check_replaceable(out)
    with _all_or_nothing(out, whole=city_map) as folder:
        tell("Laying out the city", 0.0)
        city = build_city(seed)
        if city_map:
            write_city(city, folder)
        life = live(city, seed, vehicles, hours, start=start, progress=tell)
        write_life(life, city, folder, start, tell)
        (folder / "README.txt").write_text(_readme(seed, vehicles, hours, start), encoding="utf-8")


def live(
    city: City,
    seed: int,
    vehicles: int,
    hours: float,
    *,
    start: datetime = START,
    progress: Progress | None = None,
) -> Life:
    """Let a fleet live in a city for some hours; parameters as in `make_sample_city`."""
    local = start.astimezone(CHINA)
    seconds = max(round(hours * 3600), 1)
    world = make_world(city, local.hour + local.minute / 60.0, seconds, seed)
    around = Surroundings(city, world.ways)
    members = enlist(vehicles)
    edges: list[NDArray[np.int32]] = []
    enter_ms: list[NDArray[np.int64]] = []
    observed: list[Observations] = []
    passages: dict[int, list[tuple[str, float]]] = {}
    start_ms = to_us(start) // 1000

    def each(member: Member, movement: Movement) -> None:
        rng = np.random.default_rng([seed, 104, len(edges)])
        edges.append(movement.edge)
        enter_ms.append(_milliseconds(start_ms, movement.enter_s))
        observed.append(observe(movement, member.kind, around, start_ms, rng))
        for edge, enter_s in zip(movement.edge.tolist(), movement.enter_s.tolist(), strict=True):
            passages.setdefault(edge, []).append((member.id, enter_s))
        if progress is not None:
            progress("Driving about", len(edges) / len(members))

    move(members, world, seed, each)
    addresses = Addresses(city, world.ways)
    incidents = make_incidents(city, world.town, addresses, start, np.random.default_rng([seed, 106]))
    theft = make_theft(city, world, addresses, passages, start, seed)
    return Life(members, edges, enter_ms, observed, incidents, theft)


def _milliseconds(start_ms: int, second: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(start_ms + np.rint(second * 1000).astype(np.int64))


def write_life(
    life: Life, city: City, folder: Path, start: datetime = START, progress: Progress | None = None
) -> None:
    """Write what happened into a folder that is there; parameters as in `make_sample_city`."""
    tell = progress or (lambda _what, _share: None)
    ids = city.network.edge_ids
    _write_table(
        folder / "devices.csv",
        ("id", "kind", "name", "call_sign"),
        ((m.id, m.kind.value, m.name, m.call_sign) for m in life.members),
    )
    _write_table(
        folder / "truth.csv",
        ("device", "edge_id", "enter_time"),
        (
            (member.id, ids[edge], instant)
            for member, edges, enter_ms in zip(life.members, life.edges, life.enter_ms, strict=True)
            for edge, instant in zip(edges.tolist(), _instants(enter_ms), strict=True)
        ),
    )
    _write_table(
        folder / "incidents.csv",
        ("id", "occurred", "kind", "severity", "lon", "lat", "address", "summary", "state"),
        (
            (
                i.id,
                i.occurred.isoformat(),
                i.kind,
                i.severity.value,
                i.lon,
                i.lat,
                i.address,
                i.summary,
                i.state.value,
            )
            for i in life.incidents
        ),
    )
    case = json.dumps(life.theft.case, ensure_ascii=False, indent=2)
    (folder / "theft.json").write_text(case + "\n", encoding="utf-8")
    fled_ms = _milliseconds(to_us(start) // 1000, life.theft.enter_s)
    _write_table(
        folder / "theft_truth.csv",
        ("edge_id", "enter_time"),
        zip([ids[e] for e in life.theft.edge.tolist()], _instants(fled_ms), strict=True),
    )
    with (folder / "fleet.nmea").open("wb") as file:
        for share, text in _in_order_of_reception(life):
            file.write(text)
            tell("Writing NMEA", share)


def _in_order_of_reception(life: Life) -> Iterator[tuple[float, bytes]]:
    """Sentences of the whole fleet, window by window, with the share done."""
    sky = Sky(113.13, 27.83)
    times = [o.received_ms for o in life.observed]
    first = min((int(t[0]) for t in times if len(t)), default=0)
    last = max((int(t[-1]) for t in times if len(t)), default=-1)
    for begin in range(first, last + 1, WINDOW_MS):
        told: list[tuple[int, int, bytes]] = []
        for i, (member, observed) in enumerate(zip(life.members, life.observed, strict=True)):
            a, b = np.searchsorted(observed.received_ms, [begin, begin + WINDOW_MS]).tolist()
            texts = write_epochs(member.id, observed, slice(a, b), sky)
            told += zip(observed.received_ms[a:b].tolist(), [i] * len(texts), texts, strict=True)
        # Stable: what one receiver sent in one millisecond stays in its order.
        told.sort(key=lambda line: line[:2])
        yield (
            (min(begin + WINDOW_MS, last) - first) / max(last - first, 1),
            b"".join(line[2] for line in told),
        )


def _instants(ms: NDArray[np.int64]) -> list[str]:
    """RFC 3339 in UTC, with milliseconds."""
    text = np.datetime_as_string(ms.astype("datetime64[ms]"), unit="ms")
    return [instant + "Z" for instant in text.tolist()]


def _write_table(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)


def _check(seed: int, vehicles: int, hours: float, start: datetime) -> None:
    if seed < 0:
        raise InvalidInput(f"seed {seed} is negative; give 0 or more", field="seed", value=seed)
    if not 1 <= vehicles <= MOST_VEHICLES:
        raise InvalidInput(
            f"vehicles {vehicles} is not 1 to {MOST_VEHICLES}; give a number in this range",
            field="vehicles",
            value=vehicles,
        )
    if not 0.0 < hours <= MOST_HOURS:
        raise InvalidInput(
            f"hours {hours} is not more than 0 and at most {MOST_HOURS:g}; give a number in this range",
            field="hours",
            value=hours,
        )
    if start.tzinfo is None:
        raise InvalidInput(
            f"start {start.isoformat()} has no UTC offset; append +08:00", field="start", value=start
        )


def _check_replaceable(out: Path) -> None:
    """Refuse a folder that holds something else than a sample city."""
    if not out.exists():
        return
    if not out.is_dir():
        raise Conflict(f"{out} is a file; name a folder that does not exist yet, or a sample city")
    readme = out / "README.txt"
    known = readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(MARK)
    if any(out.iterdir()) and not known:
        raise Conflict(f"{out} is not empty and no sample city; name another folder, or empty this one")


@contextmanager
def _all_or_nothing(out: Path, *, whole: bool) -> Iterator[Path]:
    """Give a folder beside ``out`` that takes its place in the end, or whose files do if not ``whole``."""
    parent = out.resolve().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=parent) as beside:
        made = Path(beside) / "made"
        made.mkdir()
        yield made
        if whole:
            if out.exists():
                out.rename(Path(beside) / "before")
            made.rename(out)
        else:
            out.mkdir(exist_ok=True)
            for file in sorted(made.iterdir()):
                file.replace(out / file.name)


def _readme(seed: int, vehicles: int, hours: float, start: datetime) -> str:
    return f"""{MARK}: seed {seed}, {vehicles} vehicles, {hours:g} hours from {start.isoformat()}

An invented city; nobody in it is real. Times are UTC unless they carry an offset.

city.roads       the road network, for `geo-policing match` and the service
city.gpkg        its shapes, EPSG:4326
devices.csv      id,kind,name,call_sign of the fleet
fleet.nmea       what the receivers sent, in the order received; TAG blocks with device and time of receipt
truth.csv        device,edge_id,enter_time: the edges truly driven; an edge entered against its one-way
                 direction has the id of that edge
incidents.csv    calls before the begin, as they stand then
theft.json       one case, six cameras that saw the suspect's vehicle, and cameras near its way that did not
theft_truth.csv  edge_id,enter_time of the suspect
"""
