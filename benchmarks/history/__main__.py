"""Look-ups in a history of 10 MB, the longest block while a result of 1 MB is read, and the room that it takes.

`python -m benchmarks.history` (`--quick`: a tenth of it). Processor time.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from mcp_guard.history.index import Reading, Row, carrying, gained, origins
from mcp_guard.history.reading import Carried, carried_by, given
from mcp_guard.history.units import unit_of
from mcp_guard.model import Decision, Effect, Kind
from mcp_guard.record.entries import Entry, Request
from mcp_guard.record.sightings import Sightings
from mcp_guard.record.store import Record

MEGABYTE = 1_000_000
READING = Reading("bank/list", True, ("iban",), True, Carried())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the history")
    results = 1 if parser.parse_args().quick else 10
    with (
        tempfile.TemporaryDirectory() as directory,
        Record.open(Path(directory) / "state", session="s", clock=lambda: datetime.now(UTC)) as record,
    ):
        chance = random.Random(1)  # noqa: S311 - a benchmark
        entry = record.step(request(), lambda view: Decision(Effect.ALLOW))
        blocks = [block for _ in range(results) for block in added(record, entry, payees(chance))]
        say("one slice of a result: read, looked up, committed", blocks, 1e3, "ms")
        say("look-up of a unit", looked_up(record, chance), 1e6, "µs")
        say(
            "what a call of 1,000 characters carries", timed(partial(carry, record, text(chance, 1000)), 200), 1e6, "µs"
        )
        say(
            "what a call of 60,000 characters carries",
            timed(partial(carry, record, text(chance, 60_000)), 20),
            1e3,
            "ms",
        )
        room = sum(one.stat().st_size for one in record.directory.iterdir())
        print(f"history of {results} MB: record {room / MEGABYTE:.1f} MB on disk, {peak():.0f} MB resident at most")


def request() -> Request:
    return Request("p", "s", "tools/call", "bank", "list", Kind.TOOL, {}, "d", "a")


def payees(chance: random.Random) -> dict[str, Any]:
    """A result of about 1 MB: payees with an id, an account, a mail address and a note."""
    found = []
    for _ in range(MEGABYTE // 170):
        number = chance.randrange(10**12)
        note = "for the electricity of the month, see the contract of last year"
        account = f"X{number:020d}"
        found.append({"id": f"p-{number}", "iban": account, "mail": f"u{number}@example.com", "note": note})
    return {"structuredContent": {"payees": found}}


def added(record: Record, entry: Entry, result: dict[str, Any]) -> Iterator[float]:
    """The time that each slice keeps the loop for itself."""
    slices = given(result)
    while True:
        start = time.thread_time()
        found = next(slices, None)
        if found is None:
            return
        record.saw(entry, partial(rows_of, record, found))
        yield time.thread_time() - start


def rows_of(record: Record, found: list[Any], rows: Sightings) -> list[Row]:
    return gained(found, READING, record.digests, rows)


def looked_up(record: Record, chance: random.Random) -> list[float]:
    """Values, each read anew."""
    connection = record._writer.connection
    found = []
    for _ in range(5000):
        unit = unit_of(f"u{chance.randrange(10**12)}@example.com")
        assert unit is not None
        start = time.thread_time()
        list(origins(unit, record.digests, Sightings(connection, "s")))
        found.append(time.thread_time() - start)
    return found


def carry(record: Record, said: str) -> None:
    carrying(carried_by({"arguments": {"text": said}}), record.digests, Sightings(record._writer.connection, "s"))


def text(chance: random.Random, length: int) -> str:
    words = ["report", "invoice-2024", "bob@example.com", "the", "Alice", "https://example.com/a", "12.50", "of"]
    said = ""
    while len(said) < length:
        said += f"{chance.choice(words)}{chance.randrange(1000)} "
    return said


def timed(action: Callable[[], None], times: int) -> list[float]:
    found = []
    for _ in range(times):
        start = time.thread_time()
        action()
        found.append(time.thread_time() - start)
    return found


def say(what: str, seconds: list[float], scale: float, name: str) -> None:
    ordered = sorted(one * scale for one in seconds)
    median, high = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    print(f"{what}: median {median:.1f} {name}, 99% {high:.1f} {name}, longest {ordered[-1]:.1f} {name}")


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
