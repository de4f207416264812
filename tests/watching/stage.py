"""A gateway in memory with scanners, a monitor or telemetry beside the rules, as a text of guard.yaml has them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcp_guard.cli.watching import watch_over
from mcp_guard.config import Config, read_config
from tests.approvals.room import Room

ECHO = """version: 1
grants: [{id: say, tool: raw/echo, args: any, budget: {calls: 9}}]
"""
SERVERS = "version: 1\nservers: {raw: {command: [raw]}}\n"


def config(home: Path, text: str) -> Config:
    """guard.yaml with these keys beside the needed ones."""
    return read_config((SERVERS + text).encode(), home / "guard.yaml")


@contextmanager
def watched(home: Path, text: str, policy: str = ECHO, **scene: Any) -> Iterator[Room]:
    """A client of a guard that has this in its guard.yaml, and a desk to answer at."""
    room = Room(home, policy, **scene)
    guard = room.scene.guard
    guard.watch = watch_over(guard, config(home, text).watchers)
    try:
        yield room
    finally:
        if guard.watch is not None:
            guard.watch.close()
        room.scene.record.close()


def scanner_file(home: Path, code: str, name: str = "mine") -> str:
    """Write a scanner beside guard.yaml; the keys that name it."""
    path = home / "scanners" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(code)
    return f"path: scanners, sha256: {hashlib.sha256(code.encode()).hexdigest()}"
