"""Published tool servers and what they can change: a project, a graph in a file, a web site.

The servers are more powerful here than they need to be (the file server may write outside the project, the git server
knows any repository), so that what doesn't happen didn't happen because of the guard.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcp_guard.catalogue import find
from tests.end_to_end.website import Website
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / ".servers"
PROJECT_POLICY = ROOT / "policies" / "project.yaml"

LITTERING = ("sh", "-c", 'sleep 60 & exec "$@"', "sh")
"""A launcher that leaves a process behind; it doesn't read its input, and so doesn't end with it."""

LEGACY_AND_MODERN = ("git", "time", "fetch")
EVERY_SERVER = ("files", "memory", *LEGACY_AND_MODERN)

# What policies/project.yaml doesn't know: two more servers, and a site that is there without a network.
MORE_GRANTS = """\
  - {id: remember, tool: memory/create_entities, args: {entities: {max_items: 1}}}
  - {id: recall, tool: memory/read_graph, args: {}}
  - {id: clock, tool: time/get_current_time, args: {timezone: {in: [UTC, Europe/Berlin]}}}
  - {id: our-site, tool: fetch/fetch, args: {url: {host_in: [$site]}}, others: any}
"""
PACKAGES = {
    "files": ("npx", "@modelcontextprotocol/server-filesystem"),
    "memory": ("npx", "@modelcontextprotocol/server-memory"),
    **{name: ("uvx", f"mcp-server-{name}") for name in LEGACY_AND_MODERN},
}


def _every_tool() -> list[str]:
    """By exact names, as the catalogue has them: without a lock, patterns don't reach those that send or destroy."""
    known = {name: find(command) for name, command in PACKAGES.items()}
    return [f"{name}/{tool}" for name, entry in known.items() if entry is not None for tool in entry.tools]


EVERYTHING = f"""\
version: 1
grants:
  - {{id: everything, tool: [{", ".join(_every_tool())}], args: any}}
"""


@dataclass(frozen=True)
class World:
    """One test's place; `home` holds all of it."""

    home: Path
    site: Website

    @property
    def project(self) -> Path:
        """A git repository; the guard's configuration and policy lie in it."""
        return self.home / "project"

    @property
    def other(self) -> Path:
        """Another git repository, outside of the project."""
        return self.home / "other"

    @property
    def graph(self) -> Path:
        """What the memory server keeps."""
        return self.home / "graph.jsonl"

    @property
    def heard(self) -> Path:
        """The lines that the time server was sent; it changes nothing that could be read instead."""
        return self.home / "heard.jsonl"

    @property
    def policy(self) -> Path:
        return self.project / "policy.yaml"

    @property
    def config(self) -> Path:
        return self.project / "guard.yaml"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "MCP_GUARD_STATE": str(self.home / "record"),
            "MEMORY_FILE_PATH": str(self.graph),
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    @classmethod
    def at(cls, home: Path, site: Website) -> World:
        """Two repositories with one commit each, a secret, and the shipped policy with what it doesn't know."""
        world = cls(home.resolve(), site)
        for repository in (world.project, world.other):
            repository.mkdir()
            (repository / "a.md").write_text("first\n")
            world.git(repository, "init", "--quiet", "--initial-branch=main")
            world.git(repository, "config", "user.name", "Tester")
            world.git(repository, "config", "user.email", "tester@example.org")
            world.git(repository, "add", "a.md")
            world.git(repository, "commit", "--quiet", "--message=first")
            (repository / "a.md").write_text("second\n")
            world.git(repository, "add", "a.md")
        (world.project / ".env").write_text("PASSWORD=1\n")
        world.grant(PROJECT_POLICY.read_text("utf-8").replace("grants:\n", f"grants:\n{MORE_GRANTS}", 1))
        return world

    def grant(self, policy: str) -> None:
        """What the guard will be told to let through."""
        self.policy.write_text(policy, "utf-8")

    def git(self, repository: Path, *words: str) -> str:
        """Git as a person runs it, past every server."""
        done = subprocess.run(
            ["git", *words],
            cwd=repository,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        return done.stdout

    def staged(self) -> set[str]:
        """The names of files in the project's index."""
        return set(self.git(self.project, "ls-files").split())

    def command(self, server: str) -> list[str]:
        """What starts a published server."""
        return {
            "files": [_node("mcp-server-filesystem"), str(self.home)],
            "memory": [_node("mcp-server-memory")],
            "git": [_python("mcp-server-git")],
            # Keeps a line before it passes it on: `tee` writes to its own output first.
            "time": ["sh", "-c", 'tee /dev/fd/3 3>&1 >>"$0" | exec "$@"', str(self.heard), _python("mcp-server-time")],
            "fetch": [_python("mcp-server-fetch"), "--allow-private-ips"],
        }[server]

    def guard(self, *words: str) -> list[str]:
        """What starts the guard."""
        return [sys.executable, "-m", "mcp_guard", *words]

    def wrap(self, server: str) -> list[str]:
        """One server behind the guard, under the world's policy."""
        options = ["--name", server, "--policy", str(self.policy), "--set", f"site={self.site.origin}"]
        return self.guard("wrap", *options, "--", *self.command(server))

    def run(self, servers: Iterable[str], *words: str, launcher: Sequence[str] = ()) -> list[str]:
        """Several servers behind one guard, under the world's policy; `launcher` is a command that starts a command."""
        lines = ["version: 1", "policy: policy.yaml", f"set: {json.dumps({'site': self.site.origin})}", "servers:"]
        for server in servers:
            form = {
                "command": [*launcher, *self.command(server)],
                "env": ["MEMORY_FILE_PATH"] if server == "memory" else [],
            }
            lines.append(f"  {server}: {json.dumps(form)}")
        self.config.write_text("\n".join(lines) + "\n", "utf-8")
        return self.guard("run", "--config", str(self.config), *words)


def _node(name: str) -> str:
    return _installed(PUBLISHED / "node_modules" / ".bin" / name)


def _python(name: str) -> str:
    return _installed(PUBLISHED / "venv" / "bin" / name)


def _installed(path: Path) -> str:
    if not path.exists():
        pytest.fail(f"{path.relative_to(ROOT)} isn't there; `make test-servers` installs it and runs these tests")
    return str(path)
