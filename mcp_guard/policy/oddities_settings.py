"""Grants that reach a file from which a client starts servers: what is written there starts without the guard.

The project's own such files no call may name (law 7). Those of a directory below it are files like any others, until
somebody opens that directory as a project. Part of `oddities.py`. Judges paths by the rules' own limits; knows no disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mcp_guard.model import Answer, Facts
from mcp_guard.policy.rules import Arguments, Rule, answer

SETTINGS = (".mcp.json", ".vscode/mcp.json", ".cursor/mcp.json")
"""Where clients keep how they start servers, from the directory that they are opened in."""
_BELOW = "packages"  # stands for any directory of the project

_CHANGES = frozenset(
    {"write", "edit", "create", "move", "rename", "copy", "save", "put", "append", "replace", "delete", "remove"}
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_NO_PATH = "\x00"  # no limit on a path takes it: one that does takes anything


def reaches_settings(rule: Rule, tools: Iterable[str], project: str, facts: Facts) -> Iterator[str]:
    """Say that the rule grants writing such a file below `project`. `tools` are the names of those that it reaches."""
    if not rule.is_grant or rule.arguments is None or not any(map(changes, tools)):
        return
    for name in SETTINGS:
        if _takes(rule.arguments, f"{project}/{_BELOW}/{name}", facts):
            hint = "add `not_name: [.mcp.json, .vscode, .cursor]`"
            yield f"it may write {name} in directories of {project}: a client opened there starts what it says; {hint}"
            return


def changes(tool: str) -> bool:
    """Does the tool's name say that it changes files?"""
    return not _CHANGES.isdisjoint(word.lower() for word in _WORD.findall(tool))


def _takes(arguments: Arguments, path: str, facts: Facts) -> bool:
    """Is there a limit that takes this path, and not any text?"""
    limits = (*arguments.listed.values(), *arguments.optional.values())
    return any(
        answer(limit, path, facts) is Answer.YES and answer(limit, _NO_PATH, facts) is not Answer.YES
        for limit in limits
    )
