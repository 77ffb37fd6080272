"""People move along the roads as people do, by routes of their own."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from geo_policing_sample_city import driving
from geo_policing_sample_city.congestion import hour_load
from geo_policing_sample_city.fleet import enlist
from geo_policing_sample_city.routes import Router, form_taste
from geo_policing_sample_city.ways import BACK
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from geo_policing.model import DeviceKind
from geo_policing.roads.network import Access, EdgeFlag, RoadClass

CARS = (DeviceKind.PATROL_CAR, DeviceKind.TAXI, DeviceKind.BUS, DeviceKind.PRIVATE_CAR)


def of_kind(moved, *kinds):
    return [movement for member, movement in moved if member.kind in kinds]


def test_a_fleet_has_every_kind_in_its_share():
    members = enlist(300)
    count = {kind: sum(m.kind == kind for m in members) for kind in DeviceKind}
    assert count[DeviceKind.PATROL_CAR] == count[DeviceKind.OFFICER] == count[DeviceKind.BUS] == 40
    assert (count[DeviceKind.TAXI], count[DeviceKind.PRIVATE_CAR], count[DeviceKind.E_BIKE]) == (60, 80, 40)
    assert len({m.id for m in members}) == 300


@pytest.mark.parametrize("vehicles", [1, 2, 6, 7, 44, 121])
def test_any_size_is_met_exactly_and_six_have_every_kind(vehicles):
    members = enlist(vehicles)
    assert len(members) == vehicles
    assert len({m.kind for m in members}) == min(vehicles, 6)


def test_edges_follow_each_other_over_a_node_or_turn_back_on_the_same_street(city, moved):
    network = city.network
    for member, movement in moved:
        a, b = movement.edge[:-1], movement.edge[1:]
        if member.kind in CARS:
            assert ((network.to_node[a] == network.from_node[b]) | (network.reverse[a] == b)).all()
            continue
        # On foot and on an e-bike an edge may also be taken against its direction.
        before, after = (np.stack([network.from_node[e], network.to_node[e]]) for e in (a, b))
        assert (before[:, None] == after[None]).any(axis=(0, 1)).all()


def test_cars_take_no_forbidden_turn_but_turn_back_within_a_block(city, moved):
    network = city.network
    forbidden = {(before, after) for before, after in network.forbidden_turn.tolist()}
    driven = 0
    for movement in of_kind(moved, *CARS):
        for before, after in pairwise(movement.edge.tolist()):
            assert (before, after) not in forbidden or network.reverse[before] == after
            driven += 1
    assert driven > 500


def test_everybody_keeps_to_roads_open_to_them(city, moved):
    network = city.network
    for member, movement in moved:
        mode = {DeviceKind.OFFICER: Access.FOOT, DeviceKind.E_BIKE: Access.BICYCLE}.get(
            member.kind, Access.CAR
        )
        assert ((network.access[movement.edge] & mode) > 0).all()


def test_nobody_jumps_and_speed_is_the_way_made(moved):
    for _, movement in moved:
        step_m = np.hypot(np.diff(movement.x), np.diff(movement.y))
        assert step_m.max() < 36.0
        parts = np.add.reduceat(step_m, np.arange(0, len(step_m), 60))
        meant = np.add.reduceat(movement.speed_mps[1:], np.arange(0, len(step_m), 60))
        assert np.abs(parts - meant).max() < 90.0
        assert abs(parts.sum() - meant.sum()) < 0.12 * meant.sum() + 60.0


def test_entry_times_are_when_the_edge_under_the_wheels_changes(world, moved):
    for _, movement in moved:
        edge = world.ways.edge[movement.way]
        inside = np.searchsorted(movement.enter_s, np.arange(len(edge)), side="right") - 1
        # Whole seconds that fall on a change may belong to either side.
        assert (movement.edge[inside] == edge).mean() > 0.98


def test_people_stop_at_lights_park_and_turn_back(world, moved):
    ways = world.ways
    cars = of_kind(moved, *CARS)
    standing = np.concatenate([m.way[(m.speed_mps < 0.1) & ~m.off] for m in cars])
    assert (ways.cycle_s[standing] > 0).sum() > 300
    assert sum(m.off.any() for m in of_kind(moved, DeviceKind.PRIVATE_CAR)) > 3
    reverse = ways.network.reverse
    assert sum((reverse[m.edge[:-1]] == m.edge[1:]).sum() for m in cars) > 3


def test_cars_heed_red_lights_unless_too_near_to_stop(world, moved):
    ways = world.ways
    crossed = red = 0
    for movement in of_kind(moved, *CARS):
        way = movement.way
        at = np.flatnonzero((np.diff(way) != 0) & (ways.cycle_s[way[:-1]] > 0))
        phase = (at + 1 + ways.phase_s[way[at]]) % ways.cycle_s[way[at]]
        crossed += len(at)
        red += (phase > ways.green_s[way[at]] + 5.0).sum()
    assert crossed > 300
    assert red < 0.03 * crossed


def test_speeds_differ_by_road_and_kind(world, moved):
    mean = {}
    for kind in (DeviceKind.TAXI, DeviceKind.E_BIKE, DeviceKind.OFFICER):
        speed = np.concatenate([m.speed_mps[m.speed_mps > 0.3] for m in of_kind(moved, kind)])
        mean[kind] = speed.mean()
    assert 4.5 < mean[DeviceKind.TAXI] < 12
    assert 3.5 < mean[DeviceKind.E_BIKE] < 8
    assert 0.9 < mean[DeviceKind.OFFICER] < 1.6
    taxis = of_kind(moved, DeviceKind.TAXI)
    way = np.concatenate([m.way for m in taxis])
    speed = np.concatenate([m.speed_mps for m in taxis])
    fast = np.quantile(speed[world.ways.road_class[way] == RoadClass.ARTERIAL], 0.9)
    slow = np.quantile(speed[world.ways.road_class[way] >= RoadClass.RESIDENTIAL], 0.9)
    assert fast > slow + 2.0


def test_nobody_races(world, moved):
    for member, movement in moved:
        usual = world.ways.network.speed_mps[world.ways.edge[movement.way]]
        most = {DeviceKind.OFFICER: 2.1, DeviceKind.E_BIKE: 10.5, DeviceKind.BUS: 29.0}.get(member.kind, 33.0)
        assert movement.speed_mps.max() < most
        if member.kind in CARS:
            # Who comes off a faster road is still braking.
            assert (movement.speed_mps <= 1.5 * usual).mean() > 0.98


def test_the_rush_hours_are_slower_than_the_night(world):
    assert hour_load(8.0) > 0.9
    assert hour_load(18.0) > 0.9
    assert hour_load(3.0) < 0.1
    assert world.load.shape[1] == len(world.ways)
    assert (world.load >= 0).all()


def test_e_bikes_ride_against_one_ways_now_and_then_and_cars_never(city, world):
    ways, rng = world.ways, np.random.default_rng(5)
    against = {}
    for mode in (Access.CAR, Access.BICYCLE):
        usable = world.town.usable[mode]
        taste = form_taste(ways, usable, mode, world.load[0].astype(float), rng)
        ends = np.flatnonzero(usable & ~ways.backward)
        path = [
            way
            for _ in range(60)
            for way in world.router.route(taste, *(int(end) for end in rng.choice(ends, 2)))
        ]
        against[mode] = ways.backward[path].mean()
    assert against[Access.CAR] == 0
    assert 0 < against[Access.BICYCLE] < 0.15


def test_two_people_do_not_agree_on_the_way(world):
    ways, usable = world.ways, world.town.usable[Access.CAR]
    tastes = [
        form_taste(ways, usable, Access.CAR, world.load[0].astype(float), np.random.default_rng(i))
        for i in (1, 2)
    ]
    rng = np.random.default_rng(9)
    differ = longer = trips = 0
    plain = form_taste(ways, usable, Access.CAR, np.zeros(len(ways)), np.random.default_rng(0), 0.0)
    for _ in range(40):
        a, b = (int(way) for way in rng.choice(np.flatnonzero(usable), 2))
        paths = [world.router.route(taste, a, b) for taste in tastes]
        differ += paths[0] != paths[1]
        fastest = world.router.route(plain, a, b)
        longer += paths[0] != fastest
        trips += 1
    assert differ > 0.5 * trips
    assert longer > 0.5 * trips


def test_routes_cost_what_the_plainest_search_finds(world):
    """The naive twin: Dijkstra of scipy over the graph of ways, with turns as its arcs."""
    ways, rng = world.ways, np.random.default_rng(4)
    for mode in (Access.CAR, Access.FOOT):
        usable = world.town.usable[mode]
        taste = form_taste(ways, usable, mode, world.load[0].astype(float), rng)
        before = np.repeat(np.arange(len(ways)), np.diff(ways.turn_offset))
        cost = taste.turn_s + taste.way_s[ways.turn_to]
        keep = usable[before] & usable[ways.turn_to] & np.isfinite(cost)
        graph = coo_array((cost[keep], (before[keep], ways.turn_to[keep])), shape=(len(ways),) * 2).tocsr()
        starts = rng.choice(np.flatnonzero(usable), 6)
        goals = rng.choice(np.flatnonzero(usable), 6)
        least = dijkstra(graph, indices=starts)
        arcs = {(a, b): c for a, b, c in zip(before[keep], ways.turn_to[keep], cost[keep], strict=True)}
        for i, (start, goal) in enumerate(zip(starts.tolist(), goals.tolist(), strict=True)):
            path = Router(ways).route(taste, start, goal)
            assert path[0] == start
            assert path[-1] == goal
            paid = sum(arcs[pair] for pair in pairwise(path))
            assert paid == pytest.approx(least[i, goal])


def test_a_wrong_turn_leaves_the_route_and_finds_back(world, rng):
    ways, usable = world.ways, world.town.usable[Access.CAR]
    taste = form_taste(ways, usable, Access.CAR, world.load[0].astype(float), rng)
    strayed = 0
    for _ in range(20):
        a, b = (int(way) for way in rng.choice(np.flatnonzero(usable), 2))
        path = world.router.route(taste, a, b)
        other = world.router.stray(taste, path, rng)
        assert (other[0], other[-1]) == (path[0], path[-1])
        strayed += other != path
    assert strayed > 12


def drive(n=3, *, wait=0.0, cycle=0.0, green=0.0, compiled=True, seconds=300):
    """Drive n pieces of 200 m at 10 m/s; returns the end, offsets, speeds, ways and entry times."""
    out = np.zeros(seconds + 1, np.int32), np.zeros(seconds + 1), np.zeros(seconds + 1)
    enter_s = np.full(n, np.nan)
    leave = np.full(n, 1e9)
    leave[-1] = 0.0
    if wait > 0.0:
        leave[0] = 0.0
    function = driving.drive if compiled else driving.drive.py_func
    end = function(
        0.0,
        float(seconds),
        np.arange(n, dtype=np.int32),
        np.zeros(n),
        np.full(n, 200.0),
        leave,
        np.array([wait] + [0.0] * (n - 1)),
        np.full(n, 10.0),
        np.zeros((1, n), np.float32),
        300.0,
        np.array([cycle] + [0.0] * (n - 1)),
        np.zeros(n),
        np.array([green] + [0.0] * (n - 1)),
        np.ones(7),
        1.5,
        2.0,
        *out,
        enter_s,
    )
    return end, *out, enter_s


def test_a_free_road_takes_its_length_over_its_speed_and_a_little_more():
    end, _, offset, speed, enter_s = drive()
    assert 60.0 < end < 72.0
    assert speed.max() == pytest.approx(10.0)
    assert (np.abs(np.diff(speed)) <= 2.5 * 2.0 + 1e-9).all()
    assert (offset <= 200.0).all()
    assert (np.diff(enter_s) > 19.9).all()


def test_a_red_light_is_waited_for_in_front_of_it():
    end, way, offset, speed, enter_s = drive(cycle=200.0, green=5.0)
    assert enter_s[1] > 200.0
    assert (speed[60:199] == 0).all()
    assert (way[60:199] == 0).all()
    assert (offset[60:199] < 200.0).all()
    assert end > enter_s[1]


def test_who_waits_at_a_stop_stands_there_so_long():
    end, _, _, speed, enter_s = drive(wait=30.0)
    free_end = drive()[0]
    assert 30.0 < end - free_end < 45.0
    assert (speed == 0).sum() >= 29
    assert enter_s[1] > 50.0


def test_the_end_of_time_ends_the_drive_where_it_is():
    end, way, offset, _, enter_s = drive(seconds=30)
    assert end == 30.0
    assert np.isfinite(enter_s).sum() == way[30] + 1
    assert 0 < offset[30] < 200.0


@pytest.mark.parametrize("case", [{}, {"wait": 12.0}, {"cycle": 60.0, "green": 20.0}, {"seconds": 40}])
def test_compiled_and_plain_driving_agree(case):
    for a, b in zip(drive(**case), drive(**case, compiled=False), strict=True):
        assert np.allclose(a, b, equal_nan=True)


def test_turns_are_taken_slower_the_sharper_they_are(world):
    ways = world.ways
    for way in range(0, len(ways), 997):
        for t in range(ways.turn_offset[way], ways.turn_offset[way + 1]):
            pair = np.array([way, ways.turn_to[t]], np.int32)
            leave = driving.leaving_speed(
                pair, 5.0, ways.turn_offset, ways.turn_to, ways.turn_deg, ways.opposite
            )
            assert leave[1] == 0.0
            if ways.turn_to[t] == ways.opposite[way]:
                assert leave[0] == 1.5
                assert ways.turn_kind[t] == BACK
            elif abs(ways.turn_deg[t]) <= 20.0:
                assert leave[0] > 100.0
            else:
                assert leave[0] == pytest.approx(5.0 * (90.0 / abs(ways.turn_deg[t])) ** 0.7)


def test_buses_of_a_line_stop_at_the_same_places(world, moved):
    stops = []
    for movement in [m for member, m in moved if member.kind == DeviceKind.BUS][:4]:
        begins = np.flatnonzero(np.diff((movement.speed_mps < 0.05).astype(int), prepend=0) == 1)
        # A third into the block; lights are at its end.
        within = world.ways.length_m[movement.way[begins]]
        x, y, _ = world.ways.locate(movement.way[begins], within / 3)
        there = np.hypot(x - movement.x[begins], y - movement.y[begins]) < 15.0
        stops.append(set(movement.way[begins[there]].tolist()))
    assert max(len(a & b) for a, b in combinations(stops, 2)) >= 2


def test_tunnels_and_bridges_are_no_place_to_stop_for_an_errand(world, moved):
    flags = world.ways.network.flags
    for movement in of_kind(moved, DeviceKind.PRIVATE_CAR):
        parked = world.ways.edge[movement.way[movement.off]]
        assert not (flags[parked] & (EdgeFlag.TUNNEL | EdgeFlag.BRIDGE)).any()
