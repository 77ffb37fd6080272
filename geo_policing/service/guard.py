"""The guard at the door: who is it, may this page be asked for at all, and the headers of every answer."""

from http import HTTPStatus
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geo_policing.errors import NotSignedIn
from geo_policing.service.problems import problem

COOKIE = "geo_policing_session"
#: What a stranger may ask for; everything else needs a session.
OPEN = frozenset({"/health", "/sign-in", "/api/sign-in"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Scripts and styles of folium's pages stand in the page itself; nothing may be fetched from elsewhere.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
)


def token_of(connection: HTTPConnection) -> str:
    """Return the token of a request, from the Authorization header or the cookie; empty without one."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return connection.cookies.get(COOKIE, "")


class Guard:
    """ASGI middleware: lets strangers as far as health and sign-in, and nowhere else.

    A page asked for by a browser leads to the sign-in page; anything else gets a problem document.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a stranger here, hand everybody else on with ``request.state.account`` set."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = await self._stopped(scope)
        await (answer or self._app)(scope, receive, _with_headers(scope, send))

    async def _stopped(self, scope: Scope) -> Response | None:
        if scope["path"] in OPEN:
            return None
        connection = HTTPConnection(scope)
        if scope["method"] not in _SAFE and not _same_origin(connection.headers):
            return problem(
                HTTPStatus.FORBIDDEN,
                "this request was made by a page of another site; use the pages of this service",
            )
        access = scope["app"].state.rooms.access
        try:
            account = await run_in_threadpool(access.who, token_of(connection))
        except NotSignedIn as error:
            if scope["method"] in _SAFE and "text/html" in connection.headers.get("accept", ""):
                query = scope["query_string"].decode("latin-1")
                asked = f"{scope['path']}?{query}" if query else scope["path"]
                return RedirectResponse(f"/sign-in?next={quote(asked, safe='')}", HTTPStatus.SEE_OTHER)
            return problem(HTTPStatus.UNAUTHORIZED, str(error))
        scope.setdefault("state", {})["account"] = account
        return None


def _same_origin(headers: Headers) -> bool:
    """Whether a request that changes something was made by a page of ours, or by no page at all."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _with_headers(scope: Scope, send: Send) -> Send:
    kept = scope["path"].startswith(("/assets/", "/tiles/"))

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", _POLICY)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Referrer-Policy", "same-origin")
            headers.setdefault("Cache-Control", "private, max-age=300" if kept else "no-store")
        await send(message)

    return sending
