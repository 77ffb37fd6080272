"""Where devices are and were, from a sentence on the line to the map, the stream and the track."""

import time

import pytest

from geo_policing.model import format_instant
from tests.ingest.lines import rmc
from tests.service.running import events, route

LON, LAT = 113.131, 27.831


def now_us():
    return time.time_ns() // 1_000


def window(start_us, end_us):
    return f"{format_instant(start_us)}/{format_instant(end_us)}"


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
