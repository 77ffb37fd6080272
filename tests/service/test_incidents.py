"""Incidents over the API: listed, taken, moved along their life cycle."""

from datetime import UTC, datetime, timedelta

import pytest

LON, LAT = 113.131, 27.831


def test_incidents_are_paged_without_loss(dispatcher):
    found, params = [], {"limit": 2, "status": "open"}
    for _ in range(50):
        page = dispatcher.get("/api/incidents", params=params).json()
        found += [f["id"] for f in page["features"]]
        if "next" not in page:
            break
        assert dispatcher.get(page["links"][0]["href"]).status_code == 200
        params = params | {"next": page["next"]}
    assert len(found) == len(set(found))
    assert {"I0", "I1", "I2"} <= set(found)
    everything = dispatcher.get("/api/incidents", params={"limit": 1000, "status": "open"}).json()
    assert [f["id"] for f in everything["features"]] == found


def test_incidents_are_chosen_by_box_time_and_status(dispatcher):
    def ids(**params):
        return {f["id"] for f in dispatcher.get("/api/incidents", params=params).json()["features"]}

    assert ids(bbox="113.134,27.83,113.136,27.84") & {"I0", "I1", "I2"} == {"I1"}
    assert ids(datetime="2026-03-01T23:00:01Z/2026-03-01T23:00:02Z") == {"I1"}


def test_incidents_are_chosen_by_one_state_or_several(dispatcher):
    def made(*states):
        incident = dispatcher.post("/api/incidents", json={"kind": "theft", "lon": LON, "lat": LAT}).json()
        for state in states:
            moved = dispatcher.post(f"/api/incidents/{incident['id']}/state", json={"state": state})
            assert moved.status_code == 200
        return incident["id"]

    made_here = {"reported": made(), "accepted": made("accepted"), "cancelled": made("cancelled")}
    made_here["merged"] = made("accepted", "merged")

    def chosen(status):
        found = dispatcher.get("/api/incidents", params={"status": status, "limit": 1000}).json()["features"]
        ids = {f["id"] for f in found}
        return {state for state, incident in made_here.items() if incident in ids}

    assert chosen("cancelled") == {"cancelled"}
    assert chosen("accepted, cancelled") == {"accepted", "cancelled"}
    assert chosen("open") == {"reported", "accepted"}


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"status": "lost"}, "status"),
        ({"limit": "0"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"next": "?"}, "next"),
    ],
)
def test_a_question_for_incidents_that_cannot_be_is_refused_by_name(dispatcher, params, field):
    answer = dispatcher.get("/api/incidents", params=params)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_an_incident_follows_its_life_cycle(dispatcher):
    call = {
        "kind": "盗窃",
        "lon": LON,
        "lat": LAT,
        "severity": 2,
        "summary": "e-bike gone",
        "address": "建设路 1",
    }
    made = dispatcher.post("/api/incidents", json=call)
    assert made.status_code == 201
    incident = made.json()
    assert incident["properties"]["state"] == "reported"
    where = f"/api/incidents/{incident['id']}"
    refused = dispatcher.post(f"{where}/state", json={"state": "closed"})
    assert refused.status_code == 409
    assert "accepted" in refused.json()["detail"]
    for state in ("accepted", "dispatched", "en_route", "on_scene", "cleared", "closed"):
        moved = dispatcher.post(f"{where}/state", json={"state": state, "note": "over radio"})
        assert (moved.status_code, moved.json()["properties"]["state"]) == (200, state)
    history = dispatcher.get(where).json()["properties"]["history"]
    assert [h["after"] for h in history][-1] == "closed"
    assert {h["by"] for h in history} == {"a-dispatcher"}


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ({"kind": "theft", "lon": 313.0, "lat": 27.8}, "lon"),
        ({"kind": "theft", "lon": 113.1}, "lat"),
        ({"kind": "", "lon": 113.1, "lat": 27.8}, "kind"),
        ({"kind": "theft", "lon": 113.1, "lat": 27.8, "occurred": "2026-03-02T08:00:00"}, "occurred"),
        ({"kind": "theft", "lon": 113.1, "lat": 27.8, "occurred": "0001-01-01T00:00:00+08:00"}, "occurred"),
        ({"kind": "theft", "lon": 113.1, "lat": 27.8, "occurred": "1899-12-31T23:59:59Z"}, "occurred"),
        ({"kind": "theft", "lon": 113.1, "lat": 27.8, "occurred": "9999-12-31T23:59:59-08:00"}, "occurred"),
        ({"kind": "theft", "lon": 113.1, "lat": 27.8, "occurred": 1_772_406_000}, "occurred"),
        ({"kind": "theft", "lon": 113.1, "lat": 27.8, "occurred": "1772406000"}, "occurred"),
        ({"kind": "theft", "lon": 113.1, "lat": 27.8, "occurred": True}, "occurred"),
        ({"kind": "  ", "lon": 113.1, "lat": 27.8}, "kind"),
        ({"kind": "theft\x00", "lon": 113.1, "lat": 27.8}, "kind"),
        ({"kind": "theft\nnoise", "lon": 113.1, "lat": 27.8}, "kind"),
        ({"kind": "theft", "lon": 113.1, "lat": 27.8, "severity": 9}, "severity"),
        ({"kind": "theft", "lon": 113.1, "lat": 27.8, "colour": "red"}, "colour"),
        ({"kind": "theft", "lon": 113.1, "lat": 27.8, "crs": "mars"}, "crs"),
    ],
)
def test_a_call_that_cannot_be_taken_names_the_field(dispatcher, call, field):
    answer = dispatcher.post("/api/incidents", json=call)
    assert answer.status_code == 422
    assert field in answer.json()["field"]


def test_a_call_occurred_when_its_text_says(dispatcher):
    for occurred, utc in (
        ("1900-01-01T08:00:00+08:00", "1900-01-01T00:00:00Z"),
        ("2026-03-02T08:00:00.25+08:00", "2026-03-02T00:00:00.250Z"),
    ):
        call = {"kind": "theft", "lon": LON, "lat": LAT, "occurred": occurred}
        made = dispatcher.post("/api/incidents", json=call)
        assert (made.status_code, made.json()["properties"]["occurred"]) == (201, utc)
    before = datetime.now(UTC) - timedelta(seconds=1)
    made = dispatcher.post("/api/incidents", json=call | {"occurred": None}).json()
    assert before <= datetime.fromisoformat(made["properties"]["occurred"]) <= datetime.now(UTC)


def test_a_call_in_gcj02_is_stored_in_wgs84(dispatcher):
    call = {"kind": "theft", "lon": 113.1356, "lat": 27.8271, "crs": "gcj02"}
    lon, lat = dispatcher.post("/api/incidents", json=call).json()["geometry"]["coordinates"]
    # GCJ-02 lies some hundred metres off in this city.
    assert 0.001 < abs(lon - 113.1356) + abs(lat - 27.8271) < 0.02


def test_a_detective_takes_no_calls(detective):
    answer = detective.post("/api/incidents", json={"kind": "theft", "lon": LON, "lat": LAT})
    assert (answer.status_code, "dispatcher" in answer.json()["detail"]) == (403, True)
