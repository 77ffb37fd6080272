from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.errors import IllegalTransition, InvalidCoordinates, InvalidInput
from geo_policing.model import Device, Incident, IncidentState


def incident(state=IncidentState.REPORTED, **changes):
    return Incident(
        **{
            "id": "110-1",
            "kind": "theft",
            "occurred": datetime(2026, 3, 1, tzinfo=UTC),
            "lon": 113.1,
            "lat": 27.8,
            "state": state,
        }
        | changes
    )


def test_an_incident_goes_from_the_call_to_the_file():
    present = incident()
    for state in ("accepted", "dispatched", "en_route", "on_scene", "cleared", "closed"):
        present = present.moved_to(IncidentState(state))
    assert present.state.is_final


def test_a_state_that_may_not_follow_is_refused_with_those_that_may():
    with pytest.raises(IllegalTransition, match="may not follow 'reported'; what may follow: accepted"):
        incident().moved_to(IncidentState.CLOSED)


@given(st.sampled_from(IncidentState), st.sampled_from(IncidentState))
def test_a_final_state_stays_and_no_state_follows_itself(present, wanted):
    if present.is_final or present == wanted:
        with pytest.raises(IllegalTransition):
            incident(present).moved_to(wanted)


def test_an_incident_off_the_earth_or_without_offset_is_refused():
    with pytest.raises(InvalidCoordinates):
        incident(lon=200.0)
    with pytest.raises(InvalidCoordinates):
        incident(lat=float("nan"))
    with pytest.raises(InvalidInput, match="UTC offset"):
        incident(occurred=datetime(2026, 3, 1))  # noqa: DTZ001 - naive on purpose


@pytest.mark.parametrize("device_id", ["", "a b", "a/b", "x" * 65, "a\n"])
def test_a_device_id_that_would_break_a_url_is_refused(device_id):
    with pytest.raises(InvalidInput, match="device id"):
        Device(device_id)
