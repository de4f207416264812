"""What the tables beside the entries should hold, added up from the entries alone: `verify` holds the two together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from typing import Any

import orjson

from mcp_guard.record.accepted import AcceptedTold
from mcp_guard.record.answers_told import AnswersTold
from mcp_guard.record.denied import DeniedTold
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.ledger_past import Past
from mcp_guard.record.sightings_check import SightingsLedger
from mcp_guard.record.spent_ledger import SpentLedger
from mcp_guard.record.sums import added_sums

Total = tuple[int, dict[str, Decimal]]


class Ledger:
    """Usage, open calls, first sights and first uses, as the entries tell them."""

    def __init__(self) -> None:
        self._open: dict[int, dict[str, Any]] = {}  # allowed calls without an outcome, by position
        self._usage: dict[tuple[str, str], Total] = {}
        self._spent = SpentLedger()
        self._seen: dict[str, str] = {}
        self._pinned: dict[str, str] = {}
        self._used: dict[str, str] = {}
        self._sightings = SightingsLedger()
        self._answers = AnswersTold()
        self._past = Past()
        self._accepted = AcceptedTold()
        self._denied = DeniedTold()

    def enter(self, kind: EntryKind, body: dict[str, Any]) -> bool:
        """Take an entry in; False for an outcome that belongs to no open call of its chain and session."""
        self._spent.now = max(self._spent.now, str(body["time"]))
        if kind is EntryKind.OPENED:
            self._denied.opened(body)
        elif kind is EntryKind.RESUMED:
            self._denied.resumed(body["data"]["scope"])
        if kind is EntryKind.DECISION and body["effect"] == "allow":
            self._open[body["position"]] = body
            self._charge(body, 1)
            self._answers.spent(body)
            self._past.admitted(body)
        elif kind is EntryKind.DECISION and body["effect"] == "deny":
            self._denied.denied(body)
        elif kind is EntryKind.OUTCOME:
            decision = self._open.pop(body["finishes"], None)
            if decision is None or any(decision[name] != body[name] for name in ("chain", "session")):
                return False
            if body.get("refunded"):
                self._charge(decision, -1)
                self._past.taken_back(decision)
            else:
                self._past.answered(decision, body)
        elif kind is EntryKind.SIGHTED:
            self._sightings.enter(body)
        elif kind is EntryKind.ACCEPTED:
            self._accepted.enter(body["data"])
        elif self._answers.enter(kind, body):
            pass
        elif kind is EntryKind.FIRST_SIGHT:
            self._seen[body["data"]["server"]] = body["data"]["sha256"]
        elif kind is EntryKind.PINNED:
            self._pinned[body["data"]["server"]] = body["data"]["sha256"]
        elif kind is EntryKind.FIRST_USE:
            self._used[body["data"]["key"]] = body["time"]
        elif kind is EntryKind.CLOCK_SET:
            self._used = {key: min(time, body["time"]) for key, time in self._used.items()}
        else:
            self._past.noted(kind, body)
        return True

    def differences(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Where the stored tables say something else."""
        stored = {
            (session, rule): (calls, {name: Decimal(amount) for name, amount in orjson.loads(sums).items()})
            for session, rule, calls, sums in connection.execute("SELECT session, rule, calls, sums FROM usage")
        }
        for session, rule in sorted(stored.keys() | self._usage.keys()):
            if _counted(stored.get((session, rule))) != _counted(self._usage.get((session, rule))):
                yield f"what `{rule}` has used in session {session[:8]} isn't what the entries add up to"
        yield from self._spent.differences(connection)
        seen = connection.execute("SELECT server, tools FROM first_seen")
        if {server: sha256(tools.encode()).hexdigest() for server, tools in seen} != self._seen:
            yield "the tools known at first sight aren't those that were recorded"
        pinned = connection.execute("SELECT server, pins FROM first_pins")
        if {server: sha256(pins.encode()).hexdigest() for server, pins in pinned} != self._pinned:
            yield "what was pinned at first sight isn't what was recorded"
        if dict(connection.execute("SELECT key, time FROM first_used")) != self._used:
            yield "the times of first use aren't those that were recorded"
        yield from self._sightings.differences(connection)
        yield from self._answers.differences(connection)
        yield from self._past.differences(connection)
        yield from self._accepted.differences(connection)
        yield from self._denied.differences(connection)

    def _charge(self, body: dict[str, Any], sign: int) -> None:
        for charge in body.get("charges", ()):
            account = charge.get("account", body["session"])
            if "seconds" in charge:
                self._spent.charge(account, charge, body, sign)
                continue
            self._spent.use(account, charge, sign)
            key = (account, charge["rule"])
            calls, sums = self._usage.get(key, (0, {}))
            more = [(name, Decimal(amount)) for name, amount in charge["sums"].items()]
            self._usage[key] = (calls + sign * charge["calls"], added_sums(sums, more, sign))


def _counted(total: Total | None) -> Total:
    calls, sums = total or (0, {})
    return calls, {name: amount for name, amount in sums.items() if amount}
