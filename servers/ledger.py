"""The ledger: one line for every tool that was executed, written by the server that executed it.

Whether a guard prevented something is read from here, never from what the guard says. A line is on the disk before the
tool has any effect, so a server that is killed at any instant leaves no effect without its line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NAME = "ledger.jsonl"


def append(path: Path, server: str, tool: str, arguments: Mapping[str, Any]) -> int:
    """Write one line through to the disk and return its sequence number, counted from 1.

    The caller holds the lock of the directory: two writers would count the same number.
    """
    with path.open("a+b") as file:
        seq = _drop_torn_line(file.fileno(), path.read_bytes()) + 1
        line = {
            "seq": seq,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "server": server,
            "tool": tool,
            "arguments": arguments,
        }
        file.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return seq


def read(path: Path) -> list[dict[str, Any]]:
    """Every line of a ledger, oldest first; empty if nothing was ever executed."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def _drop_torn_line(descriptor: int, content: bytes) -> int:
    """Cut off a last line that was not finished, and return how many whole lines there are.

    Its tool never ran: a tool starts only after its line was flushed.
    """
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.ftruncate(descriptor, whole)
    return content.count(b"\n")
