"""What is measured against what: each chain from a client to an echo server, and how to set it up.

A chain is named by what stands in between. The guard runs as a user runs it: by its command line, with a policy, its
record on this disk.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.callers import Broken, Caller, HttpCaller, StdioCaller

HERE = Path(__file__).parent
RAW_SERVER = HERE.parent.parent / "tests" / "fixtures" / "raw_server.py"
SERVERS = {"raw": (sys.executable, str(RAW_SERVER)), "sdk": (sys.executable, str(HERE / "echo_sdk.py"))}
GUARD = (sys.executable, "-m", "mcp_guard")
TOKEN_VARIABLE = "MCP_GUARD_BENCHMARK_TOKEN"  # noqa: S105 - a name, no token
START_PATIENCE = 30.0

POLICY = """\
version: 1
tools:
  echo/echo: {effect: read}
grants:
  - {id: echo, tool: echo/echo, args: {text: {max_length: 1000}}}
"""


@dataclass(frozen=True)
class Chain:
    """One row. `open` leaves its processes to the stack; `base` is the row that the added time is counted from."""

    name: str
    transport: str  # "stdio" or "http": what the client speaks
    server: str  # "raw" or "sdk", the echo server at the other end
    open: Callable[[ExitStack], Caller]
    tool: str = "echo"

    @property
    def base(self) -> bool:
        return self.name == "direct"


class Place:
    """A scratch directory that holds the policy, the configuration and the guard's record."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.policy = directory / "policy.yaml"
        self.policy.write_text(POLICY)
        self.token_file = directory / "token"
        descriptor = os.open(self.token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, os.urandom(32).hex().encode())
        os.close(descriptor)

    @property
    def token(self) -> str:
        return self.token_file.read_text()

    def environment(self, record: str) -> dict[str, str]:
        """The guard's environment: a record of its own for each chain, so that no row waits for another's lock."""
        return {**os.environ, "MCP_GUARD_STATE": str(self.directory / record), TOKEN_VARIABLE: self.token}

    def wrap(self, server: str) -> list[str]:
        """The command that a client would start instead of the server's own."""
        return [*GUARD, "wrap", "--name", "echo", "--policy", str(self.policy), "--", *SERVERS[server]]

    def run(self, server: str, port: int, url: str = "") -> list[str]:
        """The command of a guard that serves HTTP, in front of a server that it starts, or reaches at `url`."""
        config = self.directory / f"guard-{server}{'-url' if url else ''}.yaml"
        command = ", ".join(f'"{word}"' for word in SERVERS[server])
        entry = f'url: "{url}"' if url else f"command: [{command}]"
        config.write_text(f"version: 1\npolicy: policy.yaml\nservers:\n  echo: {{{entry}}}\n")
        options = ["--http", f"127.0.0.1:{port}", "--token-env", TOKEN_VARIABLE]
        return [*GUARD, "run", "--config", str(config), *options]


def chains(place: Place) -> list[Chain]:
    """Every row, stdio first; the direct one before those that are compared with it."""
    rows = []
    for server, command in SERVERS.items():
        relay = [sys.executable, str(HERE / "relay.py"), "--", *command]
        environment = place.environment(f"record-{server}")
        rows += [
            Chain("direct", "stdio", server, stdio(list(command))),
            Chain("bare relay", "stdio", server, stdio(relay)),
            Chain("guard", "stdio", server, stdio(place.wrap(server), environment)),
        ]
    rows.append(Chain("direct", "http", "sdk", direct_http))
    rows += [Chain("guard", "http", server, guard_http(place, server), tool="echo__echo") for server in ("sdk", "raw")]
    rows.append(Chain("guard", "http", "sdk by url", guard_by_url(place), tool="echo__echo"))
    return rows


def stdio(command: list[str], environment: dict[str, str] | None = None) -> Callable[[ExitStack], Caller]:
    return lambda stack: stack.enter_context(StdioCaller(command, environment))


def direct_http(stack: ExitStack) -> Caller:
    port = free_port()
    background(stack, [*SERVERS["sdk"], "--http", str(port)], dict(os.environ), port)
    return stack.enter_context(HttpCaller(port))


def guard_http(place: Place, server: str) -> Callable[[ExitStack], Caller]:
    def start(stack: ExitStack) -> Caller:
        port = free_port()
        background(stack, place.run(server, port), place.environment(f"record-http-{server}"), port)
        return stack.enter_context(HttpCaller(port, place.token))

    return start


def guard_by_url(place: Place) -> Callable[[ExitStack], Caller]:
    """HTTP on both sides: the server is a process of its own, reached at its address."""

    def start(stack: ExitStack) -> Caller:
        behind, port = free_port(), free_port()
        background(stack, [*SERVERS["sdk"], "--http", str(behind)], dict(os.environ), behind)
        command = place.run("sdk", port, f"http://127.0.0.1:{behind}/mcp")
        background(stack, command, place.environment("record-http-url"), port)
        return stack.enter_context(HttpCaller(port, place.token))

    return start


def background(stack: ExitStack, command: list[str], environment: dict[str, str], port: int) -> None:
    """Start a server that listens on `port`, wait until it does, and end it with the stack."""
    errors = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet, stderr=errors)
    stack.callback(end, process)
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            errors.seek(0)
            raise Broken(f"`{' '.join(command)}` ended: {errors.read()[-2000:].decode(errors='replace')}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise Broken(f"`{' '.join(command)}` doesn't listen on port {port}")


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
