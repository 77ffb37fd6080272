"""What the routers ask for: the rooms of the running service, who asks, and the parameters many share."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import anyio
from fastapi import Depends, Query, Request
from fastapi import Path as PathParameter
from pydantic import AfterValidator, StringConstraints

from geo_policing.access import Access
from geo_policing.errors import NotSignedIn
from geo_policing.ingest.pipeline import Pipeline
from geo_policing.ingest.registry import Registry
from geo_policing.ingest.sessions import Sessions
from geo_policing.ingest.transports import TcpListener, UdpListener
from geo_policing.model import Account, BoundingBox, Role, TimeWindow
from geo_policing.service.chores import Chores
from geo_policing.service.hub import Hub
from geo_policing.service.picture import Picture
from geo_policing.service.reconstructions import Reconstructions
from geo_policing.service.running_searches import Searches
from geo_policing.service.sight import Sight, sight_of
from geo_policing.service.tracks import Tracks
from geo_policing.settings import ServiceSettings
from geo_policing.store import Records


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything the service runs on; made in ``app.py``, alive between start and stop.

    Parameters
    ----------
    listeners : tuple of TcpListener and UdpListener
        Where receivers connect, TCP first; their ports are those listened on, also where 0 was asked for.
    incidents_in_order, devices_in_order : Lock
        Held while an incident is changed and told, or a device is admitted, so that nobody hears of two
        changes the wrong way round.
    chores : Chores
        What is done beside the requests.
    hub, corrections : Hub
        What changes, to those who see the police's city, and to those who see devices of corrections.
    extent : BoundingBox
        What a map shows at first.
    tiles : Path or None
        The basemap, when there is one.
    """

    settings: ServiceSettings
    records: Records
    access: Access
    registry: Registry
    pipeline: Pipeline
    sessions: Sessions
    listeners: tuple[TcpListener | UdpListener, ...]
    picture: Picture
    hub: Hub
    corrections: Hub
    tracks: Tracks
    reconstructions: Reconstructions
    searches: Searches
    extent: BoundingBox
    tiles: Path | None = None
    incidents_in_order: anyio.Lock = field(default_factory=anyio.Lock)
    devices_in_order: anyio.Lock = field(default_factory=anyio.Lock)
    chores: Chores = field(default_factory=Chores)

    @property
    def hubs(self) -> dict[Sight, Hub]:
        """The hub of each who see."""
        return {Sight.POLICE: self.hub, Sight.CORRECTIONS: self.corrections}


def rooms(request: Request) -> Rooms:
    """Return the rooms of the running service."""
    found: Rooms = request.app.state.rooms
    return found


def account(request: Request) -> Account:
    """Return who asks; the guard at the door has seen the token."""
    found: Account | None = getattr(request.state, "account", None)
    if found is None:
        raise NotSignedIn("sign in first")
    return found


def role(*roles: Role) -> Callable[[Account], Account]:
    """Make a dependency that lets only these roles pass."""

    def check(who: Annotated[Account, Depends(account)]) -> Account:
        Access.require(who, *roles)
        return who

    return check


def bounding_box(
    bbox: Annotated[
        str | None,
        Query(description="west,south,east,north in degrees, WGS 84.", examples=["113.0,27.7,113.3,28.0"]),
    ] = None,
) -> BoundingBox | None:
    """Read ``bbox``; the whole city when absent."""
    return None if bbox is None else BoundingBox.parse(bbox)


_WINDOW = "start/end, both RFC 3339 with an offset; the end is not included."
_EXAMPLE = "2026-03-02T07:00:00+08:00/2026-03-02T08:00:00+08:00"


def time_window(datetime: Annotated[str, Query(description=_WINDOW, examples=[_EXAMPLE])]) -> TimeWindow:
    """Read ``datetime``."""
    return TimeWindow.parse(datetime)


def optional_window(
    datetime: Annotated[str | None, Query(description=_WINDOW, examples=[_EXAMPLE])] = None,
) -> TimeWindow | None:
    """Read ``datetime``; all of time when absent."""
    return None if datetime is None else TimeWindow.parse(datetime)


#: Categories of characters that no name has: controls, direction marks, lone surrogates, line breaks.
_NOT_IN_LINE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def _one_line(text: str) -> str:
    for character in text:
        if unicodedata.category(character) in _NOT_IN_LINE:
            raise ValueError(f"{character!a} is no printable character; leave it out")
    return text


#: A name as it stands in a table: spaces around it are taken off, and nothing in it is invisible.
OneLine = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_one_line)]

#: The number of a case, in the path.
Case = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(_one_line),
    PathParameter(description="Number of a case.", examples=["A20260302001"]),
]


def sight(who: Annotated[Account, Depends(account)]) -> Sight:
    """Return what who asks sees of the live city."""
    return sight_of(who.role)


InRooms = Annotated[Rooms, Depends(rooms)]
Asking = Annotated[Account, Depends(account)]
Box = Annotated[BoundingBox | None, Depends(bounding_box)]
Window = Annotated[TimeWindow, Depends(time_window)]
OptionalWindow = Annotated[TimeWindow | None, Depends(optional_window)]
DeviceId = Annotated[str, PathParameter(description="Id of a device.", max_length=64)]

Seeing = Annotated[Sight, Depends(sight)]

#: The roles of the police: all but those who are here for community corrections.
POLICE = (Role.DISPATCHER, Role.DETECTIVE, Role.ANALYST, Role.ADMIN)
#: The roles that take calls, send units and admit devices.
DISPATCHERS = (Role.DISPATCHER, Role.ADMIN)
#: The roles that may ask where something was.
INVESTIGATORS = (Role.DETECTIVE, Role.ANALYST, Role.ADMIN)
Policing = Annotated[Account, Depends(role(*POLICE))]
Dispatching = Annotated[Account, Depends(role(*DISPATCHERS))]
Investigating = Annotated[Account, Depends(role(*INVESTIGATORS))]
