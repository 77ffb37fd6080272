"""What changes, as it changes: server-sent events."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from geo_policing.errors import NotSignedIn, Unavailable
from geo_policing.service.dependencies import InRooms, Rooms, Seeing
from geo_policing.service.guard import token_of
from geo_policing.service.hub import Event, Hub
from geo_policing.service.parameters import KNOWN_ONLY

router = APIRouter(prefix="/api", tags=["live"], dependencies=[KNOWN_ONLY])

#: How often a stream that is open asks whether its session still is.
SESSION_CHECK_S = 30.0


@router.get("/live", response_class=EventSourceResponse)
async def read_live(
    request: Request,
    rooms: InRooms,
    seeing: Seeing,
    last_event_id: Annotated[str | None, Header(description="Go on after this event.")] = None,
) -> EventSourceResponse:
    """Stream ``snapshot`` (units and open incidents), then ``units``, ``matched`` and ``incident``.

    ``units`` are those that have moved, ``matched`` the places on the roads of those told before.

    Each event has an id; a client that comes back with ``Last-Event-ID`` gets what it missed, or a snapshot
    when that is no longer kept. A comment is sent as heartbeat. The stream ends with the session.
    """
    return EventSourceResponse(
        _events(rooms, rooms.hubs[seeing], token_of(request), last_event_id),
        ping=rooms.settings.heartbeat_seconds,
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(rooms: Rooms, hub: Hub, token: str, last_event_id: str | None) -> AsyncIterator[bytes]:
    checked = time.monotonic()
    with hub.watch(last_event_id) as watcher:
        while True:
            event = None
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, checked + SESSION_CHECK_S - time.monotonic())):
                    event = await watcher.next()
            if hub.closed:
                return
            if time.monotonic() - checked >= SESSION_CHECK_S:
                checked = time.monotonic()
                try:
                    await run_in_threadpool(rooms.access.who, token)
                except NotSignedIn:
                    return
                except Unavailable:
                    # Asked again the next time: a map in use does not go dark for records that are away.
                    pass
            if event is not None:
                yield _sent(event)


def _sent(event: Event) -> bytes:
    """Write an event as a stream has it; JSON has no line breaks."""
    return b"id: %b\r\nevent: %b\r\ndata: %b\r\n\r\n" % (event.id.encode(), event.kind.encode(), event.data)
