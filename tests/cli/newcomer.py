"""Somebody with clients configured in a home of their own, who runs `mcp-guard` there, with or without a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from mcp_guard.accepting.stacks import Asked
from mcp_guard.clients import Entry, load_bytes
from mcp_guard.clients.model import ConfigFile
from tests.accepting.house import person_accepts
from tests.clients.files import put_in_place
from tests.fixtures.client import RAW_SERVER, RawClient

ROOT = Path(__file__).parents[2]
COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-7]|4[0-7]|9[0-7]|38|48)[0-9;]*m")


class Newcomer:
    """A home with a project `work/`; the guard's own files go where the platform keeps such."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.project = self.home / "work"
        self.project.mkdir(parents=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environment = {**kept, "HOME": str(self.home), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}

    def configure(self, client: str, servers: dict[str, Any], place: str = "user") -> ConfigFile:
        """Write a client's file in its own format."""
        file = put_in_place(self.home, client, place, b"")
        table = file.place.tables[0].path
        if file.path.suffix == ".toml":
            lines = [f"[{'.'.join(table)}.{name}]\n{_toml(members)}" for name, members in servers.items()]
            file.path.write_text("# mine\n" + "\n".join(lines))
        else:
            value: Any = servers
            for key in reversed(table):
                value = {key: value}
            file.path.write_text(json.dumps(value, indent=2))
        return file

    def raw(self, *options: str) -> dict[str, Any]:
        """A server that runs: a command and its arguments."""
        files = ["--ledger", str(self.home / "raw.ledger"), "--trace", str(self.home / "raw.trace")]
        return {"command": sys.executable, "args": ["-S", str(RAW_SERVER), *files, *options]}

    def started(self) -> bool:
        """Did the raw server run, ever?"""
        return (self.home / "raw.trace").exists() or (self.home / "raw.ledger").exists()

    def run(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """`mcp-guard WORDS…` without a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "mcp_guard", *words],
            env=self.environment,
            cwd=cwd or self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def on_a_terminal(self, *words: str, answers: str = "", no_color: bool = False) -> tuple[int, str]:
        """`mcp-guard WORDS…` on a terminal, where `answers` is what is typed. Exit code, and all that is seen."""
        terminal, theirs = pty.openpty()
        environment = {**self.environment, "TERM": "xterm-256color", **({"NO_COLOR": "1"} if no_color else {})}
        line = [sys.executable, "-m", "mcp_guard", *words]
        with subprocess.Popen(
            line, env=environment, cwd=self.project, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        ) as process:
            os.close(theirs)
            os.write(terminal, answers.encode())
            seen = _read_all(terminal)
            code = process.wait(60)
        os.close(terminal)
        return code, seen.decode()

    def guard_entry(self, file: ConfigFile, name: str = "mcp-guard") -> Entry:
        """The entry that was written, as the client would read it."""
        return load_bytes(file, file.path.read_bytes()).sections[0].entries[name]

    def as_client(self, entry: Entry) -> RawClient:
        """Start what the entry says, as a client with a poor PATH does, from somewhere else."""
        env = {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin",
            **{name: value or "" for name, value in entry.env.items()},
        }
        return RawClient(entry.command or (), env=env, cwd="/")

    def accepts(self, client: str) -> None:
        """The person accepts what was made of a client's policy."""
        person_accepts(Asked(config=self.policy(client).with_name("guard.yaml")), self.home / ".local/state/mcp-guard")

    def policy(self, client: str) -> Path:
        return self.home / ".config" / "mcp-guard" / client / "policy.yaml"


def _read_all(terminal: int) -> bytes:
    seen = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the other side is gone
            return seen
        if not data:
            return seen
        seen += data
    return seen


def _toml(members: dict[str, Any]) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in members.items() if not isinstance(value, dict)]
    lines += [
        f"{key} = {{ {', '.join(f'{name} = {json.dumps(one)}' for name, one in value.items())} }}"
        for key, value in members.items()
        if isinstance(value, dict)
    ]
    return "\n".join(lines) + "\n"
