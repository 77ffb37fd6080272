"""Errors over HTTP: RFC 9457 problem details. The one table from what happened to a status."""

import logging
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

from geo_policing.errors import (
    AccessDenied,
    Conflict,
    GeoPolicingError,
    InvalidInput,
    NotFound,
    NotSignedIn,
    TooManyAttempts,
    Unavailable,
)
from geo_policing.service.pages import page

log = logging.getLogger(__name__)

#: What every answer says unless it says otherwise. Scripts and styles of folium's pages stand in the page
#: itself; nothing may be fetched from elsewhere.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

#: The first that fits is taken, so the narrower stands before the wider.
STATUS: tuple[tuple[type[GeoPolicingError], HTTPStatus], ...] = (
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (NotSignedIn, HTTPStatus.UNAUTHORIZED),
    (TooManyAttempts, HTTPStatus.TOO_MANY_REQUESTS),
    (AccessDenied, HTTPStatus.FORBIDDEN),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (GeoPolicingError, HTTPStatus.INTERNAL_SERVER_ERROR),
)


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Control characters, and halves of surrogate pairs, which no encoding can write.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LONGEST = 200  # characters of a value that are told again
_MOST = 20  # faults of one request that are told


def problem(status: int, detail: str, *, request: Request | None = None, **members: Any) -> Response:
    """Make a response of type ``application/problem+json``.

    Parameters
    ----------
    status : int
        HTTP status.
    detail : str
        What is wrong and what to do.
    request : Request, optional
        What was asked for; a browser that asked for a page gets one.
    **members
        More members of the problem, like ``field`` and ``value``.

    Control characters and lone surrogates, which were in what was sent, are replaced by U+FFFD.
    """
    title, detail = HTTPStatus(status).phrase, _printable(detail)
    if request is not None and _wants_page(request):
        return page("problem.html", status, title=title, detail=detail)
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return JSONResponse(body | _printable(members), status, headers, media_type="application/problem+json")


def _printable(value: Any) -> Any:
    """Replace what cannot be written or shown, in texts however deep."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_printable(key): _printable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_printable(one) for one in value]
    return value


def _wants_page(request: Request) -> bool:
    path, accept = request.url.path, request.headers.get("accept", "")
    return request.method in {"GET", "POST"} and "text/html" in accept and not path.startswith("/api/")


def status_of(error: GeoPolicingError) -> HTTPStatus:
    """HTTP status of an error of ours."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def install(app: FastAPI) -> None:
    """Make every error of an application a problem document."""

    @app.exception_handler(GeoPolicingError)
    async def ours(request: Request, error: GeoPolicingError) -> Response:
        members: dict[str, Any] = {}
        if isinstance(error, InvalidInput) and error.field is not None:
            members = {"field": error.field}
            if error.value is not None:
                members["value"] = str(error.value)[:_LONGEST]
        answer = problem(status_of(error), str(error), request=request, **members)
        if isinstance(error, TooManyAttempts):
            answer.headers["Retry-After"] = str(error.wait_s)
        return answer

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        wrong = [_wrong(one) for one in error.errors()[:_MOST]]
        first = wrong[0]
        return problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{first['field']}: {first['detail']}",
            request=request,
            **{name: first[name] for name in ("field", "value") if name in first},
            errors=[{"field": one["field"], "detail": one["detail"]} for one in wrong],
        )

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        cause = error.__cause__
        if error.status_code == HTTPStatus.BAD_REQUEST and isinstance(cause, ValueError | RecursionError):
            # Neither JSON nor a form, in a way that FastAPI has no words for.
            detail = f"body: cannot be read ({cause}); send JSON in UTF-8"
            return problem(HTTPStatus.BAD_REQUEST, detail, request=request, field="body")
        answer = problem(error.status_code, str(error.detail), request=request)
        answer.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Of routes that share a path only the first has spoken, and files have said nothing.
            answer.headers["Allow"] = ", ".join(_allowed(request)) or "GET, HEAD"
        return answer

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        answer = problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed; its log says why", request=request
        )
        # Made outside of all middleware.
        answer.headers.update(HEADERS)
        return answer


def _wrong(error: dict[str, Any]) -> dict[str, str]:
    """Say of one fault of a request which field it is, what is wrong, and what was given if that is short."""
    place = [str(part)[:_LONGEST] for part in error["loc"]]
    if error["type"] == "json_invalid":
        return {"field": "body", "detail": f"no JSON: {error['ctx']['error']} at character {error['loc'][1]}"}
    field = ".".join(place[1:]) or place[0]
    said = {"field": field, "detail": error["msg"]}
    given = error.get("input")
    # A whole body is nobody's value, and a password is told to nobody again.
    if len(place) > 1 and isinstance(given, str | int | float) and place[-1] != "password":
        said["value"] = str(given)[:_LONGEST]
    return said


def _allowed(request: Request) -> Iterator[str]:
    """Yield the methods of the page that was asked for."""
    asked = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": []}
    for method in _METHODS:
        routes = (route for route in request.app.routes if not isinstance(route, Mount))
        if any(route.matches(asked | {"method": method})[0] is Match.FULL for route in routes):
            yield method
