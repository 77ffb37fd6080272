"""Who gets in: strangers, passwords, sessions, and pages of other sites."""

import re
from urllib.parse import quote

from geo_policing.access.access import wall_clock_us
from tests.service.running import running

LON, LAT = 113.131, 27.831


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


def test_a_session_expires(tmp_path, monkeypatch):
    with running(tmp_path, session_hours=0.5) as service:
        client = service.client("analyst")
        signed_in = wall_clock_us()
        for minutes, status in ((0, 200), (25, 200), (30, 401)):
            now_us = signed_in + minutes * 60_000_000
            monkeypatch.setattr(service.rooms.access, "_clock", lambda now_us=now_us: now_us)
            assert client.get("/api/units").status_code == status
