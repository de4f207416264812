"""The members of an entry that starts another command: what `edited` puts, in the client's own form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcp_guard.clients.model import Client, Entry


def rewired(client: Client, entry: Entry, command: Sequence[str]) -> dict[str, Any]:
    """The entry's members with another command, everything else as it is: environment, flags, unknown keys.

    An entry that was reached by address loses what only such an entry has, and starts the command instead.
    """
    shape, members = client.shape, dict(entry.members)
    program, args = command[0], list(command[1:])
    nested = members.get("command")
    if shape.nested_command and isinstance(nested, Mapping):
        members["command"] = {**nested, "path": program, "args": args}
        return members
    if entry.program is None:
        gone = {*shape.url, *shape.headers, *([shape.type] if shape.type else [])}
        members = {key: value for key, value in members.items() if key not in gone}
        return {**fresh(client, command), **members}
    return {**members, "command": program, "args": args}


def fresh(client: Client, command: Sequence[str], env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The members of a new entry that starts `command`."""
    shape = client.shape
    kind = {shape.type: shape.stdio} if shape.type and shape.stdio else {}
    return {**kind, "command": command[0], "args": list(command[1:]), **({"env": dict(env)} if env else {})}
