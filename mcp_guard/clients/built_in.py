"""What each client can do without any server, and the setting that closes it. Facts and sources: `docs/clients.md`.

A setting is the text as it goes into the file; where none is known, `setting` is empty and `note` says what to do.
"""

from __future__ import annotations

from mcp_guard.clients.model import BuiltIn

CLAUDE_CODE = (
    BuiltIn(
        tools="Bash, Edit, Write, NotebookEdit, WebFetch, WebSearch",
        reach="shell, files, web",
        setting='{"permissions": {"deny": ["Bash", "Edit", "Write", "NotebookEdit", "WebFetch", "WebSearch"]}}',
        where="~/.claude/settings.json, or .claude/settings.json in the project",
        note=(
            "A tool that is denied by its bare name isn't offered to the model at all. Add Read, Grep and Glob if "
            "reading is to pass the guard too."
        ),
        source="https://code.claude.com/docs/en/permissions",
    ),
)

CLAUDE_DESKTOP = (
    BuiltIn(
        tools="desktop extensions, connectors",
        reach="shell, files, web",
        setting="",
        where="Settings > Extensions, Settings > Connectors",
        note="Extensions are MCP servers that no configuration file lists: turn off those that the guard should see.",
        source="https://modelcontextprotocol.io/docs/develop/connect-local-servers",
    ),
    BuiltIn(
        tools="the Code tab (Claude Code)",
        reach="shell, files, web",
        setting="isClaudeCodeForDesktopEnabled = false",
        where="the managed configuration of the machine",
        note="On a machine of your own, close Claude Code's tools as for Claude Code.",
        source="https://claude.com/docs/cowork/3p/code",
    ),
)

CURSOR = (
    BuiltIn(
        tools="shell, file edits and fetch of the command line agent",
        reach="shell, files, web",
        setting='{"permissions": {"allow": [], "deny": ["Shell(*)", "Write(**)", "WebFetch(*)"]}}',
        where="~/.cursor/cli-config.json, or .cursor/cli.json in the project; beside the keys that are there",
        note="Denies win over allows. Add Read(**) if reading is to pass the guard too.",
        source="https://cursor.com/docs/cli/reference/permissions",
    ),
    BuiltIn(
        tools="terminal, edits and fetch of the editor's agent",
        reach="shell, files, web",
        setting='{"terminalAllowlist": [], "mcpAllowlist": []}',
        where="~/.cursor/permissions.json, with Settings > Agents > Approvals & Execution > Allowlist",
        note="This makes the editor ask each time; no documented setting takes the tools away.",
        source="https://cursor.com/docs/reference/permissions",
    ),
)

VSCODE = (
    BuiltIn(
        tools="execute, edit, read, search, web",
        reach="shell, files, web",
        setting="---\ntools: ['files/*']\n---",
        where=".github/agents/guarded.agent.md in the project, chosen in the agent picker; `files` is a server's name",
        note="A custom agent has the tools that it lists. The plain one keeps all: turn them off in Configure Tools.",
        source="https://code.visualstudio.com/docs/agents/run/tools",
    ),
)

CODEX = (
    BuiltIn(
        tools="shell",
        reach="shell",
        setting="[features]\nshell_tool = false\nunified_exec = false",
        where="~/.codex/config.toml",
        note="The tools that run commands aren't offered at all.",
        source="https://github.com/openai/codex/pull/6481",
    ),
    BuiltIn(
        tools="apply_patch",
        reach="files",
        setting='sandbox_mode = "read-only"',
        where="~/.codex/config.toml, above the first table",
        note="No documented setting takes the tool away; so it can't write without being allowed to each time.",
        source="https://developers.openai.com/codex/config-reference",
    ),
    BuiltIn(
        tools="web search",
        reach="web",
        setting='web_search = "disabled"',
        where="~/.codex/config.toml, above the first table",
        note="",
        source="https://developers.openai.com/codex/config-reference",
    ),
)

WINDSURF = (
    BuiltIn(
        tools="terminal, edits, web search of Cascade",
        reach="shell, files, web",
        setting="",
        where="Windsurf Settings > Cascade",
        note=(
            "Turn web search off and set the automatic execution of terminal commands to its strictest level: Cascade "
            "then asks. No documented setting takes the tools away."
        ),
        source="https://docs.windsurf.com/windsurf/terminal",
    ),
)

GEMINI_CLI = (
    BuiltIn(
        tools="run_shell_command, write_file, replace, web_fetch, google_web_search",
        reach="shell, files, web",
        setting=(
            "[[rule]]\n"
            'toolName = ["run_shell_command", "write_file", "replace", "web_fetch", "google_web_search"]\n'
            'decision = "deny"\n'
            "priority = 900"
        ),
        where="a file of your own in ~/.gemini/policies, ending in .toml",
        note=(
            "Add read_file, read_many_files, glob, grep_search and list_directory if reading is to pass the guard too. "
            "In older versions, `tools.core` in settings.json lists the tools that remain."
        ),
        source="https://geminicli.com/docs/reference/policy-engine/",
    ),
)

_ZED_DENIED = (
    "terminal",
    "edit_file",
    "copy_path",
    "create_directory",
    "delete_path",
    "move_path",
    "fetch",
    "web_search",
)
ZED = (
    BuiltIn(
        tools="terminal, edit_file, copy_path, create_directory, delete_path, move_path, fetch, web_search",
        reach="shell, files, web",
        setting=(
            '{"agent": {"tool_permissions": {"tools": {'
            + ", ".join(f'"{tool}": {{"default": "deny"}}' for tool in _ZED_DENIED)
            + "}}}}"
        ),
        where="Zed's settings.json",
        note=(
            "For Zed's own agent. A profile with these tools turned off keeps them from the model; external agents and "
            "terminal threads have their own settings."
        ),
        source="https://zed.dev/docs/ai/tool-permissions",
    ),
)
