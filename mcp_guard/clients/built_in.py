"""What each client can do without any server, and the setting that closes it. Facts and sources: `docs/clients.md`."""

from __future__ import annotations

from mcp_guard.clients.model import BuiltIn

CLAUDE_CODE: tuple[BuiltIn, ...] = ()
CLAUDE_DESKTOP: tuple[BuiltIn, ...] = ()
CURSOR: tuple[BuiltIn, ...] = ()
VSCODE: tuple[BuiltIn, ...] = ()
CODEX: tuple[BuiltIn, ...] = ()
WINDSURF: tuple[BuiltIn, ...] = ()
GEMINI_CLI: tuple[BuiltIn, ...] = ()
ZED: tuple[BuiltIn, ...] = ()
