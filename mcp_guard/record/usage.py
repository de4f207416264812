"""What budgeted rules have used in a session: shown to the judge, charged, and given back, exactly."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

import orjson

from mcp_guard.errors import RecordFailed
from mcp_guard.model import Admitted, Charge, Usage
from mcp_guard.record import history
from mcp_guard.record.entries import decimal_text
from mcp_guard.record.schema import explained

# Invariant: sums are exact. With rounding, enough tiny amounts beside a huge one would cost nothing.
_EXACT = Context(prec=64, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
_NOTHING = Usage()


class UsageView:
    """What a judge may ask of the history: the time, and what a rule has used. It ends with its transaction."""

    __slots__ = ("_admitted", "_connection", "_labels", "_open", "_read", "_session", "now")

    def __init__(self, connection: sqlite3.Connection, session: str, now: datetime) -> None:
        self.now = now  # aware, UTC: never before the latest entry of any process
        self._connection = connection
        self._session = session
        self._read: dict[str, Usage] = {}
        self._open = True
        self._labels: frozenset[str] | None = None
        self._admitted: Admitted | None = None

    def used(self, rule_key: str) -> Usage:
        """What `rule_key` has used in this session, in all guard processes, up to this transaction."""
        self._check_open()
        if rule_key not in self._read:
            try:
                self._read[rule_key] = used(self._connection, self._session, rule_key)
            except sqlite3.Error as error:
                raise explained(error) from error
        return self._read[rule_key]

    @property
    def connection(self) -> sqlite3.Connection:
        """The transaction's connection, for what else a judge has to know of the history."""
        if not self._open:
            raise RecordFailed("the history was asked outside of its judgement, where it may already have changed")
        return self._connection

    @property
    def session(self) -> str:
        """Whose history it is."""
        return self._session

    def labels(self) -> frozenset[str]:
        """What this session was exposed to, in all guard processes, up to this transaction."""
        self._check_open()
        if self._labels is None:
            try:
                self._labels = history.labels(self._connection, self._session)
            except sqlite3.Error as error:
                raise explained(error) from error
        return self._labels

    def admitted(self) -> Admitted:
        """What this session has called, in all guard processes, up to this transaction."""
        self._check_open()
        if self._admitted is None:
            try:
                self._admitted = history.admitted(self._connection, self._session)
            except sqlite3.Error as error:
                raise explained(error) from error
        return self._admitted

    def _check_open(self) -> None:
        if not self._open:
            raise RecordFailed("usage was asked for outside of its judgement, where it may already have changed")

    def charge(self, charges: Iterable[Charge]) -> None:
        """Add what an allowed call costs."""
        if not self._connection.in_transaction:  # SQLite ends it on some errors, and a judge may have caught those
            raise RecordFailed("the record's transaction ended while it was being judged from; nothing was written")
        for charge in charges:
            total = _added(self.used(charge.rule), charge)
            self._read[charge.rule] = total
            _write(self._connection, self._session, charge.rule, total)

    def __enter__(self) -> UsageView:
        return self

    def __exit__(self, *exc: object) -> None:
        """From here on the view answers nothing: a later transaction would be charged for an earlier reading."""
        self._open = False


def give_back(connection: sqlite3.Connection, session: str, charges: Iterable[Charge]) -> None:
    """Give back what a call was charged that was never sent."""
    for charge in charges:
        _write(connection, session, charge.rule, _reduced(used(connection, session, charge.rule), charge))


def used(connection: sqlite3.Connection, session: str, rule: str) -> Usage:
    """The stored usage of a rule in a session. Raises RecordFailed if it isn't one that the guard wrote."""
    query = "SELECT calls, sums FROM usage WHERE session=? AND rule=?"
    row = connection.execute(query, (session, rule)).fetchone()
    if row is None:
        return _NOTHING
    calls, text = row
    try:
        sums = {name: Decimal(amount) for name, amount in orjson.loads(text).items()}
        for amount in sums.values():
            decimal_text(amount)  # a negative sum would be credit
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise _changed(rule) from error
    if not isinstance(calls, int) or calls < 0:
        raise _changed(rule)
    return Usage(calls, sums)


def added_sums(sums: dict[str, Decimal], more: Iterable[tuple[str, Decimal]], sign: int = 1) -> dict[str, Decimal]:
    """Exact addition by name. Raises ArithmeticError where 64 digits don't hold the result."""
    total = dict(sums)
    for name, amount in more:
        total[name] = _EXACT.add(total.get(name, Decimal(0)), _EXACT.multiply(amount, sign))
    return total


def _added(usage: Usage, charge: Charge) -> Usage:
    try:
        if charge.calls < 0:
            raise ValueError("a budget can only be charged a count of zero or more")
        for amount in charge.sums.values():
            decimal_text(amount)
        return Usage(usage.calls + charge.calls, added_sums(dict(usage.sums), charge.sums.items()))
    except (ArithmeticError, ValueError) as error:
        raise RecordFailed(f"what `{charge.rule}` has used can't be added up exactly; there is no call") from error


def _reduced(usage: Usage, charge: Charge) -> Usage:
    calls = usage.calls - charge.calls
    sums = added_sums(dict(usage.sums), charge.sums.items(), -1)
    if calls < 0 or any(amount < 0 for amount in sums.values()):
        raise _changed(charge.rule)
    return Usage(calls, sums)


def _write(connection: sqlite3.Connection, session: str, rule: str, usage: Usage) -> None:
    sums = orjson.dumps({name: str(amount) for name, amount in usage.sums.items()}).decode()
    connection.execute("INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?)", (session, rule, usage.calls, sums))


def _changed(rule: str) -> RecordFailed:
    return RecordFailed(f"what `{rule}` has used was changed by somebody else; keep the record as evidence")
