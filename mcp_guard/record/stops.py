"""What a person has stopped: a session, a server, an effect, or everything. Obeyed in the transaction that judges."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from mcp_guard.errors import GuardError
from mcp_guard.record.entries import EntryKind, bounded_text, note_body
from mcp_guard.record.usage import UsageView
from mcp_guard.record.writer import Transaction

EVERYTHING = "everything"
MAX_SCOPE = 200


def halt(moment: Transaction, scope: str, why: str) -> bool:
    """Stop a scope; False if it was stopped already."""
    if not 0 < len(scope) <= MAX_SCOPE or not scope.isprintable():
        raise GuardError("what is to be stopped has 1 to 200 visible characters")
    if moment.connection.execute("SELECT 1 FROM stops WHERE scope=?", (scope,)).fetchone():
        return False
    said = {"scope": scope, "why": bounded_text(why)}
    head = moment.append(note_body(EntryKind.HALTED, moment.head.chain, said))
    query = "INSERT INTO stops SELECT ?, time, ? FROM entries WHERE chain=? AND seq=?"
    moment.connection.execute(query, (scope, said["why"], head.number, head.seq))
    return True


def resume(moment: Transaction, scope: str) -> bool:
    """Undo a stop; False if there is none."""
    if not moment.connection.execute("DELETE FROM stops WHERE scope=?", (scope,)).rowcount:
        return False
    if scope.startswith("session:"):  # what it was refused before counts no more against it (`denied.py`)
        moment.connection.execute("DELETE FROM denied WHERE session=?", (scope.removeprefix("session:"),))
    moment.append(note_body(EntryKind.RESUMED, moment.head.chain, {"scope": scope}))
    return True


def scopes(session: str, server: str, effects: Iterable[str]) -> tuple[str, ...]:
    """Every scope that a call is in."""
    return EVERYTHING, f"session:{session}", f"server:{server}", *(f"effect:{one}" for one in sorted(effects))


def stopped(connection: sqlite3.Connection) -> dict[str, str]:
    """What is stopped, and why."""
    return dict(connection.execute("SELECT scope, why FROM stops ORDER BY scope").fetchall())


class Stops:
    """The stops as judgements see them: read in each one's transaction, where they may have changed since the last."""

    __slots__ = ("_epoch", "_stopped")

    def __init__(self) -> None:
        self._epoch = -1
        self._stopped: Mapping[str, str] = {}

    def at(self, view: UsageView) -> Mapping[str, str]:
        """What is stopped at this moment, and why."""
        if self._epoch != view.epoch:
            self._stopped = stopped(view.connection)
            self._epoch = view.epoch
        return self._stopped
