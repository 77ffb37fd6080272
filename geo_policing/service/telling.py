"""How what changes reaches the picture, and from there everybody who watches."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool

from geo_policing.ingest.pipeline import Subscription
from geo_policing.model import Fix, Incident
from geo_policing.service.dependencies import Rooms
from geo_policing.service.matched import LiveMatcher

#: How often incidents are looked for that others than this service have changed: an import, another service.
INCIDENTS_S = 2.0
#: More incidents that have changed at once are told as one snapshot.
MANY = 100

#: Batches that may wait to be matched. When there are more, the oldest are left out.
UNMATCHED = 50
#: So many fixes are matched and told at once, so that the loop is free between; after a start there are many.
AT_ONCE = 5_000

#: What those that go on beside are called.
POSITIONS, INCIDENTS = "telling of positions", "following of incidents"
MATCHING = "matching of positions"


async def tell_positions(rooms: Rooms, stored: Subscription) -> None:
    """Tell what the pipeline has stored, until it stops; who was too slow catches up with the newest."""
    lost = 0
    async for batch in stored:
        with rooms.chores.step(POSITIONS):
            live = batch.live
            if stored.lost > lost:
                lost, live = stored.lost, tuple(rooms.pipeline.latest.values())
            tell_units(rooms, rooms.picture.move(live))


async def tell_matched(rooms: Rooms, stored: Subscription) -> None:
    """Match what the pipeline has stored to the roads, and tell the units again whose place there changed.

    Nobody waits for it: positions are told before, with the place that was known then. When it is too slow
    it goes on with the newest fix of every device; what still waits of before is then passed over.
    """
    matcher = LiveMatcher(rooms.tracks)
    # What is on the map when the service starts.
    await _match(rooms, matcher, tuple(rooms.pipeline.latest.values()))
    lost = 0
    async for batch in stored:
        live = batch.live
        if stored.lost > lost:
            lost, live = stored.lost, tuple(rooms.pipeline.latest.values())
        await _match(rooms, matcher, live)


async def _match(rooms: Rooms, matcher: LiveMatcher, fixes: Sequence[Fix]) -> None:
    for first in range(0, len(fixes), AT_ONCE):
        some = fixes[first : first + AT_ONCE]
        with rooms.chores.step(MATCHING):
            kinds = {fix.device: rooms.picture.kind_of(fix.device) for fix in some}
            tell_units(rooms, rooms.picture.match(await run_in_threadpool(matcher.match, some, kinds)))


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
