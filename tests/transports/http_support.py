"""What the tests of the HTTP front share: scripted conversations, a front that runs, and raw requests to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2

from mcp_guard.transports.front import Answer, Ask, Notify
from mcp_guard.transports.http import serve
from mcp_guard.transports.http_access import Access
from mcp_guard.transports.http_intake import Bounds
from tests.patience import PATIENCE

TOKEN = "a-token-of-these-tests-0123456789"
MODERN, LEGACY = "2026-07-28", "2025-11-25"
META = "io.modelcontextprotocol/"
ENVELOPE = {f"{META}protocolVersion": MODERN, f"{META}clientCapabilities": {}}

# Every kind of thing that a typed model drops: unknown members, null, an unknown content type, a list as
# structuredContent, a number beyond 64 bits.
ODD_RESULT: dict[str, Any] = {
    "content": [
        {"type": "hologram", "depth": None, "x-unknown": [1, None]},
        {"type": "text", "text": "\u2028 ok", "x": 1},
    ],
    "structuredContent": [1, {"two": None}],
    "resultType": "complete",
    "x-top": {"a": None, "big": 10**30, "small": 0.1},
    "_meta": {"vendor/key": None},
}
INITIALIZED: dict[str, Any] = {
    "protocolVersion": LEGACY,
    "capabilities": {"tools": {"listChanged": True}, "x-unknown": {}},
    "serverInfo": {"name": "guarded", "version": "1"},
}
DISCOVERED: dict[str, Any] = {
    "supportedVersions": [MODERN],
    "capabilities": {"tools": {}},
    "resultType": "complete",
    "ttlMs": 0,
    "cacheScope": "private",
    "_meta": {f"{META}serverInfo": {"name": "guarded", "version": "1"}},
    "x-unknown": None,
}
TOOL = {
    "name": "echo",
    "inputSchema": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
}


@dataclass(eq=False)
class Request:
    """One request as a conversation got it."""

    method: str
    params: dict[str, Any] | None
    id: int | str
    answer: Answer
    notify: Notify
    ask: Ask | None = None
    cancelled: list[str | None] = field(default_factory=list)
    cancelling: asyncio.Event = field(default_factory=asyncio.Event)

    def cancel(self, reason: str | None = None) -> None:
        self.cancelled.append(reason)
        self.cancelling.set()

    @property
    def token(self) -> Any:
        return ((self.params or {}).get("_meta") or {}).get("progressToken")


Script = Callable[[Request], None]


@dataclass(eq=False)
class Scripted:
    """A conversation that keeps what it was told, and answers by method, or by tool for `tools/call`."""

    principal: str
    notify: Notify
    scripts: Mapping[str, Script]
    changed: asyncio.Event
    requests: list[Request] = field(default_factory=list)
    notifications: list[tuple[str, dict[str, Any] | None]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    closed: int = 0
    ask: Ask | None = None

    def request(
        self,
        method: str,
        params: dict[str, Any] | None,
        *,
        id: int | str,
        answer: Answer,
        notify: Notify,
        ask: Ask | None = None,
    ) -> Request:
        request = Request(method, params, id, answer, notify, ask)
        self.requests.append(request)
        self.changed.set()
        name = (params or {}).get("name") if method == "tools/call" else method
        self.scripts.get(str(name), unknown)(request)
        return request

    def notification(self, method: str, params: dict[str, Any] | None) -> None:
        self.notifications.append((method, params))
        self.changed.set()

    def refused(self, why: str) -> None:
        self.refusals.append(why)

    def pause(self, paused: bool) -> None:
        raise AssertionError("this front never holds servers back")

    def close(self) -> None:
        self.closed += 1
        self.changed.set()

    async def until(self, true: Callable[[Scripted], bool]) -> None:
        """Wait until something about this conversation is true; no longer than five seconds."""
        await until(self.changed, lambda: true(self))

    def calls(self, tool: str) -> list[Request]:
        return [request for request in self.requests if (request.params or {}).get("name") == tool]


class Conversations:
    """Opens scripted conversations and keeps them, in order."""

    def __init__(self, **scripts: Script) -> None:
        self.scripts = {**STANDARD, **scripts}
        self.opened: list[Scripted] = []
        self.changed = asyncio.Event()

    def open(self, *, principal: str, notify: Notify, ask: Ask | None = None, grant: str = "") -> Scripted:
        self.opened.append(Scripted(principal, notify, self.scripts, self.changed, ask=ask))
        return self.opened[-1]

    async def call(self, tool: str, count: int = 1) -> list[Request]:
        """Wait until `tool` was called so often, in whatever conversations; gives the calls."""

        def found() -> list[Request]:
            return [request for conversation in self.opened for request in conversation.calls(tool)]

        await until(self.changed, lambda: len(found()) >= count)
        return found()


async def until(changed: asyncio.Event, true: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE):
        while not true():
            changed.clear()
            await changed.wait()


def gives(result: dict[str, Any]) -> Script:
    return lambda request: request.answer({"result": result})


def fails(code: int, message: str, **more: Any) -> Script:
    return lambda request: request.answer({"error": {"code": code, "message": message, **more}})


def unknown(request: Request) -> None:
    request.answer({"error": {"code": -32601, "message": "Method not found"}})


def silent(request: Request) -> None:
    """Leave the request unanswered."""


def breaks(request: Request) -> None:
    raise RuntimeError("the path is /secret/of/the/guard")


def later(request: Request) -> None:
    """Progress twice and a log line, then the answer, all from the event loop."""

    def speak() -> None:
        for step in (1, 2):
            request.notify("notifications/progress", {"progressToken": request.token, "progress": step, "x": None})
        request.notify("notifications/message", {"level": "info", "data": {"a": None}})
        request.answer({"result": {"content": [], "resultType": "complete"}})

    asyncio.get_running_loop().call_soon(speak)


STANDARD: dict[str, Script] = {
    "initialize": gives(INITIALIZED),
    "server/discover": gives(DISCOVERED),
    "ping": gives({}),
    "tools/list": gives({"tools": [TOOL], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}),
    "odd": gives(ODD_RESULT),
    "echo": gives({"content": [{"type": "text", "text": "hi"}], "resultType": "complete"}),
    "slow": silent,
    "breaks": breaks,
    "later": later,
}


@asynccontextmanager
async def front(
    conversations: Conversations,
    *,
    host: str = "127.0.0.1",
    origins: frozenset[str] = frozenset(),
    bounds: Bounds | None = None,
    schema: Callable[[str], Mapping[str, Any] | None] = lambda name: None,
) -> AsyncIterator[str]:
    """A front on a free port; gives its URL, and ends it at the end of the block."""
    ready = asyncio.Event()
    urls: list[str] = []

    def on_ready(url: str) -> None:
        urls.append(url)
        ready.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(
            lambda: serve(
                conversations,
                host=host,
                port=0,
                access=Access(TOKEN, origins),
                on_ready=on_ready,
                bounds=bounds,
                input_schema=lambda name, _: schema(name),
            )
        )
        with anyio.fail_after(PATIENCE):
            await ready.wait()
        try:
            yield urls[0]
        finally:
            tasks.cancel_scope.cancel()


def http(**headers: str) -> httpx2.AsyncClient:
    """A raw client that holds the token."""
    standard = {
        "authorization": f"Bearer {TOKEN}",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
    }
    return httpx2.AsyncClient(headers={**standard, **headers}, timeout=PATIENCE)


def message(method: str, params: dict[str, Any] | None = None, id: int | str | None = 1) -> dict[str, Any]:
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if id is not None:
        body["id"] = id
    if params is not None:
        body["params"] = params
    return body


def modern(
    method: str, params: dict[str, Any] | None = None, id: int | str = 1
) -> tuple[dict[str, Any], dict[str, str]]:
    """A modern request: its body, and the headers that go with it."""
    params = dict(params or {})
    params["_meta"] = {**ENVELOPE, **params.get("_meta", {})}
    headers = {"mcp-protocol-version": MODERN, "mcp-method": method}
    if method == "tools/call":
        headers["mcp-name"] = params["name"]
    return message(method, params, id), headers


def events(text: str) -> list[Any]:
    """The JSON messages of an answer: one body, or an event stream.

    Not by `splitlines`: data may hold other line ends, such as U+2028.
    """
    if text.startswith("{"):
        return [json.loads(text)]
    found = [line.removeprefix("data: ") for line in text.split("\r\n") if line.startswith("data: ")]
    return [json.loads(data) for data in found if data]  # the first event of a stream has an id, and no data


async def handshake(client: httpx2.AsyncClient, url: str) -> dict[str, str]:
    """Begin a legacy session; gives the headers of its further requests."""
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    response = await client.post(url, json=message("initialize", params))
    assert response.status_code == 200, response.text
    assert events(response.text)[-1]["result"] == INITIALIZED
    headers = {"mcp-session-id": response.headers["mcp-session-id"], "mcp-protocol-version": LEGACY}
    done = await client.post(url, json=message("notifications/initialized", id=None), headers=headers)
    assert done.status_code == 202
    return headers
