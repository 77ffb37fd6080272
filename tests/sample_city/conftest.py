"""One city for all tests of the room, and a small life in it; another city, and the first one as files."""

from pathlib import Path

import numpy as np
import pytest
from geo_policing_sample_city import simulate
from geo_policing_sample_city.city import City, build_city
from geo_policing_sample_city.fleet import World, enlist, make_world, move
from geo_policing_sample_city.simulate import Life, live, make_sample_city

VEHICLES, HOURS = 45, 0.5
#: Of the folder.
FEW, BRIEF = 8, 0.2


@pytest.fixture(scope="session")
def city(sample_city) -> City:
    return sample_city


@pytest.fixture(scope="session")
def other_city(made_once) -> City:
    """What holds for this one too is no accident of a seed."""
    return made_once("city-8", lambda: build_city(8))


@pytest.fixture(params=["city", "other_city"])
def any_city(request) -> City:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def folder(city, tmp_path_factory) -> Path:
    """A sample city as files, of the city that the room's tests already have."""
    out = tmp_path_factory.mktemp("made") / "city"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "build_city", {7: city}.__getitem__)
        make_sample_city(out, 7, FEW, BRIEF)
    return out


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
