"""Errors over HTTP: RFC 9457 problem details. The one table from what happened to a status."""

import logging
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic.fields import FieldInfo
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

from geo_policing.errors import (
    AccessDenied,
    Conflict,
    GeoPolicingError,
    IllegalTransition,
    InvalidInput,
    NotFound,
    NotSignedIn,
    TookTooLong,
    TooManyAttempts,
    Unavailable,
)
from geo_policing.service.pages import page
from geo_policing.service.parameters import fields_of

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
    # As others answer that stop a question for the time it takes, like Overpass and PostgREST.
    (TookTooLong, HTTPStatus.GATEWAY_TIMEOUT),
    (GeoPolicingError, HTTPStatus.INTERNAL_SERVER_ERROR),
)


#: Where one reads what there is, by the kind of what was not found.
_THERE = {
    "device": "; GET /api/devices lists those there are",
    "incident": "; GET /api/incidents lists those there are",
    "line in quarantine": "; GET /api/devices/quarantine lists those there are",
    "reconstruction": "; GET /api/reconstructions?case=… lists those of a case",
    "search": "; GET /api/investigations/CASE/searches lists those of a case",
    "basemap": "; make one with `geo-policing build-tiles` and start the service with it",
}
#: The field that named what was not found, where it is called otherwise.
_HELD_IN = {"line in quarantine": "key", "basemap": "path", "reconstruction": "key", "search": "key"}

_NUMBER = "is no number; write digits, like 113.13"
_WHOLE = "is no whole number; write digits, like 100"
_CHOICE = "is not possible; write {expected}"
_OBJECT = "is no object; write it in curly braces"
#: What is wrong and what to do, by pydantic's type of error; its ``ctx`` fills the braces.
_SAYS = {
    "bool_parsing": "is neither true nor false; write one of them",
    "bool_type": "is neither true nor false; write one of them",
    "dict_type": _OBJECT,
    "enum": _CHOICE,
    "finite_number": "is no finite number; write digits, like 113.13",
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "greater_than": "is too small; give more than {gt}",
    "greater_than_equal": "is too small; give {ge} or more",
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_type": _WHOLE,
    "less_than": "is too large; give less than {lt}",
    "less_than_equal": "is too large; give {le} or less",
    "list_type": "is no list; write it in square brackets",
    "literal_error": _CHOICE,
    "model_attributes_type": _OBJECT,
    "model_type": _OBJECT,
    "string_too_long": "is too long; give {max_length} characters or fewer",
    "string_too_short": "is too short; give {min_length} characters or more",
    "string_type": "is no text; write it in quotes",
    "string_unicode": "is no text in UTF-8; leave out what is no character",
    "too_long": "has {actual_length} entries; give {max_length} or fewer",
    "too_short": "has {actual_length} entries; give {min_length} or more",
}

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Control characters, and halves of surrogate pairs, which no encoding can write.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LONGEST = 200  # characters of a value that are told again
_SHORT = 60  # characters of a value that a sentence holds
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
        remedy = _THERE.get(error.kind, "") if isinstance(error, NotFound) else ""
        answer = problem(status_of(error), f"{error}{remedy}", request=request, **_members(error))
        if isinstance(error, TooManyAttempts):
            answer.headers["Retry-After"] = str(error.wait_s)
        return answer

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        wrong = [_wrong(one, request) for one in error.errors()[:_MOST]]
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
        detail, members, headers = str(error.detail), {}, dict(error.headers or {})
        path = request.url.path[:_LONGEST]
        if error.status_code == HTTPStatus.NOT_FOUND:
            detail = f"nothing is at {path}; correct it, / is the start and /api/docs says what there is"
            members = {"field": "path", "value": path}
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Of routes that share a path only the first has spoken, and files have said nothing.
            headers["Allow"] = ", ".join(_allowed(request)) or "GET, HEAD"
            method = request.method[:_LONGEST]
            detail = f"{method} is not for {path}; it takes {headers['Allow']}"
            members = {"field": "method", "value": method}
        answer = problem(error.status_code, detail, request=request, **members)
        answer.headers.update(headers)
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


def _members(error: GeoPolicingError) -> dict[str, Any]:
    """Return the field and the value that were wrong, where one was."""
    if isinstance(error, NotFound):
        return {"field": _HELD_IN.get(error.kind, error.kind), "value": error.key[:_LONGEST]}
    if isinstance(error, IllegalTransition):
        return {"field": "state", "value": error.wanted}
    if not isinstance(error, InvalidInput) or error.field is None:
        return {}
    value = {} if error.value is None else {"value": str(error.value)[:_LONGEST]}
    return {"field": error.field, **value}


def _wrong(error: dict[str, Any], request: Request) -> dict[str, str]:
    """Say of one fault of a request which field it is, what is wrong, and what was given if that is short."""
    place = [str(part)[:_LONGEST] for part in error["loc"]]
    if error["type"] == "json_invalid":
        detail = f"no JSON: {error['ctx']['error']} at character {error['loc'][1]}; correct it there"
        return {"field": "body", "detail": detail}
    field = ".".join(place[1:]) or place[0]
    said = {"field": field, "detail": _says(error, request)}
    given = error.get("input")
    # A whole body is nobody's value, and a password is told to nobody again.
    if len(place) > 1 and isinstance(given, str | int | float) and place[-1] != "password":
        said["value"] = str(given)[:_LONGEST]
    return said


def _says(error: dict[str, Any], request: Request) -> str:
    """Say what is wrong with a field, its value where it is short, and what to do."""
    place, name, kind = str(error["loc"][0]), str(error["loc"][-1]), error["type"]
    known = fields_of(request, place)
    if len(error["loc"]) == 1 and place == "body":
        return _says_of_body(kind, request, known)
    if kind == "missing" or (kind == "string_too_short" and error["input"] == ""):
        return f"{'missing' if kind == 'missing' else 'empty'}; give it{_like(known.get(name))}"
    if kind == "extra_forbidden":
        # What there is within a field is not known here.
        there = f", there are: {', '.join(known)}" if len(error["loc"]) == 2 else ""
        return f"no such field; leave it out or correct it{there}"
    context = error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind not in _SAYS:
        return str(error["msg"])
    given = error.get("input")
    told = isinstance(given, str | int | float) and name != "password" and len(str(given)) <= _SHORT
    return f"{repr(given) if told else 'what was given'} {_SAYS[kind].format(**context)}"


def _says_of_body(kind: str, request: Request, known: dict[str, FieldInfo]) -> str:
    """Say what is wrong with a body as a whole."""
    needs = f"JSON object with: {', '.join(known)}" if known else "JSON object"
    media = request.headers.get("content-type", "")
    if kind == "missing":
        return f"missing; send a {needs}"
    if "json" not in media:
        named = f"content-type {media[:_SHORT]!r}" if media else "no content-type"
        return f"has {named}; send a {needs}, and the header content-type: application/json"
    return f"no JSON object; send a {needs}"


def _like(field: FieldInfo | None) -> str:
    """Return an example of a field, and what it is, as far as its description says."""
    if field is None:
        return ""
    example = f", like {field.examples[0]}" if field.examples else ""
    return example + (f" ({field.description.rstrip('.')})" if field.description else "")


def _allowed(request: Request) -> Iterator[str]:
    """Yield the methods of the page that was asked for."""
    asked = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": []}
    for method in _METHODS:
        routes = (route for route in request.app.routes if not isinstance(route, Mount))
        if any(route.matches(asked | {"method": method})[0] is Match.FULL for route in routes):
            yield method
