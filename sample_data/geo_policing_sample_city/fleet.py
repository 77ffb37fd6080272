"""The fleet: so many of each kind, who they are, and how all of them move."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo_policing.model import DeviceKind
from geo_policing.roads.network import Access
from geo_policing_sample_city.city import City
from geo_policing_sample_city.congestion import make_load
from geo_policing_sample_city.people import MODE, SHARES, Person, Purpose, Spot, Town
from geo_policing_sample_city.routes import Router, form_taste
from geo_policing_sample_city.traffic import Movement
from geo_policing_sample_city.trips import bus_line, ride_bus, travel
from geo_policing_sample_city.ways import Ways, make_ways

#: Prefix of the ids, the name, and the call sign if there is one; {n} counts from 1.
TITLES = {
    DeviceKind.PATROL_CAR: ("PC", "巡逻车{n:03d}", "巡{n:03d}"),
    DeviceKind.OFFICER: ("OF", "民警{n:03d}", "警{n:03d}"),
    DeviceKind.TAXI: ("TX", "出租车{n:03d}", ""),
    DeviceKind.BUS: ("BS", "公交{line}路{n:03d}", ""),
    DeviceKind.PRIVATE_CAR: ("CAR", "小客车{n:03d}", ""),
    DeviceKind.E_BIKE: ("EB", "电动车{n:03d}", ""),
}
BUSES_A_LINE = 4


@dataclass(frozen=True, slots=True)
class Member:
    """One of the fleet, as ``devices.csv`` has it."""

    id: str
    kind: DeviceKind
    name: str
    call_sign: str


@dataclass(frozen=True, eq=False)
class World:
    """What all people share.

    Parameters
    ----------
    town : Town
        What there is where.
    ways : Ways
        What can be travelled.
    router : Router
        Finds the routes.
    load : (slots, w) float32
        Congestion, of `congestion.make_load`.
    start_hour : float
        Hour of the day at the begin.
    seconds : int
        How long it lasts.
    """

    town: Town
    ways: Ways
    router: Router
    load: NDArray[np.float32]
    start_hour: float
    seconds: int


def make_world(city: City, start_hour: float, seconds: int, seed: int) -> World:
    """Wake the city up: lights, congestion, and what people know of it."""
    ways = make_ways(city.network, np.random.default_rng([seed, 101]))
    load = make_load(ways, start_hour, seconds, np.random.default_rng([seed, 102]))
    return World(Town(city, ways), ways, Router(ways), load, start_hour, seconds)


def enlist(vehicles: int) -> list[Member]:
    """Return so many members, of each kind its share, by the largest remainder."""
    exact = {kind: vehicles * share / sum(SHARES.values()) for kind, share in SHARES.items()}
    number = {kind: int(value) for kind, value in exact.items()}
    for kind in sorted(exact, key=lambda k: number[k] - exact[k])[: vehicles - sum(number.values())]:
        number[kind] += 1
    if vehicles >= len(number):
        for kind in [k for k, count in number.items() if count == 0]:
            number[max(number, key=lambda k: number[k])] -= 1
            number[kind] = 1
    return [
        Member(
            f"{prefix}-{n:03d}",
            kind,
            name.format(n=n, line=(n - 1) // BUSES_A_LINE + 1),
            call_sign.format(n=n),
        )
        for kind, (prefix, name, call_sign) in TITLES.items()
        for n in range(1, number[kind] + 1)
    ]


def move(members: list[Member], world: World, seed: int, each: Callable[[Member, Movement], None]) -> None:
    """Let everybody live, one after the other; each has random numbers of their own.

    Parameters
    ----------
    members : list of Member
        Of `enlist`.
    world : World
        Of `make_world`.
    seed : int
        Of the city.
    each : callable
        Takes in each member with the movement.
    """
    line: list[list[int]] = []
    for i, member in enumerate(members):
        rng = np.random.default_rng([seed, 103, i])
        person = _person(member, world, rng)
        if member.kind == DeviceKind.BUS:
            place = int(member.id[3:]) - 1
            if place % BUSES_A_LINE == 0:
                line = bus_line(world.town, world.router, person.taste, rng)
            share = (place % BUSES_A_LINE + rng.uniform(0.0, 0.6)) / BUSES_A_LINE
            movement = ride_bus(person, line, share, world.town, world.load, world.seconds, rng)
        else:
            movement = travel(
                person, world.town, world.router, world.load, world.start_hour, world.seconds, rng
            )
        each(member, movement)


def _person(member: Member, world: World, rng: np.random.Generator) -> Person:
    town, mode = world.town, MODE[member.kind]
    usable = town.usable[mode]
    load = world.load[0].astype(np.float64)
    habit = 0.08 if member.kind == DeviceKind.BUS else 0.25
    taste = form_taste(world.ways, usable, mode, load, rng, habit)
    home = town.pick(mode, Purpose.HOME, rng)
    if member.kind in {DeviceKind.PATROL_CAR, DeviceKind.OFFICER}:
        stations = town.places["police_station"]
        home = town.at(mode, stations[int(rng.integers(len(stations)))], rng)
    courier = member.kind == DeviceKind.E_BIKE and rng.random() < 0.6
    reach_m = {Access.CAR: 2200.0, Access.BICYCLE: 2600.0, Access.FOOT: 750.0}[mode]
    work: Spot = town.pick(mode, Purpose.WORK, rng, town.xy(home), 6000.0)
    return Person(member.kind, mode, home, work, reach_m, taste, float(rng.normal(1.0, 0.08)), courier)
