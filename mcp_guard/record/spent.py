"""What counts only for a time, charge by charge, and which values were used: rolling windows and `distinct`.

A charge of the last day stays, whatever window it was made for: a longer window, asked for later, finds it there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import orjson

from mcp_guard.model import LONGEST_WINDOW, Charge, Usage
from mcp_guard.record.entries import decimal_text, stamp
from mcp_guard.record.sums import added_sums, changed


def used(connection: sqlite3.Connection, account: str, rule: str, now: datetime, seconds: int) -> Usage:
    """What was charged less than so many seconds ago. Raises RecordFailed if that isn't what a guard wrote."""
    query = (
        "SELECT SUM(calls), MIN(calls), COUNT(*), sums FROM spent WHERE account=? AND rule=? AND time>? GROUP BY sums"
    )
    calls, sums = 0, dict[str, Decimal]()
    try:
        for total, least, count, amounts in connection.execute(query, (account, rule, _since(now, seconds))):
            if not isinstance(total, int) or not isinstance(least, int) or least < 0:
                raise changed(rule)
            calls += total
            if amounts != "{}":
                sums = added_sums(sums, ((name, _amount(text)) for name, text in orjson.loads(amounts).items()), count)
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise changed(rule) from error
    return Usage(calls, sums)


def lately(
    connection: sqlite3.Connection, account: str, rule: str, now: datetime, seconds: int
) -> Mapping[str, set[str]]:
    """The fingerprints of the values of those charges, by argument."""
    query = "SELECT DISTINCT fingerprints FROM spent WHERE account=? AND rule=? AND time>?"
    found: dict[str, set[str]] = {}
    try:
        for (fingerprints,) in connection.execute(query, (account, rule, _since(now, seconds))):
            for name, value in orjson.loads(fingerprints).items():
                found.setdefault(name, set()).add(str(value))
    except (AttributeError, TypeError, ValueError) as error:
        raise changed(rule) from error
    return found


def _since(now: datetime, seconds: int) -> str:
    """What was charged at this moment, or before, no longer counts."""
    return stamp(now - timedelta(seconds=seconds))


def _amount(text: str) -> Decimal:
    amount = Decimal(text)
    decimal_text(amount)  # a negative sum would be credit
    return amount


def add(connection: sqlite3.Connection, account: str, charge: Charge, now: datetime, position: int) -> None:
    """Keep one charge, and let go of those that no window can ask for any more."""
    over = _since(now, LONGEST_WINDOW)
    connection.execute("DELETE FROM spent WHERE account=? AND rule=? AND time<=?", (account, charge.rule, over))
    sums = orjson.dumps({name: str(amount) for name, amount in charge.sums.items()}).decode()
    fingerprints = orjson.dumps(dict(charge.values)).decode()
    row = (account, charge.rule, stamp(now), position, charge.calls, sums, fingerprints)
    connection.execute("INSERT INTO spent VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def take_back(connection: sqlite3.Connection, account: str, rule: str, position: int) -> None:
    """Forget what the call at `position` was charged; it may be gone already, with its window."""
    connection.execute("DELETE FROM spent WHERE account=? AND rule=? AND position=?", (account, rule, position))


def values(connection: sqlite3.Connection, account: str, rule: str) -> Mapping[str, set[str]]:
    """The fingerprints of all values that a rule used in a session or account, by argument."""
    query = "SELECT argument, fingerprint, calls FROM used_values WHERE account=? AND rule=?"
    found: dict[str, set[str]] = {}
    for name, fingerprint, calls in connection.execute(query, (account, rule)):
        if not isinstance(calls, int) or calls < 1:
            raise changed(rule)
        found.setdefault(name, set()).add(fingerprint)
    return found


def add_values(connection: sqlite3.Connection, account: str, charge: Charge) -> None:
    """One more call with each of these values."""
    for name, value in charge.values.items():
        connection.execute(
            "INSERT INTO used_values VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET calls=calls+1",
            (account, charge.rule, name, value),
        )


def take_back_values(connection: sqlite3.Connection, account: str, charge: Charge) -> None:
    """One call less with each of them; what no call has used any more doesn't count."""
    for name, value in charge.values.items():
        key = (account, charge.rule, name, value)
        where = "WHERE account=? AND rule=? AND argument=? AND fingerprint=?"
        if connection.execute(f"UPDATE used_values SET calls=calls-1 {where}", key).rowcount != 1:  # noqa: S608
            raise changed(charge.rule)
        connection.execute(f"DELETE FROM used_values {where} AND calls<1", key)  # noqa: S608
