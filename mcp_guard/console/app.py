"""The ASGI application: access first, then a page or an act behind each address, and the same headers on every answer.

Pages and acts are synchronous and run in threads: they read SQLite and wait for the PIN's slow hash.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_guard import log
from mcp_guard.console import access
from mcp_guard.console.door import Door, clear_cookie, set_cookie
from mcp_guard.console.forms import read_form
from mcp_guard.console.headers import HEADERS
from mcp_guard.console.pages import PAGES, STARTS_AT, WAYS
from mcp_guard.console.rendering import environment, render
from mcp_guard.console.room import Act, Asked, Room, Show
from mcp_guard.errors import GuardError
from mcp_guard.transports.http_access import Refused

STATIC = Path(__file__).parent / "static"
TYPES = {"console.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}
FILES = {name: (STATIC / name).read_bytes() for name in TYPES}
"""The files there are; no other is looked for."""


def application(room: Room, door: Door) -> ASGIApp:
    """The console of one start."""
    views = _Views(room, door)
    routes: list[BaseRoute] = [
        Route("/", views.begin, methods=["GET"]),
        Route("/login/{ticket}", views.arrive, methods=["GET"]),
        Route("/login/{ticket}", views.come_in, methods=["POST"]),
        Route("/leave", views.leave, methods=["POST"]),
        Route("/static/{name}", _static, methods=["GET"]),
        Route("/moment", views.moment, methods=["GET"]),
    ]
    for page in PAGES:
        if page.show is not None:
            routes.append(Route(page.path, partial(views.page, page.show), methods=["GET"]))
        if page.act is not None:
            routes.append(Route(page.path, partial(views.act, page.act), methods=["POST"]))
    failures = {Refused: views.refused, HTTPException: views.not_there, Exception: views.broken}
    return _Guarded(Starlette(routes=routes, exception_handlers=failures), door, views)


class _Views:
    """The pages of one console, as answers."""

    def __init__(self, room: Room, door: Door) -> None:
        self._room = room
        self._door = door
        self._templates = environment()

    async def begin(self, request: Request) -> Response:
        return RedirectResponse(STARTS_AT, 303)

    async def arrive(self, request: Request) -> Response:
        """The link was opened: it is exchanged by a button, since mail programs and previews open links, too."""
        ticket = request.path_params["ticket"]
        if not self._door.knows(ticket):
            return self.said(403, access.OUTSIDE)
        return self._html("login.html", {"ticket": ticket})

    async def come_in(self, request: Request) -> Response:
        await read_form(request.stream(), request.headers.get("content-type", ""), None)
        visit = self._door.exchange(request.path_params["ticket"])
        if visit is None:
            return self.said(403, access.OUTSIDE)
        return RedirectResponse(STARTS_AT, 303, {"set-cookie": set_cookie(visit)})

    async def leave(self, request: Request) -> Response:
        await read_form(request.stream(), request.headers.get("content-type", ""), request.state.visit)
        self._door.leave()
        answer = self.said(200, "You have left. For another link, start `mcp-guard console` again.")
        answer.headers["set-cookie"] = clear_cookie()
        return answer

    async def moment(self, request: Request) -> Response:
        """Another text whenever something was recorded: what a page that is open asks for."""

        def look() -> str:
            with self._room.record() as query:
                return "0" if query is None else str(query.last())

        try:
            return PlainTextResponse(await to_thread.run_sync(look))
        except GuardError:
            return PlainTextResponse("?", 503)

    async def page(self, show: Show, request: Request) -> Response:
        asked = Asked(request.path_params, request.query_params)
        try:
            page = await to_thread.run_sync(partial(show, self._room, asked))
        except GuardError as error:
            return self.said(400, str(error), request)
        return self._html(page.template, {**page.values, **self._common(request)})

    async def act(self, act: Act, request: Request) -> Response:
        form = await read_form(request.stream(), request.headers.get("content-type", ""), request.state.visit)
        try:
            then = await to_thread.run_sync(partial(act, self._room, request.path_params, form))
        except GuardError as error:
            return self.said(400, str(error), request)
        return RedirectResponse(then, 303)

    async def not_there(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return self.said(status, "There is nothing here." if status == 404 else "That can't be done here.", request)

    async def refused(self, request: Request, error: Exception) -> Response:
        """A form that isn't ours."""
        return self.said(error.status if isinstance(error, Refused) else 400, str(error))

    async def broken(self, request: Request, error: Exception) -> Response:
        """A fault of ours: nothing of it is shown, since it may quote anything."""
        log.warning("the console could not make a page", error=type(error).__name__)
        return self.said(500, "The console could not make this page; nothing was changed by it.", request)

    def said(self, status: int, message: str, request: Request | None = None) -> Response:
        """A sentence as a page; within the console if somebody is in."""
        if request is None or getattr(request.state, "visit", None) is None:
            return self._html("outside.html", {"message": message}, status)
        return self._html("message.html", {"message": message, **self._common(request)}, status)

    def _html(self, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        return HTMLResponse(render(self._templates, template, values), status)

    def _common(self, request: Request) -> dict[str, Any]:
        return {"secret": request.state.visit.form, "ways": WAYS, "here": request.url.path}


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in TYPES:
        raise HTTPException(404)
    return Response(FILES[name], media_type=TYPES[name])


class _Guarded:
    """Around everything: no request gets further that `access` refuses, and no answer lacks the headers."""

    def __init__(self, inner: ASGIApp, door: Door, views: _Views) -> None:
        self._inner = inner
        self._door = door
        self._views = views

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._inner(scope, receive, send)
        if scope["type"] != "http":  # web sockets: there are none
            return None
        send = _with_headers(send)
        try:
            visit = access.check(self._door, scope["method"], scope["path"], scope["query_string"], scope["headers"])
            scope["state"] = {"visit": visit}
            return await self._inner(scope, receive, send)
        except Refused as refused:
            answer = self._views.said(refused.status, str(refused))
            for name, value in refused.headers:
                answer.headers[name.decode()] = value.decode()
            return await answer(scope, receive, send)


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in HEADERS}
            message["headers"] = [*(one for one in message["headers"] if one[0] not in own), *HEADERS]
        await send(message)

    return sending
