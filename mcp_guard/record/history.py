"""What sessions have met and done, as the record keeps it: labels, admitted calls, which history is the current one.

Three tables, each of which follows from entries: `labels` and `admitted` from decisions, from what a server said beside
its answers and from clearings; `renewed` from the acts of a person who began a new history.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

from mcp_guard.errors import RecordFailed
from mcp_guard.model import Admitted, Decision, Kind, RuleRef
from mcp_guard.record.entries import LIST_LIMIT, Request, bounded_text
from mcp_guard.record.writer import Transaction

_NONE: frozenset[str] = frozenset()
MAX_LABELS = 1000
"""Of one session. Documents name a handful; beyond it there is no call, since a label must not be lost."""


def labels(connection: sqlite3.Connection, session: str) -> frozenset[str]:
    """The labels that a session has."""
    rows = connection.execute("SELECT label FROM labels WHERE session=?", (session,))
    return frozenset(label for (label,) in rows)


def admitted(connection: sqlite3.Connection, session: str) -> Admitted:
    """What a session has called. Raises RecordFailed if it isn't what the guard wrote."""
    tools: dict[str, int] = {}
    grants: dict[str, int] = {}
    query = "SELECT tool, grants, calls FROM admitted WHERE session=?"
    for tool, carrying, calls in connection.execute(query, (session,)).fetchall():
        if type(calls) is not int or calls < 0:
            raise RecordFailed("what a session has called was changed by somebody else; keep the record as evidence")
        if tool:
            tools[tool] = tools.get(tool, 0) + calls
        for key in carrying.split():
            grants[key] = grants.get(key, 0) + calls
    return Admitted(tools, grants)


def admit(moment: Transaction, request: Request, decision: Decision, position: int) -> None:
    """Remember an admitted call, whose entry stands at `position`: its tool, its grants, its labels."""
    tool = f"{request.server}/{request.target}" if request.kind is Kind.TOOL else ""
    moment.execute(
        "INSERT INTO admitted VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET calls = calls + 1",
        (request.session, tool, _carrying(decision.rules)),
    )
    if decision.gives:
        expose(moment, request.session, decision.gives, position)


def take_back(connection: sqlite3.Connection, request: tuple[str, Kind, str, str], keys: Iterable[str]) -> None:
    """Forget a call that was never sent. Its labels stay: they only grow, but for a person's act."""
    session, kind, server, target = request
    tool, carrying = called(kind, server, target, keys)
    done = connection.execute(
        "UPDATE admitted SET calls = calls - 1 WHERE session=? AND tool=? AND grants=? AND calls > 0",
        (session, tool, carrying),
    )
    if done.rowcount != 1:
        raise RecordFailed("what a session has called was changed by somebody else; keep the record as evidence")


def expose(moment: Transaction, session: str, given: frozenset[str], position: int) -> None:
    """Set labels. One that is there already keeps the entry that set it first."""
    has = moment.recent.labels.get(session, _NONE)
    if given <= has:
        return
    new = 0
    for label in given:
        new += moment.execute("INSERT OR IGNORE INTO labels VALUES (?, ?, ?)", (session, label, position)).rowcount
    moment.recent.labels[session] = has | given
    if not new:
        return
    (count,) = moment.execute("SELECT count(*) FROM labels WHERE session=?", (session,)).fetchone()
    if count > MAX_LABELS:
        raise RecordFailed(f"a session can't have more than {MAX_LABELS} labels; there is no call")


def called(kind: Kind, server: str, target: str, keys: Iterable[str]) -> tuple[str, str]:
    """How a call is counted: by its tool (nothing for what is none), and by the grants that carried it.

    Texts are as an entry has them, so that the same follows from the entry.
    """
    tool = f"{server}/{target}" if kind is Kind.TOOL else ""
    return tool, _in_order(keys)


@lru_cache(maxsize=128)
def _carrying(rules: tuple[RuleRef, ...]) -> str:
    return _in_order(rule.key for rule in rules)


def _in_order(keys: Iterable[str]) -> str:
    return " ".join(sorted({bounded_text(key) for key in list(keys)[:LIST_LIMIT]}))


def generation(connection: sqlite3.Connection, key: str) -> int:
    """How often a person began a new history for the sessions of this key."""
    row = connection.execute("SELECT times FROM renewed WHERE session=?", (key,)).fetchone()
    if row is None:
        return 0
    if not isinstance(row[0], int) or row[0] < 1:
        raise RecordFailed("which history is the current one was changed by somebody else; keep the record as evidence")
    return row[0]


def key_of(base: str, times: int) -> str:
    """The key of the history that the sessions of `base` have after `times` new beginnings."""
    return base if times == 0 else sha256(f"{base}\n{times}".encode()).hexdigest()[:16]


def base_of(connection: sqlite3.Connection, session: str) -> str:
    """The key that the start of a guard makes, from that of any of its histories."""
    for base, times in connection.execute("SELECT session, times FROM renewed"):
        if session in {key_of(base, number) for number in range(1, times + 1)}:
            return str(base)
    return session
