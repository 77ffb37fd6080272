"""People: where they live, what errands they run, and for how long they stay."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from scipy.spatial import KDTree

from geo_policing.model import DeviceKind
from geo_policing.roads.network import Access, EdgeFlag, RoadClass
from geo_policing_sample_city.city import City
from geo_policing_sample_city.routes import Taste
from geo_policing_sample_city.ways import Bools, Floats, Ways

MINUTE = 60.0
#: Shares of a fleet, of 15.
SHARES = {
    DeviceKind.PATROL_CAR: 2,
    DeviceKind.OFFICER: 2,
    DeviceKind.TAXI: 3,
    DeviceKind.BUS: 2,
    DeviceKind.PRIVATE_CAR: 4,
    DeviceKind.E_BIKE: 2,
}
MODE = {
    DeviceKind.PATROL_CAR: Access.CAR,
    DeviceKind.OFFICER: Access.FOOT,
    DeviceKind.TAXI: Access.CAR,
    DeviceKind.BUS: Access.CAR,
    DeviceKind.PRIVATE_CAR: Access.CAR,
    DeviceKind.E_BIKE: Access.BICYCLE,
}


class Purpose(StrEnum):
    """Why somebody goes somewhere."""

    HOME = "home"
    WORK = "work"
    SCHOOL = "school"
    SHOP = "shop"
    HOSPITAL = "hospital"
    VISIT = "visit"
    STATION = "station"
    BEAT = "beat"
    FARE = "fare"
    RANK = "rank"
    ORDER = "order"


#: Which uses of buildings draw people for a purpose.
DRAW = {
    Purpose.HOME: {"residential": 1.0},
    Purpose.WORK: {"office": 1.5, "commercial": 1.0, "industrial": 0.6, "hospital": 0.5, "school": 0.2},
    Purpose.SHOP: {"commercial": 1.0},
    Purpose.VISIT: {"residential": 0.6, "commercial": 0.4},
    Purpose.ORDER: {"residential": 1.0, "office": 1.0},
}


@dataclass(frozen=True, slots=True)
class Spot:
    """A place at a way: its offset from the way's begin and how far aside it is, metres."""

    way: int
    offset_m: float
    aside_m: float


@dataclass(frozen=True, slots=True)
class Errand:
    """Go there, and stay for so many seconds; with the engine off, or running."""

    purpose: Purpose
    spot: Spot
    stay_s: float
    engine_off: bool


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody with a receiver.

    Parameters
    ----------
    kind : DeviceKind
        What they drive, or OFFICER on foot.
    mode : Access
        CAR, BICYCLE or FOOT.
    home, work : Spot
        Home is the police station of an officer or patrol.
    reach_m : float
        How far from home a beat or an order goes.
    taste : Taste
        What they think of streets.
    style : float
        Speed relative to what is usual.
    courier : bool
        Whether an e-bike earns money.
    """

    kind: DeviceKind
    mode: Access
    home: Spot
    work: Spot
    reach_m: float
    taste: Taste
    style: float
    courier: bool


class Town:
    """What people know of the city: where homes, jobs, shops, schools, hospitals and police stations are.

    Parameters
    ----------
    city : City
        The city.
    ways : Ways
        Its ways.
    """

    def __init__(self, city: City, ways: Ways) -> None:
        self.ways = ways
        self.usable = {mode: ways.usable(mode) for mode in (Access.CAR, Access.BICYCLE, Access.FOOT)}
        x, y = ways.middle
        self._xy = np.column_stack([x, y])
        flags = ways.network.flags[ways.edge]
        through = (flags & (EdgeFlag.BRIDGE | EdgeFlag.TUNNEL | EdgeFlag.ROUNDABOUT)) > 0
        fast = np.isin(ways.road_class, (RoadClass.EXPRESSWAY, RoadClass.EXPRESSWAY_RAMP))
        self._stoppable = ~ways.backward & ~through & ~fast & (ways.length_m >= 30.0)
        self._weights: dict[tuple[Access, Purpose], Floats] = {}
        lon, lat = city.places.geometry.x.to_numpy(), city.places.geometry.y.to_numpy()
        place_x, place_y = ways.network.plane.forward(lon, lat)
        kinds = city.places["kind"].to_numpy()
        self.places = {
            str(kind): np.column_stack([place_x, place_y])[kinds == kind] for kind in sorted(set(kinds))
        }
        self._nearest = {
            mode: (candidates := np.flatnonzero(self._candidates(mode)), KDTree(self._xy[candidates]))
            for mode in self.usable
        }
        shapes = city.buildings.geometry.to_numpy()
        middle = shapely.centroid(shapes)
        self._built_xy = np.column_stack(
            ways.network.plane.forward(shapely.get_x(middle), shapely.get_y(middle))
        )
        # In square degrees times metres: only the shares count.
        self._volume = shapely.area(shapes) * city.buildings["height_m"].to_numpy(np.float64)
        self._use = city.buildings["use"].to_numpy()

    def xy(self, spot: Spot) -> Floats:
        """(2,) the middle of the spot's way, in the plane."""
        return self._xy[spot.way]

    def pick(
        self,
        mode: Access,
        purpose: Purpose,
        rng: np.random.Generator,
        near: Floats | None = None,
        reach_m: float = np.inf,
    ) -> Spot:
        """Pick a spot for a purpose, anywhere or within reach of a point (2,) of the plane."""
        weight = self._weight(mode, purpose)
        candidates = np.flatnonzero(weight)
        if near is not None and np.isfinite(reach_m):
            inside = np.hypot(*(self._xy[candidates] - near).T) < reach_m
            if not inside.any():
                return self.at(mode, near, rng)
            candidates = candidates[inside]
        chance = np.cumsum(weight[candidates])
        way = int(candidates[np.searchsorted(chance, rng.uniform(0.0, chance[-1]), side="right")])
        return self._spot(way, mode, rng)

    def at(self, mode: Access, point: Floats, rng: np.random.Generator) -> Spot:
        """Return the spot nearest to a point (2,) of the plane that a mode reaches."""
        candidates, tree = self._nearest[mode]
        return self._spot(int(candidates[tree.query(point)[1]]), mode, rng)

    def place(self, mode: Access, kind: str, near: Floats, rng: np.random.Generator, few: int = 3) -> Spot:
        """Return a spot at one of the few places of a kind that are nearest to a point (2,)."""
        places = self.places[kind]
        order = np.argsort(np.hypot(*(places - near).T), kind="stable")[:few]
        return self.at(mode, places[int(rng.choice(order))], rng)

    def _spot(self, way: int, mode: Access, rng: np.random.Generator) -> Spot:
        aside = rng.uniform(3.0, 12.0) if mode == Access.CAR else rng.uniform(4.0, 25.0)
        return Spot(way, float(rng.uniform(0.2, 0.8) * self.ways.length_m[way]), float(aside))

    def _candidates(self, mode: Access) -> Bools:
        return self.usable[mode] & self._stoppable

    def _weight(self, mode: Access, purpose: Purpose) -> Floats:
        """How many people a purpose draws to each way, (w,): the volume of the buildings along it."""
        known = self._weights.get((mode, purpose))
        if known is None:
            if purpose == Purpose.BEAT:
                main = self.ways.road_class <= RoadClass.STREET
                known = np.where(main, 1.5, 1.0) * self.ways.length_m * self._candidates(mode)
            else:
                candidates, tree = self._nearest[mode]
                draw = sum(share * self._volume * (self._use == use) for use, share in DRAW[purpose].items())
                way = candidates[tree.query(self._built_xy)[1]]
                known = np.bincount(way, weights=draw, minlength=len(self.ways)).astype(np.float64)
            self._weights[mode, purpose] = known
        return known


def next_errand(person: Person, town: Town, here: Spot, hour: float, rng: np.random.Generator) -> Errand:
    """Decide what somebody does next.

    Parameters
    ----------
    person : Person
        Who.
    town : Town
        What there is.
    here : Spot
        Where they are.
    hour : float
        Hour of the day, 0 to 24.
    rng : Generator
        The person's own.
    """
    if person.kind in {DeviceKind.PATROL_CAR, DeviceKind.OFFICER}:
        return _patrol(person, town, here, rng)
    if person.kind == DeviceKind.TAXI:
        return _taxi(person, town, here, hour, rng)
    return _courier(person, town, rng) if person.courier else _private(person, town, here, hour, rng)


def _patrol(person: Person, town: Town, here: Spot, rng: np.random.Generator) -> Errand:
    home = town.xy(person.home)
    if here != person.home and rng.random() < 0.1:
        return Errand(Purpose.STATION, person.home, rng.uniform(8, 25) * MINUTE, engine_off=True)
    reach = person.reach_m * (1.0 if rng.random() < 0.85 else 2.5)
    spot = town.pick(person.mode, Purpose.BEAT, rng, home, reach)
    stay = rng.exponential(5.0 * MINUTE) if rng.random() < 0.5 else rng.uniform(10.0, 40.0)
    return Errand(Purpose.BEAT, spot, stay, engine_off=False)


def _taxi(person: Person, town: Town, here: Spot, hour: float, rng: np.random.Generator) -> Errand:
    draw = rng.random()
    if draw < 0.08:
        spot = town.pick(person.mode, Purpose.SHOP, rng, town.xy(here), 3000.0)
        return Errand(Purpose.RANK, spot, rng.uniform(3, 12) * MINUTE, engine_off=False)
    if draw < 0.5:
        spot = town.pick(person.mode, Purpose.SHOP, rng, town.xy(here), 1800.0)
    else:
        goal = Purpose.WORK if 6 <= hour < 11 else Purpose.HOME if hour >= 18 else Purpose.SHOP
        spot = town.pick(person.mode, goal, rng, town.xy(here), 7000.0)
    return Errand(Purpose.FARE, spot, rng.uniform(15.0, 60.0), engine_off=False)


def _courier(person: Person, town: Town, rng: np.random.Generator) -> Errand:
    work = town.xy(person.work)
    if rng.random() < 0.5:
        spot = town.pick(person.mode, Purpose.SHOP, rng, work, 900.0)
        return Errand(Purpose.ORDER, spot, rng.uniform(1, 6) * MINUTE, engine_off=False)
    spot = town.pick(person.mode, Purpose.ORDER, rng, work, person.reach_m)
    return Errand(Purpose.ORDER, spot, rng.uniform(1, 4) * MINUTE, engine_off=False)


#: What private people do from which hour on: weights of home, work, school, shop, hospital, visit.
_HABITS = (
    (0.0, (0.9, 0.02, 0.0, 0.02, 0.02, 0.04)),
    (6.0, (0.05, 0.55, 0.2, 0.1, 0.05, 0.05)),
    (9.5, (0.15, 0.35, 0.02, 0.28, 0.08, 0.12)),
    (14.0, (0.2, 0.3, 0.05, 0.25, 0.05, 0.15)),
    (16.5, (0.45, 0.02, 0.18, 0.2, 0.02, 0.13)),
    (19.5, (0.6, 0.0, 0.0, 0.2, 0.02, 0.18)),
    (22.0, (0.85, 0.0, 0.0, 0.05, 0.02, 0.08)),
)
_PRIVATE = (Purpose.HOME, Purpose.WORK, Purpose.SCHOOL, Purpose.SHOP, Purpose.HOSPITAL, Purpose.VISIT)
#: Shortest and longest usual stay in minutes.
_STAY = {
    Purpose.HOME: (20.0, 90.0),
    Purpose.WORK: (12.0, 200.0),
    Purpose.SCHOOL: (1.0, 6.0),
    Purpose.SHOP: (5.0, 40.0),
    Purpose.HOSPITAL: (30.0, 100.0),
    Purpose.VISIT: (10.0, 80.0),
}


def _private(person: Person, town: Town, here: Spot, hour: float, rng: np.random.Generator) -> Errand:
    weights = [row for since, row in _HABITS if hour >= since][-1]
    purpose = _PRIVATE[int(rng.choice(len(_PRIVATE), p=weights))]
    spot = {Purpose.HOME: person.home, Purpose.WORK: person.work}.get(purpose)
    if spot == here:
        purpose, spot = Purpose.SHOP, None
    if spot is None and purpose in {Purpose.SCHOOL, Purpose.HOSPITAL}:
        spot = town.place(person.mode, purpose.value, town.xy(person.home), rng)
    elif spot is None:
        spot = town.pick(person.mode, purpose, rng, town.xy(here), 4000.0)
    short, long = _STAY[purpose]
    stay = short * (long / short) ** rng.random() * MINUTE
    return Errand(purpose, spot, stay, engine_off=stay > 4 * MINUTE)
