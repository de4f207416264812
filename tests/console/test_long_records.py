"""Pages of a long record: what they read doesn't grow with it. Counted in statements and rows, not in seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.console.pages import log
from mcp_guard.console.room import Asked, Room
from mcp_guard.record import index
from tests.record.examples import allow, deny, open_record, request

PAGES: tuple[dict[str, str], ...] = (
    {},
    {"effect": "deny"},
    {"tool": "bank/*"},
    {"rule": "policy/no-egress"},
    {"before": "90"},
)


def filled(home: Path, entries: int) -> Path:
    with open_record(home) as record:
        for number in range(entries):
            record.step(request(), deny if number % 3 else allow())
        return record.directory


def traced(statements: list[str]) -> Callable[..., sqlite3.Connection]:
    """`sqlite3.connect`, of which every statement is noted."""
    connect = sqlite3.connect

    def tracing(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(statements.append)
        return connection

    return tracing


@pytest.mark.parametrize("query", PAGES)
def test_a_page_of_the_log_reads_a_page_of_a_long_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    monkeypatch.setattr(index, "SMALL", 10)
    read = []
    for size in (120, 120 * 8):
        home = tmp_path / str(size)
        home.mkdir()
        room = Room(filled(home, size), "local:me")
        log.show(room, Asked({}, query))  # the index is made once
        statements: list[str] = []
        with monkeypatch.context() as patched:
            patched.setattr(sqlite3, "connect", traced(statements))
            page = log.show(room, Asked({}, query))
        assert 20 < len(page.values["rows"]) <= log.SIZE
        read.append(sum("WHERE e.position = " in one for one in statements))
    assert read[1] <= read[0] + 2 <= log.SIZE + 4
