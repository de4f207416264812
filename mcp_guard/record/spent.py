"""What counts only for a time, charge by charge, and which values were used: rolling windows and `distinct`.

A charge of the last day stays, whatever window it was made for: a longer window, asked for later, finds it there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import orjson

from mcp_guard.model import LONGEST_WINDOW, Charge, Usage
from mcp_guard.record.entries import decimal_text, stamp
from mcp_guard.record.sums import added_sums, changed


@dataclass(frozen=True, slots=True)
class Spent:
    """What a rule used in a window, and the fingerprints of the values, by argument."""

    usage: Usage
    values: Mapping[str, frozenset[str]]


def lately(connection: sqlite3.Connection, account: str, rule: str, now: datetime, seconds: int) -> Spent:
    """What was charged less than so many seconds ago. Raises RecordFailed if that isn't what a guard wrote."""
    since = stamp(now - timedelta(seconds=seconds))
    query = "SELECT calls, sums, fingerprints FROM spent WHERE account=? AND rule=? AND time>?"
    calls, sums = 0, dict[str, Decimal]()
    values: dict[str, set[str]] = {}
    try:
        for one, amounts, fingerprints in connection.execute(query, (account, rule, since)):
            if not isinstance(one, int) or one < 0:
                raise changed(rule)
            calls += one
            if amounts != "{}":
                read = [(name, Decimal(amount)) for name, amount in orjson.loads(amounts).items()]
                for _, amount in read:
                    decimal_text(amount)  # a negative sum would be credit
                sums = added_sums(sums, read)
            if fingerprints != "{}":
                for name, value in orjson.loads(fingerprints).items():
                    values.setdefault(name, set()).add(str(value))
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise changed(rule) from error
    return Spent(Usage(calls, sums), {name: frozenset(known) for name, known in values.items()})


def add(connection: sqlite3.Connection, account: str, charge: Charge, now: datetime, position: int) -> None:
    """Keep one charge, and let go of those that no window can ask for any more."""
    over = stamp(now - timedelta(seconds=LONGEST_WINDOW))
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
