"""One city for all tests of the room."""

import pytest
from geo_policing_sample_city.city import City, build_city


@pytest.fixture(scope="session")
def city() -> City:
    return build_city(7)
