"""The live positions with the edge they are matched to, from a sentence on the line to the stream."""

import threading
import time
from dataclasses import replace

import httpx
import numpy as np
import pytest

from geo_policing.matching import OnlineMatcher
from geo_policing.model import Account, Device, DeviceKind, Fix, Role, format_instant
from geo_policing.service import matched, telling
from geo_policing.service.admission import admit
from geo_policing.service.app import create_app, open_rooms
from geo_policing.service.matched import LiveMatcher
from geo_policing.service.tracks import Tracks
from geo_policing.settings import IngestSettings, ServiceSettings
from tests.ingest.lines import rmc, until
from tests.matching.city import LAT, LON, STEP, drive, grid
from tests.service.running import events, furnish, running

SECOND_US = 1_000_000
STREETS = ["0>1", "1>2", "2>3"]
#: A street that only those who walk may use, and beside it, 10 m to the north, nothing.
FOOTWAYS = ("12>13", "13>12")
NORTH_10_M = 10.0 / 110_900


def now_us():
    return time.time_ns() // 1_000


def town():
    """The test town, where the southern street has a name and one street in the middle is a footway."""
    roads = grid(footways=FOOTWAYS)
    named = [
        i.startswith(("0>", "1>", "2>", "3>")) and abs(int(i[0]) - int(i[2:])) == 1 for i in roads.edge_ids
    ]
    return replace(roads, names=("", "建设路"), name=np.array(named, np.int32))


def southern_drive(start_us):
    """Fixes of a drive east along the southern street, 50 m and 5 s apart."""
    lon, lat = drive(town(), STREETS, spacing_m=50.0)
    return [
        (start_us + n * 5 * SECOND_US, *place)
        for n, place in enumerate(zip(lon.tolist(), lat.tolist(), strict=True))
    ]


@pytest.fixture(scope="module", autouse=True)
def _compiled(tmp_path_factory):
    """Compile the kernels where they are not, so that no client of a service waits for that."""
    path = tmp_path_factory.mktemp("roads") / "city.roads"
    town().save(path)
    LiveMatcher(Tracks(None, None, path)).match([Fix("car", 0, LON, LAT)], {"car": DeviceKind.TAXI})


@pytest.fixture
def folder(tmp_path):
    town().save(tmp_path / "city.roads")
    return tmp_path


@pytest.fixture
def rooms_of(folder):
    def opened(**ingest):
        given = {"tcp_port": 0, "batch_seconds": 0.01} | ingest
        return open_rooms(ServiceSettings(data_dir=folder), IngestSettings(**given))

    return opened


def place_of(rooms, device):
    """What the features say of a device's place on the roads."""
    found = [f["properties"]["matched"] for f in rooms.picture.units()["features"] if f["id"] == device]
    return found[0] if found else None


def instant(us):
    """The instant of a sentence, which has hundredths of a second, as features write it."""
    return format_instant(us // 10_000 * 10_000)


def matched_at(us):
    """Whether a feature has the place of the fix of an instant."""
    at = instant(us)
    return lambda feature: (feature["properties"]["matched"] or {}).get("time") == at


def placed(feature, place):
    """A unit that was told before, with the place that is told of it now."""
    assert place.keys() == {"device", "matched"}
    return feature | {"properties": feature["properties"] | {"matched": place["matched"]}}


def told_until(stream, true):
    """Features of units as one knows them who hears the stream, to the first of which something is true."""
    found, known = [], {}
    for _, kind, data in stream:
        features = {
            "snapshot": lambda data: data["units"]["features"],
            "units": lambda data: data["features"],
            "matched": lambda data: [placed(known[one["device"]], one) for one in data["matched"]],
        }
        for feature in features.get(kind, lambda _: [])(data):
            known[feature["id"]] = feature
            found.append(feature)
            if true(feature):
                return found
    raise AssertionError("the stream has ended")


def test_a_car_that_drives_along_streets_is_told_with_their_edges(folder):
    with running(folder, heartbeat_seconds=60) as service:
        furnish(service)
        fixes = southern_drive(now_us() - 100 * SECOND_US)
        with service.client("dispatcher").stream("GET", "/api/live") as stream, service.receiver() as line:
            told = events(stream.iter_lines())
            found = []
            for us, lon, lat in fixes:
                # 10 m beside the street: what was received stays the geometry.
                line.sendall(rmc(us, lon, lat + NORTH_10_M, tag="s:patrol-07"))
                found += told_until(told, matched_at(us))
        edges = [f["properties"]["matched"]["edge"] for f in found if f["properties"]["matched"]]
        assert list(dict.fromkeys(edges)) == STREETS
        last = found[-1]
        us, lon, lat = fixes[-1]
        assert last["geometry"]["coordinates"] == pytest.approx([lon, lat + NORTH_10_M], abs=3e-6)
        place = last["properties"]["matched"]
        assert (place["road"], place["edge"]) == ("建设路", "2>3")
        assert (place["lon"], place["lat"]) == pytest.approx((lon, lat), abs=3e-6)
        assert place["distance_m"] == pytest.approx(10.0, abs=0.3)
        begin_m = (LON + 2 * STEP - lon) / STEP
        assert place["offset_m"] == pytest.approx(-begin_m * 197.0, abs=1.0)
        assert place["time"] == last["properties"]["time"]
        (unit,) = service.client("dispatcher").get("/api/units").json()["features"]
        assert unit["properties"]["matched"] == place


def test_a_position_is_told_before_it_is_matched_and_again_when_its_place_changed(folder):
    with running(folder, heartbeat_seconds=60) as service:
        furnish(service)
        us, lon, lat = southern_drive(now_us() - 100 * SECOND_US)[0]
        with service.client("dispatcher").stream("GET", "/api/live") as stream, service.receiver() as line:
            told = events(stream.iter_lines())
            line.sendall(rmc(us, lon, lat, tag="s:patrol-07"))
            first, *_, last = told_until(told, lambda f: f["properties"]["matched"])
        assert first["properties"] | {"matched": None} == last["properties"] | {"matched": None}
        assert first["properties"]["matched"] is None


def test_a_unit_that_moves_is_told_whole_once_and_then_its_place_alone(folder):
    with running(folder, heartbeat_seconds=60) as service:
        furnish(service)
        us, lon, lat = southern_drive(now_us() - 100 * SECOND_US)[0]
        with service.client("dispatcher").stream("GET", "/api/live") as stream, service.receiver() as line:
            told = events(stream.iter_lines())
            line.sendall(rmc(us, lon, lat, tag="s:patrol-07"))
            kinds, last = [], None
            while not kinds or kinds[-1] != "matched":
                _, kind, last = next(told)
                kinds.append(kind)
        assert kinds == ["snapshot", "units", "matched"]
        (place,) = last["matched"]
        assert (place["device"], place["matched"]["road"]) == ("patrol-07", "建设路")


def test_after_a_restart_the_places_of_what_is_on_the_map_are_told_without_a_new_fix(folder):
    us, lon, lat = southern_drive(now_us() - 100 * SECOND_US)[3]
    with running(folder) as service:
        furnish(service)
        with service.receiver() as line:
            line.sendall(rmc(us, lon, lat, tag="s:patrol-07"))
            service.settle()
    with (
        running(folder, heartbeat_seconds=60) as service,
        service.client("dispatcher").stream("GET", "/api/live") as stream,
    ):
        *_, car = told_until(events(stream.iter_lines()), lambda f: f["properties"]["matched"])
    assert car["id"] == "patrol-07"
    assert car["properties"]["matched"]["edge"] == "0>1"
    assert car["properties"]["matched"]["time"] == instant(us)


async def test_after_a_start_all_devices_are_matched_some_at_a_time(rooms_of, monkeypatch):
    monkeypatch.setattr(telling, "AT_ONCE", 2)
    fixes = [Fix(f"car-{n}", now_us(), LON + STEP * (n + 0.5), LAT) for n in range(5)]
    async with rooms_of() as rooms:
        await rooms.pipeline.submit(fixes)
    async with rooms_of() as rooms:
        await until(lambda: place_of(rooms, "car-4"))
        for n, fix in enumerate(fixes):
            assert place_of(rooms, fix.device)["edge"] in (f"{n}>{n + 1}", f"{n + 1}>{n}")


def test_without_roads_the_place_is_null_and_nothing_is_matched(tmp_path):
    with running(tmp_path, {"admit_all": True}, heartbeat_seconds=60) as service:
        with service.client("dispatcher").stream("GET", "/api/live") as stream, service.receiver() as line:
            line.sendall(rmc(now_us(), LON, LAT, tag="s:car"))
            *_, car = told_until(events(stream.iter_lines()), lambda f: f["id"] == "car")
        assert car["properties"]["matched"] is None
        assert service.client("dispatcher").get("/health").json()["reasons"] == []


async def test_a_slow_matcher_slows_nothing_and_goes_on_with_the_newest(rooms_of, monkeypatch):
    go_on, feed, fed = threading.Event(), OnlineMatcher.feed, []

    def slow(self, device, t_s, *columns, **more):
        assert go_on.wait(30)
        fed.extend(t_s.tolist())
        return feed(self, device, t_s, *columns, **more)

    monkeypatch.setattr(OnlineMatcher, "feed", slow)
    monkeypatch.setattr(telling, "UNMATCHED", 2)
    fixes = southern_drive(now_us() - 100 * SECOND_US)
    async with rooms_of() as rooms:
        try:
            for us, lon, lat in fixes:
                await rooms.pipeline.submit([Fix("car", us, lon, lat)])
            # All of them are stored and told, and none is matched.
            await until(lambda: rooms.picture.units()["features"])
            (car,) = rooms.picture.units()["features"]
            assert car["geometry"]["coordinates"] == pytest.approx(fixes[-1][1:], abs=1e-6)
            assert car["properties"]["matched"] is None
            transport = httpx.ASGITransport(create_app(rooms))
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                assert (await client.get("/health")).json()["status"] == "ok"
        finally:
            go_on.set()
        await until(lambda: place_of(rooms, "car"))
        await until(lambda: place_of(rooms, "car")["edge"] == "2>3")
        assert place_of(rooms, "car")["time"] == car["properties"]["time"]
    left_out = {us / 1e6 for us, _, _ in fixes} - set(fed)
    assert len(left_out) >= len(fixes) - 4
    assert fixes[-1][0] / 1e6 in fed


async def test_where_no_road_is_near_the_place_is_null(rooms_of):
    start = now_us() - 1000 * SECOND_US
    async with rooms_of() as rooms:
        # A kilometre south of the town, on and on; it is never matched.
        never = [Fix("boat", start + n * 10 * SECOND_US, LON + n * 1e-3, LAT - 0.01) for n in range(5)]
        left = [Fix("car", start, LON + 0.001, LAT), Fix("car", start + 60 * SECOND_US, LON, LAT - 0.01)]
        await rooms.pipeline.submit([left[0], *never])
        await until(lambda: place_of(rooms, "car"))
        assert place_of(rooms, "car")["edge"] in ("0>1", "1>0")
        await rooms.pipeline.submit(left[1:])
        await until(lambda: place_of(rooms, "car") is None)
        assert place_of(rooms, "boat") is None
        assert len(rooms.picture.units()["features"]) == 2


async def test_a_backlog_that_comes_late_does_not_move_the_place(rooms_of):
    fixes = [Fix("car", *fix) for fix in southern_drive(now_us() - 100 * SECOND_US)]
    async with rooms_of() as rooms:
        await rooms.pipeline.submit(fixes[-2:])
        await until(lambda: place_of(rooms, "car"))
        place = place_of(rooms, "car")
        await rooms.pipeline.submit(fixes[:-2])
        # One that is matched after the backlog tells that the backlog was.
        await rooms.pipeline.submit([Fix("bus", now_us(), LON + 0.001, LAT)])
        await until(lambda: place_of(rooms, "bus"))
        assert place_of(rooms, "car") == place
        assert place["edge"] == "2>3"


async def test_who_walks_is_on_the_footway_and_a_car_beside_it_is_not(rooms_of):
    middle = (LON + 0.5 * STEP, LAT + 2 * STEP + NORTH_10_M)
    async with rooms_of() as rooms:
        devices = [
            Device("car", DeviceKind.PATROL_CAR),
            Device("officer", DeviceKind.OFFICER),
            Device("stranger"),
        ]
        rooms.picture.introduce(devices, [])
        await rooms.pipeline.submit(Fix(device.id, now_us(), *middle) for device in devices)
        await until(lambda: all(place_of(rooms, device.id) or device.id == "car" for device in devices))
        await until(lambda: place_of(rooms, "car"))
        assert place_of(rooms, "officer")["edge"] in FOOTWAYS
        assert place_of(rooms, "stranger")["edge"] in FOOTWAYS
        assert place_of(rooms, "car")["edge"] not in FOOTWAYS


async def test_what_fails_is_seen_and_the_next_fixes_are_matched(rooms_of, monkeypatch, caplog):
    feed, failures = OnlineMatcher.feed, ["out of memory"]

    def failing(self, *columns, **more):
        if failures:
            raise MemoryError(failures.pop())
        return feed(self, *columns, **more)

    monkeypatch.setattr(OnlineMatcher, "feed", failing)
    first, second = southern_drive(now_us() - 100 * SECOND_US)[:2]
    async with rooms_of() as rooms:
        await rooms.pipeline.submit([Fix("car", *first)])
        await until(lambda: rooms.chores.troubles == ["matching of positions"])
        await rooms.pipeline.submit([Fix("car", *second)])
        await until(lambda: place_of(rooms, "car"))
        assert rooms.chores.troubles == []
    assert "matching of positions failed" in caplog.text


async def test_a_device_of_which_it_is_learned_what_carries_it_does_not_wait_for_its_next_fix(rooms_of):
    middle = (LON + 0.5 * STEP, LAT + 2 * STEP + NORTH_10_M)
    async with rooms_of() as rooms:
        rooms.registry.admit("07")
        await rooms.pipeline.submit([Fix("07", now_us(), *middle)])
        await until(lambda: place_of(rooms, "07"))
        assert place_of(rooms, "07")["edge"] in FOOTWAYS
        who = Account("a", Role.ADMIN)
        await admit(rooms, "07", "", DeviceKind.PATROL_CAR, "", who=who, client="")
        # Another one's fix is enough.
        await rooms.pipeline.submit([Fix("bus", now_us(), LON + 0.001, LAT)])
        await until(lambda: place_of(rooms, "07") and place_of(rooms, "07")["edge"] not in FOOTWAYS)


@pytest.fixture
def live(folder):
    return LiveMatcher(Tracks(None, None, folder / "city.roads"))


def test_who_is_silent_for_a_day_is_forgotten_and_begins_anew(folder):
    now = [0.0]
    live = LiveMatcher(Tracks(None, None, folder / "city.roads"), clock=lambda: now[0])
    kinds = {"car": DeviceKind.TAXI, "bus": DeviceKind.BUS, "boat": DeviceKind.TAXI}
    car, bus = southern_drive(0)[:2]
    boat = Fix("boat", 0, LON, LAT - 0.01)
    first = live.match([Fix("car", *car), Fix("bus", *bus), boat], kinds)
    assert sorted(first) == ["bus", "car"]
    rooms = next(iter(live._travellers.values()))
    assert set(rooms._number) == {"car", "bus", "boat"}
    for hour in range(1, 25):
        now[0] = hour * 3600.0
        live.match([Fix("bus", hour * 3600 * SECOND_US, *bus[1:])], {"bus": DeviceKind.BUS})
    assert set(rooms._number) == {"car", "bus", "boat"}
    now[0] += 3600.0
    changed = live.match([Fix("bus", 25 * 3600 * SECOND_US, *bus[1:])], {"bus": DeviceKind.BUS})
    # Whoever watches is told that the car has no place any more; the boat had none.
    assert changed["car"] is None
    assert "boat" not in changed
    assert set(rooms._number) == {"bus"}
    assert (set(live._heard_s), set(live._among)) == ({"bus"}, {"bus"})
    # Its room is another's, and it begins with nothing of before: what was older is new again.
    again = live.match(
        [Fix("lorry", *car), Fix("car", *car)], {"lorry": DeviceKind.TAXI, "car": DeviceKind.TAXI}
    )
    assert {device: place.edge for device, place in again.items()} == dict.fromkeys(
        ("lorry", "car"), first["car"].edge
    )


def test_there_is_always_room_for_one_more_device(live, monkeypatch):
    monkeypatch.setattr(matched, "ROOM", 2)
    fixes = [Fix(f"car-{n}", 0, LON + STEP * (n % 5 + 0.5), LAT + STEP * (n // 5)) for n in range(25)]
    kinds = {fix.device: DeviceKind.OFFICER for fix in fixes}
    places = {}
    for few in (fixes[:1], fixes[1:4], fixes[4:]):
        places |= live.match(few, kinds)
    for n, fix in enumerate(fixes):
        a = n // 5 * 6 + n % 5
        assert places[fix.device].edge in (f"{a}>{a + 1}", f"{a + 1}>{a}")


def test_only_places_that_changed_are_returned(live):
    kinds = {"car": DeviceKind.TAXI, "boat": DeviceKind.UNKNOWN}
    car = [Fix("car", *fix) for fix in southern_drive(0)]
    boat = Fix("boat", 0, LON, LAT - 0.01)
    assert list(live.match([car[0], boat], kinds)) == ["car"]
    standing = replace(car[0], time=2 * SECOND_US)
    assert live.match([standing, replace(boat, time=SECOND_US)], kinds) == {}
    (moved,) = live.match([car[1]], kinds).values()
    assert moved.time == car[1].time
    # Older than the newest: passed over.
    assert live.match([car[0]], kinds) == {}


def test_a_device_of_which_it_is_learned_what_carries_it_is_matched_anew(live, monkeypatch):
    monkeypatch.setattr(matched, "ROOM", 1)
    footway = LON + 0.5 * STEP, LAT + 2 * STEP + NORTH_10_M
    (place,) = live.match([Fix("07", 0, *footway)], {"07": DeviceKind.UNKNOWN}).values()
    assert place.edge in FOOTWAYS
    (place,) = live.match([Fix("07", 5 * SECOND_US, *footway)], {"07": DeviceKind.PATROL_CAR}).values()
    assert place.edge not in FOOTWAYS
    # The room it had is another's now, who begins with nothing of it.
    (place,) = live.match([Fix("08", 0, LON + 0.5 * STEP, LAT)], {"08": DeviceKind.UNKNOWN}).values()
    assert place.edge in ("0>1", "1>0")
    assert {t._online.n_devices for t in live._travellers.values()} == {1}


def test_a_place_has_the_time_of_its_fix_to_the_microsecond(live):
    rng = np.random.default_rng(5)
    for us in rng.integers(1_700_000_000_000_000, 1_900_000_000_000_000, 50).tolist():
        device = f"car-{us}"
        (place,) = live.match([Fix(device, us, LON, LAT)], {device: DeviceKind.BUS}).values()
        assert place.time == us
