"""Somebody at the console, without a browser: raw ASGI requests, with as many or as few headers as a test wants."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp

from mcp_guard.console.app import application
from mcp_guard.console.door import Door
from mcp_guard.console.room import Room
from mcp_guard.presence import secret
from tests.patience import PATIENCE
from tests.presence.person import PIN

FORM = ("content-type", "application/x-www-form-urlencoded")
Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Visitor:
    """One console over a state directory, and one browser's worth of requests to it."""

    state: Path
    clock: Clock = field(default_factory=Clock)
    door: Door = field(init=False)
    app: ASGIApp = field(init=False)
    cookie: str = ""
    secret: str = ""
    last: Answer = field(init=False)

    def __post_init__(self) -> None:
        self.door = Door(8711, self.clock)
        self.app = application(Room(self.state, "local:me"), self.door)

    @property
    def ticket(self) -> str:
        return self.door.link.rpartition("/")[2]

    @property
    def host(self) -> tuple[str, str]:
        return "host", self.door.host

    @property
    def origin(self) -> tuple[str, str]:
        return "origin", self.door.origin

    async def raw(self, method: str, path: str, headers: Headers, body: bytes = b"") -> Answer:
        """Exactly these headers."""
        told: list[Any] = []
        where, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": where,
            "raw_path": where.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
            "http_version": "1.1",
            "scheme": "http",
            "server": ("127.0.0.1", 8711),
            "client": ("127.0.0.1", 5),
        }

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        try:
            async with asyncio.timeout(PATIENCE):
                await self.app(scope, receive, send)
        finally:
            found = [(name.decode(), value.decode("latin-1")) for name, value in told[0]["headers"]]
            self.last = Answer(told[0]["status"], found, b"".join(one.get("body", b"") for one in told[1:]).decode())
        return self.last

    async def log_in(self) -> Visitor:
        """Follow the link, and press its button."""
        answer = await self.raw("POST", f"/login/{self.ticket}", [self.host, self.origin, FORM])
        assert answer.status == 303, answer.text
        self.cookie = answer.header("set-cookie").partition(";")[0]
        found = re.search('name="form" value="([^"]+)"', (await self.get("/now")).text)
        assert found is not None
        self.secret = found[1]
        return self

    async def get(self, path: str, *more: tuple[str, str]) -> Answer:
        return await self.raw("GET", path, [self.host, ("cookie", self.cookie), *more])

    async def post(self, path: str, **fields: Any) -> Answer:
        """A form, filled in and sent from a page of the console."""
        body = urlencode({"form": self.secret, **fields}, doseq=True).encode()
        return await self.raw("POST", path, [self.host, self.origin, FORM, ("cookie", self.cookie)], body)


def with_pin(state: Path) -> None:
    """The person has set a PIN, in a terminal."""
    secret.keep(state, PIN)
