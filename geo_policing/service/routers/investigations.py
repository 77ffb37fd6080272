"""Searches through the history for a case: asked, answered and kept under it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field, create_model

from geo_policing.model import format_instant
from geo_policing.service.dependencies import Case, InRooms, Investigating, OneLine
from geo_policing.service.looks import recorded
from geo_policing.service.parameters import KNOWN_ONLY
from geo_policing.service.running_searches import Running
from geo_policing.service.searches import Asker, plain
from geo_policing.service.withheld import permitted_now
from geo_policing.store.searches import KeptSearch
from geo_policing.tracks.inquiry import SEARCHES, Question, Search

router = APIRouter(prefix="/api/investigations/{case}", tags=["investigations"], dependencies=[KNOWN_ONLY])

Key = Annotated[str, Path(description="Id of a search.", max_length=64)]
_REASON = Field(
    min_length=4,
    max_length=500,
    description="What it is for; it is recorded.",
    examples=["盗窃案嫌疑车辆排查"],
)


class Result(BaseModel):
    """Whom a search found; what else there is depends on the search."""

    model_config = {"extra": "allow"}

    rank: int = Field(description="Its place among all results, from 1.")
    device: str
    name: str
    kind: str
    evidence: int = Field(description="Stretches of time that prove it; of many only the first are told.")


class Answer(BaseModel):
    """A GeoJSON FeatureCollection with the results beside their evidence."""

    type: str = "FeatureCollection"
    id: str = Field(description="Under which it is kept.")
    search: str
    title: str = Field(description="As people call the search.")
    case: str
    reason: str
    account: str
    asked: str = Field(description="RFC 3339.")
    question: dict[str, Any] = Field(description="All that was asked.")
    found: int = Field(description="How many results there are.")
    told: int = Field(description="How many of them are here.")
    next: int | None = Field(description="The skip with which the next ones are told, while there are more.")
    notes: list[str] = Field(description="What people should know of the answer.")
    results: list[Result]
    features: list[dict[str, Any]] = Field(
        description="What was asked for (what: area, line, sighting), the place of a result (place), the "
        "matched way (track), and its evidence (presence, stay, trip, gap, meeting, passage, along, step, "
        "fit): a MultiPoint of fixes with times, received, sources, accuracy_m."
    )


class Asked(BaseModel):
    """A search that was asked for, without its answer."""

    id: str
    search: str
    reason: str
    account: str
    role: str
    client: str
    asked: str = Field(description="RFC 3339.")
    question: dict[str, Any]
    found: int
    told: int
    problem: str | None = Field(description="Why it was refused or ended; null where it was answered.")
    deleted: str | None = Field(description="When the answer was deleted in time; null while it is kept.")


class Begun(BaseModel):
    """A search that waits for its turn or runs."""

    id: str = Field(description="Under which it will be kept.")
    search: str
    reason: str
    account: str
    question: dict[str, Any]
    seconds: float | None = Field(description="How long it has run; null while it waits.")
    done: str = Field(description="How far it is.")


class Page(BaseModel):
    """Searches of a case, the newest first."""

    running: list[Begun] = Field(description="Those that wait or run, the oldest first.")
    searches: list[Asked]
    next: str | None = Field(description="For the parameter of this name, while there are more.")


def _route(name: str, search: Search) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Make the function that answers one search."""
    body = create_model(search.question.__name__, __base__=search.question, reason=(OneLine, _REASON))

    async def ask(
        request: Request, rooms: InRooms, who: Investigating, case: Case, question: Question
    ) -> dict[str, Any]:
        given = search.question.model_validate(question.model_dump(exclude={"reason"}))
        reason: str = getattr(question, "reason")  # noqa: B009 - the body has it, its base has not
        asker = Asker(
            case=case,
            reason=reason,
            account=who.key,
            role=who.role.value,
            client=request.client.host if request.client else "",
            path=request.scope["raw_path"].decode("latin-1"),
        )
        return await rooms.searches.ask(name, given, asker, lambda: _gone(request))

    ask.__annotations__["question"] = body
    ask.__name__ = f"search_{name.replace('-', '_')}"
    ask.__doc__ = (
        f"{search.definition}\n\nWho asked, in which case and why, the whole question and the answer are "
        "recorded before it is given. One that takes too long, or whose client goes away, is ended, and "
        "recorded as such."
    )
    return ask


async def _gone(request: Request) -> None:
    """Return when the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


for _name, _search in SEARCHES.items():
    # The way from the scene to the suspect has an address of its own.
    _path = "/suspects" if _name == "suspects" else f"/searches/{_name}"
    router.post(_path, response_model=Answer, summary=_search.title)(_route(_name, _search))


@router.get("/searches")
def read_searches(
    request: Request,
    rooms: InRooms,
    who: Investigating,
    case: Case,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    next: Annotated[str | None, Query(max_length=64, description="From the page before.")] = None,  # noqa: A002 - the API's word
) -> Page:
    """Return what is and was searched in a case, by whom and why, the newest first, without answers.

    It is recorded.
    """
    with recorded(request, rooms, who) as answer:
        found = list(rooms.records.searches.of_case(case, limit=limit + 1, before=next))
        answer.rows = len(found[:limit])
    return Page(
        running=[_begun(one) for one in rooms.searches.of_case(case)],
        searches=[_asked(kept) for kept in found[:limit]],
        next=found[limit - 1].id if len(found) > limit else None,
    )


@router.get("/searches/{key}")
def read_search(request: Request, rooms: InRooms, who: Investigating, case: Case, key: Key) -> Answer:
    """Return the answer of a search as it was given. It is recorded.

    Devices that have come under community corrections since are left out, as they are of a search now; what
    was asked about such a device is refused (403).
    """
    with recorded(request, rooms, who) as answer:
        document = permitted_now(rooms.records.searches.answer(key, case), rooms.records.devices.list())
        answer.rows = document["told"]
    return Answer.model_validate(document)


@router.delete("/searches/{key}", status_code=202)
def cancel_search(request: Request, rooms: InRooms, who: Investigating, case: Case, key: Key) -> Begun:
    """End a search that waits or runs; whoever asked is told (409). What was answered is not deleted.

    It is ended by the account that asked, or an administrator. It is recorded.
    """
    with recorded(request, rooms, who):
        return _begun(rooms.searches.cancel(key, case, who))


def _begun(one: Running) -> Begun:
    took_s = one.halt.took_s
    return Begun(
        id=one.key,
        search=one.name,
        reason=one.asker.reason,
        account=one.asker.account,
        question=plain(one.question.model_dump()),
        seconds=None if took_s is None else round(took_s, 1),
        done=one.halt.done,
    )


def _asked(kept: KeptSearch) -> Asked:
    return Asked(
        id=kept.id,
        search=kept.search,
        reason=kept.reason,
        account=kept.account,
        role=kept.role,
        client=kept.client,
        asked=format_instant(kept.asked_us),
        question=kept.question,
        found=kept.found,
        told=kept.told,
        problem=kept.problem,
        deleted=None if kept.deleted_us is None else format_instant(kept.deleted_us),
    )
