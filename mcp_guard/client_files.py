"""Where clients keep what starts their servers, the guard among them, and what closes their own tools (law 7).

Whoever writes there starts the next session without the guard, or beside it; and what `init` moved has its secrets
there. So no call may name these files. Edge: asks the environment where they were moved. Names only, for every
platform at once: it is read at every start, and `clients/`, which knows more, would take longer than all else.
A test holds this to what `clients/known.py` and `clients/built_in.py` name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_OF_USER = (
    ".claude.json",
    ".claude/settings.json",
    ".codeium/mcp_config.json",
    ".codeium/windsurf/mcp_config.json",
    ".codex/config.toml",
    ".copilot/mcp-config.json",
    ".cursor/cli-config.json",
    ".cursor/mcp.json",
    ".cursor/permissions.json",
    ".gemini/policies",
    ".gemini/settings.json",
    ".vscode-server/data/User/mcp.json",
)
_OF_APPLICATIONS = (
    "Claude/claude_desktop_config.json",
    *(
        f"{product}/User/{name}"
        for product in ("Code", "Code - Insiders")
        for name in ("mcp.json", "settings.json", "profiles")
    ),
    "zed/settings.json",
    "Zed/settings.json",
)
"""Below the directory where the platform keeps what applications are told."""
_APPLICATIONS = (".config", "Library/Application Support", "AppData/Roaming")
_MOVED = {
    **dict.fromkeys(("XDG_CONFIG_HOME", "APPDATA"), _OF_APPLICATIONS),
    "CLAUDE_CONFIG_DIR": (".claude.json", "settings.json"),
    "CODEX_HOME": ("config.toml",),
    "COPILOT_HOME": ("mcp-config.json",),
    "GEMINI_CLI_HOME": (".gemini/policies", ".gemini/settings.json"),
}
"""By the variable that names another directory: what lies in it then."""
_OF_PROJECT = (
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".codex/config.toml",
    ".cursor/cli.json",
    ".cursor/mcp.json",
    ".gemini/settings.json",
    ".github/agents",
    ".mcp.json",
    ".vscode/mcp.json",
    ".vscode/settings.json",
    ".zed/settings.json",
)


def client_files(projects: Iterable[str | Path]) -> tuple[Path, ...]:
    """The user's files, and those of these projects, whether they are there or not."""
    return tuple(dict.fromkeys((*_of_user(), *(Path(one) / name for one in projects for name in _OF_PROJECT))))


def _of_user() -> Iterator[Path]:
    home = Path.home()
    yield from (home / name for name in _OF_USER)
    yield from (home / directory / name for directory in _APPLICATIONS for name in _OF_APPLICATIONS)
    for variable, names in _MOVED.items():
        if Path(moved := os.environ.get(variable, "")).is_absolute():
            yield from (Path(moved) / name for name in names)
