"""How what changes reaches the picture, and from there everybody who watches."""

import asyncio
from typing import Any

from starlette.concurrency import run_in_threadpool

from geo_policing.ingest.pipeline import Subscription
from geo_policing.model import Incident
from geo_policing.service.dependencies import Rooms

#: How often incidents are looked for that others than this service have changed: an import, another service.
INCIDENTS_S = 2.0
#: More incidents that have changed at once are told as one snapshot.
MANY = 100

#: What the two that go on beside are called.
POSITIONS, INCIDENTS = "telling of positions", "following of incidents"


async def tell_positions(rooms: Rooms, stored: Subscription) -> None:
    """Tell what the pipeline has stored, until it stops; who was too slow catches up with the newest."""
    lost = 0
    async for batch in stored:
        with rooms.chores.step(POSITIONS):
            live = batch.live
            if stored.lost > lost:
                lost, live = stored.lost, tuple(rooms.pipeline.latest.values())
            tell_units(rooms, rooms.picture.move(live))


def tell_incident(rooms: Rooms, incident: Incident) -> dict[str, Any]:
    """Tell an incident as it is now; return its feature. ``incidents_in_order`` is held."""
    feature = rooms.picture.report(incident)
    rooms.hub.publish("incident", feature)
    return feature


async def follow_incidents(rooms: Rooms) -> None:
    """Tell again and again what others have done to the incidents in the records."""
    seen = None
    while True:
        with rooms.chores.step(INCIDENTS):
            version = await run_in_threadpool(rooms.records.incidents.version)
            if version != seen:
                await _tell_changed(rooms)
                seen = version
        await asyncio.sleep(INCIDENTS_S)


async def _tell_changed(rooms: Rooms) -> None:
    async with rooms.incidents_in_order:
        incidents = await run_in_threadpool(rooms.records.incidents.open)
        told = rooms.picture.incidents
        changed = [incident for incident in incidents if told.get(incident.id) != incident]
        over = sorted(told.keys() - {incident.id for incident in incidents})
        if len(changed) + len(over) > MANY:
            rooms.picture.restate(incidents)
            rooms.hub.publish("snapshot", rooms.picture.snapshot())
            return
        changed += [await run_in_threadpool(rooms.records.incidents.get, key) for key in over]
        for incident in changed:
            tell_incident(rooms, incident)


def tell_units(rooms: Rooms, features: list[dict[str, Any]]) -> None:
    """Tell units as they are now."""
    if features:
        rooms.hub.publish("units", {"type": "FeatureCollection", "features": features})
