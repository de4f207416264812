"""Refusals by session, for the circuit breaker: many, or a grave one, freeze the session until a person lets it go on.

Each row follows from the entry of a denied decision, and goes when a person lets the session go on, so that `verify`
holds the table against the entries. Rows are written whether or not guard.yaml has a breaker: one that is configured
tomorrow knows what was refused today, and the table doesn't depend on what a guard was told.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mcp_guard import log
from mcp_guard.model import LONGEST_WINDOW, Decision, Effect, Reason
from mcp_guard.monitor.severity import Severity, of_refusal
from mcp_guard.record import stops
from mcp_guard.record.entries import Request, stamp
from mcp_guard.record.writer import Transaction

MOST = 1000
"""Refusals of one session that are kept: no breaker waits for more."""
SESSION = "session:"


@dataclass(frozen=True, slots=True)
class Breaker:
    """guard.yaml's `breaker`: so many refusals within so long, or one of this severity. None: that doesn't matter."""

    denials: int | None = None
    within: timedelta = timedelta(minutes=5)
    severity: Severity | None = None


def note(
    moment: Transaction, request: Request, decision: Decision, count: int, position: int, breaker: Breaker | None
) -> None:
    """A decision was appended at `position`. Keep it if it is a refusal, and freeze its session if it is one too many.

    In the same transaction: no call of the session is judged between the refusal and the freeze.
    """
    if decision.effect is Effect.DENY:
        reason = (decision.reason or Reason.INTERNAL).value
        severity = of_refusal(request.method, request.target, reason)
        if severity is not None:
            _keep(moment, request.session, position, count, severity)
            if breaker is not None and (why := _tripped(moment, request.session, breaker, severity, reason)):
                freeze(moment, request.session, f"circuit breaker: {why}")
    if decision.halts:
        freeze(moment, request.session, decision.halts)


def freeze(moment: Transaction, session: str, why: str) -> None:
    """Stop the session, this one only. Once: what is frozen stays as it is."""
    if stops.halt(moment, SESSION + session, why):
        log.warning(f"a session is frozen: `mcp-guard approvals unfreeze {session}` lets it go on", why=why)


def _keep(moment: Transaction, session: str, position: int, count: int, severity: Severity) -> None:
    connection, now = moment.connection, stamp(moment.now)
    connection.execute("DELETE FROM denied WHERE session=? AND time<=?", (session, _since(now)))
    connection.execute("INSERT INTO denied VALUES (?, ?, ?, ?, ?)", (session, position, now, count, int(severity)))
    (rows,) = connection.execute("SELECT count(*) FROM denied WHERE session=?", (session,)).fetchone()
    if rows > MOST:
        oldest = "SELECT min(position) FROM denied WHERE session=?"
        connection.execute(f"DELETE FROM denied WHERE session=? AND position=({oldest})", (session, session))  # noqa: S608


def _tripped(moment: Transaction, session: str, breaker: Breaker, severity: Severity, reason: str) -> str:
    """Why this refusal freezes its session; empty if it doesn't."""
    if breaker.severity is not None and severity >= breaker.severity:
        return f"a refusal of severity {severity.word} ({reason})"
    if breaker.denials is None:
        return ""
    query = "SELECT coalesce(sum(count), 0) FROM denied WHERE session=? AND time>?"
    since = stamp(moment.now - breaker.within)
    (count,) = moment.connection.execute(query, (session, since)).fetchone()
    seconds = int(breaker.within.total_seconds())
    return f"{count} refusals within {seconds} seconds" if count >= breaker.denials else ""


def _since(now: str) -> str:
    return stamp(datetime.fromisoformat(now).astimezone(UTC) - timedelta(seconds=LONGEST_WINDOW))


class DeniedTold:
    """The same table from the entries alone: a part of `ledger.py`."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[int, tuple[str, int, int]]] = {}
        self._chains: set[str] = set()  # those of guards that kept this table

    def opened(self, body: Mapping[str, Any]) -> None:
        """A chain began; guards of the first version knew no such table."""
        if "format" in body:
            self._chains.add(body["chain"])

    def denied(self, body: Mapping[str, Any]) -> None:
        """A decision that denies."""
        severity = of_refusal(body["method"], body["target"], body.get("reason", Reason.INTERNAL.value))
        if severity is None or body["chain"] not in self._chains:
            return
        since, rows = _since(body["time"]), self._rows.setdefault(body["session"], {})
        for position in [position for position, row in rows.items() if row[0] <= since]:
            del rows[position]
        rows[body["position"]] = (body["time"], body.get("count", 1), int(severity))
        if len(rows) > MOST:
            del rows[min(rows)]

    def resumed(self, scope: str) -> None:
        """A person let a scope go on."""
        self._rows.pop(scope.removeprefix(SESSION) if scope.startswith(SESSION) else "", None)

    def differences(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Where the stored table says something else."""
        stored: dict[str, dict[int, tuple[str, int, int]]] = {}
        for session, position, *row in connection.execute("SELECT * FROM denied"):
            stored.setdefault(session, {})[position] = (row[0], row[1], row[2])
        for session in sorted(stored.keys() | self._rows.keys()):
            if stored.get(session, {}) != self._rows.get(session, {}):
                yield f"what session {session[:8]} was refused lately isn't what the entries say"
