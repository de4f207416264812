"""The guard's own entry in a client's file: one server that runs `mcp-guard run --config …`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp_guard.clients import Client, Entry, Scope, fresh
from mcp_guard.starting.places import Program
from mcp_guard.starting.survey import Table

ENTRY = "mcp-guard"


def entry_name(table: Table) -> str:
    """A name that the table doesn't have, and that no other scope of the client uses: one would hide the other."""
    base = ENTRY if table.scope is Scope.USER else f"{ENTRY}-{table.scope.value}"
    place = table.loaded.file.place
    first = next(one for one in table.client.places if one.scope is place.scope)
    if place.id != first.id:
        base = f"{ENTRY}-{place.id}"
    taken = table.section.entries
    return next(name for name in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)


def guard_members(
    client: Client, program: Program, config: Path, env: Mapping[str, str], existing: Entry | None
) -> dict[str, Any]:
    """What the entry says. One that is there keeps all that it has, but for the variables of servers that join."""
    if existing is None:
        return fresh(client, [*program.words, "run", "--config", str(config)], env)
    return {**existing.members, **({"env": dict(env)} if env else {})}
