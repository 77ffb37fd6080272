import pytest

from geo_policing.model import Device, DeviceKind
from geo_policing.store import FixStore
from geo_policing.store.history.keeper import Keeper
from tests.service.running import running
from tests.service.searches.asking import DAY, history
from tests.tracks.searches.towns import MIDNIGHT, MemoryHistory, columns


@pytest.fixture(scope="package")
def town_found():
    return history()


@pytest.fixture(scope="package")
def permitted(town_found):
    return MemoryHistory({name: track for name, track in town_found.items() if name != "ankle"})


@pytest.fixture(scope="package")
def folder(tmp_path_factory, town_found):
    folder = tmp_path_factory.mktemp("data")
    with FixStore(folder / "fixes.duckdb") as store:
        store.append(columns(town_found))
        # The first day is sealed, the second is not.
        Keeper(store).seal(MIDNIGHT // DAY)
    return folder


@pytest.fixture(scope="package")
def service(folder):
    with running(folder) as service:
        records = service.rooms.records
        records.devices.create(Device("d0", DeviceKind.TAXI, "湘B·T0001"))
        records.devices.create(Device("ankle", DeviceKind.CORRECTIONS))
        yield service


@pytest.fixture(scope="package")
def detective(service):
    client = service.client("detective")
    client.timeout = 120  # the first search of its kind may compile what it needs
    return client


@pytest.fixture(scope="package")
def admin(service):
    return service.client("admin")
