"""Signing in and out."""

from http import HTTPStatus
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from geo_policing.errors import GeoPolicingError, TooManyAttempts
from geo_policing.model import Role, format_instant
from geo_policing.model.account import MAX_NAME
from geo_policing.service.dependencies import Asking, InRooms
from geo_policing.service.guard import COOKIE, token_of
from geo_policing.service.pages import page
from geo_policing.service.problems import status_of

router = APIRouter(tags=["sign-in"])

_LONGEST = 2000  # characters of an address that is gone back to


class Credentials(BaseModel):
    """Name and password."""

    name: str = Field(max_length=200)
    password: str = Field(max_length=1000)


class Session(BaseModel):
    """A session: send the token as ``Authorization: Bearer …``."""

    token: str
    expires: str = Field(description="RFC 3339.")
    name: str
    role: Role


@router.post("/api/sign-in")
def open_session(request: Request, rooms: InRooms, credentials: Annotated[Credentials, Body()]) -> Session:
    """Open a session for a program."""
    found = rooms.access.sign_in(credentials.name, credentials.password, _client(request))
    return Session(
        token=found.token,
        expires=format_instant(found.expires_us),
        name=found.account.name,
        role=found.account.role,
    )


@router.get("/sign-in", response_class=HTMLResponse, include_in_schema=False)
def show_sign_in(next: str = "/") -> HTMLResponse:  # noqa: A002 - the parameter's name in the address
    """Show the form."""
    return page("sign-in.html", next=_ours(next), error="", name="")


@router.post("/sign-in", include_in_schema=False, response_model=None)
def sign_in(
    request: Request,
    rooms: InRooms,
    # Whatever was typed comes back as the form with a message, so nothing is refused before that.
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the form's name for it
) -> RedirectResponse | HTMLResponse:
    """Open a session for a browser and go where it wanted to."""
    try:
        found = rooms.access.sign_in(name, password, _client(request))
    except GeoPolicingError as error:
        form = page(
            "sign-in.html", status_of(error), next=_ours(next), error=str(error), name=name[:MAX_NAME]
        )
        if isinstance(error, TooManyAttempts):
            form.headers["Retry-After"] = str(error.wait_s)
        return form
    answer = RedirectResponse(_ours(next), HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        COOKIE,
        found.token,
        max_age=int(rooms.settings.session_hours * 3600),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/sign-out", include_in_schema=False)
def sign_out(request: Request, rooms: InRooms, _: Asking) -> RedirectResponse:
    """End the session of a browser."""
    rooms.access.sign_out(token_of(request))
    answer = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer


@router.post("/api/sign-out")
def close_session(request: Request, rooms: InRooms, _: Asking) -> JSONResponse:
    """End the session of a program."""
    rooms.access.sign_out(token_of(request))
    return JSONResponse({"signed_out": True})


def _client(request: Request) -> str:
    """Return who asks: an IPv4 address, or the network that one IPv6 host has to itself."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))
    return host


def _ours(address: str) -> str:
    """Return the address if it is a page of this service, else the start page: nobody is led elsewhere."""
    elsewhere = not address.startswith("/") or address.startswith(("//", "/\\", "/sign-"))
    if elsewhere or not address.isprintable() or len(address) > _LONGEST:
        return "/"
    return quote(address, safe="/?&=%:+-._~,@")
