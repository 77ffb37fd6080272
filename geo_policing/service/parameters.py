"""What a route can be given, by name: so that what it cannot be given is refused and not passed over."""

from collections.abc import Iterator

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from geo_policing.errors import InvalidInput

_LONGEST = 100  # characters of a name that are told again


def fields_of(request: Request, place: str) -> dict[str, FieldInfo]:
    """Return the fields that the route of a request takes in its ``query`` or its JSON ``body``, by name."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    if dependant is None:
        return {}
    if place == "query":
        return dict(_queried(dependant))
    if place == "body" and len(dependant.body_params) == 1:
        body = dependant.body_params[0].field_info.annotation
        if isinstance(body, type) and issubclass(body, BaseModel):
            return dict(body.model_fields)
    return {}


def _queried(dependant: Dependant) -> Iterator[tuple[str, FieldInfo]]:
    for parameter in dependant.query_params:
        yield parameter.alias, parameter.field_info
    for one in dependant.dependencies:
        yield from _queried(one)


def _known_only(request: Request) -> None:
    """Refuse a query with a parameter that the route has not: a slip of the pen would change the answer."""
    if not request.query_params:
        return
    known = fields_of(request, "query")
    for name, value in request.query_params.items():
        if name not in known:
            there = f"there are: {', '.join(known)}" if known else "there are none here"
            raise InvalidInput(
                f"parameter {name[:_LONGEST]!r} is not known; leave it out or correct it, {there}",
                field=name[:_LONGEST],
                value=value,
            )


#: For routers that programs ask.
KNOWN_ONLY = Depends(_known_only)
