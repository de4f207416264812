"""Which sandbox this machine can make: bubblewrap where it is installed and works, else Landlock, else none.

It is tried, not guessed: a container or a distribution may refuse what the kernel could do. Tried once a process.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from mcp_guard.transports import confine

TRIAL_SECONDS = 10.0


class Mechanism(StrEnum):
    """What makes the sandbox."""

    BUBBLEWRAP = "bubblewrap"
    LANDLOCK = "Landlock"
    NONE = "none"  # limits only


@dataclass(frozen=True, slots=True)
class Possible:
    """What was found: the sandbox, bubblewrap's program, and why it isn't the better one."""

    mechanism: Mechanism
    program: str = ""
    why: str = ""


@cache
def possible() -> Possible:
    """The best sandbox that works here."""
    if sys.platform != "linux":
        return Possible(Mechanism.NONE, why="sandboxes are made on Linux only")
    program, why = _bubblewrap()
    if program:
        return Possible(Mechanism.BUBBLEWRAP, program)
    abi = confine.landlock_abi()
    if abi >= confine.LEAST_ABI and confine.socket_filter_known():
        return Possible(Mechanism.LANDLOCK, why=why)
    lacks = f"Landlock is at version {abi}, and {confine.LEAST_ABI} is needed (Linux 6.2)"
    return Possible(
        Mechanism.NONE, why=f"{why}; {lacks if confine.socket_filter_known() else 'Landlock is not used here'}"
    )


def _bubblewrap() -> tuple[str, str]:
    """Its path if it can make what is asked of it here; else why not."""
    program = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin:/run/current-system/sw/bin")
    if program is None:
        return "", "bubblewrap is not installed"
    trial = [program, "--unshare-all", "--unshare-user", "--cap-drop", "ALL", "--die-with-parent"]
    trial += ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--size", "4096", "--tmpfs", "/tmp"]  # noqa: S108
    try:
        done = subprocess.run(
            [*trial, "--", "/proc/self/exe", "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRIAL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"bubblewrap does not run: {type(error).__name__}"
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return (
        (program, "")
        if done.returncode == 0
        else ("", f"bubblewrap fails here ({said[-1][:80] if said else 'silently'})")
    )


def why_processes_are_not_limited(found: Possible) -> str:
    """Why the number of a server's processes can't be limited; empty if it can.

    The kernel counts by user; only in a namespace of its own (Linux 5.14) does a server have a count of its own, and
    for root it doesn't count at all.
    """
    if found.mechanism is not Mechanism.BUBBLEWRAP:
        return "without bubblewrap the processes of one server aren't counted apart"
    if os.getuid() == 0:
        return "the kernel doesn't limit the processes of root"
    release = re.match(r"(\d+)\.(\d+)", platform.release())
    if release is None or (int(release[1]), int(release[2])) < (5, 14):
        return "this kernel counts all processes of a user together (Linux 5.14 doesn't)"
    return ""
