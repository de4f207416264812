"""What the tests of the HTTP link share: a link that keeps what it was told, opened in either era."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from mcp_guard.eras import CLIENT_CAPABILITIES_KEY, REVISION_KEY, Era
from mcp_guard.transports.http_link import HttpLink
from mcp_guard.transports.http_link_remote import Remote
from mcp_guard.transports.link import see_links_end
from tests.fixtures.http_server import LEGACY, MODERN, HttpServer
from tests.transports.processes import until

INITIALIZE = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
ENVELOPE = {REVISION_KEY: MODERN, CLIENT_CAPABILITIES_KEY: {}}
Reply = dict[str, Any]


class Linked:
    """A link to a server, and what it said."""

    def __init__(self, server: HttpServer, **settings: Any) -> None:
        self.notified: list[tuple[str, Any]] = []
        self.asked: list[tuple[str, Any, Any, int | None]] = []  # method, params, answer, during
        self.taken_back: list[str | None] = []
        self.odd: list[str] = []
        self.gone: list[str] = []
        self.server = server
        self.era = Era.LEGACY
        options = {key: settings.pop(key) for key in ("limit", "schema_of", "name") if key in settings}
        self.link = HttpLink(
            Remote(server.url, **settings),
            on_notification=lambda method, params: self.notified.append((method, params)),
            on_request=self._asked,
            on_odd=self.odd.append,
            on_gone=self.gone.append,
            **options,
        )

    def _asked(self, method: str, params: Any, answer: Any, during: int | None) -> Callable[[str | None], None]:
        self.asked.append((method, params, answer, during))
        return self.taken_back.append

    async def open(self, era: Era = Era.LEGACY) -> Reply:
        """Begin as `Downstream` does."""
        self.era = era
        if era is Era.MODERN:
            return await self.ask("server/discover")
        answer = await self.ask("initialize", INITIALIZE)
        if "result" in answer:
            self.link.notify("notifications/initialized", None)
        return answer

    def start(
        self, method: str, params: Mapping[str, Any] | None = None, progress: Any = None
    ) -> tuple[int, list[Reply]]:
        """Make a request; its id, and its answers to be: there must never be two."""
        answers: list[Reply] = []
        found = dict(params) if params is not None else None
        if self.era is Era.MODERN:
            found = {**(found or {}), "_meta": {**ENVELOPE, **((found or {}).get("_meta") or {})}}
        return self.link.request(method, found, answers.append, progress), answers

    async def ask(self, method: str, params: Mapping[str, Any] | None = None, progress: Any = None) -> Reply:
        _, answers = self.start(method, params, progress)
        await until(lambda: answers, method)
        await settle()
        assert len(answers) == 1
        return answers[0]

    async def call(self, text: str = "hi", **more: Any) -> Reply:
        return await self.ask("tools/call", {"name": "echo", "arguments": {"text": text}, **more})


async def settle() -> None:
    """Let everything happen that is ready to."""
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def linked(server: HttpServer, **settings: Any) -> AsyncIterator[Linked]:
    """A link to `server`, closed at the end; no connection stays behind."""
    made = Linked(server, **settings)
    await made.link.start()
    try:
        yield made
    finally:
        made.link.close()
        await see_links_end(5)
        await until(lambda: server.open == 0, "connections stay open")


def said(answer: Reply) -> str:
    """The text of a call's result."""
    text: str = answer["result"]["content"][0]["text"]
    return text
