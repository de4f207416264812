"""The echo servers at the far end, and how long a process may take until it listens."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.speed.callers import Broken, end
from tests.ports import free_port

HERE = Path(__file__).parent
RAW_SERVER = HERE.parent.parent / "tests" / "fixtures" / "raw_server.py"
SDK_SERVER = HERE / "echo_sdk.py"
SERVERS = {"raw": (sys.executable, str(RAW_SERVER)), "sdk": (sys.executable, str(SDK_SERVER))}
START_PATIENCE = 30.0


def is_tool_server(command: list[str]) -> bool:
    """Not a guard or relay, whose command has the server's in it."""
    return len(command) > 1 and command[1] in (str(RAW_SERVER), str(SDK_SERVER))


def installed() -> dict[str, str]:
    """The environment of a process that is measured: as one of an installed package, which is compiled."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def sdk_by_url(stack: ExitStack) -> tuple[int, int]:
    """The SDK's server on HTTP: its port and its process."""
    port = free_port()
    return port, background(stack, [*SERVERS["sdk"], "--http", str(port)], installed(), port)


def background(
    stack: ExitStack, command: list[str], environment: dict[str, str], port: int, directory: Path | None = None
) -> int:
    """Start a server that listens on `port`, wait until it does, and end it with the stack. Gives its process."""
    errors = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, env=environment, stdin=quiet, stdout=quiet, stderr=errors, cwd=directory, start_new_session=True
    )
    stack.callback(_end, process)
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            errors.seek(0)
            raise Broken(f"`{' '.join(command)}` ended: {errors.read()[-2000:].decode(errors='replace')}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process.pid
        time.sleep(0.02)
    raise Broken(f"`{' '.join(command)}` doesn't listen on port {port}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    end(process)
