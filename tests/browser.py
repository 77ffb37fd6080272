"""A real browser and a real server for tests of pages, with the rest of the network out of reach."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, Page
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from geo_policing.maps import assets_folder
from geo_policing.service.hub import Hub
from geo_policing.service.problems import HEADERS

WIDE = {"width": 1400, "height": 900}
NARROW = {"width": 400, "height": 800}
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


class Visit:
    """A page opened in the browser, and what went wrong on it.

    Parameters
    ----------
    page : Page
        Of playwright.
    strayed : list of str
        Requests to other hosts; they are refused.
    failed : list of str
        Requests that got no good answer, errors in scripts and in the console.
    """

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.strayed: list[str] = []
        self.failed: list[str] = []
        page.on("pageerror", lambda error: self.failed.append(f"script: {error}"))
        page.on("console", lambda m: self.failed.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("requestfailed", lambda r: self.failed.append(f"{r.url}: {r.failure}"))
        page.on("response", lambda r: self.failed.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        page.route("**/*", lambda route: self._judge(route, origin))

    def _judge(self, route: Any, origin: str) -> None:
        url = route.request.url
        if url.startswith((origin, "data:", "blob:")):
            route.continue_()
        else:
            self.strayed.append(url)
            route.abort()


@contextmanager
def visit(browser: Browser, url: str, size: dict[str, int], **context: Any) -> Iterator[Visit]:
    """Open a page with nothing but its own server in reach."""
    origin = "/".join(url.split("/")[:3]) + "/"
    opened = browser.new_context(viewport=size, locale="zh-CN", **context)
    try:
        seen = Visit(opened.new_page(), origin)
        seen.page.goto(url)
        yield seen
    finally:
        opened.close()


def until(page: Page, expression: str, argument: Any = None) -> None:
    """Wait until JavaScript says yes; asked from outside, as the page's policy forbids eval within it."""
    for _ in range(600):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"in vain: {expression}")


class Site:
    """A server of pages, assets, tiles and the live stream, in a thread of its own.

    Parameters
    ----------
    pages : dict
        Path to HTML.
    tiles : Path, optional
        Served as ``/tiles/city.pmtiles``, with range requests.
    snapshot : callable, optional
        What the live stream begins with.
    """

    def __init__(
        self,
        pages: dict[str, str],
        tiles: Path | None = None,
        snapshot: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self.pages = pages
        self.hub = Hub(snapshot)
        self.last_ids: list[str | None] = []
        self.signed_in = True
        self._loop: asyncio.AbstractEventLoop | None = None
        routes = [
            Route("/api/live", self._live),
            Route("/{page:path}", self._page),
        ]
        routes.insert(0, Mount("/assets", StaticFiles(directory=assets_folder())))
        if tiles is not None:
            routes.insert(0, Route("/tiles/city.pmtiles", lambda _: FileResponse(tiles)))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._app = Starlette(routes=routes)
        self._start()

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        """Send an event to everybody who watches."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.hub.publish, kind, data)

    def stop(self) -> None:
        """Close all connections and the port."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)

    def restart(self) -> None:
        """Come back on the same port."""
        host, port = self.url.removeprefix("http://").split(":")
        self._socket = socket.create_server((host, int(port)))
        self._start()

    def _start(self) -> None:
        config = uvicorn.Config(self._app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        started = threading.Event()

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            started.set()
            await self._server.serve(sockets=[self._socket])

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        self._thread.start()
        assert started.wait(60)

    def _page(self, request: Request) -> HTMLResponse:
        html = self.pages.get("/" + request.path_params["page"])
        # As the service: a page that would load from elsewhere says so in the console.
        return HTMLResponse(html or "not here", 200 if html else 404, HEADERS)

    async def _live(self, request: Request) -> Response:
        if not self.signed_in:
            return Response(status_code=401)
        last_id = request.headers.get("last-event-id")
        self.last_ids.append(last_id)

        async def events() -> Any:
            with self.hub.watch(last_id) as watcher:
                while (event := await watcher.next()) is not None:
                    yield {"id": event.id, "event": event.kind, "data": event.data.decode()}

        return EventSourceResponse(events(), ping=15)
