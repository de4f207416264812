"""What budgeted rules have used in a session: shown to the judge, charged, and given back, exactly."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from mcp_guard.errors import RecordFailed
from mcp_guard.history.index import Row
from mcp_guard.model import Admitted, Charge, Usage
from mcp_guard.record import history, spent
from mcp_guard.record.entries import decimal_text
from mcp_guard.record.recent import Recent
from mcp_guard.record.schema import explained
from mcp_guard.record.sightings import Sightings
from mcp_guard.record.sums import added, added_sums, changed

_NOTHING = Usage()


class UsageView:
    """What a judge may ask of the history: the time, and what a rule has used. It ends with its transaction."""

    __slots__ = (
        *("_admitted", "_connection", "_labels", "_lately", "_open", "_recent", "_seen", "_session"),
        *("carried", "facts", "now"),
    )

    def __init__(
        self, connection: sqlite3.Connection, session: str, now: datetime, recent: Recent | None = None
    ) -> None:
        """`recent`: what is known of the record without reading it, by the transaction that this belongs to."""
        self.now = now  # aware, UTC: never before the latest entry of any process
        self._connection = connection
        self._session = session
        self._recent = Recent() if recent is None else recent
        self._lately: dict[tuple[str, str, int], Usage] = {}  # of windows of time, which roll
        self._open = True
        self._seen: Sightings | None = None
        self.carried: list[Row] = []  # what the call carries, to be kept if it is allowed
        self.facts: dict[str, Any] = {}  # what its judge goes by, by server: it is over when the view is
        self._labels: frozenset[str] | None = None
        self._admitted: Admitted | None = None

    @property
    def seen(self) -> Sightings:
        """Where values come from, up to this transaction."""
        if self._seen is None:
            self._seen = Sightings(self._connection, self._session)
        return self._seen

    @property
    def epoch(self) -> int:
        """The same number twice: no table but those of decisions and outcomes was written to in between, by anybody."""
        return self._recent.epoch

    def used(self, rule_key: str, account: str = "", seconds: int = 0) -> Usage:
        """What `rule_key` has used in this session or account, in all guard processes, up to this transaction.

        With `seconds`: of the time since then; what was charged exactly so long ago no longer counts.
        """
        self._check_open()
        account = account or self._session
        if seconds:
            return self._used_lately(account, rule_key, seconds)
        found = self._recent.usage.get((account, rule_key))
        if found is None:
            found = self._recent.usage[account, rule_key] = self._used(account, rule_key)
        return found

    def values(self, rule_key: str, account: str = "", seconds: int = 0) -> Mapping[str, Collection[str]]:
        """The fingerprints of the different values that it has used, by argument."""
        self._check_open()
        account = account or self._session
        try:
            if seconds:
                return spent.lately(self._connection, account, rule_key, self.now, seconds)
            return spent.values(self._connection, account, rule_key)
        except sqlite3.Error as error:
            raise explained(error) from error

    def _used(self, account: str, rule: str) -> Usage:
        try:
            return used(self._connection, account, rule)
        except sqlite3.Error as error:
            raise explained(error) from error

    def _used_lately(self, account: str, rule: str, seconds: int) -> Usage:
        key = (account, rule, seconds)
        if key not in self._lately:
            try:
                self._lately[key] = spent.used(self._connection, account, rule, self.now, seconds)
            except sqlite3.Error as error:
                raise explained(error) from error
        return self._lately[key]

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

    def charge(self, charges: Iterable[Charge], position: int) -> None:
        """Add what an allowed call costs, whose entry will be at `position`."""
        if not self._connection.in_transaction:  # SQLite ends it on some errors, and a judge may have caught those
            raise RecordFailed("the record's transaction ended while it was being judged from; nothing was written")
        for charge in charges:
            account = charge.account or self._session
            total = added(self.used(charge.rule, account, charge.seconds), charge)
            if charge.seconds:
                self._lately[account, charge.rule, charge.seconds] = total
                spent.add(self._connection, account, charge, self.now, position)
                continue
            self._recent.usage[account, charge.rule] = total
            _write(self._connection, account, charge.rule, total)
            if charge.values:
                spent.add_values(self._connection, account, charge)

    def __enter__(self) -> UsageView:
        return self

    def __exit__(self, *exc: object) -> None:
        """From here on the view answers nothing: a later transaction would be charged for an earlier reading."""
        self._open = False
        self.facts.clear()  # they hold the view, and with it whatever the call carried


def give_back(connection: sqlite3.Connection, session: str, charges: Iterable[Charge], position: int) -> None:
    """Give back what the call at `position` was charged that was never sent."""
    for charge in charges:
        account = charge.account or session
        if charge.seconds:
            spent.take_back(connection, account, charge.rule, position)
            continue
        _write(connection, account, charge.rule, _reduced(used(connection, account, charge.rule), charge))
        spent.take_back_values(connection, account, charge)


def used(connection: sqlite3.Connection, session: str, rule: str) -> Usage:
    """The stored usage of a rule in a session or account. Raises RecordFailed if it isn't one that the guard wrote."""
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
        raise changed(rule) from error
    if not isinstance(calls, int) or calls < 0:
        raise changed(rule)
    return Usage(calls, sums)


def _reduced(usage: Usage, charge: Charge) -> Usage:
    calls = usage.calls - charge.calls
    sums = added_sums(dict(usage.sums), charge.sums.items(), -1)
    if calls < 0 or any(amount < 0 for amount in sums.values()):
        raise changed(charge.rule)
    return Usage(calls, sums)


def _write(connection: sqlite3.Connection, session: str, rule: str, usage: Usage) -> None:
    sums = orjson.dumps({name: str(amount) for name, amount in usage.sums.items()}).decode() if usage.sums else "{}"
    connection.execute("INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?)", (session, rule, usage.calls, sums))
