"""Runs a command of the guard as a person does: a process, its output, its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.fixtures.client import RAW_SERVER

SERVER = [sys.executable, str(RAW_SERVER)]


def guard(
    state: Path, *arguments: str, cwd: Path | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run `mcp-guard …` with its record in `state`, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "mcp_guard", *arguments],
        env={**os.environ, "MCP_GUARD_STATE": str(state), "NO_COLOR": "1", "COLUMNS": "200"},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
