"""What the tables of rolling windows and of used values should hold, from the entries alone: a part of `ledger.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from mcp_guard.model import LONGEST_WINDOW
from mcp_guard.record.entries import stamp

Key = tuple[str, str, str, int]
"""Account, rule, time and position of a charge."""


class SpentLedger:
    """Charges that count for a time, and values with the number of calls that used them."""

    def __init__(self) -> None:
        self.now = ""  # of the latest entry so far
        self._spent: dict[Key, tuple[int, dict[str, str], dict[str, str]]] = {}
        self._values: dict[tuple[str, str, str, str], int] = {}

    def charge(self, account: str, charge: dict[str, Any], decision: dict[str, Any], sign: int) -> None:
        """Add a charge that counts for a time, or take one back."""
        key = (account, charge["rule"], decision["time"], decision["position"])
        if sign < 0:
            self._spent.pop(key, None)
        else:
            self._spent[key] = charge["calls"], charge["sums"], charge.get("values", {})

    def use(self, account: str, charge: dict[str, Any], sign: int) -> None:
        """Count the values of a charge that counts for good."""
        for name, value in charge.get("values", {}).items():
            key = (account, charge["rule"], name, value)
            self._values[key] = self._values.get(key, 0) + sign

    def differences(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Where the stored tables say something else. A charge that no window asks for any more may be gone."""
        stored = {
            (account, rule, time, position): (calls, orjson.loads(sums), orjson.loads(fingerprints))
            for account, rule, time, position, calls, sums, fingerprints in connection.execute("SELECT * FROM spent")
        }
        since = self._since()
        wrong = {key for key, said in stored.items() if self._spent.get(key) != said}
        wrong |= {key for key in self._spent if key[2] > since and key not in stored}
        for rule in sorted({key[1] for key in wrong}):
            yield f"what `{rule}` has used lately isn't what the entries say"
        rows = connection.execute("SELECT account, rule, argument, fingerprint, calls FROM used_values")
        used = {tuple(row[:4]): row[4] for row in rows}
        expected = {key: calls for key, calls in self._values.items() if calls}
        for rule in sorted({key[1] for key in used.keys() | expected.keys() if used.get(key) != expected.get(key)}):
            yield f"the values that `{rule}` has used aren't those that the entries say"

    def _since(self) -> str:
        """A charge after this moment has to be there still."""
        if not self.now:
            return ""
        latest = datetime.fromisoformat(self.now).astimezone(UTC)
        return stamp(latest - timedelta(seconds=LONGEST_WINDOW))
