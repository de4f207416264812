"""The README from top to bottom, as a reader would follow it: its files are written, its commands run, its words true.

`npx …server-filesystem… DIR` is played by `servers/files.py`, whose tools have the same names; nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fixtures.client import RawClient

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGE = "@modelcontextprotocol/server-filesystem@2026.8.31"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it shows if it shows one, and what is in it."""

    language: str
    file: str
    text: str


def blocks() -> list[Block]:
    found = re.findall(r"^```(\w*)[ ]?(\S*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    return [Block(*parts) for parts in found]


@dataclass(frozen=True)
class Command:
    """A line after `$ `, and what the README shows of its output."""

    line: str
    output: list[str]


def commands() -> Iterator[Command]:
    for block in blocks():
        if block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                line, *output = part.splitlines()
                yield Command(line, output)


class Reader:
    """Somebody with a project of their own, who has installed the guard."""

    def __init__(self, home: Path) -> None:
        self.project = home / "project"
        (self.project / "notes").mkdir(parents=True)
        (self.project / "README.md").write_text("# A project\n")
        (self.project / ".env").write_text("TOKEN=1\n")
        files_server = {"command": "npx", "args": ["-y", PACKAGE, "."]}
        (home / ".claude.json").write_text(json.dumps({"mcpServers": {"files": files_server}}, indent=2))
        programs = home / "bin"
        programs.mkdir()
        files = shlex.join(
            [sys.executable, str(ROOT / "servers" / "files.py"), "--state", str(home / "files"), "--root"]
        )
        for name, start in {
            "mcp-guard": f'exec {shlex.quote(sys.executable)} -m mcp_guard "$@"',
            "npx": f'[ "$1 $2" = "-y {PACKAGE}" ] && exec {files} "$3"',
        }.items():
            (programs / name).write_text(f"#!/bin/sh\n{start}\n")
            (programs / name).chmod(0o755)
        self.ledger = home / "files" / "ledger.jsonl"
        path = os.pathsep.join([str(programs), os.environ["PATH"]])
        self.environment = {"PATH": path, "HOME": str(home), "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "300"}
        self.environment["MCP_GUARD_STATE"] = str(home / "record")
        for block in blocks():
            if block.language == "yaml":
                (self.project / block.file).write_text(block.text)

    def run(self, line: str) -> str:
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in {0, 1}, done.stdout  # 2 would mean that what the README says is wrong
        return done.stdout

    def client(self, *command: str) -> RawClient:
        return RawClient(command, cwd=self.project, env=self.environment)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(tmp_path_factory.mktemp("reader").resolve())


async def test_the_client_configuration_guards_the_server_as_the_text_says(reader: Reader) -> None:
    (configuration,) = [json.loads(block.text) for block in blocks() if block.language == "json"]
    entry = configuration["mcpServers"]["files"]
    async with reader.client(entry["command"], *entry["args"]) as client:
        await client.initialize()
        names = {tool["name"] for tool in await client.list_all()}
        assert {"read_text_file", "write_file"} <= names
        assert "move_file" not in names
        read = await client.call("read_text_file", {"path": str(reader.project / "README.md")})
        assert "# A project" in read["content"][0]["text"]
        refused = await client.call("read_text_file", {"path": str(reader.project / ".env")})
    assert refused["isError"]
    quoted = " ".join(re.findall(r"^> (.*)$", README, flags=re.MULTILINE))
    assert refused["content"][0]["text"] == quoted.replace(".../project", str(reader.project))
    assert len(reader.ledger.read_text().splitlines()) == 1


def squeezed(text: str) -> str:
    """Columns are as wide as what stands in them."""
    return re.sub(r"[ \t]+", " ", text)


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: command.line[:60])
def test_a_command_prints_what_is_shown(reader: Reader, command: Command) -> None:
    """After the conversation above. `...` stands for anything, within a line or for lines."""
    printed = squeezed(reader.run(command.line))
    assert printed.strip()
    lines = (
        r"[\s\S]*".join(re.escape(squeezed(part).strip(" ")) for part in line.split("...")) for line in command.output
    )
    pattern = "^" + r" *\n ?".join(lines)
    assert re.match(pattern, printed), f"{printed}\n{pattern}"


async def test_several_servers_run_as_one_and_a_mandate_grants_less(reader: Reader) -> None:
    async with reader.client("mcp-guard", "run") as client:
        await client.initialize()
        assert {tool["name"] for tool in await client.list_all()} == {"files__read_text_file", "notes__write_file"}
    (configuration,) = [json.loads(block.text) for block in blocks() if block.language == "json"]
    entry = configuration["mcpServers"]["files"]
    options = ["wrap", "--mandate", "notes.mandate.yaml", *entry["args"][1:]]
    async with reader.client(entry["command"], *options) as client:
        await client.initialize()
        assert {tool["name"] for tool in await client.list_all()} == {"read_text_file", "write_file"}
        path = str(reader.project / "notes" / "summary.md")
        written = await client.call("write_file", {"path": path, "content": "Short.\n"})
        assert not written.get("isError")
        other = str(reader.project / "notes" / "other.md")
        assert (await client.call("write_file", {"path": other, "content": "x"}))["isError"]
    assert Path(path).read_text() == "Short.\n"
    assert not Path(other).exists()


def test_every_server_of_the_configuration_is_granted_something(reader: Reader) -> None:
    assert "\nodd\n" not in reader.run("mcp-guard check")


def test_what_is_run_is_what_is_written() -> None:
    assert {block.file for block in blocks() if block.language == "yaml"} == {
        "project.yaml",
        "project.cases.yaml",
        "guard.yaml",
        "servers.yaml",
        "notes.mandate.yaml",
    }
    assert {command.line.split()[1] for command in commands()} == {
        "init",
        "check",
        "diff",
        "explain",
        "lock",
        "log",
        "test",
    }
