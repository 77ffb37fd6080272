import httpx
import pytest
from fastapi import FastAPI

from geo_policing import errors
from geo_policing.model import BoundingBox, IncidentState, TimeWindow
from geo_policing.service import problems


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
