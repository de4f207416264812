"""Servers that a client doesn't start though their entries say nothing of it: switched off by name, elsewhere.

Behind a guard they would start with the others, so they stay where they are. Sources, looked up on 2026-11-21:
https://code.claude.com/docs/en/mcp (a rejected server is in `disabledMcpjsonServers` of any settings file),
https://github.com/anthropics/claude-code/issues/78314 (`disabledMcpServers` by project, which `/mcp` writes),
https://geminicli.com/docs/tools/mcp-server (`mcp.allowed`, `mcp.excluded`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mcp_guard.clients import Client, Places, Scope, Section
from mcp_guard.starting.places import real
from mcp_guard.starting.settings_files import settings_in


def switched_off(client: Client, section: Section, places: Places) -> Mapping[str, str]:
    """By name: where it is switched off. A name that is on a list for some other server is taken for this one."""
    if client.id == "claude-code":
        return dict(_claude_code(client, section, places))
    if client.id == "gemini-cli":
        return dict(_gemini(client, section, places))
    return {}


def _claude_code(client: Client, section: Section, places: Places) -> Iterator[tuple[str, str]]:
    moved = places.environment.get("CLAUDE_CONFIG_DIR")
    own = Path(moved) if moved else places.home
    everything = settings_in(client, own / ".claude.json", places)
    for project, one in _mapping(_mapping(everything).get("projects")).items():
        if section.scope is Scope.USER or _same(project, section.project or places.project):
            for name in _names(one, "disabledMcpServers"):
                yield name, f"`disabledMcpServers` of {project}"
            if section.scope is Scope.PROJECT:
                for name in _names(one, "disabledMcpjsonServers"):
                    yield name, f"`disabledMcpjsonServers` of {project}"
    if section.scope is not Scope.PROJECT or places.project is None:
        return
    settings = Path(moved) if moved else places.home / ".claude"
    beside = places.project / ".claude"
    for file in (settings / "settings.json", beside / "settings.json", beside / "settings.local.json"):
        for name in _names(settings_in(client, file, places), "disabledMcpjsonServers"):
            yield name, f"`disabledMcpjsonServers` in {file}"


def _gemini(client: Client, section: Section, places: Places) -> Iterator[tuple[str, str]]:
    # What a project's file says counts for its own servers: it may be somebody else's, and would keep the guard away.
    for base in (places.home, places.project if section.scope is Scope.PROJECT else None):
        if base is None:
            continue
        file = base / ".gemini" / "settings.json"
        rules = _mapping(settings_in(client, file, places)).get("mcp")
        for name in _names(rules, "excluded"):
            yield name, f"`mcp.excluded` in {file}"
        allowed = _names(rules, "allowed")
        for name in section.entries if allowed else ():
            listed = "there, where the guard's own entry isn't" if name in allowed else "not there"
            yield name, f"`mcp.allowed` in {file}, which lists all that starts: it is {listed}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _names(value: Any, key: str) -> list[str]:
    found = _mapping(value).get(key)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _same(project: str, other: str | Path | None) -> bool:
    return other is not None and real(Path(project)) == real(Path(other))
