"""What strangers, foreign pages and broken clients meet at the door of a real service."""

import contextlib
import socket

import httpx
import pytest

from geo_policing.errors import Unavailable
from geo_policing.service.guard import MAX_BODY, SHORT_BODY, Guard
from tests.service.running import PASSWORD, running

SIGN_IN = {"name": "a-admin", "password": PASSWORD}


def answered(service, *parts):
    """Say bytes to the service, and return what it answers until it hangs up."""
    address = httpx.URL(service.base)
    with socket.create_connection((address.host, address.port), timeout=20) as line:
        # It may hang up while we still speak.
        with contextlib.suppress(OSError):
            for part in parts:
                line.sendall(part)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := line.recv(65536):
                answer += chunk
    return answer.decode()


def head(*lines):
    return "\r\n".join([*lines, "host: x", "", ""]).encode()


@pytest.mark.parametrize("path", ["/api/sign-in", "/sign-in", "/api/incidents", "/no/such/page"])
def test_a_body_announced_too_long_is_refused_unread(service, path):
    said = answered(
        service,
        head(f"POST {path} HTTP/1.1", f"content-length: {MAX_BODY + 1}", "content-type: application/json"),
    )
    assert said.startswith("HTTP/1.1 413 ")
    assert "connection: close" in said.lower()
    assert "application/problem+json" in said
    assert "longer than 1 MiB; send less" in said


def test_a_body_that_grows_too_long_is_refused_when_it_does(service):
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    said = answered(
        service,
        head("POST /api/sign-in HTTP/1.1", "transfer-encoding: chunked", "content-type: application/json"),
        *[piece] * 1000,
    )
    assert said.startswith("HTTP/1.1 413 ")
    assert "connection: close" in said.lower()


def test_a_body_of_the_longest_length_is_read(service):
    body = b'{"name": "a-admin", "password": "%s"}' % PASSWORD.encode()
    answer = service.client().post(
        "/api/sign-in", content=body.ljust(MAX_BODY), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200


def test_a_connection_whose_body_nobody_reads_is_closed(service):
    said = answered(service, head("POST /api/units HTTP/1.1", "transfer-encoding: chunked"))
    assert said.startswith("HTTP/1.1 401 ")


def test_who_is_refused_with_a_short_body_gets_the_answer_and_keeps_the_connection(service):
    client = service.client()
    for _ in range(3):
        answer = client.post("/api/incidents", content=b"x" * SHORT_BODY)
        assert answer.status_code == 401
        assert "connection" not in answer.headers


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://[", "", "http://"])
@pytest.mark.parametrize("path", ["/sign-in", "/api/sign-in"])
def test_a_foreign_page_signs_nobody_in(service, path, origin):
    form = {"data": SIGN_IN} if path == "/sign-in" else {"json": SIGN_IN}
    answer = service.client().post(path, headers={"origin": origin}, **form)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert "another site" in answer.json()["detail"]


def test_a_page_of_ours_signs_in(service):
    answer = service.client().post("/sign-in", headers={"origin": service.base}, data=SIGN_IN)
    assert answer.status_code == 303


def test_a_script_that_names_no_host_changes_nothing(service):
    # HTTP/1.0 needs no host; with an origin that has none either, nothing is compared with nothing.
    said = answered(service, b"POST /api/sign-out HTTP/1.0\r\norigin: null\r\n\r\n")
    assert " 403 " in said.splitlines()[0]


@pytest.mark.parametrize(
    ("path", "status", "kept"),
    [
        ("/assets/leaflet/leaflet.js", 200, True),
        ("/tiles/city.pmtiles", 200, True),
        ("/assets/no-such-file.js", 404, False),
        ("/tiles/other.pmtiles", 404, False),
        ("/api/units", 200, False),
        ("/", 200, False),
        ("/health", 200, False),
    ],
)
def test_only_what_is_found_of_assets_and_tiles_is_kept_by_browsers(service, path, status, kept):
    answer = service.client("analyst").get(path)
    assert answer.status_code == status
    assert answer.headers["cache-control"] == ("private, max-age=300" if kept else "no-store")


def test_a_stranger_s_answer_about_tiles_is_not_kept(service):
    answer = service.client().get("/tiles/city.pmtiles")
    assert (answer.status_code, answer.headers["cache-control"]) == (401, "no-store")


def test_parts_and_what_has_not_changed_are_kept(service):
    client = service.client("analyst")
    part = client.get("/tiles/city.pmtiles", headers={"range": "bytes=0-3"})
    assert (part.status_code, part.headers["cache-control"]) == (206, "private, max-age=300")
    etag = client.get("/assets/leaflet/leaflet.js").headers["etag"]
    same = client.get("/assets/leaflet/leaflet.js", headers={"if-none-match": etag})
    assert (same.status_code, same.headers["cache-control"]) == (304, "private, max-age=300")


async def passed(scope):
    """Send a scope to a guard; return what it sends, and what it hands on."""
    sent, handed = [], []

    async def app(scope, receive, send):
        handed.append(scope["type"])

    async def receive():
        return {"type": f"{scope['type']}.connect"}

    async def send(message):
        sent.append(message["type"])

    await Guard(app)(scope, receive, send)
    return sent, handed


async def test_a_web_socket_is_closed_before_it_is_open():
    assert await passed({"type": "websocket", "path": "/api/live"}) == (["websocket.close"], [])


async def test_only_the_life_of_the_application_passes_beside_http():
    assert await passed({"type": "lifespan"}) == ([], ["lifespan"])
    with pytest.raises(ValueError, match="no scope"):
        await passed({"type": "gopher"})


def test_a_store_that_fails_at_the_door_is_said_as_such(service, monkeypatch):
    def gone(*_):
        raise Unavailable("records cannot be used (disk I/O error); check the folder")

    client = service.client("analyst")
    monkeypatch.setattr(service.rooms.access._sessions, "find", gone)
    answer = client.get("/api/units")
    assert (answer.status_code, answer.json()["status"]) == (503, 503)
    assert answer.headers["cache-control"] == "no-store"


PROXIED = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.7"}


def test_what_a_client_says_of_where_it_is_from_is_not_believed(service):
    answer = service.client().post("/sign-in", data=SIGN_IN, headers=PROXIED)
    assert answer.status_code == 303
    assert "secure" not in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(("proxies", "believed"), [("127.0.0.1", True), ("10.0.0.0/8", False)])
def test_a_proxy_that_is_named_is_believed(tmp_path, proxies, believed):
    with running(tmp_path, forwarded_allow_ips=proxies) as service:
        answer = service.client().post("/sign-in", data=SIGN_IN, headers=PROXIED)
        assert answer.status_code == 303
        assert ("secure" in answer.headers["set-cookie"].lower()) is believed
