"""What the tables of questions, standing answers and stops should hold, by the entries alone: for `verify`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from mcp_guard.record.entries import EntryKind

_ENDS = {EntryKind.REFUSED: "refused", EntryKind.LAPSED: "lapsed", EntryKind.WITHDRAWN: "withdrawn"}
_ASKED = ("session", "digest", "authority", "pin", "asks", "tier", "asked", "until")
_STANDING = ("session", "authority", "pin", "asks", "clauses", "says", "by", "answered_in", "until")
Row = tuple[Any, ...]


class AnswersTold:
    """Questions by the entry that asks, with what became of them; standing answers; stops."""

    def __init__(self) -> None:
        self._questions: dict[str, Row] = {}
        self._states: dict[str, Row] = {}
        self._standing: dict[str, Row] = {}
        self._stops: dict[str, Row] = {}

    def enter(self, kind: EntryKind, body: Mapping[str, Any]) -> bool:
        """Take an entry in; False if it isn't about these."""
        data = body.get("data")
        match kind:
            case EntryKind.ASKED if data:
                self._questions[data["question"]] = tuple(_text(data[name]) for name in _ASKED)
                self._states[data["question"]] = ("open", "", 0, "")
            case EntryKind.APPROVED if data:
                self._states[data["question"]] = ("approved", data["by"], data["answered_in"], data["valid"])
            case EntryKind.REFUSED | EntryKind.LAPSED | EntryKind.WITHDRAWN if data:
                self._states[data["question"]] = (_ENDS[kind], data.get("by", ""), 0, "")
            case EntryKind.STANDING if data:
                self._standing[data["standing"]] = tuple(_text(data[name]) for name in _STANDING)
            case EntryKind.HALTED if data:
                self._stops.setdefault(data["scope"], (body["time"], data["why"]))
            case EntryKind.RESUMED if data:
                self._stops.pop(data["scope"], None)
            case _:
                return False
        return True

    def spent(self, body: Mapping[str, Any]) -> None:
        """An allowed call: the approvals that it was carried by are used up."""
        for one in body.get("approvals", ()):
            if one["answers"] in self._states:
                self._states[one["answers"]] = ("used", *self._states[one["answers"]][1:])

    def differences(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Where the stored tables say something else."""
        found = connection.execute(f"SELECT entry, {', '.join(_ASKED)} FROM questions")  # noqa: S608 - own names
        if {row[0]: tuple(row[1:]) for row in found} != self._questions:
            yield "the questions aren't those that were recorded"
        found = connection.execute("SELECT entry, state, answerer, answered_in, valid FROM questions")
        if {row[0]: tuple(row[1:]) for row in found} != self._states:
            yield "what became of the questions isn't what was recorded"
        columns = ", ".join("answerer" if name == "by" else name for name in _STANDING)
        found = connection.execute(f"SELECT entry, {columns} FROM standing")  # noqa: S608 - own names
        if {row[0]: tuple(row[1:]) for row in found} != self._standing:
            yield "the standing answers aren't those that were recorded"
        found = connection.execute("SELECT scope, since, why FROM stops")
        if {row[0]: tuple(row[1:]) for row in found} != self._stops:
            yield "the stops aren't those that were recorded"


def _text(value: Any) -> Any:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if isinstance(value, list | dict) else value
