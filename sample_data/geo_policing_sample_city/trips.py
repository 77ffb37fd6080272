"""Trips: from errand to errand by a route, with wrong turns and U-turns; and the rounds of a bus."""

import numpy as np
from numpy.typing import NDArray

from geo_policing.model import DeviceKind
from geo_policing.roads.network import Access
from geo_policing_sample_city.people import Person, Purpose, Spot, Town, next_errand
from geo_policing_sample_city.routes import TOP_SPEED, Router, Taste
from geo_policing_sample_city.traffic import Journey, Movement, Piece
from geo_policing_sample_city.ways import Ways

WRONG_TURN = 0.07
U_TURN = {Access.CAR: 0.04, Access.BICYCLE: 0.1, Access.FOOT: 0.1}
STOP_EVERY_M = 450.0


def travel(
    person: Person,
    town: Town,
    router: Router,
    load: NDArray[np.float32],
    start_hour: float,
    seconds: int,
    rng: np.random.Generator,
) -> Movement:
    """Live a stretch of somebody's day.

    Parameters
    ----------
    person, town, router
        Who, where, and who finds the routes.
    load : (slots, w) float32
        Of `congestion.make_load`.
    start_hour : float
        Hour of the day at the begin.
    seconds : int
        How long.
    rng : Generator
        The person's own.
    """
    journey = _journey(person, town.ways, load, seconds, rng)
    here = person.home
    if person.kind == DeviceKind.TAXI or person.courier or rng.random() < 0.15:
        here = next_errand(person, town, here, start_hour, rng).spot
    # Who works on the road is out already; private people leave in the course of the first hours.
    private = person.kind in {DeviceKind.PRIVATE_CAR, DeviceKind.E_BIKE} and not person.courier
    first = rng.triangular(0.0, 300.0, 3600.0) if private else rng.uniform(0.0, 240.0)
    journey.stay(here, first, engine_off=private)
    while not journey.over:
        errand = next_errand(person, town, here, (start_hour + journey.now_s / 3600.0) % 24.0, rng)
        pieces = plan(person.taste, town.ways, router, here, errand.spot, rng)
        if pieces:
            journey.drive(pieces)
            way, _, offset = pieces[-1]
            here = Spot(way, offset, errand.spot.aside_m)
        if not journey.over:
            journey.stay(here, errand.stay_s, engine_off=errand.engine_off)
    return journey.movement()


def _journey(
    person: Person, ways: Ways, load: NDArray[np.float32], seconds: int, rng: np.random.Generator
) -> Journey:
    top = TOP_SPEED[person.mode] * (0.6 if person.kind == DeviceKind.BUS else 1.0)
    return Journey(ways, load, seconds, person.mode, person.style, top, rng)


def plan(
    taste: Taste, ways: Ways, router: Router, here: Spot, goal: Spot, rng: np.random.Generator
) -> list[Piece]:
    """Pieces from one spot to another, on the side of the street that suits; none when there is no way."""
    start_way, start_m = _side(taste, ways, here, goal.way, rng, keep=0.35)
    end_way, end_m = _side(taste, ways, goal, here.way, rng, keep=0.6)
    if start_way == end_way:
        return [(start_way, start_m, end_m)] if end_m > start_m + 1.0 else []
    path = router.route(taste, start_way, end_way)
    if not path:
        return []
    draw = rng.random()
    if draw < WRONG_TURN:
        path = router.stray(taste, path, rng)
    length = ways.length_m
    pieces = [(w, 0.0, float(length[w])) for w in path]
    if WRONG_TURN <= draw < WRONG_TURN + U_TURN[taste.mode] and len(path) > 4:
        pieces = _turn_back(taste, ways, router, path, rng) or pieces
    pieces[0] = (start_way, start_m, pieces[0][2])
    pieces[-1] = (end_way, 0.0, end_m)
    return pieces


def _side(
    taste: Taste, ways: Ways, spot: Spot, other: int, rng: np.random.Generator, keep: float
) -> tuple[int, float]:
    """Leave a spot, or reach it, along its way or the opposite one: the nearer, or as it stands."""
    back = int(ways.opposite[spot.way])
    if back < 0 or not taste.usable[back] or ways.backward[back] or rng.random() < keep:
        return spot.way, spot.offset_m
    network = ways.network
    x, y = network.node_x[ways.end[[spot.way, back]]], network.node_y[ways.end[[spot.way, back]]]
    goal = ways.start[other]
    far = np.hypot(x - network.node_x[goal], y - network.node_y[goal])
    return (spot.way, spot.offset_m) if far[0] <= far[1] else (back, ways.length_m[back] - spot.offset_m)


def _turn_back(
    taste: Taste, ways: Ways, router: Router, path: list[int], rng: np.random.Generator
) -> list[Piece]:
    """Turn round in the middle of a block, and go on from there."""
    at = int(rng.integers(1, len(path) - 2))
    way = path[at]
    back = int(ways.opposite[way])
    if back < 0 or not taste.usable[back] or ways.backward[back] or ways.tunnel[way]:
        return []
    rest = router.route(taste, back, path[-1])
    if len(rest) < 2:
        return []
    length = ways.length_m
    turn_m = float(rng.uniform(0.3, 0.7) * length[way])
    before = [(w, 0.0, float(length[w])) for w in path[:at]]
    after = [(w, 0.0, float(length[w])) for w in rest[1:]]
    return [*before, (way, 0.0, turn_m), (back, float(length[back]) - turn_m, float(length[back])), *after]


def bus_line(town: Town, router: Router, taste: Taste, rng: np.random.Generator) -> list[list[int]]:
    """Lay out a line: the way there and the way back, between ends 4 to 9 km apart by way of a middle.

    In a town that is smaller than that the ends may be the nearer the longer they are sought.
    """
    ways = town.ways
    for attempt in range(50):
        a = town.pick(Access.CAR, Purpose.SHOP, rng)
        b = town.pick(Access.CAR, Purpose.BEAT, rng, town.xy(a), 9000.0)
        if np.hypot(*(town.xy(a) - town.xy(b))) < 4000.0 - 80.0 * attempt:
            continue
        middle = (town.xy(a) + town.xy(b)) / 2 + rng.normal(0.0, 700.0, 2)
        via = town.at(Access.CAR, middle, rng)
        there = [*router.route(taste, a.way, via.way)[:-1], *router.route(taste, via.way, b.way)]
        back = router.route(taste, b.way, a.way)
        if len(there) > 10 and len(back) > 10:
            return [there, back]
    raise AssertionError(f"no bus line over {len(ways)} ways")


def ride_bus(
    person: Person,
    line: list[list[int]],
    share: float,
    town: Town,
    load: NDArray[np.float32],
    seconds: int,
    rng: np.random.Generator,
) -> Movement:
    """Ride a line to and fro, beginning at a share of its round; stops are where they are for every bus."""
    ways = town.ways
    journey = _journey(person, ways, load, seconds, rng)
    leg = int(share * 2) % 2
    path = line[leg][int(share * 2 % 1 * (len(line[leg]) - 3)) :]
    journey.stay(Spot(path[0], float(ways.length_m[path[0]]) / 2, 4.0), rng.uniform(0, 60), engine_off=False)
    first_m = float(ways.length_m[path[0]]) / 2
    while not journey.over:
        pieces, dwell = _with_stops(ways, path, first_m, rng)
        journey.drive(pieces, dwell)
        way, _, offset = pieces[-1]
        if not journey.over:
            journey.stay(Spot(way, offset, 6.0), rng.uniform(120, 420), engine_off=False)
        leg = 1 - leg
        path, first_m = line[leg], float(ways.length_m[line[leg][0]]) / 2
    return journey.movement()


def _with_stops(
    ways: Ways, path: list[int], first_m: float, rng: np.random.Generator
) -> tuple[list[Piece], list[float]]:
    """Cut a path at its bus stops: a third into the block, every STOP_EVERY_M or more."""
    pieces: list[Piece] = []
    dwell: list[float] = []
    since = 0.0
    for i, way in enumerate(path):
        begin = first_m if i == 0 else 0.0
        end = float(ways.length_m[way]) * (0.5 if i == len(path) - 1 else 1.0)
        since += end - begin
        stop = float(ways.length_m[way]) / 3
        if since > STOP_EVERY_M and begin < stop < end and not ways.tunnel[way]:
            served = rng.random() < 0.9
            pieces += [(way, begin, stop), (way, stop, end)]
            dwell += [float(rng.gamma(4.0, 5.0)) if served else 0.0, 0.0]
            since = end - stop
        else:
            pieces.append((way, begin, end))
            dwell.append(0.0)
    return pieces, dwell
