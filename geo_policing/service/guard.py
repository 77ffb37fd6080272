"""The guard at the door: who is it, may this page be asked for at all, and the headers of every answer."""

from http import HTTPStatus
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geo_policing.errors import GeoPolicingError, NotSignedIn
from geo_policing.service.problems import HEADERS, problem, status_of

COOKIE = "geo_policing_session"
#: What a stranger may ask for; everything else needs a session.
OPEN = frozenset({"/health", "/sign-in", "/api/sign-in"})
#: Bytes of the longest body that is read.
MAX_BODY = 1 << 20
#: Bytes of a body that is read although its request is refused.
SHORT_BODY = 1 << 16
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_KEPT = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED})
_TOO_LONG = f"the body is longer than {MAX_BODY >> 20} MiB; send less at once"
_FOREIGN = "this request was made by a page of another site; use the pages of this service"


def token_of(connection: HTTPConnection) -> str:
    """Return the token of a request, from the Authorization header or the cookie; empty without one."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return connection.cookies.get(COOKIE, "")


class Guard:
    """ASGI middleware: lets strangers as far as health and sign-in, and nowhere else.

    A page asked for by a browser leads to the sign-in page; anything else gets a problem document. Bodies
    beyond `MAX_BODY` are refused, and a connection whose body was not read to the end is closed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a stranger here, hand everybody else on with ``request.state.account`` set."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            exchange = _Exchange(scope, receive, send)
            answer = await self._stopped(Request(scope), exchange)
            if answer is not None:
                await exchange.skip()
            await (answer or self._app)(scope, exchange.receive, exchange.send)
        elif scope["type"] == "websocket":
            # We have none, so nothing looks at who opens one.
            await send({"type": "websocket.close", "code": 1008})
        else:
            raise ValueError(f"{scope['type']!r} is no scope that this service answers")

    async def _stopped(self, request: Request, exchange: "_Exchange") -> Response | None:
        # Before the open pages: nobody else's page signs a browser in, under whatever name.
        if request.method not in _SAFE and not _same_origin(request.headers):
            return problem(HTTPStatus.FORBIDDEN, _FOREIGN, request=request)
        if exchange.announced > MAX_BODY:
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LONG, request=request)
        if request.scope["path"] in OPEN:
            return None
        try:
            access = request.app.state.rooms.access
            request.state.account = await run_in_threadpool(access.who, token_of(request))
        except GeoPolicingError as error:
            if isinstance(error, NotSignedIn) and _looks_around(request):
                query = request.scope["query_string"].decode("latin-1")
                asked = f"{request.scope['path']}?{query}" if query else request.scope["path"]
                return RedirectResponse(f"/sign-in?next={quote(asked, safe='')}", HTTPStatus.SEE_OTHER)
            return problem(status_of(error), str(error), request=request)
        return None


def _looks_around(request: Request) -> bool:
    """Whether somebody opens a page in a browser."""
    return request.method in _SAFE and "text/html" in request.headers.get("accept", "")


def _same_origin(headers: Headers) -> bool:
    """Whether a request that changes something was made by a page of ours, or by no page at all."""
    origin = headers.get("origin")
    if origin is None:
        return True
    # `null` is what a browser says of a page that hides where it is from.
    host = origin.partition("://")[2]
    return host != "" and host == headers.get("host")


class _Exchange:
    """A request and its answer as they pass: the body is counted, the headers are completed."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        #: Bytes of the body by what its headers say.
        self.announced = int(length) if length.isdecimal() and len(length) < 20 else MAX_BODY + 1
        self._keeps = scope["path"].startswith(("/assets/", "/tiles/"))
        self._receive, self._send = receive, send
        self._left = MAX_BODY
        in_chunks = "transfer-encoding" in headers
        self._unread = self.announced > 0 or in_chunks
        self._is_short = self.announced <= SHORT_BODY and not in_chunks
        self._answered = False

    async def receive(self) -> Message:
        """Read on; more than `MAX_BODY` is an error of whoever sends it."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                if self._answered:
                    return {"type": "http.disconnect"}
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LONG)
            self._unread = message.get("more_body", False)
        return message

    async def skip(self) -> None:
        """Read a short body that nobody wants: an answer may be lost on a connection that ends before."""
        while self._unread and self._is_short:
            if (await self.receive())["type"] == "http.disconnect":
                return

    async def send(self, message: Message) -> None:
        """Answer, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self._answered = True
            headers = MutableHeaders(scope=message)
            if self._keeps and message["status"] in _KEPT:
                headers["Cache-Control"] = "private, max-age=300"
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self._unread:
                headers["Connection"] = "close"
        await self._send(message)
