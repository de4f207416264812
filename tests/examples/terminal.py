"""One shell that stays: `cd` and `export` of one command hold for the next, as for whoever follows a README."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MARK = "\x1e"
SECONDS = 60.0


class Terminal:
    """Runs one line after the other and returns what each prints on its standard output."""

    def __init__(self, shell: subprocess.Popen[bytes]) -> None:
        self._shell = shell

    def run(self, line: str) -> tuple[int, str]:
        """Exit code and output. Raises TimeoutError after a minute."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{line}\nprintf '{MARK}%s\\n' $?\n".encode())
        self._shell.stdin.flush()
        output, _, code = self._until_mark(line).partition(MARK)
        return int(code), output

    def _until_mark(self, line: str) -> str:
        assert self._shell.stdout is not None
        end, seen = time.monotonic() + SECONDS, b""
        while not (MARK.encode() in seen and seen.endswith(b"\n")):
            ready = select.select([self._shell.stdout], [], [], max(0.0, end - time.monotonic()))[0]
            data = os.read(self._shell.stdout.fileno(), 65536) if ready else b""
            if not data:
                raise TimeoutError(f"`{line}` doesn't end; so far: {seen.decode('utf-8', 'replace')}")
            seen += data
        return seen.decode()


@contextmanager
def terminal(directory: Path, environment: Mapping[str, str], errors: Path) -> Iterator[Terminal]:
    """A shell in this directory, which says into `errors` what went wrong. What it started ends with it."""
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(
            ["/bin/sh"],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        ) as shell,
    ):
        try:
            yield Terminal(shell)
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
