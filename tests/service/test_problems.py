import json
import unicodedata
from http import HTTPStatus

import httpx
import pytest
from fastapi import FastAPI

from geo_policing import errors
from geo_policing.model import BoundingBox, IncidentState, TimeWindow
from geo_policing.service import problems
from tests.service.running import PASSWORD


@pytest.fixture
async def client():
    app = FastAPI(openapi_url=None)
    problems.install(app)

    @app.get("/raise/{name}")
    async def fail(name: str) -> None:
        raise {
            "not_found": errors.NotFound("device", "car"),
            "transition": errors.IllegalTransition(
                "reported", "closed", tuple(IncidentState.REPORTED.may_follow)
            ),
            "stranger": errors.NotSignedIn("sign in first"),
            "role": errors.NotAllowed("this needs the role admin"),
            "disk": errors.Unavailable("the disk is full"),
            "bug": ZeroDivisionError("secret detail"),
        }[name]

    @app.get("/number")
    async def number(limit: int) -> int:
        return limit

    @app.get("/window")
    async def window(datetime: str) -> None:
        TimeWindow.parse(datetime)

    @app.get("/box")
    async def box(bbox: str) -> None:
        BoundingBox.parse(bbox)

    # An unforeseen error is answered and then raised again, for the server's log.
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


@pytest.mark.parametrize(
    ("name", "status", "detail"),
    [
        ("not_found", 404, "no device 'car'"),
        ("transition", 409, "'closed' may not follow 'reported'"),
        ("stranger", 401, "sign in first"),
        ("role", 403, "this needs the role admin"),
        ("disk", 503, "the disk is full"),
    ],
)
async def test_each_error_has_its_status_and_says_what_happened(client, name, status, detail):
    answer = await client.get(f"/raise/{name}")
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert detail in answer.json()["detail"]


async def test_a_fault_of_ours_tells_a_stranger_nothing(client):
    answer = await client.get("/raise/bug")
    assert answer.status_code == 500
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("url", "field", "value"),
    [
        ("/window?datetime=yesterday", "datetime", "yesterday"),
        ("/box?bbox=nan,1,2,3", "bbox", "nan,1,2,3"),
        ("/number?limit=many", "limit", "many"),
    ],
)
async def test_bad_input_is_named_by_field_and_value(client, url, field, value):
    answer = await client.get(url)
    assert answer.status_code == 422
    assert (answer.json()["field"], answer.json()["value"]) == (field, value)


async def test_an_unknown_address_is_a_problem_document_as_well(client):
    answer = await client.get("/nowhere")
    assert answer.status_code == 404
    assert answer.json()["title"] == "Not Found"


JSON = {"content-type": "application/json"}
HALF = '"\\ud800"'


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/sign-in", f'{{"name": {HALF}, "password": "x"}}'),
        ("/api/sign-in", f'{{"name": "x", "password": {HALF}}}'),
        ("/api/sign-in", f'{{"name": "x", {HALF}: "x"}}'),
        ("/api/incidents", f'{{"kind": {HALF}, "lon": 113.1, "lat": 27.8}}'),
        ("/api/incidents", f'{{"kind": "x", "lon": {HALF}, "lat": 27.8}}'),
        ("/api/incidents", f'{{"kind": "x", "lon": 113.1, "lat": 27.8, "severity": {HALF}}}'),
        ("/api/incidents", f'{{"kind": "x", "lon": 113.1, "lat": 27.8, "occurred": {HALF}}}'),
        ("/api/incidents", f'{{"kind": "x", "lon": 113.1, "lat": 27.8, "crs": {HALF}}}'),
        ("/api/incidents", f'{{"kind": "x", "lon": 113.1, "lat": 27.8, {HALF}: 1}}'),
        ("/api/incidents", f'{{"kind": "x", "lon": 113.1, "lat": 27.8, "a\\n\\u0007": {HALF}}}'),
        ("/api/incidents/I0/state", f'{{"state": {HALF}}}'),
        ("/api/incidents/I0/state", f'{{"state": "accepted", "note": {HALF}}}'),
        ("/api/devices", f'{{"key": {HALF}}}'),
        ("/api/devices", f'{{"key": "x", "device": {HALF}}}'),
        ("/api/devices", f'{{"key": "x-1", "kind": {HALF}}}'),
        ("/api/devices", f'{{"key": "x-1", "name": {HALF}}}'),
    ],
)
def test_half_a_surrogate_pair_is_refused_and_told_as_a_character_that_can_be(service, path, body):
    answer = service.client("admin").post(path, content=body, headers=JSON)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"
    for text in (answer.json()["detail"], answer.json().get("value", ""), answer.json().get("field", "")):
        assert not any(unicodedata.category(c) in {"Cc", "Cs"} for c in text)


async def test_what_cannot_be_written_is_replaced_however_deep():
    answer = problems.problem(422, "a\ud800b\x00c\n", errors=[{"field\udfff": "\x9f"}], count=1)
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": HTTPStatus(422).phrase,
        "status": 422,
        "detail": "a\ufffdb\ufffdc\ufffd",
        "errors": [{"field\ufffd": "\ufffd"}],
        "count": 1,
    }


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b'{"name": ', 422, "Expecting value at character 9"),
        (b"", 422, "missing; send a JSON object with: name, password"),
        (b"name=a&password=b", 422, "no JSON: Expecting value at character 0"),
        (b'{"name": "\xff"}', 400, "send JSON in UTF-8"),
        (b"[" * 200_000, 400, "recursion"),
        (b'{"name": ' + b"9" * 5000 + b"}", 400, "send JSON in UTF-8"),
        (b"17", 422, "no JSON object; send a JSON object with: name, password"),
    ],
)
def test_a_body_that_cannot_be_read_is_named_and_what_is_wrong_with_it(service, content, status, says):
    answer = service.client().post("/api/sign-in", content=content, headers=JSON)
    assert (answer.status_code, answer.json()["field"]) == (status, "body")
    assert says in answer.json()["detail"]
    assert len(answer.text) < 1000


@pytest.mark.parametrize(
    "content",
    [
        b'{"password": "hunter2-hunter2"}',
        b'{"name": 1, "password": "hunter2-hunter2"}',
        b'{"name": "x", "password": {"hunter2-hunter2": 1}}',
        b'{"name": "x", "password": ["hunter2-hunter2"]}',
        b'"hunter2-hunter2"',
        b'{"name": "x", "password": "' + b"hunter2-hunter2" * 100 + b'"}',
        b'{"name": "x", "password": "hunter2-hunter2"',
    ],
)
def test_a_password_is_never_told_again(service, content):
    for headers in (JSON, {}):
        answer = service.client().post("/api/sign-in", content=content, headers=headers)
        assert answer.status_code == 422
        assert "hunter2" not in answer.text


def test_many_faults_of_one_body_are_told_in_few_words(service):
    call = {"kind": "x", "lon": 113.1, "lat": 27.8} | {f"more-{n}" * 100: 1 for n in range(1000)}
    answer = service.client("dispatcher").post("/api/incidents", json=call)
    assert answer.status_code == 422
    assert len(answer.text) < 20_000


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/api/devices", "GET, POST"),
        ("DELETE", "/api/incidents/I0", "GET"),
        ("GET", "/api/sign-out", "POST"),
        ("PUT", "/sign-in", "GET, POST"),
        ("POST", "/health", "GET, HEAD"),
        ("POST", "/tiles/city.pmtiles", "GET, HEAD"),
        ("POST", "/assets/leaflet/leaflet.js", "GET, HEAD"),
    ],
)
def test_a_method_that_a_page_has_not_is_answered_with_those_it_has(service, method, path, allow):
    answer = service.client("admin").request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.headers["content-type"] == "application/problem+json"


def test_health_answers_head(service):
    answer = service.client().head("/health")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_fault_of_ours_is_kept_by_no_browser_either(service, monkeypatch):
    monkeypatch.setattr(service.rooms.picture, "units", lambda _: 1 / 0)
    answer = service.client("analyst").get("/api/units")
    assert (answer.status_code, answer.headers["cache-control"]) == (500, "no-store")
    assert "default-src 'self'" in answer.headers["content-security-policy"]


BROWSER = {"accept": "text/html,application/xhtml+xml"}


@pytest.mark.parametrize(
    ("form", "status", "says"),
    [
        ({}, 401, "the name or the password is wrong"),
        ({"name": "somebody"}, 401, "the name or the password is wrong"),
        ({"name": "n" * 5000, "password": "p" * 5000}, 401, "the name or the password is wrong"),
        ({"name": "\ud800".encode("utf-8", "surrogatepass"), "password": "p"}, 401, "is wrong"),
    ],
)
def test_a_sign_in_that_fails_comes_back_as_the_form(service, form, status, says):
    answer = service.client().post("/sign-in", data=form, headers=BROWSER)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert says in answer.text
    assert '<form method="post" action="/sign-in">' in answer.text
    assert len(answer.text) < 10_000


def test_too_many_sign_ins_come_back_as_the_form_and_say_how_long_to_wait(service):
    form = {"name": "guessed-at", "password": "guess"}
    answers = [service.client().post("/sign-in", data=form, headers=BROWSER) for _ in range(6)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert '<form method="post" action="/sign-in">' in answers[-1].text


def test_what_is_no_form_at_all_is_a_page(service):
    parts = {"name": ("a.txt", b"a"), "password": ("b.txt", b"b")}
    answer = service.client().post("/sign-in", files=parts, headers=BROWSER)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/a\r\nX: y",
        "/\tx",
        "/" + "x" * 2000,
        "/sign-out",
        "",
    ],
)
def test_a_forged_address_to_go_back_to_leads_to_the_start_page(service, elsewhere):
    stranger = service.client()
    form = stranger.get("/sign-in", params={"next": elsewhere})
    assert form.status_code == 200
    assert '<input type="hidden" name="next" value="/">' in form.text
    answer = stranger.post("/sign-in", data={"name": "a-admin", "password": PASSWORD, "next": elsewhere})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
