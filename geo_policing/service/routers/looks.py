"""Who looked at the past: for administrators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from geo_policing.model import Account, Role, format_instant
from geo_policing.model.account import account_key
from geo_policing.service.dependencies import InRooms, OptionalWindow, role
from geo_policing.service.parameters import KNOWN_ONLY

router = APIRouter(prefix="/api/looks", tags=["looks"], dependencies=[KNOWN_ONLY])


class LookOut(BaseModel):
    """A question for a track or for incidents that are over."""

    id: int = Field(description="Its number; a later look has a higher one.")
    at: str = Field(description="RFC 3339.")
    account: str
    role: str = Field(description="What the account was then.")
    client: str = Field(description="The address it asked from.")
    question: str = Field(description="Path and query.")
    device: str | None
    start: str | None
    end: str | None
    rows: int = Field(description="Fixes or incidents found; 0 when the question was refused.")


class Page(BaseModel):
    """Looks, the newest first."""

    looks: list[LookOut]
    next: int | None = Field(description="For the parameter of this name, while there are more.")


@router.get("")
def read_looks(
    rooms: InRooms,
    _: Annotated[Account, Depends(role(Role.ADMIN))],
    window: OptionalWindow,
    account: Annotated[str | None, Query(description="Name of an account.", max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    next: Annotated[int | None, Query(ge=1, le=2**53, description="From the page before.")] = None,  # noqa: A002 - the API's word
) -> Page:
    """Return who asked for tracks and for incidents that are over, the newest first."""
    key = None if account is None else account_key(account)
    found = list(rooms.records.looks.list(window, key, limit=limit + 1, before=next))
    looks = [
        LookOut(
            id=look.id,
            at=format_instant(look.at_us),
            account=look.account,
            role=look.role,
            client=look.client,
            question=look.question,
            device=look.device,
            start=None if look.start_us is None else format_instant(look.start_us),
            end=None if look.end_us is None else format_instant(look.end_us),
            rows=look.rows,
        )
        for look in found[:limit]
    ]
    return Page(looks=looks, next=looks[-1].id if len(found) > limit else None)
