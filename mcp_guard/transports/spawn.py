"""Starts one tool server under its warden and says how it ends. Knows no protocol.

Imports little on purpose: `wrap` starts the server before everything else is imported, so that both start at once. So
no dataclass and no `Path` here, either of which would have the server wait for twice as many modules.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from weakref import WeakSet

GRACE_SECONDS = 1.0
"""How long a server may take to end by itself, and again after SIGTERM, before it is killed."""

MINIMAL_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER")
"""What a server started by `run` gets beside the variables that its entry in guard.yaml names."""

_ending: list[subprocess.Popen[bytes]] = []
"""Wardens that were told to end and may not have yet: their exit status is collected in passing, and nobody waits."""

_wardens: WeakSet[subprocess.Popen[bytes]] = WeakSet()
_adopting = False
_PR_SET_CHILD_SUBREAPER = 36

_WARDEN = os.path.join(os.path.dirname(__file__), "warden.py")  # noqa: PTH118, PTH120 - see above


class Child:
    """One running server. Closing `life` ends it and all that it started."""

    __slots__ = ("life", "process")

    def __init__(self, process: subprocess.Popen[bytes], life: int) -> None:
        self.process = process
        self.life = life

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


def minimal_environment() -> dict[str, str]:
    """What of the guard's own environment every server gets."""
    return {name: os.environ[name] for name in MINIMAL_ENVIRONMENT if name in os.environ}


def spawn(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str | None = None, temporary: str = ""
) -> Child:
    """Start `command` with pipes for stdin and stdout, and no other descriptor; stderr is the guard's own.

    `temporary` is a directory that is made for the server, named by its `TMPDIR`, and removed after it.

    Raises OSError or ValueError when the warden can't be started. A command that doesn't exist is a server that ends at
    once (127).
    """
    life_read, life_write = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", _WARDEN, str(life_read), str(GRACE_SECONDS), temporary, *command],
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
    _wardens.add(process)
    return Child(process, life_write)


def adopt_orphans() -> None:
    """Make this process the parent of what a killed warden leaves behind, so that it can be ended too (Linux).

    A server runs as the guard's user and can kill its own warden. Not where other children are there already (a script
    started them and then became the guard), and not for the first process of a container: those aren't ours to end.
    """
    global _adopting
    if sys.platform == "linux" and os.getpid() != 1 and not _strangers():
        import ctypes

        _adopting = ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def end_orphans() -> bool:
    """Kill every child that isn't a warden; was there one? What those leave behind comes to us next."""
    found = _strangers() if _adopting else []
    for pid in found:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return bool(found)


def _strangers() -> list[int]:
    """Children of this process that aren't wardens; none on a kernel that keeps no such list."""
    wardens = {process.pid for process in _wardens}
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listed:  # noqa: PTH123 - see above
            children = listed.read().split()
    except OSError:
        return []
    return [pid for pid in map(int, children) if pid not in wardens]


def see_them_end(seconds: float = 1.0) -> None:
    """At the end of the guard: wait a moment for its wardens, and end what a killed one left behind."""
    deadline = time.monotonic() + seconds
    while any(process.poll() is None for process in _ending) and time.monotonic() < deadline:
        time.sleep(0.005)
    while end_orphans() and time.monotonic() < deadline + seconds:
        continue


def contained(platform: str = sys.platform) -> str:
    """How completely a server's processes are ended on this platform, in words for `check`."""
    if platform == "linux":
        return "all descendants (subreaper)"
    return "its process group only: a grandchild that leaves the group is not found on this platform"
