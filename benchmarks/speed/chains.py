"""What is measured against what: each chain from a client to an echo server, and how to set it up.

A chain is named by what stands in between. The guard runs as a user runs it: by its command line, with all of it on: a
policy and a mandate, budgets, a rule that goes by labels, one that goes by where values come from, its record on this
disk, and what is refused refused.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.callers import ERAS, Caller, Era, HttpCaller, StdioCaller
from benchmarks.speed.servers import HERE, SERVERS, background, installed, sdk_by_url
from tests.ports import free_port

GUARD = (sys.executable, "-m", "mcp_guard")
TOKEN_VARIABLE = "MCP_GUARD_BENCHMARK_TOKEN"  # noqa: S105 - a name, no token
ROUTES = ("stdio→stdio", "HTTP→stdio", "HTTP→HTTP", "stdio→HTTP")
"""What the client speaks, and what the tool server speaks."""

POLICY = """\
version: 1
tools:
  echo/echo: {effect: read, gives: untrusted}
  echo/tool_1: {effect: read}
  echo/pay: {effect: spend}
grants:
  - id: echo
    tool: echo/echo
    args: {text: {max_length: 2000000}}
    budget: {calls: 1000000000, per: session}
  - {id: pay, tool: echo/pay, args: {to: {from: [task, {tool: echo/tool_1}]}, amount: any}}
deny:
  - {id: tainted, effect: [spend], when: {labels: [untrusted]}, advice: This session has read untrusted content.}
"""
MANDATE = """\
version: 1
task: Echo what is said.
expires: 12h
grants:
  - {id: echo, tool: echo/echo, args: {text: {max_length: 2000000}}, budget: {calls: 1000000000, per: mandate}}
"""

Open = Callable[[ExitStack, Era], Caller]


@dataclass(frozen=True)
class Chain:
    """One row. `open` leaves its processes to the stack; a peer is measured as far as it goes."""

    name: str
    route: str  # one of ROUTES
    server: str  # "raw" or "sdk", the echo server at the other end
    open: Open
    is_peer: bool = False
    eras: tuple[Era, ...] = ERAS  # that it speaks

    @property
    def base(self) -> bool:
        return self.name == "direct"


class Place:
    """A scratch directory that holds the documents, the configuration and the guard's record."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.policy, self.mandate = directory / "policy.yaml", directory / "mandate.yaml"
        self.policy.write_text(POLICY)
        self.mandate.write_text(MANDATE)
        self.token_file = directory / "token"
        descriptor = os.open(self.token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, os.urandom(32).hex().encode())
        os.close(descriptor)
        self._records = 0

    @property
    def token(self) -> str:
        return self.token_file.read_text()

    def environment(self) -> dict[str, str]:
        """The guard's environment: a record of its own for each chain, so that no row waits for another's lock."""
        self._records += 1
        record = self.directory / f"record-{self._records}"
        return {**installed(), "MCP_GUARD_STATE": str(record), TOKEN_VARIABLE: self.token}

    def wrap(self, server: str) -> list[str]:
        """The command that a client would start instead of the server's own."""
        documents = ["--policy", str(self.policy), "--mandate", str(self.mandate)]
        return [*GUARD, "wrap", "--name", "echo", *documents, "--", *SERVERS[server]]

    def run(self, server: str, port: int = 0, url: str = "") -> list[str]:
        """The command of a guard that serves HTTP (stdio without a port), in front of a server that it starts, or
        reaches at `url`."""
        config = self.directory / f"guard-{server}{'-url' if url else ''}-{port}.yaml"
        command = ", ".join(f'"{word}"' for word in SERVERS[server])
        entry = f'url: "{url}"' if url else f"command: [{command}]"
        text = f"version: 1\npolicy: policy.yaml\nmandate: mandate.yaml\nservers:\n  echo: {{{entry}}}\n"
        config.write_text(text)
        http = ["--http", f"127.0.0.1:{port}", "--token-env", TOKEN_VARIABLE] if port else []
        return [*GUARD, "run", "--config", str(config), *http]


def ours(place: Place) -> list[Chain]:
    """The servers reached directly, the bare relay, and the guard."""
    rows = []
    for server, command in SERVERS.items():
        relay = [sys.executable, str(HERE / "relay.py"), "--", *command]
        rows += [
            Chain("direct", "stdio→stdio", server, stdio(list(command))),
            Chain("bare relay", "stdio→stdio", server, stdio(relay)),
            Chain("guard", "stdio→stdio", server, guard_on_stdio(place, server)),
        ]
    return [
        *rows,
        Chain("direct", "HTTP→stdio", "sdk", direct_http),
        Chain("guard", "HTTP→stdio", "sdk", guard_on_http(place, by_url=False)),
        Chain("direct", "HTTP→HTTP", "sdk", direct_http),
        Chain("guard", "HTTP→HTTP", "sdk", guard_on_http(place, by_url=True)),
        Chain("direct", "stdio→HTTP", "sdk", direct_http),
        Chain("guard", "stdio→HTTP", "sdk", guard_from_stdio(place)),
    ]


def stdio(command: list[str], environment: dict[str, str] | None = None, directory: Path | None = None) -> Open:
    return lambda stack, era: stack.enter_context(StdioCaller(command, environment or installed(), era, directory))


def direct_http(stack: ExitStack, era: Era) -> Caller:
    port, process = sdk_by_url(stack)
    caller = stack.enter_context(HttpCaller(port, era=era))
    caller.roots = (process,)
    return caller


def guard_on_stdio(place: Place, server: str) -> Open:
    return lambda stack, era: stack.enter_context(StdioCaller(place.wrap(server), place.environment(), era))


def guard_from_stdio(place: Place) -> Open:
    def start(stack: ExitStack, era: Era) -> Caller:
        behind, _ = sdk_by_url(stack)
        command = place.run("sdk", url=f"http://127.0.0.1:{behind}/mcp")
        return stack.enter_context(StdioCaller(command, place.environment(), era))

    return start


def guard_on_http(place: Place, *, by_url: bool) -> Open:
    """Over HTTP. `by_url`: on both sides, the server being a process of its own."""

    def start(stack: ExitStack, era: Era) -> Caller:
        url = f"http://127.0.0.1:{sdk_by_url(stack)[0]}/mcp" if by_url else ""
        port = free_port()
        process = background(stack, place.run("sdk", port, url), place.environment(), port)
        caller = stack.enter_context(HttpCaller(port, place.token, era))
        caller.roots = (process,)
        return caller

    return start
