"""Two raw clients with one face: JSON lines on a pipe, and streamable HTTP. Neither knows what a message means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

import httpx2

Message = dict[str, Any]
PREFIX = "io.modelcontextprotocol/"
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class Wire(Protocol):
    """What the probe needs of a client."""

    received: list[Message]
    answerers: dict[str, Callable[[Message], Message]]
    meta: Message

    async def start(self, method: str, params: Message | None = None) -> asyncio.Future[Message]:
        """Send a request; its whole answer is to come."""

    async def notify(self, method: str, params: Message | None = None) -> None: ...

    def last_id(self) -> Any:
        """The id of the request that was started last."""


class HttpWire:
    """A client over HTTP: each answer and notification is read from the stream that it comes on."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[Message] = []
        self.answerers: dict[str, Callable[[Message], Message]] = {}
        self.meta: Message = {}
        self.headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        self._client = httpx2.AsyncClient(timeout=httpx2.Timeout(10, read=None), trust_env=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending: dict[Any, asyncio.Future[Message]] = {}
        self._last = 0

    async def __aenter__(self) -> HttpWire:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def last_id(self) -> Any:
        return self._last

    async def start(self, method: str, params: Message | None = None) -> asyncio.Future[Message]:
        self._last += 1
        body = dict(params or {})
        if self.meta:
            body["_meta"] = {**self.meta, **body.get("_meta", {})}
        answer = self._pending[self._last] = asyncio.get_running_loop().create_future()
        message = {"jsonrpc": "2.0", "id": self._last, "method": method, "params": body}
        self._spawn(self._post(message, self._last))
        return answer

    async def notify(self, method: str, params: Message | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params})}
        await self._post(message, None)

    def listen(self) -> None:
        """Open the stream for what belongs to no request."""
        self._spawn(self._get())

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)

    async def _post(self, message: Message, request: Any) -> None:
        headers = {**self.headers, **self._routing(message)}
        try:
            async with self._client.stream("POST", self.url, json=message, headers=headers) as response:
                if session := response.headers.get("mcp-session-id"):
                    self.headers["mcp-session-id"] = session
                await self._read(response)
        except httpx2.HTTPError as failure:
            self._settle(request, {"error": {"code": 0, "message": f"no answer: {type(failure).__name__}"}})
        self._settle(request, {"error": {"code": 0, "message": "the stream ended without an answer"}})

    def _routing(self, message: Message) -> dict[str, str]:
        """The headers that the modern era wants; in the legacy one, those of the session are in `headers`."""
        params = message.get("params") or {}
        if PREFIX + "protocolVersion" not in (params.get("_meta") or {}):
            return {}
        headers = {"mcp-protocol-version": params["_meta"][PREFIX + "protocolVersion"], "mcp-method": message["method"]}
        key = NAMED.get(message["method"])
        return {**headers, "mcp-name": params[key]} if key else headers

    async def _get(self) -> None:
        with suppress(httpx2.HTTPError):
            async with self._client.stream("GET", self.url, headers=self.headers) as response:
                await self._read(response)

    async def _read(self, response: httpx2.Response) -> None:
        if "event-stream" not in response.headers.get("content-type", ""):
            with suppress(ValueError):
                self._take(json.loads(await response.aread()))
            return
        buffer = b""
        async for piece in response.aiter_raw():
            *lines, buffer = (buffer + piece).replace(b"\r\n", b"\n").split(b"\n")
            for message in _data(lines):
                self._take(message)

    def _take(self, message: Any) -> None:
        if not isinstance(message, dict):
            return
        self.received.append(message)
        if "method" not in message:
            self._settle(message.get("id"), message)
        elif "id" in message:
            answerer = self.answerers.get(message["method"])
            body: Message = {"error": {"code": -32601, "message": "Method not found"}}
            if answerer is not None:
                body = {"result": answerer(message.get("params", {}))}
            self._spawn(self._post({"jsonrpc": "2.0", "id": message["id"], **body}, None))

    def _settle(self, request: Any, answer: Message) -> None:
        pending = self._pending.get(request)
        if pending is not None and not pending.done():
            pending.set_result(answer)


def _data(lines: list[bytes]) -> Iterator[Any]:
    for line in lines:
        if line.startswith(b"data:") and line[5:].strip():
            with suppress(ValueError):
                yield json.loads(line[5:])
