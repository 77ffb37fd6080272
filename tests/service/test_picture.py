from datetime import UTC, datetime

import pytest

from geo_policing.model import BoundingBox, Device, DeviceKind, Fix, Incident, IncidentState, Unit
from geo_policing.service.picture import Picture

T = 1_772_323_200_000_000


def test_an_older_fix_never_replaces_a_newer_one():
    picture = Picture()
    assert len(picture.move([Fix("car", T, 113.1, 27.8)])) == 1
    assert picture.move([Fix("car", T - 1, 113.2, 27.9)]) == []
    assert picture.units()["features"][0]["geometry"]["coordinates"] == [113.1, 27.8]


def test_of_several_fixes_of_one_device_only_the_newest_is_told():
    features = Picture().move([Fix("car", T + n, 113.1 + n / 100, 27.8) for n in (0, 2, 1)])
    assert [f["geometry"]["coordinates"][0] for f in features] == [113.12]


def test_a_unit_carries_the_call_sign_of_its_device():
    picture = Picture()
    picture.introduce([Device("car", DeviceKind.PATROL_CAR, "湘B·0110")], [Unit("u1", "芦淞01", "car")])
    picture.move([Fix("car", T, 113.1, 27.8), Fix("stranger", T, 113.1, 27.8)])
    car, stranger = (f["properties"] for f in picture.units()["features"])
    assert (car["kind"], car["name"], car["call_sign"], car["status"]) == (
        "patrol_car",
        "湘B·0110",
        "芦淞01",
        "available",
    )
    assert (stranger["kind"], stranger["call_sign"], stranger["speed_mps"]) == ("unknown", None, None)


def test_who_the_devices_are_changes_the_features_of_those_on_the_map_and_of_no_others():
    picture = Picture()
    picture.move([Fix("car", T, 113.1, 27.8), Fix("bus", T, 113.1, 27.8)])
    devices = [Device("car", DeviceKind.TAXI), Device("bus"), Device("silent")]
    (taxi,) = picture.introduce(devices, [])
    assert (taxi["id"], taxi["properties"]["kind"]) == ("car", "taxi")
    assert picture.introduced == {"car", "bus", "silent"}
    assert picture.introduce(devices, []) == []


def test_a_device_that_is_presented_keeps_the_call_sign_of_its_unit():
    picture = Picture()
    picture.introduce([Device("car")], [Unit("u1", "芦淞01", "car")])
    assert picture.present(Device("car", DeviceKind.PATROL_CAR, "湘B·0110")) == []
    picture.move([Fix("car", T, 113.1, 27.8)])
    (feature,) = picture.present(Device("car", DeviceKind.E_BIKE))
    car = feature["properties"]
    assert (car["kind"], car["name"], car["call_sign"]) == ("e_bike", "car", "芦淞01")
    assert picture.name_of("car") == "芦淞01"


def test_who_becomes_one_that_others_see_is_gone_from_a_map_only_when_there():
    picture = Picture()
    picture.present(Device("ankle", DeviceKind.CORRECTIONS))
    assert not picture.crossed()
    picture.move([Fix("ankle", T, 113.1, 27.8)])
    picture.present(Device("ankle", DeviceKind.OFFICER))
    assert (picture.crossed(), picture.crossed()) == (True, False)


def test_what_cannot_be_shown_does_not_get_into_the_picture():
    picture = Picture()
    picture.move([Fix("car", T, 113.1, 27.8)])
    with pytest.raises(OverflowError):
        picture.move([Fix("car", T + 1, 113.2, 27.8, received=1 << 62)])
    assert [f["geometry"]["coordinates"] for f in picture.units()["features"]] == [[113.1, 27.8]]


def test_units_are_those_in_the_box():
    picture = Picture()
    picture.move([Fix("in", T, 113.1, 27.8), Fix("out", T, 113.3, 27.8)])
    assert [f["id"] for f in picture.units(BoundingBox(113.0, 27.7, 113.2, 27.9))["features"]] == ["in"]


def test_an_incident_leaves_the_picture_when_it_is_final():
    picture = Picture()
    incident = Incident("1", "theft", datetime(2026, 3, 1, tzinfo=UTC), 113.1, 27.8)
    picture.report(incident)
    assert [f["id"] for f in picture.snapshot()["incidents"]["features"]] == ["1"]
    feature = picture.report(incident.moved_to(IncidentState.CANCELLED))
    assert feature["properties"]["state"] == "cancelled"
    assert picture.snapshot()["incidents"]["features"] == []
