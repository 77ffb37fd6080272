"""The interface as a client meets it: a real server, real sockets."""

import re
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from geo_policing.model import format_instant
from tests.ingest.lines import rmc
from tests.service.running import events, route, running

LON, LAT = 113.131, 27.831


def now_us():
    return time.time_ns() // 1_000


def window(start_us, end_us):
    return f"{format_instant(start_us)}/{format_instant(end_us)}"


@pytest.fixture(scope="module")
def dispatcher(service):
    return service.client("dispatcher")


@pytest.fixture(scope="module")
def detective(service):
    return service.client("detective")


def paths(service):
    """Every address of the service, with something in place of the parameters."""
    app = service.client("admin").get("/api/openapi.json").json()
    found = {(path, method) for path, methods in app["paths"].items() for method in methods}
    found |= {("/", "get"), ("/quarantine", "get"), ("/api/docs", "get"), ("/api/openapi.json", "get")}
    found |= {("/sign-out", "post"), ("/quarantine", "post"), ("/assets/leaflet/leaflet.js", "get")}
    return {(re.sub(r"\{[^}]*\}", "x", path), method) for path, method in found}


def test_nothing_but_health_and_sign_in_answers_a_stranger(service):
    stranger = service.client()
    answered = set()
    for path, method in paths(service) | {("/no/such/page", "get")}:
        answer = stranger.request(method, path)
        if answer.status_code != 401:
            answered.add(path)
    assert answered == {"/health", "/api/sign-in"}
    assert stranger.get("/sign-in").status_code == 200


def test_a_stranger_with_a_browser_is_led_to_the_sign_in_and_back(service):
    browser = service.client()
    answer = browser.get("/maps/tracks/patrol-07?datetime=a/b", headers={"accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=" + quote(
        "/maps/tracks/patrol-07?datetime=a/b", safe=""
    )
    form = {"name": "a-admin", "password": "correct horse battery", "next": "/maps/live"}
    answer = browser.post("/sign-in", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/maps/live")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert browser.get("/api/units").status_code == 200
    assert browser.post("/sign-out").status_code == 303
    assert browser.get("/api/units").status_code == 401


def test_a_wrong_password_says_so_on_the_page_and_to_programs(service):
    stranger = service.client()
    form = {"name": "nobody", "password": "guess"}
    answer = stranger.post("/sign-in", data=form)
    assert answer.status_code == 401
    assert "name or the password is wrong" in answer.text
    answer = stranger.post("/api/sign-in", json=form)
    assert (answer.status_code, answer.json()["status"]) == (401, 401)


def test_guessing_is_slowed(service):
    stranger = service.client()
    codes = [
        stranger.post("/api/sign-in", json={"name": "victim", "password": f"guess {n}"}) for n in range(7)
    ]
    assert [answer.status_code for answer in codes[:5]] == [401] * 5
    assert codes[-1].status_code == 429
    assert int(codes[-1].headers["retry-after"]) > 0


def test_a_form_of_another_site_changes_nothing(service):
    client = service.client("dispatcher")
    answer = client.post(
        "/api/incidents",
        json={"kind": "theft", "lon": LON, "lat": LAT},
        headers={"origin": "http://evil.example"},
    )
    assert answer.status_code == 403


def test_a_sentence_received_over_tcp_is_a_unit_on_the_map(service, dispatcher):
    with service.receiver() as line:
        line.sendall(rmc(now_us(), LON, LAT, tag="s:patrol-07"))
        service.settle()
    features = dispatcher.get("/api/units").json()["features"]
    (car,) = [f for f in features if f["id"] == "patrol-07"]
    assert car["geometry"]["coordinates"] == pytest.approx([LON, LAT], abs=1e-6)
    assert (car["properties"]["call_sign"], car["properties"]["kind"]) == ("芦淞07", "patrol_car")
    inside = dispatcher.get("/api/units", params={"bbox": "113.13,27.83,113.14,27.84"}).json()
    outside = dispatcher.get("/api/units", params={"bbox": "113.2,27.83,113.3,27.84"}).json()
    assert "patrol-07" in [f["id"] for f in inside["features"]]
    assert outside["features"] == []


def test_a_track_by_time_window_comes_back_matched_to_the_roads(service, detective):
    start = now_us() // 1_000_000 * 1_000_000 - 3600 * 1_000_000
    streets, sentences = route(start)
    with service.receiver() as line:
        line.sendall(b"".join(sentences))
        service.settle()
    asked = {"datetime": window(start, start + 600 * 1_000_000)}
    plain = detective.get("/api/tracks/patrol-07", params=asked).json()
    assert [f["properties"]["role"] for f in plain["features"]] == ["fixes"]
    assert len(plain["features"][0]["geometry"]["coordinates"]) == len(sentences)
    matched = detective.get("/api/tracks/patrol-07", params=asked | {"match": "true"}).json()
    pieces = [f["properties"] for f in matched["features"] if f["properties"]["role"] == "path"]
    assert [edge for piece in pieces for edge in piece["edges"]] == streets
    assert not any(piece["inferred"] for piece in pieces)
    assert (service.rooms.settings.data_dir / "city.roads.car.ways").is_file()
    assert all(0 < piece["confidence"] <= 1 for piece in pieces)
    page = detective.get("/maps/tracks/patrol-07", params=asked)
    assert page.status_code == 200
    assert "leaflet" in page.text
    assert "芦淞07" in page.text


def test_the_end_of_a_window_is_not_included(service, detective):
    start = now_us() - 7200 * 1_000_000
    start -= start % 1_000_000
    with service.receiver() as line:
        line.sendall(
            b"".join(rmc(start + n * 1_000_000, LON, LAT + n * 1e-5, tag="s:taxi-1") for n in range(3))
        )
        service.settle()
    asked = {"datetime": window(start, start + 2_000_000)}
    track = detective.get("/api/tracks/taxi-1", params=asked).json()
    assert len(track["features"][0]["geometry"]["coordinates"]) == 2


def test_only_those_who_investigate_may_ask_for_tracks(service, dispatcher):
    answer = dispatcher.get("/api/tracks/patrol-07", params={"datetime": window(0, 1_000_000)})
    assert answer.status_code == 403
    assert "detective" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("2026-03-02T08:00:00+08:00", "is no window"),
        ("2026-03-02T08:00:00/2026-03-02T09:00:00", "no UTC offset"),
        ("2026-03-02T09:00:00Z/2026-03-02T08:00:00Z", "is not before end"),
        ("yesterday/today", "no RFC 3339 time"),
        ("2020-01-01T00:00:00Z/2026-01-01T00:00:00Z", "longer than 7 days"),
    ],
)
def test_a_malformed_window_is_refused_by_name(detective, asked, says):
    answer = detective.get("/api/tracks/patrol-07", params={"datetime": asked})
    body = answer.json()
    assert (answer.status_code, body["field"]) == (422, "datetime")
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in body["detail"]


@pytest.mark.parametrize("path", ["/api/units", "/api/incidents"])
@pytest.mark.parametrize(
    ("bbox", "says"),
    [
        ("113.0,27.7,nan,28.0", "not finite"),
        ("113.3,27.7,113.0,28.0", "swapped"),
        ("27.7,113.0,28.0,113.3", "latitudes lie in -90..90"),
        ("1,2,3", "not four numbers"),
    ],
)
def test_a_box_that_is_none_is_refused_by_name(dispatcher, path, bbox, says):
    answer = dispatcher.get(path, params={"bbox": bbox})
    assert (answer.status_code, answer.json()["field"]) == (422, "bbox")
    assert says in answer.json()["detail"]


def test_an_unknown_device_is_not_found(detective):
    answer = detective.get("/api/tracks/nobody", params={"datetime": window(0, 1_000_000)})
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "no device 'nobody'; GET /api/devices lists those there are",
    )


def test_a_known_device_that_was_silent_has_an_empty_track(detective):
    answer = detective.get(
        "/api/tracks/officer-3", params={"datetime": window(0, 1_000_000), "match": "true"}
    )
    assert answer.json() == {"type": "FeatureCollection", "features": []}


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


def test_the_live_stream_begins_with_the_picture_and_tells_what_changes(service, dispatcher):
    with dispatcher.stream("GET", "/api/live") as stream:
        told = events(stream.iter_lines())
        number, kind, picture = next(told)
        assert kind == "snapshot"
        assert {"I0", "I1", "I2"} <= {f["id"] for f in picture["incidents"]["features"]}
        with service.receiver() as line:
            line.sendall(rmc(now_us(), LON + 0.001, LAT, tag="s:officer-3"))
            _, kind, changed = next(told)
        assert (kind, [f["id"] for f in changed["features"]]) == ("units", ["officer-3"])
        # Once more when it has been matched to the roads.
        _, kind, changed = next(told)
        assert (kind, [one["device"] for one in changed["matched"]]) == ("matched", ["officer-3"])
        assert changed["matched"][0]["matched"]["edge"] in ("1>7", "7>1")
        made = dispatcher.post("/api/incidents", json={"kind": "fire", "lon": LON, "lat": LAT}).json()
        last, kind, incident = next(told)
        assert (kind, incident["id"]) == ("incident", made["id"])
    # Cut off before the incident, the client gets it again, and only what it missed.
    run, _, n = last.partition("-")
    with dispatcher.stream("GET", "/api/live", headers={"last-event-id": f"{run}-{int(n) - 1}"}) as stream:
        assert next(events(stream.iter_lines()))[:2] == (last, "incident")
    with dispatcher.stream("GET", "/api/live", headers={"last-event-id": "nonsense"}) as stream:
        assert next(events(stream.iter_lines()))[1] == "snapshot"
    assert number.startswith(run)


def test_the_live_stream_has_a_heartbeat(dispatcher):
    with dispatcher.stream("GET", "/api/live") as stream:
        for line in stream.iter_lines():
            if line.startswith(":"):
                break
        else:
            raise AssertionError("the stream ended without a heartbeat")


def test_an_unknown_device_waits_in_quarantine_until_it_is_admitted(service, dispatcher):
    sentence = rmc(now_us(), LON, LAT, tag="s:new-1")
    with service.receiver() as line:
        line.sendall(sentence)
        service.settle()
        (stranger,) = [s for s in dispatcher.get("/api/devices/quarantine").json() if s["key"] == "new-1"]
        assert stranger["bytes"] == len(sentence)
        assert stranger["last_sentence"] == sentence.decode().strip()
        assert "new-1" not in [f["id"] for f in dispatcher.get("/api/units").json()["features"]]
        admitted = dispatcher.post("/api/devices", json={"key": "new-1", "kind": "taxi", "name": "Taxi 1"})
        assert (admitted.status_code, admitted.json()["id"]) == (201, "new-1")
        line.sendall(rmc(now_us() + 1_000_000, LON, LAT, tag="s:new-1"))
        service.settle()
    (taxi,) = [f for f in dispatcher.get("/api/units").json()["features"] if f["id"] == "new-1"]
    assert taxi["properties"]["name"] == "Taxi 1"
    assert "new-1" not in [s["key"] for s in dispatcher.get("/api/devices/quarantine").json()]
    (device,) = [d for d in dispatcher.get("/api/devices").json() if d["id"] == "new-1"]
    assert device["last_seen"] is not None


def test_what_is_refused_is_counted_by_reason_and_device(service, dispatcher):
    with service.receiver() as line:
        line.sendall(rmc(now_us(), 0.0, 0.0, tag="s:officer-3"))
        line.sendall(rmc(now_us() + 3600 * 1_000_000, LON, LAT, tag="s:officer-3"))
        service.settle()
    (device,) = [d for d in dispatcher.get("/api/devices").json() if d["id"] == "officer-3"]
    assert sum(device["refused"].values()) == 2
    assert len(device["refused"]) == 2


def test_the_basemap_is_served_by_ranges(dispatcher):
    answer = dispatcher.get("/tiles/city.pmtiles", headers={"range": "bytes=256-259"})
    assert (answer.status_code, answer.content) == (206, bytes([0, 1, 2, 3]))
    assert answer.headers["content-range"] == "bytes 256-259/2048"
    assert dispatcher.head("/tiles/city.pmtiles").headers["accept-ranges"] == "bytes"


def test_no_page_names_another_host(service):
    admin = service.client("admin")
    for path in ("/", "/maps/live", "/quarantine", "/api/docs", "/sign-in"):
        text = admin.get(path).text
        assert re.findall(r"""(?:src|href)=["']?(?:https?:)?//[^"'\s>]+""", text) == []
        policy = admin.get(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'self'")


def test_every_route_is_documented(service):
    described = service.client("analyst").get("/api/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path}"


def test_an_error_a_person_meets_is_a_page(service):
    answer = service.client("detective").get(
        "/maps/tracks/nobody",
        params={"datetime": window(0, 1_000_000)},
        headers={"accept": "text/html"},
    )
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "no device" in answer.text


def test_a_session_expires(tmp_path):
    with running(tmp_path, session_hours=1 / 3600) as service:
        client = service.client("analyst")
        assert client.get("/api/units").status_code == 200
        time.sleep(1.1)
        assert client.get("/api/units").status_code == 401


def test_what_was_known_is_there_after_a_restart(tmp_path):
    at = now_us()
    with running(tmp_path) as service:
        admin = service.client("admin")
        assert admin.post("/api/devices", json={"key": "car-1", "kind": "patrol_car"}).status_code == 201
        made = admin.post("/api/incidents", json={"kind": "theft", "lon": LON, "lat": LAT}).json()
        with service.receiver() as line:
            line.sendall(rmc(at, LON, LAT, tag="s:car-1"))
            service.settle()
    with running(tmp_path) as service:
        admin = service.client("admin")
        assert [f["id"] for f in admin.get("/api/units").json()["features"]] == ["car-1"]
        assert [f["id"] for f in admin.get("/api/incidents").json()["features"]] == [made["id"]]
        start = datetime.now(UTC) - timedelta(hours=1)
        asked = f"{start.isoformat()}/{(start + timedelta(hours=2)).isoformat()}"
        track = admin.get("/api/tracks/car-1", params={"datetime": asked}).json()
        assert len(track["features"][0]["properties"]["times"]) == 1
        unmatched = admin.get("/api/tracks/car-1", params={"datetime": asked, "match": "true"})
        assert unmatched.status_code == 503
        assert "import-roads" in unmatched.json()["detail"]
