"""Guards to test: real ones in front of raw servers, and gateways in memory with doubles around them.

A `Stand` is one test's directory: state, policy, servers with their ledgers. A `Scene` is a gateway in memory whose
server, record or judge may be a double. Prevention is read from the server's side (ledger, trace, a double's requests).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mcp_guard.catalogue.entries import Known
from mcp_guard.catalogue.packages import Package, Registry
from mcp_guard.deadlines import Deadlines
from mcp_guard.downstream import NOT_OPENED, State
from mcp_guard.eras import Era
from mcp_guard.errors import RecordFailed, ServerGone
from mcp_guard.gateway import Gateway
from mcp_guard.guard import Guard
from mcp_guard.health import Health
from mcp_guard.model import Approval, Call, Decision, Described, EffectClass, Facts
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.protection import Protection
from mcp_guard.record.query import Filter, Row, open_for_reading
from mcp_guard.record.store import Record
from mcp_guard.record.verify import verify
from mcp_guard.server_spec import ServerSpec
from mcp_guard.session import Session
from tests.fixtures.client import MODERN, RAW_SERVER, RawClient
from tests.fixtures.ledger import read_lines
from tests.fixtures.raw_server import TOOLS
from tests.patience import PATIENCE

REPOSITORY = Path(__file__).parents[1]
ALL_OF_RAW = 'version: 1\ngrants: [{id: all, tool: "raw/*", args: any}]\n'
DECISION = "mcp-guard/decision"
PROMPTS = ("greet", "page")
"""What a double lists; whatever a client names beside them isn't there."""
RAW_NAMES = (*(str(one["name"]) for one in TOOLS), "grown", *(f"tool_{number}" for number in range(30)))


def spelt_out(policy: str) -> str:
    """`raw/*` as the names of the raw server's tools: without a lock, no pattern reaches what nobody knows."""

    def names(found: re.Match[str]) -> str:
        return ", ".join(json.dumps(f"{found[1]}/{name}") for name in RAW_NAMES)

    lists = re.sub(r'tool: "(\w+)/\*"', r'tool: ["\1/*"]', policy)
    return re.sub(r'"(\w+)/\*"', names, lists)


class Harmless(Known):
    """A catalogue that knows every tool, whatever its descriptor is, as one that only reads: for patterns."""

    def describe(self, descriptor: Mapping[str, Any]) -> Described | None:
        return Described(frozenset({EffectClass.READ}))


def harmless() -> Known:
    return Harmless("double", Package(Registry.NPM, "double"), (), "", {})


def decision_in(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The decision that a refusal carries, in a result or in an error's data."""
    holder = answer.get("_meta") or answer.get("data") or {}
    found: dict[str, Any] = holder[DECISION]
    return found


# --- real processes


@dataclass
class Stand:
    """One test's directory, and the commands that start guards in it."""

    home: Path
    policy: str = ALL_OF_RAW
    timeout: float = PATIENCE

    def __post_init__(self) -> None:
        self.home.mkdir(exist_ok=True)
        self.state = self.home / "state"
        self.policy_file = self.home / "policy.yaml"
        self.policy_file.write_text(spelt_out(self.policy))
        self.environment = {**os.environ, "MCP_GUARD_STATE": str(self.state), "PYTHONPATH": str(REPOSITORY)}

    def server(self, name: str = "raw", *options: str, program: Path = RAW_SERVER) -> list[str]:
        """The command of one fixture server, with a ledger and a trace of its own."""
        files = ["--ledger", str(self.ledger_file(name)), "--trace", str(self.trace_file(name))]
        return [sys.executable, "-S", str(program), *files, *options]

    def wrap(self, *options: str, server: list[str] | None = None, mandate: str | None = None) -> RawClient:
        """A client of a guard in front of one server, called `raw`."""
        words = ["wrap", "--name", "raw", "--policy", str(self.policy_file), *self._mandate(mandate)]
        return self.client([*words, "--", *(server or self.server("raw", *options))])

    def run(self, servers: Mapping[str, list[str]], **settings: Any) -> RawClient:
        """A client of a guard in front of several servers, each by its command."""
        file = self.home / "guard.yaml"
        lines = ["version: 1", f"policy: {self.policy_file}", "servers:"]
        for name, command in servers.items():
            lines.append(f"  {name}: {json.dumps({'command': command, **settings})}")
        file.write_text("\n".join(lines))
        return self.client(["run", "--config", str(file)])

    def client(self, words: list[str]) -> RawClient:
        """A client of `mcp-guard WORDS...`."""
        command = [sys.executable, "-m", "mcp_guard", *words]
        return RawClient(command, env=self.environment, cwd=self.home, timeout=self.timeout)

    def _mandate(self, text: str | None) -> list[str]:
        if text is None:
            return []
        file = self.home / "mandate.yaml"
        file.write_text(text)
        return ["--mandate", str(file)]

    def ledger_file(self, name: str = "raw") -> Path:
        return self.home / f"{name}.ledger"

    def trace_file(self, name: str = "raw") -> Path:
        return self.home / f"{name}.trace"

    def ledger(self, name: str = "raw") -> list[dict[str, Any]]:
        """What the server executed."""
        return read_lines(self.ledger_file(name))

    def trace(self, method: str, name: str = "raw") -> list[dict[str, Any]]:
        """The messages of this method that reached the server."""
        return [message for message in read_lines(self.trace_file(name)) if message.get("method") == method]

    def rows(self) -> list[Row]:
        """The record, oldest entry first."""
        with open_for_reading(self.state) as query:
            return list(query.entries(Filter()))

    def decisions(self, method: str = "tools/call") -> list[Row]:
        return [row for row in self.rows() if row.method == method]

    def verified(self) -> list[str]:
        """What is wrong with the record."""
        return verify(self.state)


# --- in memory


@dataclass(frozen=True)
class Given:
    """A request to a double: `downstream.Sent`."""

    id: int
    cancel: Callable[[str | None], None]

    def __call__(self, reason: str | None = None) -> None:
        self.cancel(reason)


class RecordingDownstream:
    """A server that answers at once, by `replies`, and keeps what it was asked."""

    def __init__(self, name: str = "raw", tools: Iterable[Any] = (), replies: Mapping[str, Any] | None = None) -> None:
        self.spec = ServerSpec(name, ("double", name))
        self.name = name
        self.tools = list(tools)
        self.replies: dict[str, Any] = dict(replies or {})
        self.requests: list[tuple[str, Any]] = []
        self.cancelled: list[str | None] = []
        self.told: list[tuple[str, Any]] = []  # notifications
        self.era = Era.LEGACY
        self.holding: list[Callable[[dict[str, Any]], None]] = []
        self.hold = False  # keep calls unanswered
        self.gone = False  # take no byte
        self.state = State.READY
        self.listing: Any = None
        self.withheld: Any = ()
        self.hello: dict[str, Any] = {"capabilities": {"tools": {}, "prompts": {}, "resources": {}, "logging": {}}}
        self.odd = 0
        self.last = 0  # the id of the latest request
        self.restarted = False
        self.unlistable = False
        self.translated = False
        self.health = Health()
        self.deadlines = Deadlines(self.spec.timeout)
        self.now = 0.0  # what its health takes for the time

    @property
    def resting(self) -> bool:
        return self.health.resting(self.now, down=False)

    def answered(self) -> None:
        self.health.answered(steady=False)

    def timed_out(self) -> None:
        self.health.timed_out(self.now)

    @property
    def capabilities(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.hello["capabilities"]
        return found

    @property
    def calls(self) -> list[Any]:
        """The params of the calls that it got."""
        return [params for method, params in self.requests if method == "tools/call"]

    def request(self, method: str, params: Any, answer: Any, progress: Any = None) -> Given:
        if self.gone:
            raise ServerGone("it is a double that has gone")
        self.requests.append((method, params))
        self.last += 1
        if self.hold and method not in ("tools/list",):
            self.holding.append(answer)
        else:
            asyncio.get_running_loop().call_soon(answer, self._reply(method, params))
        return Given(self.last, self.cancelled.append)

    def notify(self, method: str, params: Any) -> None:
        self.told.append((method, params))

    def _reply(self, method: str, params: Any) -> dict[str, Any]:
        reply = self.replies.get(method)
        if reply is not None:
            found: dict[str, Any] = reply(params) if callable(reply) else reply
            return found
        if method == "tools/list":
            return {"result": {"tools": self.tools}}
        if method == "prompts/list":
            return {"result": {"prompts": [{"name": name} for name in PROMPTS]}}
        return {"result": {"content": []}}

    def open(self, era: Era, method: str, params: Any, answer: Any, *, translate: bool = False) -> None:
        self.requests.append((method, params))
        answer({"error": {"code": NOT_OPENED, "message": "a double"}})

    def when_ready(self, go_on: Callable[[bool], None]) -> None:
        go_on(self.state is State.READY)

    def pause(self, paused: bool) -> None: ...

    def close(self) -> None: ...


class FullDisk:
    """A record that takes nothing any more, from the moment it is `full`; before that it is the real one."""

    def __init__(self, record: Record, *, full: bool = True) -> None:
        self._record = record
        self.full = full

    def __getattr__(self, name: str) -> Any:
        taken = getattr(self._record, name)
        if not callable(taken) or name == "close":
            return taken

        def take(*args: Any, **kwargs: Any) -> Any:
            if self.full:
                raise RecordFailed("no room for the record: a double")
            return taken(*args, **kwargs)

        return take


class Stumbling(Guard):
    """A guard whose judge raises what no judge should."""

    __slots__ = ()

    def judge(self, call: Call, tool: Any, facts: Facts, approvals: Collection[Approval] = ()) -> Decision:
        raise ZeroDivisionError("a secret in an exception: hunter2")


def tool(name: str, **properties: Any) -> dict[str, Any]:
    """A descriptor."""
    return {"name": name, "inputSchema": {"type": "object", "properties": properties}}


@dataclass
class Scene:
    """A gateway in memory, in front of doubles. Use inside a running loop."""

    directory: Path
    policy: str = ALL_OF_RAW
    servers: list[RecordingDownstream] = field(default_factory=lambda: [RecordingDownstream(tools=[tool("echo")])])
    mandate: str | None = None
    era: Era = Era.LEGACY
    prefixed: bool = False
    guard_class: type[Guard] = Guard
    protect: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        layers = [load_text(self.policy.encode(), file="policy.yaml", kind="policy", home="/home/me")]
        if self.mandate is not None:
            layers.append(load_text(self.mandate.encode(), file="mandate.yaml", kind="mandate", home="/home/me"))
        self.record = Record.open(self.directory / "state", session="s1", clock=lambda: datetime.now(UTC))
        started = self.record.started("mandate:me") if self.mandate is not None else None
        self.guard = self.guard_class(
            authority=Authority(tuple(layers), started),
            record=self.record,
            specs=(),
            prefixed=self.prefixed,
            protection=Protection(self.protect, [str(self.directory)]),
            session_key="s1",
            clock=lambda: datetime.now(UTC),
        )
        if ("/*" in self.policy or "*/" in self.policy) and "effect" not in self.policy:
            self.guard.look_up = lambda _: harmless()
        self.notified: list[tuple[str, Any]] = []
        self.asked: list[tuple[str, Any, Any]] = []  # of the client: method, params and where its answer goes
        self.taken_back: list[str | None] = []
        session = Session("local:me", "s1", lambda method, params: self.notified.append((method, params)), self._ask)
        session.era = self.era
        session.settled = session.listening = self.era is Era.LEGACY
        self.gateway = Gateway(self.guard, session)
        doubles: list[Any] = self.servers
        for double in self.servers:
            double.era = self.era
        session.servers.extend(doubles)
        self._last = 0

    def _ask(self, method: str, params: Any, answer: Any) -> Callable[[str | None], None]:
        self.asked.append((method, params, answer))
        return self.taken_back.append

    def start(self, method: str, params: dict[str, Any] | None = None) -> tuple[Any, asyncio.Future[dict[str, Any]]]:
        """Make a request: how to cancel it, and its answer to be."""
        self._last += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if self.era is Era.MODERN:
            meta = {**((params or {}).get("_meta") or {}), "io.modelcontextprotocol/protocolVersion": MODERN}
            params = {**(params or {}), "_meta": meta}
        exchange = self.gateway.request(
            method,
            params,
            id=self._last,
            answer=answer.set_result,
            notify=lambda name, body: self.notified.append((name, body)),
        )
        return exchange, answer

    async def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request, to its answer."""
        _, answer = self.start(method, params)
        async with asyncio.timeout(PATIENCE):
            return await answer

    async def call(self, name: str, arguments: dict[str, Any] | None = None, **beside: Any) -> dict[str, Any]:
        return await self.ask("tools/call", {"name": name, "arguments": arguments or {}, **beside})

    async def listed(self) -> list[str]:
        return [shown["name"] for shown in (await self.ask("tools/list"))["result"]["tools"]]

    def rows(self) -> list[Row]:
        with open_for_reading(self.directory / "state") as query:
            return [row for row in query.entries(Filter()) if row.method]

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *exc: object) -> None:
        self.record.close()


def downstream(scene: Scene) -> RecordingDownstream:
    return scene.servers[0]
