"""A theft: where and when, the way the suspect truly took, and the six cameras that saw the vehicle."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.model import DeviceKind
from geo_policing.roads.network import Access
from geo_policing_sample_city.city import City
from geo_policing_sample_city.fleet import World
from geo_policing_sample_city.incidents import CHINA, Addresses
from geo_policing_sample_city.people import Person, Purpose, Spot
from geo_policing_sample_city.routes import TOP_SPEED, form_taste
from geo_policing_sample_city.traffic import Journey, Movement
from geo_policing_sample_city.ways import Floats

CAMERAS_SEEN = 6
#: So many ways to flee are thought of, and more until one passes enough cameras.
FLIGHTS, MOST_FLIGHTS = 60, 500
#: All sightings fall within so many seconds of the theft.
WITHIN_S = 2700.0
#: Cameras named that did not see the vehicle.
WATCHED = 8
#: An innocent passes a camera within so many seconds of the suspect.
NEAR_S = 900.0
VEHICLES = (
    ("e_bike", "黑色两轮电动车，无牌", Access.BICYCLE),
    ("private_car", "银灰色小客车，号牌被遮挡", Access.CAR),
)
#: Edge to (device, second) of those of the fleet who entered it.
Passages = Mapping[int, list[tuple[str, float]]]


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera over an edge.

    Parameters
    ----------
    id : str
        Of the camera.
    name : str
        Where people say it is.
    edge : int
        Index of the edge it sees.
    share : float
        How far along the edge, 0 to 1.
    lon, lat : float
        Degrees.
    """

    id: str
    name: str
    edge: int
    share: float
    lon: float
    lat: float


@dataclass(frozen=True, eq=False)
class Theft:
    """What is known of it, and the truth.

    Parameters
    ----------
    case : dict
        As ``theft.json`` has it.
    edge : (k,) int32
        The edges that were truly driven, in order.
    enter_s : (k,) float64
        When each was entered, seconds from the begin of the simulation.
    """

    case: dict[str, Any]
    edge: NDArray[np.int32]
    enter_s: Floats


@dataclass(frozen=True, slots=True)
class _Pass:
    """A camera that the suspect passed, when, and how many of the fleet passed near that time."""

    camera: Camera
    at_s: float
    innocents: int


@dataclass(frozen=True, eq=False)
class _Flight:
    """Where the suspect fled to, and the cameras passed, in order."""

    scene: Spot
    begin_s: float
    movement: Movement
    passed: list[_Pass]

    @property
    def crowd(self) -> int:
        """How many could be taken for the suspect."""
        return sum(min(one.innocents, 3) for one in self.passed)


def make_theft(
    city: City, world: World, addresses: Addresses, passages: Passages, start: datetime, seed: int
) -> Theft:
    """Let somebody steal, flee by detours past at least six cameras, and hide.

    Of several flights the one is told in which most of the fleet pass the same cameras at the time.

    Parameters
    ----------
    city, world, addresses
        Where it happens.
    passages : mapping
        Who of the fleet entered which edge when.
    start : datetime
        Begin of the simulation, with its offset.
    seed : int
        Of the city.

    Raises
    ------
    InvalidInput
        If the city has too few cameras for it.
    """
    rng = np.random.default_rng([seed, 105])
    cameras = cameras_of(city)
    kind, description, mode = VEHICLES[int(rng.integers(len(VEHICLES)))]
    scene = world.town.pick(mode, Purpose.SHOP, rng)
    usable, load = world.town.usable[mode], world.load[0].astype(np.float64)
    taste = form_taste(world.ways, usable, mode, load, rng)
    thief = Person(DeviceKind(kind), mode, scene, scene, 0.0, taste, 1.15, courier=False)
    # Where more people drive there is more to see, and the suspect goes where people are.
    watched = {camera.edge: len(passages.get(camera.edge, [])) for camera in cameras if usable[camera.edge]}
    begin_s = round(float(rng.uniform(0.1, 0.3)) * world.seconds, 1)
    best: _Flight | None = None
    for attempt in range(MOST_FLIGHTS):
        movement = _flee(thief, world, watched, begin_s, rng)
        passed = _passed(movement, cameras, passages, begin_s + WITHIN_S)
        flight = _Flight(scene, begin_s, movement, passed)
        if len(passed) >= CAMERAS_SEEN and (best is None or flight.crowd > best.crowd):
            best = flight
        if best is not None and attempt >= FLIGHTS:
            break
    if best is None:
        raise InvalidInput(
            f"seed {seed}: no way past {CAMERAS_SEEN} of {len(cameras)} cameras; take another seed",
            field="seed",
            value=seed,
        )
    crowded = sorted(best.passed, key=lambda one: -one.innocents)[:CAMERAS_SEEN]
    case = _tell(best, sorted(crowded, key=lambda one: one.at_s), cameras, world, addresses, start, rng)
    case["suspect_vehicle"] = {"kind": kind, "description": description}
    left = case["time"][11:16]
    case["witness"] = f"店主称嫌疑人得手后乘一辆车离开，时间约{left}，车辆特征：{description}"
    return Theft(case, best.movement.edge, best.movement.enter_s)


def cameras_of(city: City) -> list[Camera]:
    """Cameras and checkpoints of the city."""
    network = city.network
    number = {edge_id: edge for edge, edge_id in enumerate(network.edge_ids)}
    found = []
    for row in city.cameras.itertuples():
        edge = number[row.edge_id]
        x, y = network.plane.forward(row.geometry.x, row.geometry.y)
        line = shapely.LineString(network.vertices(edge))
        share = line.project(shapely.Point(x[0], y[0]), normalized=True)
        found.append(Camera(row.id, row.name, edge, share, row.geometry.x, row.geometry.y))
    return found


def _flee(
    thief: Person, world: World, watched: Mapping[int, int], at_s: float, rng: np.random.Generator
) -> Movement:
    """Flee along main roads, which is where cameras are, and hide in a quiet street.

    The movement begins where the theft was, stands there until at_s, and ends in hiding.
    """
    ways, town, taste = world.ways, world.town, thief.taste
    x, y = ways.middle
    edges = np.array(list(watched))
    path = [thief.home.way]
    heading = rng.uniform(0.0, 2 * np.pi)
    for _ in range(int(rng.integers(5, 9))):
        heading += rng.normal(0.0, 0.8)
        ahead_m = rng.uniform(700.0, 1800.0)
        goal_x, goal_y = x[path[-1]] + ahead_m * np.cos(heading), y[path[-1]] + ahead_m * np.sin(heading)
        near = np.argsort(np.hypot(x[edges] - goal_x, y[edges] - goal_y), kind="stable")[:5]
        goal = max(edges[near].tolist(), key=lambda edge: watched[edge])
        path += world.router.route(taste, path[-1], goal)[1:]
    hide = town.pick(thief.mode, Purpose.HOME, rng, town.xy(Spot(path[-1], 0.0, 0.0)), 1500.0)
    path += world.router.route(taste, path[-1], hide.way)[1:]
    journey = Journey(
        ways, world.load, int(at_s) + 5400, thief.mode, thief.style, TOP_SPEED[thief.mode] * 1.1, rng
    )
    journey.stay(thief.home, at_s, engine_off=True)
    pieces = [(way, 0.0, float(ways.length_m[way])) for way in path]
    pieces[0] = (path[0], thief.home.offset_m, pieces[0][2])
    pieces[-1] = (path[-1], 0.0, 0.5 * pieces[-1][2])
    journey.drive(pieces)
    return journey.movement()


def _passed(movement: Movement, cameras: list[Camera], passages: Passages, until_s: float) -> list[_Pass]:
    """Cameras passed before a moment, each the first time, in order."""
    by_edge: dict[int, Camera] = {}
    for camera in cameras:
        by_edge.setdefault(camera.edge, camera)
    found: dict[str, _Pass] = {}
    leaves = np.append(movement.enter_s[1:], np.inf)
    for edge, enter, leave in zip(
        movement.edge.tolist(), movement.enter_s.tolist(), leaves.tolist(), strict=True
    ):
        camera_here = by_edge.get(edge)
        if camera_here is None or leave > until_s or enter == 0.0 or camera_here.id in found:
            continue
        at_s = enter + camera_here.share * (leave - enter)
        near = {device for device, when in passages.get(edge, []) if abs(when - at_s) < NEAR_S}
        found[camera_here.id] = _Pass(camera_here, at_s, len(near))
    return list(found.values())


def _tell(
    flight: _Flight,
    seen: list[_Pass],
    cameras: list[Camera],
    world: World,
    addresses: Addresses,
    start: datetime,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Tell what the police know: scene, sightings, and cameras near the way that saw nothing."""
    network = world.ways.network
    spot = flight.scene
    x, y, _ = world.ways.locate(np.array([spot.way], np.int32), np.array([spot.offset_m]))
    lon, lat = network.plane.inverse(x, y)

    def at(second: float) -> str:
        return (start + timedelta(seconds=round(second))).astimezone(CHINA).isoformat()

    def place(camera: Camera) -> dict[str, Any]:
        return {
            "camera": camera.id,
            "camera_name": camera.name,
            "edge_id": network.edge_ids[camera.edge],
            "lon": round(camera.lon, 6),
            "lat": round(camera.lat, 6),
        }

    first, last = seen[0].at_s, seen[-1].at_s
    return {
        "case_number": f"A{start.astimezone(CHINA):%Y%m%d}001",
        "kind": "theft",
        "scene": {
            "address": addresses.at(float(x[0]), float(y[0])),
            "lon": round(float(lon[0]), 6),
            "lat": round(float(lat[0]), 6),
        },
        "time": at(flight.begin_s),
        "sightings": [
            place(one.camera)
            | {
                "time": at(one.at_s + float(rng.normal(0.0, 1.0))),
                "confidence": round(float(rng.uniform(0.62, 0.97)), 2),
            }
            for one in seen
        ],
        "watched_without_sighting": [
            place(camera) | {"from": at(first), "to": at(last)}
            for camera in _unseen(flight.movement, first, last, cameras, world)
        ],
    }


def _unseen(
    movement: Movement, first_s: float, last_s: float, cameras: list[Camera], world: World
) -> list[Camera]:
    """Return the cameras nearest to the way between two moments, but on no street of it."""
    network = world.ways.network
    driven = set(movement.edge.tolist())
    way_xy = np.column_stack([movement.x, movement.y])[int(first_s) : int(last_s) + 1 : 5]
    far = []
    for camera in cameras:
        if camera.edge in driven or int(network.reverse[camera.edge]) in driven:
            continue
        x, y = network.plane.forward(camera.lon, camera.lat)
        far.append((float(np.hypot(*(way_xy - [x[0], y[0]]).T).min()), camera.id, camera))
    return [camera for _, _, camera in sorted(far, key=lambda one: one[:2])[:WATCHED]]
