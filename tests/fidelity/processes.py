"""Server processes for the length of a block: started, waited for until they listen, ended."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.patience import PATIENCE


class NotStarted(Exception):
    """A process ended, or didn't listen in time; with the end of what it said."""


@contextmanager
def listening(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Iterator[None]:
    """Run `command` while the block runs; it listens on loopback `port`. Raises NotStarted."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            list(command), env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
        try:
            if not _listens(process, port):
                errors.seek(0)
                raise NotStarted(errors.read()[-2000:].decode(errors="replace").strip())
            yield
        finally:
            _end(process)


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process.poll() is None  # or else somebody else listens there
        time.sleep(0.02)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
