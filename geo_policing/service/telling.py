"""How what changes reaches the picture, and from there everybody who watches."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool

from geo_policing.ingest.pipeline import Subscription
from geo_policing.model import Fix, Incident
from geo_policing.service.dependencies import Rooms
from geo_policing.service.matched import LiveMatcher
from geo_policing.service.sight import Sight

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
    """Match what the pipeline has stored to the roads, and tell the places there that changed.

    Nobody waits for it: positions are told before, with the place that was known then. When it is too slow
    it goes on with the newest fix of every device; what still waits of before is then passed over. A device
    that is carried by something else is matched anew, from its newest fix, with the next of anybody.
    """
    matcher = LiveMatcher(rooms.tracks)
    # What is on the map when the service starts.
    await _match(rooms, matcher, tuple(rooms.pipeline.latest.values()))
    lost = 0
    async for batch in stored:
        live = batch.live
        if stored.lost > lost:
            lost, live = stored.lost, tuple(rooms.pipeline.latest.values())
        recast = rooms.picture.recast().intersection(rooms.pipeline.latest)
        await _match(rooms, matcher, (*(rooms.pipeline.latest[device] for device in recast), *live))


async def _match(rooms: Rooms, matcher: LiveMatcher, fixes: Sequence[Fix]) -> None:
    for first in range(0, len(fixes), AT_ONCE):
        some = fixes[first : first + AT_ONCE]
        with rooms.chores.step(MATCHING):
            kinds = {fix.device: rooms.picture.kind_of(fix.device) for fix in some}
            tell_places(rooms, rooms.picture.match(await run_in_threadpool(matcher.match, some, kinds)))


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
    """Tell units as they are now, each to those who may see it."""
    if rooms.picture.crossed():
        # To some it is gone now, which only a whole picture says.
        for sight, hub in rooms.hubs.items():
            hub.publish("snapshot", rooms.picture.snapshot(sight))
        return
    for sight, seen in _by_sight(rooms, features, lambda feature: str(feature["id"])).items():
        rooms.hubs[sight].publish("units", {"type": "FeatureCollection", "features": seen})


def tell_places(rooms: Rooms, places: list[dict[str, Any]]) -> None:
    """Tell where on the roads units are that have been told before."""
    for sight, seen in _by_sight(rooms, places, lambda place: str(place["device"])).items():
        rooms.hubs[sight].publish("matched", {"matched": seen})


def _by_sight(
    rooms: Rooms, told: list[dict[str, Any]], device_of: Callable[[dict[str, Any]], str]
) -> dict[Sight, list[dict[str, Any]]]:
    """Return what is told to whom; nothing to those to whom there is nothing to tell."""
    found: dict[Sight, list[dict[str, Any]]] = {}
    for one in told:
        found.setdefault(rooms.picture.sight_of(device_of(one)), []).append(one)
    return found
