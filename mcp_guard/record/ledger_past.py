"""What sessions have met and done, added up from the entries alone. Part of `ledger.py`."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

from mcp_guard.model import Kind
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.history import called


class Past:
    """Labels, admitted calls and new beginnings, as the entries tell them."""

    def __init__(self) -> None:
        self._labels: dict[tuple[str, str], int] = {}  # by session and label: the position of the entry that set it
        self._admitted: Counter[tuple[str, str, str]] = Counter()
        self._renewed: dict[str, int] = {}

    def admitted(self, body: dict[str, Any]) -> None:
        """An allowed decision. One of an earlier version, which kept no history, doesn't count."""
        if "gives" in body:
            self._admitted[_counted(body)] += 1
            self._expose(body, body["gives"])

    def taken_back(self, body: dict[str, Any]) -> None:
        """The decision of a call that was never sent."""
        if "gives" in body:
            self._admitted[_counted(body)] -= 1

    def answered(self, decision: dict[str, Any], outcome: dict[str, Any]) -> None:
        """The outcome of a call: its labels again, if a person cleared them while it was under way."""
        self._expose(outcome, decision.get("gives", []))

    def noted(self, kind: EntryKind, body: dict[str, Any]) -> None:
        """Any other entry."""
        if kind is EntryKind.EXPOSED:
            self._expose(body, body["data"]["labels"])
        elif kind is EntryKind.LABELS_CLEARED:
            self._labels = {key: at for key, at in self._labels.items() if key[0] != body["session"]}
        elif kind is EntryKind.SESSION_RENEWED:
            self._renewed[body["data"]["base"]] = body["data"]["times"]

    def differences(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Where the stored tables say something else."""
        rows = connection.execute("SELECT session, label, position FROM labels")
        stored = {(session, label): position for session, label, position in rows}
        for session, label in sorted(stored.keys() | self._labels.keys()):
            if stored.get((session, label)) != self._labels.get((session, label)):
                yield f"label `{label}` of session {session[:8]} isn't as the entries set it"
        rows = connection.execute("SELECT session, tool, grants, calls FROM admitted")
        calls = {(session, tool, grants): count for session, tool, grants, count in rows if count}
        if calls != {key: count for key, count in self._admitted.items() if count}:
            yield "what sessions have called isn't what the entries add up to"
        if dict(connection.execute("SELECT session, times FROM renewed")) != self._renewed:
            yield "the histories that were begun anew aren't those that were recorded"

    def _expose(self, body: dict[str, Any], labels: list[str]) -> None:
        for label in labels:
            self._labels.setdefault((body["session"], label), body["position"])


def _counted(body: dict[str, Any]) -> tuple[str, str, str]:
    keys = [rule["key"] for rule in body["rules"]]
    return (body["session"], *called(Kind(body["target_kind"]), body["server"], body["target"], keys))
