"""The one place that wires: settings in, a running service out."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

import geo_policing
from geo_policing.access import Access
from geo_policing.errors import InvalidFile
from geo_policing.ingest.pipeline import Pipeline
from geo_policing.ingest.plausibility import Plausibility
from geo_policing.ingest.protocols import PROTOCOLS
from geo_policing.ingest.registry import Registry
from geo_policing.ingest.sessions import Sessions
from geo_policing.ingest.transports import TcpListener, UdpListener, running
from geo_policing.maps import assets_folder
from geo_policing.model import BoundingBox
from geo_policing.roads import RoadNetwork
from geo_policing.service import admission, problems, telling
from geo_policing.service.chores import to_its_end
from geo_policing.service.dependencies import Rooms
from geo_policing.service.guard import Guard
from geo_policing.service.hub import Hub
from geo_policing.service.picture import Picture
from geo_policing.service.reconstructions import Reconstructions
from geo_policing.service.routers import (
    devices,
    health,
    incidents,
    investigations,
    live,
    looks,
    maps,
    pages,
    reconstructions,
    sign_in,
    tiles,
    tracks,
    units,
)
from geo_policing.service.running_searches import Searches
from geo_policing.service.sight import Sight
from geo_policing.service.tracks import Tracks
from geo_policing.settings import IngestSettings, ServiceSettings
from geo_policing.store import FixStore, open_records
from geo_policing.store.history.keeper import SEAL_ROWS, Keeper
from geo_policing.store.history.manifest import DAY_US

PURGE_S = 3600.0
PURGING = "purging of sessions"
SEALING = "sealing of the history"
EXPIRING = "deletion of answers"
#: How often it is looked whether enough has come to be sealed, of the running day as well: searches read all
#: of what is not.
SEAL_S = 30
#: However little has come is sealed then.
SEAL_ALL_S = 3600
#: The main urban area of the city this is modelled on; what a map shows when there are no roads.
_CITY = BoundingBox(113.0, 27.7, 113.27, 27.96)


def create_app(rooms: Rooms) -> FastAPI:
    """Make the application over rooms that are open; they stay open longer than it runs."""
    app = FastAPI(
        title="geo_policing",
        version=geo_policing.__version__,
        description="Positions and incidents of a city, live and in history.",
        # Served by routers/pages.py, from our own files and to those who are signed in.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.rooms = rooms
    problems.install(app)
    for noun in (
        health,
        sign_in,
        units,
        devices,
        incidents,
        tracks,
        reconstructions,
        investigations,
        looks,
        live,
        maps,
        tiles,
        pages,
    ):
        app.include_router(noun.router)
    app.mount("/assets", StaticFiles(directory=assets_folder()), name="assets")
    app.add_middleware(Guard)
    return app


@asynccontextmanager
async def open_rooms(settings: ServiceSettings, ingest: IngestSettings) -> AsyncIterator[Rooms]:
    """Open the databases, listen for receivers, and tell the hub what is stored; close it all in turn.

    Raises
    ------
    InvalidFile
        If the roads or the tiles are files of another kind.
    Unavailable
        If a database or a port is not to be had.
    """
    async with AsyncExitStack() as stack:
        records = stack.enter_context(
            await run_in_threadpool(open_records, settings.data_dir, settings.records_url)
        )
        store = stack.enter_context(await run_in_threadpool(FixStore, settings.data_dir / "fixes.duckdb"))
        access = Access(records.accounts, records.sessions, session_s=settings.session_hours * 3600)

        known = await run_in_threadpool(records.devices.list)
        plausibility = Plausibility(max_future_s=ingest.max_future_s, max_speed_mps=ingest.max_speed_mps)
        pipeline = Pipeline(
            store, plausibility, batch_rows=ingest.batch_rows, batch_seconds=ingest.batch_seconds
        )
        pipeline.prime(await run_in_threadpool(store.latest))
        picture = Picture()
        picture.introduce(known, await run_in_threadpool(records.units.list))
        picture.restate(await run_in_threadpool(records.incidents.open))
        # What the pipeline believes of the history, not what is there: a wrong clock would freeze its device.
        picture.move(pipeline.latest.values())
        roads = settings.roads or _beside(settings, "city.roads")
        tracks = Tracks(store, records, roads)
        work = await run_in_threadpool(Reconstructions, records, tracks, settings.speeds, settings.closed)
        stack.push_async_callback(run_in_threadpool, work.close)
        searches = Searches(
            store, records, tracks, ZoneInfo(settings.time_zone), limit_s=settings.search_seconds
        )
        stack.push_async_callback(run_in_threadpool, searches.close)
        registry = Registry(
            (device.id for device in known),
            ingest.lines,
            admitted_lines=await run_in_threadpool(records.devices.lines),
            admit_all=ingest.admit_all,
        )
        sessions = Sessions(pipeline, registry, PROTOCOLS["nmea0183"])
        listeners = _listeners(ingest)
        rooms = Rooms(
            settings=settings,
            records=records,
            access=access,
            registry=registry,
            pipeline=pipeline,
            sessions=sessions,
            listeners=listeners,
            picture=picture,
            hub=Hub(picture.snapshot),
            corrections=Hub(partial(picture.snapshot, Sight.CORRECTIONS)),
            tracks=tracks,
            reconstructions=work,
            searches=searches,
            extent=await run_in_threadpool(_extent, roads),
            tiles=_tiles(settings),
        )
        beside = rooms.chores.beside
        await admission.enrol(rooms)
        # Once more when no receiver is heard any longer.
        stack.push_async_callback(_enrol_last, rooms)
        await stack.enter_async_context(beside(PURGING, _purge(rooms)))
        await stack.enter_async_context(beside(SEALING, _seal(rooms, Keeper(store))))
        if settings.answer_days is not None:
            await stack.enter_async_context(beside(EXPIRING, _expire(rooms, store, settings.answer_days)))
        await stack.enter_async_context(beside(telling.INCIDENTS, telling.follow_incidents(rooms)))
        await stack.enter_async_context(beside(admission.DEVICES, admission.enrol_devices(rooms)))
        if tracks.has_roads:
            unmatched = stack.enter_context(pipeline.subscribe(telling.UNMATCHED))
            matched = telling.tell_matched(rooms, unmatched)
            await stack.enter_async_context(beside(telling.MATCHING, matched))
        stored = stack.enter_context(pipeline.subscribe())
        # Until the pipeline has written its last.
        await stack.enter_async_context(
            beside(telling.POSITIONS, telling.tell_positions(rooms, stored), ends=True)
        )
        await stack.enter_async_context(pipeline)
        await stack.enter_async_context(running(listeners, sessions.carry))
        yield rooms


def _listeners(ingest: IngestSettings) -> tuple[TcpListener | UdpListener, ...]:
    tcp = TcpListener(ingest.tcp_host, ingest.tcp_port)
    return (tcp,) if ingest.udp_port is None else (tcp, UdpListener(ingest.tcp_host, ingest.udp_port))


def _beside(settings: ServiceSettings, name: str) -> Path | None:
    path = settings.data_dir / name
    return path if path.is_file() else None


def _tiles(settings: ServiceSettings) -> Path | None:
    path = settings.tiles or _beside(settings, "city.pmtiles")
    if path is not None:
        with path.open("rb") as file:
            if file.read(7) != b"PMTiles":
                raise InvalidFile(
                    f"tiles {path} is no PMTiles archive; make one with geo-policing build-tiles",
                    field="tiles",
                    value=str(path),
                )
    return path


def _extent(roads: Path | None) -> BoundingBox:
    """Return the box of the road network, or of the city when there is none."""
    if roads is None:
        return _CITY
    return BoundingBox(*RoadNetwork.load(roads).bounds)


async def _purge(rooms: Rooms) -> None:
    while True:
        with rooms.chores.step(PURGING):
            await run_in_threadpool(rooms.access.purge)
        await asyncio.sleep(PURGE_S)


async def _seal(rooms: Rooms, keeper: Keeper) -> None:
    all_sealed = -math.inf
    while True:
        with rooms.chores.step(SEALING):
            today = time.time_ns() // 1000 // DAY_US
            now = time.monotonic()
            is_due = now - all_sealed >= SEAL_ALL_S
            await to_its_end(keeper.keep_up, today, 1 if is_due else SEAL_ROWS)
            all_sealed = now if is_due else all_sealed
        await asyncio.sleep(SEAL_S)


async def _expire(rooms: Rooms, store: FixStore, days: int) -> None:
    while True:
        with rooms.chores.step(EXPIRING):
            held = {hold.case for hold in store.manifest.holds}
            now_us = time.time_ns() // 1000
            await to_its_end(rooms.records.answers.expire, days, held, now_us, "service")
        await asyncio.sleep(PURGE_S)


async def _enrol_last(rooms: Rooms) -> None:
    with rooms.chores.step(admission.DEVICES):
        await admission.enrol(rooms)
