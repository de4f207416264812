"""The ways from the suite to the fixture server: directly, and through a guard on stdio or HTTP."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fidelity.processes import listening
from tests.ports import free_port

REPOSITORY = Path(__file__).parents[2]
POLICY = Path(__file__).with_name("everything.yaml")
SERVER = (sys.executable, "-m", "tests.fidelity.fixture.server")
GUARD = (sys.executable, "-m", "tests.fidelity.guarded")

ALONE = "alone"
STDIO = "http-stdio"
HTTP = "http-http"
ROUTES = (STDIO, HTTP)
"""What the suite speaks to the guard, and the guard to the server."""


@dataclass(frozen=True)
class Place:
    """A directory for what the processes need and leave."""

    directory: Path
    policy: Path = POLICY

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(REPOSITORY), "MCP_GUARD_STATE": str(self.directory / "state")}

    def config(self, name: str, server: dict[str, Any]) -> Path:
        """A guard.yaml with one server, called `fixture`, all of which is granted."""
        file = self.directory / f"{name}.yaml"
        written = {"version": 1, "policy": str(self.policy), "servers": {"fixture": server}}
        file.write_text(json.dumps(written), encoding="utf-8")  # JSON is YAML
        return file

    @contextmanager
    def open(self, route: str) -> Iterator[str]:
        """The URL at which the suite finds the server while the block runs. Raises NotStarted."""
        if route == STDIO:
            by_command = {"command": list(SERVER), "env": ["PYTHONPATH"], "cwd": str(REPOSITORY)}
            with self._guarded(self.config(route, by_command)) as url:
                yield url
            return
        with self._served() as url:
            if route == ALONE:
                yield url
                return
            with self.guard_of(url) as guarded:
                yield guarded

    @contextmanager
    def guard_of(self, url: str) -> Iterator[str]:
        """The URL of a guard before a server that is reached by HTTP. Raises NotStarted."""
        with self._guarded(self.config(HTTP, {"url": url})) as guarded:
            yield guarded

    @contextmanager
    def _served(self) -> Iterator[str]:
        port = free_port()
        with listening([*SERVER, "--http", str(port)], port, self.environment()):
            yield _url(port)

    @contextmanager
    def _guarded(self, config: Path) -> Iterator[str]:
        port = free_port()
        with listening([*GUARD, "--config", str(config), "--port", str(port)], port, self.environment()):
            yield _url(port)


def _url(port: int) -> str:
    return f"http://localhost:{port}/mcp"  # by this name: what the suite says about `Host` is about it
