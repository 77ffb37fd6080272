"""People live, work and run errands where there are buildings for it, at hours that suit."""

from collections import Counter

import numpy as np
import pytest
from geo_policing_sample_city.fleet import enlist, make_world, move
from geo_policing_sample_city.people import MODE, Person, Purpose, next_errand
from geo_policing_sample_city.routes import form_taste
from scipy.spatial import KDTree

from geo_policing.model import DeviceKind
from geo_policing.roads.network import Access

PLANE = 4547


def near(city, uses, points, reach_m=120.0):
    """Whether a building of one of these uses has its middle near each point."""
    shapes = city.buildings[city.buildings["use"].isin(uses)].to_crs(PLANE).geometry.centroid
    away, _ = KDTree(np.column_stack([shapes.x, shapes.y])).query(points)
    return away < reach_m


def picked(world, purpose, rng, count=200):
    return np.array([world.town.xy(world.town.pick(Access.CAR, purpose, rng)) for _ in range(count)])


@pytest.mark.parametrize(
    ("purpose", "uses"),
    [
        (Purpose.HOME, ["residential"]),
        (Purpose.SHOP, ["commercial"]),
        (Purpose.WORK, ["office", "commercial", "industrial", "hospital", "school"]),
    ],
)
def test_purposes_have_their_buildings(city, world, rng, purpose, uses):
    assert near(city, uses, picked(world, purpose, rng)).mean() > 0.9


def test_work_and_shops_are_nearer_to_each_other_than_homes(world, rng):
    spread = {p: picked(world, p, rng, 400).std(axis=0).mean() for p in (Purpose.HOME, Purpose.WORK)}
    assert spread[Purpose.WORK] < spread[Purpose.HOME]


def person(world, kind, rng, *, courier=False):
    mode = MODE[kind]
    home = world.town.pick(mode, Purpose.HOME, rng)
    work = world.town.pick(mode, Purpose.WORK, rng, world.town.xy(home), 6000.0)
    taste = form_taste(world.ways, world.town.usable[mode], mode, world.load[0].astype(float), rng)
    return Person(kind, mode, home, work, 2200.0, taste, 1.0, courier)


def test_private_people_go_to_work_in_the_morning_and_home_in_the_evening(world, rng):
    who = person(world, DeviceKind.PRIVATE_CAR, rng)
    elsewhere = world.town.pick(Access.CAR, Purpose.VISIT, rng)

    def purposes(hour):
        return Counter(next_errand(who, world.town, elsewhere, hour, rng).purpose for _ in range(300))

    morning, evening = purposes(7.5), purposes(20.0)
    assert morning[Purpose.WORK] > 5 * morning[Purpose.HOME]
    assert evening[Purpose.HOME] > 100
    assert evening[Purpose.WORK] == 0
    assert morning[Purpose.SCHOOL] > 30
    assert {Purpose.SHOP, Purpose.HOSPITAL, Purpose.VISIT} <= set(morning)


def test_nobody_sets_out_for_where_they_are(world, rng):
    who = person(world, DeviceKind.PRIVATE_CAR, rng)
    assert all(next_errand(who, world.town, who.home, 21.0, rng).spot != who.home for _ in range(50))


def test_errands_to_a_school_end_at_one_near_home(world, rng):
    who = person(world, DeviceKind.PRIVATE_CAR, rng)
    errands = [next_errand(who, world.town, who.work, 7.5, rng) for _ in range(200)]
    ends = np.array([world.town.xy(e.spot) for e in errands if e.purpose == Purpose.SCHOOL])
    away, which = KDTree(world.town.places["school"]).query(ends)
    assert away.max() < 400.0
    assert len(set(which.tolist())) <= 3


def test_patrols_keep_to_their_beat_and_come_back_to_the_station(world, rng):
    who = person(world, DeviceKind.PATROL_CAR, rng)
    elsewhere = world.town.pick(Access.CAR, Purpose.VISIT, rng)
    errands = [next_errand(who, world.town, elsewhere, 10.0, rng) for _ in range(300)]
    away = [np.hypot(*(world.town.xy(e.spot) - world.town.xy(who.home))) for e in errands]
    assert max(away) <= 2.5 * who.reach_m
    assert np.mean(np.array(away) <= who.reach_m) > 0.85
    assert 10 < sum(e.purpose == Purpose.STATION for e in errands) < 60


def test_couriers_fetch_from_shops_and_bring_to_doors(city, world, rng):
    who = person(world, DeviceKind.E_BIKE, rng, courier=True)
    errands = [next_errand(who, world.town, who.work, 12.0, rng) for _ in range(100)]
    assert {e.purpose for e in errands} == {Purpose.ORDER}
    assert max(e.stay_s for e in errands) <= 360.0


def test_who_parks_for_long_turns_the_engine_off(world, rng):
    who = person(world, DeviceKind.PRIVATE_CAR, rng)
    errands = [next_errand(who, world.town, who.work, 7.5, rng) for _ in range(200)]
    assert all(e.engine_off == (e.stay_s > 240.0) for e in errands)
    assert any(e.engine_off for e in errands)


def test_cars_are_slower_in_the_rush_than_at_night(city):
    mean = {}
    for hour in (8.0, 3.0):
        world = make_world(city, hour, 1200, 7)
        speeds = []
        taxis = [m for m in enlist(60) if m.kind == DeviceKind.TAXI]
        move(taxis, world, 7, lambda _, movement, to=speeds: to.append(movement.speed_mps))
        driven = np.concatenate(speeds)
        mean[hour] = driven[driven > 0.3].mean()
    assert mean[8.0] < 0.85 * mean[3.0]
