"""Small true-to-life pieces of a record, and readers of its raw state, for the tests beside this file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from mcp_guard.errors import RecordBusy
from mcp_guard.model import Charge, Decision, Effect, Kind, Reason, RuleRef
from mcp_guard.record.entries import Entry, Request
from mcp_guard.record.store import Record
from mcp_guard.record.usage import UsageView

PAY = RuleRef("policy", "pay", Effect.ALLOW, "policy.yaml", 12, 5)
NO_EGRESS = RuleRef("policy", "no-egress", Effect.DENY, "policy.yaml", 30, 3)
DENIED = Decision(Effect.DENY, Reason.DENIED, rules=(NO_EGRESS,))
SESSION = "5e55101"
NOON = datetime(2026, 12, 31, 12, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


def request(**changes: Any) -> Request:
    fields: dict[str, Any] = {
        "principal": "alice",
        "session": SESSION,
        "method": "tools/call",
        "server": "bank",
        "target": "transfer_money",
        "kind": Kind.TOOL,
        "shape": {"amount": "number"},
        "digest": "d1",
        "authority_digest": "a1",
        "client": "assistant",
    }
    return Request(**(fields | changes))


def open_record(directory: Path, clock: Callable[[], datetime] | None = None, session: str = SESSION) -> Record:
    return Record.open(directory / "state", session=session, clock=clock or Clock())


def allow(*charges: Charge) -> Callable[[UsageView], Decision]:
    decision = Decision(Effect.ALLOW, rules=(PAY,), charges=charges or (Charge(PAY.key, calls=0),))
    return lambda _: decision


def at_most(calls: int, amount: Decimal | None = None) -> Callable[[UsageView], Decision]:
    """A judge as a budget of `calls` would be: each call costs one, and `amount` if given."""

    def judge(facts: UsageView) -> Decision:
        if facts.used(PAY.key).calls >= calls:
            return Decision(Effect.DENY, Reason.BUDGET_SPENT, rules=(PAY,))
        charge = Charge(PAY.key, 1, {} if amount is None else {"amount": amount})
        return Decision(Effect.ALLOW, rules=(PAY,), charges=(charge,))

    return judge


def deny(_: UsageView) -> Decision:
    return DENIED


def never(_: UsageView) -> Decision:
    raise AssertionError("the judge was asked")


def insist(action: Callable[[], Entry]) -> Entry:
    """Ask again for as long as another process holds the lock; that process never waits, so this ends."""
    while True:
        try:
            return action()
        except RecordBusy:
            continue


@contextmanager
def raw(directory: Path) -> Iterator[sqlite3.Connection]:
    """The record's file as anybody with SQLite could open it."""
    with closing(sqlite3.connect(directory / "guard.db", isolation_level=None)) as connection:
        yield connection


def bodies(directory: Path) -> list[str]:
    with raw(directory) as connection:
        return [bytes(row[0]).decode() for row in connection.execute("SELECT body FROM entries ORDER BY position")]
