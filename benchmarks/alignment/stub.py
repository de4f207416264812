"""What the guard starts as the tool server: hands its stdin and stdout to a process that has everything loaded.

`python -S -E stub.py SOCKET`, in the directory of the run: all runs of a suite have one command, which a lock
can name. Loading AgentDojo takes seconds, and there are a thousand runs: one process loads it
and forks for each. This one stays while that child serves, so that the guard sees a server that lives and ends.
"""

from __future__ import annotations

import array
import os
import socket
import sys


def main(address: str, run: str) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(address)
        pipes = array.array("i", [0, 1])
        link.sendmsg([run.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, pipes)])
        with open("/dev/null", "r+b", buffering=0) as nothing:  # noqa: PTH123 - loads nothing that isn't needed
            _become(nothing.fileno())
        link.recv(1)  # until the child ends
    return 0


def _become(nothing: int) -> None:
    """Let go of the pipes: whoever reads them sees their end when the child lets go of them, too."""
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.getcwd()))  # noqa: PTH109 - loads nothing that is not needed
