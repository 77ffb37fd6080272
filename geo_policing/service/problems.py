"""Errors over HTTP: RFC 9457 problem details. The one table from what happened to a status."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

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
    """
    if request is not None and _wants_page(request):
        return page("problem.html", status, title=HTTPStatus(status).phrase, detail=detail)
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return JSONResponse(body | members, status, headers, media_type="application/problem+json")


def _wants_page(request: Request) -> bool:
    path, accept = request.url.path, request.headers.get("accept", "")
    return request.method == "GET" and "text/html" in accept and not path.startswith("/api/")


def status_of(error: GeoPolicingError) -> HTTPStatus:
    """HTTP status of an error of ours."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def install(app: FastAPI) -> None:
    """Make every error of an application a problem document."""

    @app.exception_handler(GeoPolicingError)
    async def ours(request: Request, error: GeoPolicingError) -> Response:
        members: dict[str, Any] = {}
        if isinstance(error, InvalidInput) and error.field is not None:
            members = {"field": error.field, "value": str(error.value)}
        answer = problem(status_of(error), str(error), request=request, **members)
        if isinstance(error, TooManyAttempts):
            answer.headers["Retry-After"] = str(error.wait_s)
        return answer

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        wrong = [
            {"field": ".".join(str(part) for part in e["loc"][1:]), "detail": e["msg"]}
            for e in error.errors()
        ]
        return problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{field}: {first['msg']}",
            request=request,
            field=field,
            value=str(first.get("input"))[:200],
            errors=wrong,
        )

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), request=request)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed; its log says why", request=request
        )
