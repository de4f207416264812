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
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode, urlsplit

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


class Browser:
    """Somebody who followed the link: one cookie, and forms as the pages have them."""

    def __init__(self, link: str) -> None:
        place = urlsplit(link)
        self._port, self._host, self._cookie = place.port or 0, place.netloc, ""
        _, answer = self._ask("POST", place.path)
        self._cookie = str(answer.getheader("set-cookie")).partition(";")[0]
        found = re.search('name="form" value="([^"]+)"', self._ask("GET", "/now")[0])
        assert found is not None
        self._form = found[1]

    def post(self, path: str, **fields: str) -> int:
        """Send a form; the status of what came."""
        return self._ask("POST", path, urlencode({"form": self._form, **fields}))[1].status

    def _ask(self, method: str, path: str, body: str = "") -> tuple[str, HTTPResponse]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
        headers = {"host": self._host, "origin": f"http://{self._host}", "cookie": self._cookie}
        connection.request(method, path, body, {**headers, "content-type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return text, answer
