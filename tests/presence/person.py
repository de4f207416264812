"""A person at a real terminal, who types when asked; and an agent, which has a shell and no terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIN = "hush-4711"
# Makes what stdin is the controlling terminal, as a terminal window does for a shell.
_LOGIN = "import fcntl,os,sys,termios;fcntl.ioctl(0,termios.TIOCSCTTY,0);os.execv(sys.argv[1],sys.argv[1:])"


def environment(state: Path) -> dict[str, str]:
    return {**os.environ, "MCP_GUARD_STATE": str(state), "PYTHONPATH": str(ROOT), "COLUMNS": "160", "TERM": "dumb"}


def at_a_terminal(state: Path, *words: str, types: tuple[str, ...] = (), ahead: str = "") -> tuple[int, str]:
    """`mcp-guard WORDS…` at a terminal where somebody types one line per question. Exit code, and all that is seen.

    `ahead` is typed before the command asks anything.
    """
    terminal, theirs = pty.openpty()
    line = [sys.executable, "-S", "-c", _LOGIN, sys.executable, "-m", "mcp_guard", *words]
    left, seen = list(types), ""
    with subprocess.Popen(
        line, env=environment(state), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        os.write(terminal, ahead.encode())
        asked = 0
        while select.select([terminal], [], [], 60)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # the other side is gone
                break
            seen += data.decode()
            if seen.count(": ", asked) and seen.endswith(": ") and left:
                asked = len(seen)
                os.write(terminal, f"{left.pop(0)}\n".encode())
        code = process.wait(60)
    os.close(terminal)
    return code, seen


def in_a_shell(state: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The same by a program: pipes, and a session without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "mcp_guard", *words],
        env=environment(state),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,
    )
