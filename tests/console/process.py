"""A real `mcp-guard console` at a terminal of its own: what it shows there, and its end."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.presence.person import _LOGIN, environment

SECONDS = 60.0


@contextmanager
def console(state: Path, *words: str, ending: signal.Signals = signal.SIGTERM) -> Iterator[str]:
    """The login link, while the console runs. It ends by a signal."""
    terminal, theirs = pty.openpty()
    line = [sys.executable, "-S", "-c", _LOGIN, sys.executable, "-m", "mcp_guard", "console", *words]
    with subprocess.Popen(
        line, env=environment(state), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            yield _link(terminal)
        finally:
            process.send_signal(ending)
            process.wait(SECONDS)
            os.close(terminal)


def _link(terminal: int) -> str:
    seen, end = "", time.monotonic() + SECONDS
    while time.monotonic() < end:
        if select.select([terminal], [], [], 1)[0]:
            try:
                seen += os.read(terminal, 65536).decode()
            except OSError:  # it has ended
                break
        if found := re.search(r"(http://guard-[0-9a-f]+\.localhost:[0-9]+/login/[\w-]+)\s", seen):
            return found[1]
    raise AssertionError(f"no link was shown: {seen}")
