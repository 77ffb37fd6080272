"""One city for all tests of the room, and a small life in it."""

import numpy as np
import pytest
from geo_policing_sample_city.city import City, build_city
from geo_policing_sample_city.fleet import World, enlist, make_world, move
from geo_policing_sample_city.simulate import Life, live

VEHICLES, HOURS = 45, 0.5


@pytest.fixture(scope="session")
def city() -> City:
    return build_city(7)


@pytest.fixture(scope="session")
def world(city) -> World:
    return make_world(city, 7.0, round(HOURS * 3600), 7)


@pytest.fixture(scope="session")
def moved(world):
    """Members of the fleet with their true movements, the same as in `life`."""
    found = []
    move(enlist(VEHICLES), world, 7, lambda member, movement: found.append((member, movement)))
    return found


@pytest.fixture(scope="session")
def life(city) -> Life:
    return live(city, 7, VEHICLES, HOURS)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)
