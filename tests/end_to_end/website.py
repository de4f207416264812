"""A web site on loopback that keeps its own access log; one of its pages waits until a test lets it go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.patience import PATIENCE

SLOW = "/slow"
"""Seconds that the slow page waits at most."""


class Website(ThreadingHTTPServer):
    """Answers every path with one line of text; has no robots.txt, as a site that lets robots in."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.log: list[str] = []  # the paths that were asked for, in order
        self.asked_slowly = threading.Event()
        self.go_on = threading.Event()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def other_origin(self) -> str:
        """The same site by another name: reachable, and not the granted host."""
        return f"http://localhost:{self.server_port}"


class _Page(BaseHTTPRequestHandler):
    server: Website

    def do_GET(self) -> None:
        self.server.log.append(self.path)
        if self.path == SLOW:
            self.server.asked_slowly.set()
            self.server.go_on.wait(PATIENCE)
        found = self.path != "/robots.txt"
        body = f"the page {self.path}\n".encode() if found else b""
        self.send_response(200 if found else 404)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@contextmanager
def website() -> Iterator[Website]:
    """A site that runs until the end of the block."""
    site = Website()
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.go_on.set()
        site.shutdown()
        thread.join()
        site.server_close()
