"""Errors over HTTP: RFC 9457 problem details. The one table from what happened to a status."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from geo_policing.errors import (
    AccessDenied,
    Conflict,
    GeoPolicingError,
    InvalidInput,
    NotFound,
    NotSignedIn,
    Unavailable,
)

log = logging.getLogger(__name__)

#: The first that fits is taken, so the narrower stands before the wider.
STATUS: tuple[tuple[type[GeoPolicingError], HTTPStatus], ...] = (
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (NotSignedIn, HTTPStatus.UNAUTHORIZED),
    (AccessDenied, HTTPStatus.FORBIDDEN),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (GeoPolicingError, HTTPStatus.INTERNAL_SERVER_ERROR),
)


def problem(status: int, detail: str, **members: Any) -> JSONResponse:
    """Make a response of type ``application/problem+json``.

    Parameters
    ----------
    status : int
        HTTP status.
    detail : str
        What is wrong and what to do.
    **members
        More members of the problem, like ``field`` and ``value``.
    """
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return JSONResponse(body | members, status, headers, media_type="application/problem+json")


def status_of(error: GeoPolicingError) -> HTTPStatus:
    """HTTP status of an error of ours."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def install(app: FastAPI) -> None:
    """Make every error of an application a problem document."""

    @app.exception_handler(GeoPolicingError)
    async def ours(_: Request, error: GeoPolicingError) -> JSONResponse:
        members: dict[str, Any] = {}
        if isinstance(error, InvalidInput) and error.field is not None:
            members = {"field": error.field, "value": str(error.value)}
        return problem(status_of(error), str(error), **members)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        wrong = [
            {"field": ".".join(str(part) for part in e["loc"][1:]), "detail": e["msg"]}
            for e in error.errors()
        ]
        return problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{field}: {first['msg']}",
            field=field,
            value=str(first.get("input"))[:200],
            errors=wrong,
        )

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail))

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed; its log says why")
