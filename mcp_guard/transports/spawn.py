"""Starts one tool server under its warden and says how it ends. Knows no protocol.

Imports little on purpose: `wrap` starts the server before everything else is imported, so that both start at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GRACE_SECONDS = 1.0
"""How long a server may take to end by itself, and again after SIGTERM, before it is killed."""

MINIMAL_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER")
"""What a server started by `run` gets beside the variables that its entry in guard.yaml names."""

_ending: list[subprocess.Popen[bytes]] = []
"""Wardens that were told to end and may not have yet: their exit status is collected in passing, and nobody waits."""

_WARDEN = str(Path(__file__).with_name("warden.py"))


@dataclass(slots=True)
class Child:
    """One running server. Closing `life` ends it and all that it started."""

    process: subprocess.Popen[bytes]
    life: int

    def end(self) -> None:
        """Let the warden end the server. Returns at once; the warden bounds what follows."""
        if self.life >= 0:
            os.close(self.life)
            self.life = -1
            _ending[:] = [process for process in (*_ending, self.process) if process.poll() is None]

    def discard(self) -> None:
        """End it, and close the pipes that nobody was attached to."""
        self.end()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def spawn(command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str | None = None) -> Child:
    """Start `command` with pipes for stdin and stdout; stderr is the guard's own.

    Raises OSError or ValueError when the warden can't be started. A command that doesn't exist is a server that ends at
    once (127).
    """
    life_read, life_write = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", _WARDEN, str(life_read), str(GRACE_SECONDS), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=None if env is None else dict(env),
            cwd=cwd,
            pass_fds=(life_read,),
            start_new_session=True,  # a Ctrl-C for the guard is not one for the server: the guard ends it in order
        )
    except BaseException:
        os.close(life_write)
        raise
    finally:
        os.close(life_read)
    return Child(process, life_write)


def contained(platform: str = sys.platform) -> str:
    """How completely a server's processes are ended on this platform, in words for `check`."""
    if platform == "linux":
        return "all descendants (subreaper)"
    return "its process group only: a grandchild that leaves the group is not found on this platform"
