"""`python -m benchmarks.console [--entries N] [--json]`: how long the console's log takes for a page of a long record.

A console as a person has it, on loopback, over a record of N entries (100,000 by default). Each kind of page is asked
for many times; before each, a guard has recorded another call, so that none is only read again. Milliseconds from the
request to the page's last byte; last, the slowest of all, of which the goal is 300. Progress goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import uvicorn
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.record import call, fill
from mcp_guard.console import serving
from mcp_guard.console.door import Door
from mcp_guard.console.room import Room
from mcp_guard.record.store import Record
from mcp_guard.transports.http_listen import listen

GOAL = 300.0  # milliseconds for one page
TIMES = 20  # that each is asked for
WORST = "the slowest of all, ms"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console", description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "state"
        with Progress(console=Console(stderr=True)) as progress:
            fill(directory, options.entries, progress)
        figures = measure(directory, options.entries)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        table = Table("what", "figure")
        for name, figure in figures.items():
            table.add_row(name, f"{figure:,.1f}" if figure < 1000 else f"{figure:,.0f}")
        Console().print(table)
    return 0 if figures[WORST] <= GOAL else 1


def measure(directory: Path, entries: int) -> dict[str, float]:
    """Median and slowest of each kind of page, and what the console reads before it shows its link."""
    room = Room(directory, "a benchmark")
    began = time.perf_counter()
    serving._read_ahead(room)
    figures = {"entries": float(entries), "read before the link is shown, s": time.perf_counter() - began}
    worst = 0.0
    with served(room) as browser, Record.open(directory, session="guard", clock=lambda: datetime.now(UTC)) as record:
        for name, path in pages(entries).items():
            taken = []
            for number in range(TIMES):
                call(record, number)
                taken.append(browser.took(path))
            figures[f"{name}, p50, ms"] = statistics.median(taken)
            worst = max(worst, *taken)
    return figures | {WORST: worst}


def pages(entries: int) -> dict[str, str]:
    """Kinds of pages, by what is wanted."""
    return {
        "the newest": "/log",
        "in the middle": f"/log?before={entries // 2}",
        "the oldest": "/log?before=40",
        "of a tool": "/log?tool=bank/tool_0",
        "of a pattern that nothing fits": "/log?tool=nothing/*",
        "of a server, denied": "/log?server=mail&effect=deny",
        "of a rule": "/log?rule=policy/rule-7",
        "of a session": f"/log?session={7:016x}",
        "of a principal, in the middle": f"/log?principal=person-3&before={entries // 2}",
        "of the last hour": "/log?since=1h",
        "Now": "/now",
    }


class Browser:
    """One browser that was let in, on a connection that stays."""

    def __init__(self, door: Door, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=600)
        self._headers = {"host": door.host, "origin": door.origin}
        form = {**self._headers, "content-type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", f"/login/{door.link.rpartition('/')[2]}", "", form)
        answer = self._connection.getresponse()
        answer.read()
        self._headers["cookie"] = str(answer.getheader("set-cookie")).partition(";")[0]

    def took(self, path: str) -> float:
        """Milliseconds for one page."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200 or b"</html>" not in text:
            raise RuntimeError(f"{path} has no page: {answer.status}")
        return took

    def close(self) -> None:
        self._connection.close()


@contextmanager
def served(room: Room) -> Iterator[Browser]:
    """The console's own server, and a browser before it."""
    sockets = listen("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    door = Door(port, time.monotonic)
    server = uvicorn.Server(serving._configuration(room, door))
    running = threading.Thread(target=server.run, args=(sockets,), daemon=True)
    running.start()
    try:
        with closing(Browser(door, port)) as browser:
            yield browser
    finally:
        server.should_exit = True
        running.join(10)
        for bound in sockets:
            bound.close()


if __name__ == "__main__":
    sys.exit(main())
