"""Has AgentDojo loaded, and forks a tool server for each stub that connects.

`python -m benchmarks.alignment.zygote SOCKET`. One thread, no event loop: a fork copies all that there is. Prints
`ready` when stubs may connect; ends when its stdin does, so that it never outlives the harness.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from typing import BinaryIO

from benchmarks.alignment import suites
from benchmarks.alignment.control import open_run
from benchmarks.alignment.server import serve

RUN_NAME = 4096  # bytes


def main(address: str) -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the system
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the harness ends us
    suites.suites()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(address)
        listening.listen(16)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listening, sys.stdin], [], [])
            if sys.stdin in ready:
                return 0
            link, _ = listening.accept()
            _begin(listening, link)


def _begin(listening: socket.socket, link: socket.socket) -> None:
    run, pipes, _, _ = socket.recv_fds(link, RUN_NAME, 2)
    if len(pipes) == 2 and os.fork() == 0:
        listening.close()
        status = 1
        try:
            _child(run.decode(), os.fdopen(pipes[0], "rb"), os.fdopen(pipes[1], "wb"))
            status = 0
        finally:
            os._exit(status)  # `link` closes with it, and the stub ends
    for pipe in pipes:
        os.close(pipe)
    link.close()


def _child(run: str, requests: BinaryIO, answers: BinaryIO) -> None:
    with open_run(run) as control:
        serve(control, requests, answers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
