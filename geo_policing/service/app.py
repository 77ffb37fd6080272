"""The one place that wires: settings in, a running service out."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

import geo_policing
from geo_policing.access import Access
from geo_policing.ingest.pipeline import Pipeline
from geo_policing.ingest.plausibility import Plausibility
from geo_policing.ingest.protocols import PROTOCOLS
from geo_policing.ingest.registry import Registry
from geo_policing.ingest.sessions import Sessions
from geo_policing.ingest.transports import TcpListener, Transport, UdpListener, running
from geo_policing.maps import assets_folder
from geo_policing.model import BoundingBox, Incident, IncidentState
from geo_policing.roads import RoadNetwork
from geo_policing.service import problems
from geo_policing.service.dependencies import Rooms
from geo_policing.service.guard import Guard
from geo_policing.service.hub import Hub
from geo_policing.service.picture import Picture
from geo_policing.service.routers import (
    devices,
    health,
    incidents,
    live,
    maps,
    pages,
    sign_in,
    tiles,
    tracks,
    units,
)
from geo_policing.service.tracks import Tracks
from geo_policing.settings import IngestSettings, ServiceSettings
from geo_policing.store import FixStore, Records, open_records

log = logging.getLogger(__name__)

PURGE_S = 3600.0
#: The main urban area of the city this is modelled on; what a map shows when there are no roads.
_CITY = BoundingBox(113.0, 27.7, 113.27, 27.96)
_OPEN_STATES = tuple(state for state in IncidentState if not state.is_final)


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
    for noun in (health, sign_in, units, devices, incidents, tracks, live, maps, tiles, pages):
        app.include_router(noun.router)
    app.mount("/assets", StaticFiles(directory=assets_folder()), name="assets")
    app.add_middleware(Guard)
    return app


@asynccontextmanager
async def open_rooms(settings: ServiceSettings, ingest: IngestSettings) -> AsyncIterator[Rooms]:
    """Open the databases, listen for receivers, and tell the hub what is stored; close it all in turn.

    Raises
    ------
    Unavailable
        If a database or a port is not to be had.
    """
    async with AsyncExitStack() as stack:
        records = stack.enter_context(
            await run_in_threadpool(open_records, settings.data_dir, settings.records_url)
        )
        store = stack.enter_context(await run_in_threadpool(FixStore, settings.data_dir / "fixes.duckdb"))
        access = Access(records.accounts, records.sessions, session_s=settings.session_hours * 3600)
        first_sign_in = await run_in_threadpool(access.first_admin)

        known, staff = records.devices.list(), records.units.list()
        picture = Picture()
        picture.introduce(known, staff)
        for incident in _open_incidents(records):
            picture.report(incident)
        hub = Hub(picture.snapshot)

        newest = list(await run_in_threadpool(store.latest))
        picture.move(newest)
        plausibility = Plausibility(max_future_s=ingest.max_future_s, max_speed_mps=ingest.max_speed_mps)
        pipeline = Pipeline(
            store, plausibility, batch_rows=ingest.batch_rows, batch_seconds=ingest.batch_seconds
        )
        pipeline.prime(newest)
        roads = settings.roads or _beside(settings, "city.roads")
        tracks = Tracks(store, records, roads)
        registry = Registry((device.id for device in known), ingest.lines, admit_all=ingest.admit_all)
        sessions = Sessions(pipeline, registry, PROTOCOLS["nmea0183"])
        rooms = Rooms(
            settings=settings,
            records=records,
            access=access,
            registry=registry,
            pipeline=pipeline,
            sessions=sessions,
            picture=picture,
            hub=hub,
            tracks=tracks,
            extent=await run_in_threadpool(_extent, roads),
            tiles=settings.tiles or _beside(settings, "city.pmtiles"),
            first_sign_in=first_sign_in,
        )
        await stack.enter_async_context(_background(_purge(access)))
        # Told until the pipeline has written its last: the teller leaves after it.
        teller = asyncio.create_task(_tell(rooms))
        stack.push_async_callback(_ended, teller)
        await stack.enter_async_context(pipeline)
        await stack.enter_async_context(running(_transports(ingest), sessions.carry))
        yield rooms


def _transports(ingest: IngestSettings) -> list[Transport]:
    transports: list[Transport] = [TcpListener(ingest.tcp_host, ingest.tcp_port)]
    if ingest.udp_port is not None:
        transports.append(UdpListener(ingest.tcp_host, ingest.udp_port))
    return transports


def _beside(settings: ServiceSettings, name: str) -> Path | None:
    path = settings.data_dir / name
    return path if path.is_file() else None


def _extent(roads: Path | None) -> BoundingBox:
    """Return the box of the road network, or of the city when there is none."""
    if roads is None:
        return _CITY
    return BoundingBox(*RoadNetwork.load(roads).bounds)


def _open_incidents(records: Records) -> list[Incident]:
    found: list[Incident] = []
    while True:
        page = records.incidents.list(state=_OPEN_STATES, limit=1000, after=found[-1] if found else None)
        found.extend(page)
        if len(page) < 1000:
            return found


async def _tell(rooms: Rooms) -> None:
    """Publish what the pipeline has stored, until it stops."""
    with rooms.pipeline.subscribe() as stored:
        async for batch in stored:
            changed = rooms.picture.move(batch.live)
            if changed:
                rooms.hub.publish("units", {"type": "FeatureCollection", "features": changed})


async def _ended(task: asyncio.Task[None]) -> None:
    """Wait for a task that ends by itself; one that does not is cancelled."""
    _, pending = await asyncio.wait({task}, timeout=5.0)
    if pending:
        log.error("%s did not end", task.get_coro())
        task.cancel()
        await asyncio.wait({task})


async def _purge(access: Access) -> None:
    while True:
        await run_in_threadpool(access.purge)
        await asyncio.sleep(PURGE_S)


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do something beside, until this ends."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
