"""The eight clients: where each keeps its servers, and how it writes them. Facts and sources: `docs/clients.md`."""

from __future__ import annotations

from mcp_guard.clients import built_in
from mcp_guard.clients.model import Client, FilePlace, Format, Scope, Shape, Table

_MCP_SERVERS = ("mcpServers",)
_USER = (Table(_MCP_SERVERS, Scope.USER),)
_PROJECT = (Table(_MCP_SERVERS, Scope.PROJECT),)


def _everywhere(*templates: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(("linux", "darwin", "win32"), templates)


def _in_code(name: str, product: str) -> dict[str, tuple[str, ...]]:
    """A file in the user's directory of VS Code."""
    return {
        "linux": (f"$XDG_CONFIG_HOME/{product}/User/{name}", f"~/.config/{product}/User/{name}"),
        "darwin": (f"~/Library/Application Support/{product}/User/{name}",),
        "win32": (f"$APPDATA/{product}/User/{name}", f"~/AppData/Roaming/{product}/User/{name}"),
    }


CLAUDE_CODE = Client(
    id="claude-code",
    title="Claude Code",
    places=(
        FilePlace(
            "user",
            Scope.USER,
            _everywhere("$CLAUDE_CONFIG_DIR/.claude.json", "~/.claude.json"),
            (*_USER, Table(("projects", "*", "mcpServers"), Scope.LOCAL)),
            Format.JSON,
        ),
        FilePlace("project", Scope.PROJECT, _everywhere("$project/.mcp.json"), _PROJECT, Format.JSON),
    ),
    shape=Shape(type="type", stdio="stdio", others=("headersHelper", "oauth", "timeout", "alwaysLoad")),
    built_in=built_in.CLAUDE_CODE,
    sources=("https://code.claude.com/docs/en/mcp", "https://code.claude.com/docs/en/settings"),
    unsure=(
        "where .claude.json lies under CLAUDE_CONFIG_DIR: users report the place, the pages above don't name it",
        "servers that plugins and claude.ai connectors bring: they lie elsewhere and aren't read",
    ),
)

CLAUDE_DESKTOP = Client(
    id="claude-desktop",
    title="Claude Desktop",
    places=(
        FilePlace(
            "user",
            Scope.USER,
            {
                "linux": (
                    "$XDG_CONFIG_HOME/Claude/claude_desktop_config.json",
                    "~/.config/Claude/claude_desktop_config.json",
                ),
                "darwin": ("~/Library/Application Support/Claude/claude_desktop_config.json",),
                "win32": (
                    "$APPDATA/Claude/claude_desktop_config.json",
                    "~/AppData/Roaming/Claude/claude_desktop_config.json",
                ),
            },
            _USER,
            Format.JSON,
        ),
    ),
    shape=Shape(),
    built_in=built_in.CLAUDE_DESKTOP,
    sources=("https://modelcontextprotocol.io/docs/develop/connect-local-servers",),
    unsure=(
        "the place on Linux: the documentation names macOS and Windows; packages for Linux use the one given here",
        "desktop extensions, which lie elsewhere and aren't read",
    ),
)

CURSOR = Client(
    id="cursor",
    title="Cursor",
    places=(
        FilePlace("user", Scope.USER, _everywhere("~/.cursor/mcp.json"), _USER, Format.JSONC, trailing_commas=True),
        FilePlace(
            "project",
            Scope.PROJECT,
            _everywhere("$project/.cursor/mcp.json"),
            _PROJECT,
            Format.JSONC,
            trailing_commas=True,
        ),
    ),
    shape=Shape(type="type", others=("envFile", "auth")),
    built_in=built_in.CURSOR,
    sources=("https://cursor.com/docs/mcp",),
    unsure=("whether comments are taken in mcp.json: they are read and kept here, whatever Cursor makes of them",),
)

_CODE_SERVERS = (Table(("servers",), Scope.USER),)
_CODE_SETTINGS = (
    Table(("mcp", "servers"), Scope.USER, new=False),
    Table(("mcp.servers",), Scope.USER, new=False),
)

VSCODE = Client(
    id="vscode",
    title="VS Code",
    places=(
        *(
            FilePlace(name, Scope.USER, where, tables, Format.JSONC, trailing_commas=True)
            for name, where, tables in (
                ("user", _in_code("mcp.json", "Code"), _CODE_SERVERS),
                ("profile", _in_code("profiles/*/mcp.json", "Code"), _CODE_SERVERS),
                ("settings", _in_code("settings.json", "Code"), _CODE_SETTINGS),
                ("insiders", _in_code("mcp.json", "Code - Insiders"), _CODE_SERVERS),
                ("insiders-profile", _in_code("profiles/*/mcp.json", "Code - Insiders"), _CODE_SERVERS),
                ("insiders-settings", _in_code("settings.json", "Code - Insiders"), _CODE_SETTINGS),
                ("remote", _everywhere("~/.vscode-server/data/User/mcp.json"), _CODE_SERVERS),
                ("copilot", _everywhere("$COPILOT_HOME/mcp-config.json", "~/.copilot/mcp-config.json"), _USER),
            )
        ),
        *(
            FilePlace(name, Scope.PROJECT, _everywhere(where), tables, Format.JSONC, trailing_commas=True)
            for name, where, tables in (
                ("project", "$project/.vscode/mcp.json", (Table(("servers",), Scope.PROJECT),)),
                (
                    "project-settings",
                    "$project/.vscode/settings.json",
                    (
                        Table(("mcp", "servers"), Scope.PROJECT, new=False),
                        Table(("mcp.servers",), Scope.PROJECT, new=False),
                    ),
                ),
            )
        ),
    ),
    shape=Shape(type="type", stdio="stdio", cwd="cwd", others=("envFile", "dev", "sandbox", "sandboxEnabled", "oauth")),
    built_in=built_in.VSCODE,
    sources=(
        "https://code.visualstudio.com/docs/agents/reference/mcp-configuration",
        "https://code.visualstudio.com/docs/agent-customization/mcp-servers",
    ),
    unsure=(
        "`mcp` in settings.json: moved to mcp.json in version 1.102, read where it is left and never made",
        "a project's .mcp.json, which VS Code reads too: it is found as Claude Code's, which names the same table",
        "directories chosen with --user-data-dir or portable mode: they aren't looked for",
    ),
)

CODEX = Client(
    id="codex",
    title="Codex",
    places=(
        FilePlace(
            "user",
            Scope.USER,
            _everywhere("$CODEX_HOME/config.toml", "~/.codex/config.toml"),
            (Table(("mcp_servers",), Scope.USER),),
            Format.TOML,
        ),
        FilePlace(
            "project",
            Scope.PROJECT,
            _everywhere("$project/.codex/config.toml"),
            (Table(("mcp_servers",), Scope.PROJECT),),
            Format.TOML,
        ),
    ),
    shape=Shape(
        headers=("http_headers",),
        cwd="cwd",
        enabled="enabled",
        others=("env_vars", "bearer_token_env_var", "env_http_headers", "enabled_tools", "disabled_tools"),
    ),
    built_in=built_in.CODEX,
    sources=("https://developers.openai.com/codex/mcp", "https://developers.openai.com/codex/config-reference"),
    unsure=(
        "profile files (`~/.codex/NAME.config.toml`) and files in directories between the project and where Codex runs",
    ),
)

WINDSURF = Client(
    id="windsurf",
    title="Windsurf",
    places=(
        FilePlace("user", Scope.USER, _everywhere("~/.codeium/windsurf/mcp_config.json"), _USER, Format.JSON),
        FilePlace("plugins", Scope.USER, _everywhere("~/.codeium/mcp_config.json"), _USER, Format.JSON),
    ),
    shape=Shape(url=("serverUrl", "url"), disabled="disabled", others=("disabledTools",)),
    built_in=built_in.WINDSURF,
    sources=("https://docs.windsurf.com/windsurf/cascade/mcp", "https://docs.windsurf.com/plugins/cascade/mcp"),
    unsure=(
        "whether a project can have a file of its own: the documentation has none, so none is looked for",
        "whether comments are taken: the documentation says JSON, so they are refused here",
    ),
)

GEMINI_CLI = Client(
    id="gemini-cli",
    title="Gemini CLI",
    places=(
        FilePlace(
            "user",
            Scope.USER,
            _everywhere("$GEMINI_CLI_HOME/.gemini/settings.json", "~/.gemini/settings.json"),
            _USER,
            Format.JSONC,
        ),
        FilePlace("project", Scope.PROJECT, _everywhere("$project/.gemini/settings.json"), _PROJECT, Format.JSONC),
    ),
    shape=Shape(url=("httpUrl", "url"), cwd="cwd", others=("timeout", "trust", "includeTools", "excludeTools")),
    built_in=built_in.GEMINI_CLI,
    sources=("https://geminicli.com/docs/tools/mcp-server", "https://geminicli.com/docs/reference/configuration"),
    unsure=(
        "GEMINI_CLI_HOME, which users report and the pages above don't name",
        "extensions, and the system's settings file: they lie elsewhere and aren't read",
    ),
)

ZED = Client(
    id="zed",
    title="Zed",
    places=(
        FilePlace(
            "user",
            Scope.USER,
            {
                "linux": ("$XDG_CONFIG_HOME/zed/settings.json", "~/.config/zed/settings.json"),
                "darwin": ("~/.config/zed/settings.json",),
                "win32": ("$APPDATA/Zed/settings.json", "~/AppData/Roaming/Zed/settings.json"),
            },
            (Table(("context_servers",), Scope.USER),),
            Format.JSONC,
            trailing_commas=True,
        ),
        FilePlace(
            "project",
            Scope.PROJECT,
            _everywhere("$project/.zed/settings.json"),
            (Table(("context_servers",), Scope.PROJECT),),
            Format.JSONC,
            trailing_commas=True,
        ),
    ),
    shape=Shape(enabled="enabled", nested_command=True, others=("source", "settings", "timeout")),
    built_in=built_in.ZED,
    sources=("https://zed.dev/docs/ai/mcp", "https://zed.dev/docs/configuring-zed"),
    unsure=(
        "the place on Windows, which the documentation doesn't name",
        "whether servers in a project's settings are started: they are read as if they were",
    ),
)

CLIENTS: tuple[Client, ...] = (
    CLAUDE_CODE,
    CLAUDE_DESKTOP,
    CURSOR,
    VSCODE,
    CODEX,
    WINDSURF,
    GEMINI_CLI,
    ZED,
)
