"""What is refused says which field, which value, and what to do instead."""

import pytest

from geo_policing.errors import InvalidFile
from geo_policing.service.app import open_rooms
from geo_policing.settings import IngestSettings, ServiceSettings
from tests.service.running import running

CALL = {"kind": "theft", "lon": 113.13, "lat": 27.83}
DAY = "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z"
NONE = {"datetime": "2026-03-01T00:00:00Z/2026-03-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "field", "value", "says"),
    [
        (
            "GET",
            f"/api/tracks/NOBODY?datetime={DAY}",
            None,
            404,
            "device",
            "NOBODY",
            "GET /api/devices lists",
        ),
        ("GET", "/api/incidents/nope", None, 404, "incident", "nope", "GET /api/incidents lists"),
        ("GET", "/nowhere", None, 404, "path", "/nowhere", "nothing is at /nowhere; correct it"),
        ("DELETE", "/api/devices", None, 405, "method", "DELETE", "it takes GET, POST"),
        (
            "POST",
            "/api/incidents/I0/state",
            {"state": "closed"},
            409,
            "state",
            "closed",
            "may follow: accepted",
        ),
        ("POST", "/api/devices", {"key": ""}, 422, "key", "", "empty; give it"),
        (
            "POST",
            "/api/devices",
            {"key": "a", "colour": "red"},
            422,
            "colour",
            "red",
            "there are: key, device",
        ),
        (
            "POST",
            "/api/devices",
            {"key": "a", "kind": "ship"},
            422,
            "kind",
            "ship",
            "'ship' is not possible; w",
        ),
        ("GET", "/api/tracks/taxi-1", None, 422, "datetime", None, "missing; give it, like 2026-"),
        ("GET", "/api/incidents?limit=many", None, 422, "limit", "many", "'many' is no whole number"),
        ("GET", "/api/incidents?limit=0", None, 422, "limit", "0", "'0' is too small; give 1 or more"),
        ("POST", "/api/incidents", {"kind": "x", "lon": 1}, 422, "lat", None, "missing; give it, like 27.83"),
        (
            "POST",
            "/api/incidents",
            CALL | {"occurred": "now"},
            422,
            "occurred",
            "now",
            "occurred: occurred 'now'",
        ),
        ("POST", "/api/incidents", CALL | {"lon": 0, "lat": 0}, 422, "lon,lat", "0,0", "give the place"),
        (
            "POST",
            "/api/incidents",
            CALL | {"lon": 27.83, "lat": 113.13},
            422,
            "lat",
            "113.13",
            "look swapped",
        ),
        (
            "POST",
            "/api/incidents",
            CALL | {"lon": 13.13},
            422,
            "lon,lat",
            "13.13,27.83",
            "the roads, which span",
        ),
        (
            "POST",
            "/api/incidents",
            CALL | {"lon": 2, "crs": "gcj02"},
            422,
            "lon,lat",
            "2,27.83",
            "correct the pl",
        ),
    ],
)
def test_what_is_refused_names_field_value_and_remedy(
    service, method, path, given, status, field, value, says
):
    answer = service.client("admin").request(method, path, json=given)
    said = answer.json()
    assert (answer.status_code, said["field"], said.get("value")) == (status, field, value)
    assert says in said["detail"]
    for raw in ("Value error", "Input should", "Field required", "not permitted"):
        assert raw not in answer.text


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        (
            {},
            "has no content-type; send a JSON object with: name, password, and the header content-type: app",
        ),
        ({"content-type": "text/plain"}, "has content-type 'text/plain'; send a JSON object"),
        ({"content-type": "application/json"}, "no JSON object; send a JSON object with: name, password"),
    ],
)
def test_a_body_that_does_not_say_that_it_is_json_is_told_how_to(service, headers, says):
    content = b"17" if "application/json" in headers.values() else b'{"name": "a", "password": "b"}'
    answer = service.client().post("/api/sign-in", content=content, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "body")
    assert says in answer.json()["detail"]


def test_a_window_without_length_is_told_that_its_end_must_be_later(service):
    answer = service.client("admin").get("/api/tracks/taxi-1", params=NONE)
    assert answer.status_code == 422
    assert "the end must be later, like 2026-" in answer.json()["detail"]


def test_every_address_for_programs_refuses_a_parameter_it_has_not(service):
    admin = service.client("admin")
    paths = admin.get("/api/openapi.json").json()["paths"]
    reading = [path for path, ways in paths.items() if path.startswith("/api/") and "get" in ways]
    assert len(reading) > 5
    for path in reading:
        answer = admin.get(path.replace("{device}", "taxi-1").replace("{incident_id}", "I0") + "?mtch=true")
        assert (answer.status_code, answer.json()["field"], answer.json()["value"]) == (
            422,
            "mtch",
            "true",
        ), path
    answer = admin.get("/api/tracks/taxi-1", params={"datetime": DAY, "mtch": "true"})
    assert (
        "'mtch' is not known; leave it out or correct it, there are: match, datetime"
        in answer.json()["detail"]
    )
    answer = admin.post("/api/incidents?dry=1", json=CALL)
    assert (answer.status_code, answer.json()["field"]) == (422, "dry")


def test_a_call_from_anywhere_is_taken_while_there_are_no_roads(tmp_path):
    with running(tmp_path) as service:
        assert service.client("admin").post("/api/incidents", json=CALL | {"lon": 13.13}).status_code == 201


async def test_a_start_with_tiles_that_are_none_is_refused(tmp_path):
    (tmp_path / "f.csv").write_text("a,b\n")
    settings = ServiceSettings(data_dir=tmp_path / "var", tiles=tmp_path / "f.csv")
    with pytest.raises(InvalidFile, match=r"f\.csv is no PMTiles archive; make one with") as refused:
        async with open_rooms(settings, IngestSettings(tcp_port=0)):
            pass
    assert refused.value.field == "tiles"
