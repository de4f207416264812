"""The proxies of the scorecard: ours, and others in environments of their own, each before the same stdio server.

The others stand in a directory with `fastmcp/`, `mcp-proxy/` and `mcp-firewall/` (virtual environments) and `npm/` (a
package's directory); what isn't there is left out.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mcp_guard import __version__
from tests.fidelity.probe.run import Reached
from tests.fidelity.processes import listening
from tests.fidelity.routes import REPOSITORY, Place
from tests.ports import free_port

SERVER = [sys.executable, "-m", "tests.fidelity.probe.server"]
HTTP_SERVER = [sys.executable, "-m", "tests.fidelity.probe.http_server"]
POLICY = Path(__file__).with_name("everything.yaml")


@dataclass(frozen=True)
class Column:
    """One proxy on one transport. `command` is given the port to listen on, or None for stdio."""

    name: str
    version: str
    transport: str  # what the client speaks
    command: Callable[[int | None], list[str]]
    environment: dict[str, str]
    server_port: int | None = None  # where the server behind speaks HTTP; None: on stdio, started by the proxy

    @property
    def title(self) -> str:
        """As it stands over the column."""
        return f"{self.name} {self.version}, {self.transport}" + (" to http" if self.server_port else "")

    @contextmanager
    def open(self) -> Iterator[Reached]:
        """How to reach it while the block runs. Raises NotStarted."""
        if self.transport == "stdio":
            yield Reached(self.command(None), environment=self.environment)
            return
        port = free_port()
        with self._server(), listening(self.command(port), port, self.environment):
            yield Reached(url=_url(port))

    @contextmanager
    def _server(self) -> Iterator[None]:
        if self.server_port is None:
            yield
            return
        with listening([*HTTP_SERVER, str(self.server_port)], self.server_port, self.environment):
            yield


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/mcp"


def ours(place: Place) -> list[Column]:
    """The guard: as `wrap`, and on HTTP before a server that it starts and one behind a URL."""
    server = {"command": SERVER, "env": ["PYTHONPATH"], "cwd": str(REPOSITORY)}
    config, port = place.config("probe", server), free_port()
    remote = place.config("probe-http", {"url": _url(port)})
    wrap = [
        sys.executable,
        "-m",
        "mcp_guard",
        "wrap",
        "--name",
        "fixture",
        "--policy",
        str(place.policy),
        "--",
        *SERVER,
    ]

    def serve(config: Path) -> Callable[[int | None], list[str]]:
        words = [sys.executable, "-m", "tests.fidelity.guarded", "--config", str(config), "--port"]
        return lambda port: [*words, str(port)]

    return [
        Column("mcp_guard", __version__, "stdio", lambda _: wrap, place.environment()),
        Column("mcp_guard", __version__, "http", serve(config), place.environment()),
        Column("mcp_guard", __version__, "http", serve(remote), place.environment(), port),
    ]


def others(directory: Path, place: Place) -> list[Column]:
    """Those of the others that are installed below `directory`."""
    columns = [*_fastmcp(directory / "fastmcp", place), *_firewall(directory / "mcp-firewall", place)]
    return [*columns, *_mcp_proxy(directory / "mcp-proxy", place), *_npm(directory / "npm", place)]


def _version(python: Path, package: str) -> str:
    script = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def _fastmcp(home: Path, place: Place) -> Iterator[Column]:
    if not home.is_dir():
        return
    config = place.directory / "mcp.json"
    environment = {"PYTHONPATH": str(REPOSITORY)}
    one = {"command": SERVER[0], "args": SERVER[1:], "env": environment}
    config.write_text(json.dumps({"mcpServers": {"probe": one}}))
    run = [str(home / "bin" / "fastmcp"), "run", str(config), "--no-banner", "--log-level", "CRITICAL"]
    version = _version(home / "bin" / "python", "fastmcp")
    plain = dict(os.environ)
    yield Column("fastmcp", version, "stdio", lambda _: [*run, "-t", "stdio"], plain)
    yield Column("fastmcp", version, "http", lambda port: [*run, "-t", "http", "-p", str(port)], plain)


def _firewall(home: Path, place: Place) -> Iterator[Column]:
    if not home.is_dir():
        return
    config = place.directory / "mcp-firewall.yaml"
    written = {
        "version": 1,
        "defaultAction": "allow",
        "globalRateLimit": {"maxCalls": 100000, "windowSeconds": 1},
        "rules": [],
        "audit": {"enabled": True, "path": str(place.directory / "audit.jsonl")},  # or else it lies where one stands
    }
    config.write_text(json.dumps(written))  # JSON is YAML
    command = [str(home / "bin" / "mcp-firewall"), "wrap", "--config", str(config), "--", *SERVER]
    version = _version(home / "bin" / "python", "mcp-firewall")
    yield Column("mcp-firewall", version, "stdio", lambda _: command, _with_path())


def _mcp_proxy(home: Path, place: Place) -> Iterator[Column]:
    if not home.is_dir():
        return
    start = [str(home / "bin" / "mcp-proxy"), "--pass-environment", "--log-level", "ERROR", "--port"]
    version = _version(home / "bin" / "python", "mcp-proxy")
    yield Column("mcp-proxy (PyPI)", version, "http", lambda port: [*start, str(port), "--", *SERVER], _with_path())


def _npm(home: Path, place: Place) -> Iterator[Column]:
    modules = home / "node_modules"
    if not modules.is_dir():
        return
    node = os.environ.get("NODE", "node")
    proxy = [node, str(modules / "mcp-proxy" / "dist" / "bin" / "mcp-proxy.mjs"), "--host", "127.0.0.1", "--port"]
    gateway = [node, str(modules / "supergateway" / "dist" / "index.js"), "--stdio", shlex.join(SERVER)]
    gateway += ["--outputTransport", "streamableHttp", "--stateful", "--logLevel", "none", "--port"]
    versions = {
        name: str(json.loads((modules / name / "package.json").read_text())["version"])
        for name in ("mcp-proxy", "supergateway")
    }
    yield Column(
        "mcp-proxy (npm)", versions["mcp-proxy"], "http", lambda port: [*proxy, str(port), "--", *SERVER], _with_path()
    )
    yield Column("supergateway", versions["supergateway"], "http", lambda port: [*gateway, str(port)], _with_path())


def _with_path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}
