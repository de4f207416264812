"""One exact deny beside the policy that allowed a call, in force at once in every guard of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp_guard.accepting import local
from mcp_guard.record.query import Row


def deny(directory: Path, place: str, row: Row, clauses: Mapping[str, Any], reason: str, by: str) -> str:
    """The rule's id, beside the documents of `place`. Raises InputError for values that no deny can name exactly."""
    why = f"report of {row.id}: {reason}" if reason else f"report of {row.id}"
    return local.add(directory, place, server=row.server, tool=row.target, clauses=clauses, reason=why, by=by)
