"""A device that comes under community corrections is told of in no answer that was kept before."""

import copy

import pytest

from geo_policing.errors import NotAllowed
from geo_policing.model import Device, DeviceKind
from geo_policing.service.withheld import permitted_now
from geo_policing.store import FixStore
from tests.service.running import running
from tests.service.searches.asking import EVENING, TWO_DAYS, URL, WHOLE, ask, geojson
from tests.tracks.searches.towns import columns

ANKLE = Device("ankle", DeviceKind.CORRECTIONS)


@pytest.fixture
def service(tmp_path, town_found):
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(columns(town_found))
    with running(tmp_path) as service:
        service.rooms.records.devices.create(Device("ankle", DeviceKind.E_BIKE))
        yield service


def named(answer):
    return [result["device"] for result in answer["results"]]


def test_who_comes_under_corrections_is_left_out_of_what_was_kept(service):
    detective, admin = service.client("detective"), service.client("admin")
    asked = {
        "presences": {"area": geojson(WHOLE), "window": EVENING},
        "companions": {"device": "d0", "window": TWO_DAYS, "places": 1},
    }
    before = {name: ask(detective, name, **question) for name, question in asked.items()}
    own = ask(detective, "footholds", device="ankle", window=TWO_DAYS, stay_s=60)
    kept = detective.get(f"{URL}/{before['presences']['id']}")
    assert "ankle" in named(kept.json())
    assert "ankle" in detective.get(f"/maps/searches/{before['presences']['id']}").text
    service.rooms.records.devices.save(ANKLE)
    for client in (detective, admin):
        for name, question in asked.items():
            old = before[name]
            assert "ankle" in named(old)
            told = client.get(f"{URL}/{old['id']}")
            assert told.status_code == 200
            assert "ankle" not in told.text
            assert "ankle" not in client.get(f"/maps/searches/{old['id']}").text
            # It is what a search finds now.
            now, told = ask(detective, name, **question), told.json()
            same = ("found", "told", "next", "notes", "results", "features")
            assert {key: told[key] for key in same} == {key: now[key] for key in same}
        for address in (f"{URL}/{own['id']}", f"/maps/searches/{own['id']}"):
            refused = client.get(address, headers={"accept": "application/json"})
            assert (refused.status_code, "corrections" in refused.json()["detail"]) == (403, True)
            assert "coordinates" not in refused.text
    # Nothing of it was deleted: it is told again when it was a mistake.
    service.rooms.records.devices.save(Device("ankle", DeviceKind.E_BIKE))
    assert detective.get(f"{URL}/{before['presences']['id']}").json() == before["presences"]


def test_nothing_but_who_may_not_be_told_is_left_out():
    def feature(**about):
        return {"type": "Feature", "geometry": None, "properties": about}

    document = {
        "question": {"devices": ["ankle", "d1"], "skip": 10},
        "found": 20,
        "told": 3,
        "next": 13,
        "notes": [],
        "results": [{"rank": n, "device": d} for n, d in ((11, "d1"), (12, "ankle"), (13, "d2"))],
        "features": [
            feature(what="area", number=1),
            feature(what="meeting", rank=11, device="d0", other="d1"),
            feature(what="meeting", rank=12, device="d0", other="ankle"),
            feature(what="presence", rank=12, device="ankle"),
            feature(what="presence", rank=13, device="d2"),
            feature(what="track", device="ankle"),
        ],
    }
    given = copy.deepcopy(document)
    told = permitted_now(document, [ANKLE, Device("d1", DeviceKind.TAXI)])
    assert document == given
    assert (told["found"], told["told"], told["next"]) == (19, 2, 12)
    assert told["results"] == [{"rank": 11, "device": "d1"}, {"rank": 12, "device": "d2"}]
    assert told["features"] == [
        feature(what="area", number=1),
        feature(what="meeting", rank=11, device="d0", other="d1"),
        feature(what="presence", rank=12, device="d2"),
    ]
    assert len(told["notes"]) == 1
    assert "not searched: ankle" in told["notes"][0]
    # Nobody is under corrections: nothing is changed.
    assert permitted_now(document, [Device("ankle")]) == document
    with pytest.raises(NotAllowed, match="'ankle' is of community corrections"):
        permitted_now(document | {"question": {"device": "ankle"}}, [ANKLE])
