"""The policies' grants fit the tools as servers describe them: no argument is misspelt, no required one forgotten."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import Tool

from mcp_guard.policy.rules import Rule
from tests.policies.test_policies import suite_of

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / ".servers"
ONLY_OURS = {"delete_file"}
OURS = [
    *(("payments", server) for server in ("bank", "mail")),
    *(("demo", server) for server in ("bank", "mail", "files", "web")),
    ("project", "files"),
]
PUBLISHED_FOR = [
    *(("project", server) for server in ("files", "git", "fetch")),
    *(("research", server) for server in ("files", "fetch")),
    ("files-only", "files"),
]


async def tools_of(command: str, *args: str) -> dict[str, Tool]:
    """The tools that a server lists, by name."""
    async with Client(StdioServerParameters(command=command, args=list(args)), read_timeout_seconds=60) as client:
        return {tool.name: tool for tool in (await client.list_tools()).tools}


def grants_for(policy: str, server: str) -> list[tuple[Rule, list[str]]]:
    """Each grant of the policy that names tools of the server, with those names."""
    rules = suite_of(f"{policy}.yaml").document.rules
    named = [(rule, [name.target for name in rule.names if name.server == server]) for rule in rules if rule.is_grant]
    return [(rule, targets) for rule, targets in named if targets]


def assert_fits(rule: Rule, tools: dict[str, Tool]) -> None:
    """Listed arguments exist in every tool, and nothing that a tool requires is left out."""
    arguments = rule.arguments
    if arguments is None:
        return
    for name, tool in tools.items():
        known = set(tool.input_schema.get("properties", {}))
        assert set(arguments.listed) <= known, f"{rule.ref.id}: {name} knows {known}"
        given = {*arguments.listed, *arguments.optional}
        assert arguments.others or set(tool.input_schema.get("required", [])) <= given, f"{rule.ref.id}: {name}"


def assert_no_stray_option(rule: Rule, tools: dict[str, Tool]) -> None:
    """Every optional argument exists in one of the grant's tools."""
    known = {argument for tool in tools.values() for argument in tool.input_schema.get("properties", {})}
    assert rule.arguments is None or set(rule.arguments.optional) <= known, rule.ref.id


@pytest.mark.parametrize(("policy", "server"), OURS)
async def test_grants_fit_our_own_servers(policy: str, server: str, tmp_path: Path) -> None:
    listed = await tools_of(sys.executable, str(ROOT / "servers" / f"{server}.py"), "--state", str(tmp_path / "state"))
    grants = grants_for(policy, server)
    assert grants
    for rule, targets in grants:
        found = {name: listed[name] for name in targets if name in listed}
        assert_fits(rule, found)
        if policy != "project":  # that one is written for the published server, which has more tools
            assert found.keys() == set(targets)
            assert_no_stray_option(rule, found)


@pytest.mark.servers
@pytest.mark.parametrize(("policy", "server"), PUBLISHED_FOR)
async def test_grants_fit_the_published_servers(policy: str, server: str, tmp_path: Path) -> None:
    filesystem = PUBLISHED / "node_modules" / "@modelcontextprotocol" / "server-filesystem" / "dist" / "index.js"
    python = str(PUBLISHED / "venv" / "bin" / "python")
    listed = await {
        "files": lambda: tools_of("node", str(filesystem), str(tmp_path)),
        "git": lambda: tools_of(python, "-m", "mcp_server_git"),
        "fetch": lambda: tools_of(python, "-m", "mcp_server_fetch"),
    }[server]()
    grants = grants_for(policy, server)
    assert grants
    for rule, targets in grants:
        if not set(targets) <= ONLY_OURS:
            assert set(targets) <= set(listed)
            assert_fits(rule, {name: listed[name] for name in targets})
            assert_no_stray_option(rule, {name: listed[name] for name in targets})
