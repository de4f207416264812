"""The monitor of one guard process: learns from the record what is usual, and flags what isn't.

Between the core (`monitor/`) and the record. It starts from the newest decisions there, its own calls teach it as they
are decided, and what other guard processes decided is read once a minute. Nothing is stored: the same record teaches
the same, and nobody can change what was learned without changing the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from mcp_guard import log
from mcp_guard.errors import GuardError
from mcp_guard.model import Call, Kind
from mcp_guard.monitor.flags import Flag, Watching
from mcp_guard.monitor.habits import Habits, habits_of
from mcp_guard.monitor.usual import Usual
from mcp_guard.record.entries import EntryKind, bounded_text
from mcp_guard.record.store import Record

MEMORY = 20_000
"""Entries that a start looks back at: some tenths of a second."""
CATCH_UP = timedelta(minutes=1)
_NEWER = """SELECT position, body FROM entries
    WHERE finishes IS NULL AND position > ? AND position > (SELECT max(position) FROM entries) - ? ORDER BY position"""


class Monitor:
    """What this guard has learned."""

    def __init__(self, record: Record, watching: Watching) -> None:
        self.watching = watching
        self._record = record
        self._usual = Usual(watching.learn)
        self._position = 0
        self._read: datetime | None = None
        self._catch_up()

    def habits(self, call: Call) -> Habits:
        """What of the call the record keeps for later; nothing for what has no arguments of a tool."""
        return habits_of(call.arguments, self._record.key) if call.kind is Kind.TOOL else Habits()

    def flags(self, call: Call, session: str, habits: Habits, now: datetime) -> tuple[Flag, ...]:
        """What is out of the ordinary about a call to a tool."""
        if call.kind is not Kind.TOOL:
            return ()
        return self._usual.flags(bounded_text(call.principal), session, bounded_text(call.name), habits, now)

    def learn(self, call: Call, session: str, habits: Habits, now: datetime) -> None:
        """A call was allowed."""
        if self._read is None or now - self._read > CATCH_UP:
            self._read = now
            self._catch_up()
        if call.kind is Kind.TOOL:
            self._usual.learn(bounded_text(call.principal), session, bounded_text(call.name), habits, now)

    def _catch_up(self) -> None:
        """What others did; at the start, what anybody did."""
        try:
            for position, text in self._record.look(_NEWER, (self._position, MEMORY)):
                self._position = max(self._position, position)
                body = orjson.loads(text)
                if body.get("effect") == "allow" and body.get("chain") != self._record.chain:
                    self._from_entry(body)
        except (GuardError, ValueError, KeyError, TypeError) as error:
            log.warning("the monitor could not read the record", error=type(error).__name__)

    def _from_entry(self, body: Mapping[str, Any]) -> None:
        if body["kind"] != EntryKind.DECISION.value or body["target_kind"] != Kind.TOOL.value:
            return
        kept = body.get("habits", {})
        habits = Habits(tuple(kept.get("hosts", ())), tuple(kept.get("directories", ())), kept.get("size", 0))
        time = datetime.fromisoformat(body["time"]).astimezone(UTC)
        name = f"{body['server']}/{body['target']}"
        self._usual.learn(body["principal"], body["session"], name, habits, time)
