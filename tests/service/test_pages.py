"""Pages, tiles and the description of the interface; and what is there after a restart."""

import re
import time
from datetime import UTC, datetime, timedelta

from geo_policing.model import format_instant
from tests.ingest.lines import rmc
from tests.service.running import running

LON, LAT = 113.131, 27.831


def now_us():
    return time.time_ns() // 1_000


def window(start_us, end_us):
    return f"{format_instant(start_us)}/{format_instant(end_us)}"


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
