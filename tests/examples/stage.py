"""A copy of an example in a directory of its own, with the commands that it starts by name."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Stage:
    """`home` holds everything that a run may touch; `example` is where the example was copied to."""

    home: Path
    example: Path

    @classmethod
    def of(cls, name: str, home: Path) -> Stage:
        """Copy the example and the servers, side by side as in the repository."""
        home = home.resolve()
        leave_out = shutil.ignore_patterns("__pycache__", "state")
        for part in (f"examples/{name}", "servers"):
            shutil.copytree(REPOSITORY / part, home / part, ignore=leave_out)
        stage = cls(home, home / "examples" / name)
        stage.command("mcp-guard", f"PYTHONPATH={shlex.quote(str(REPOSITORY))} exec {sys.executable} -m mcp_guard")
        stage.command("python", f"exec {sys.executable}")
        return stage

    def command(self, name: str, script: str) -> None:
        """Put a command on the PATH that runs `script` with the arguments it was given."""
        file = self.home / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f'#!/bin/sh\n{script} "$@"\n')
        file.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.home / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "MCP_GUARD_STATE": str(self.home / "record"),
        }


def executed(ledger: Path) -> list[tuple[str, dict[str, Any]]]:
    """Tool and arguments of every line that a server wrote into its ledger."""
    lines = ledger.read_text("utf-8").splitlines() if ledger.exists() else []
    return [(line["tool"], line["arguments"]) for line in map(json.loads, lines)]
