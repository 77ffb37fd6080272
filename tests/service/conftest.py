import pytest

from tests.service.running import furnish, network, running


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    network().save(folder / "city.roads")
    (folder / "city.pmtiles").write_bytes((b"PMTiles\x03" + bytes(248)) + bytes(range(256)) * 7)
    with running(folder, heartbeat_seconds=0.5) as service:
        furnish(service)
        yield service


@pytest.fixture(scope="module")
def dispatcher(service):
    return service.client("dispatcher")


@pytest.fixture(scope="module")
def detective(service):
    return service.client("detective")
