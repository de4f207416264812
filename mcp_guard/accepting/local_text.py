"""The text of local denies: one rule a line, as JSON, which reads as the `deny:` of a document. No I/O.

The first line says the number of the next rule, so that an id never comes back with another meaning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mcp_guard.errors import GuardError, InputError
from mcp_guard.policy.constraint_kinds import OneOf
from mcp_guard.policy.document import Document, load_text, own_home

Scalar = str | int | float | bool
Clauses = Mapping[str, Scalar | tuple[Scalar, ...]]
"""By argument: the value that it has, exactly, or one of several."""
MOST = 1000
"""Rules of one list: each one is looked at in judging a call to its tool."""
AFTER_LOSS = 1_000_000
"""Where ids go on after a list was lost: nobody knows which were given."""
ADVICE = "A person has taken this away."


@dataclass(frozen=True, slots=True)
class Rule:
    """One deny: which calls, and who said so, why and when (UTC). `reason` and `by` are for people, never a client."""

    number: str
    tool: str  # `server/tool`
    clauses: Clauses = field(default_factory=dict)
    why: str = ""
    by: str = ""
    at: str = ""

    @property
    def key(self) -> str:
        """`local/N`, as decisions and the record name it."""
        return f"local/{self.number}"


@dataclass(frozen=True, slots=True)
class Denies:
    """All rules of one place, oldest first."""

    next: int = 1
    rules: tuple[Rule, ...] = ()

    def with_rule(self, rule: Rule) -> Denies:
        """One more; raises InputError if there are too many, or if it would not fire on the values it names."""
        if len(self.rules) >= MOST:
            raise InputError(f"there are {MOST} local denies; take some away, or say it in the policy")
        one = replace(rule, number=str(self.next))
        if not _names_all(Denies(rules=(one,)).document(""), one):
            raise InputError("a local deny can't name these values exactly; leave their arguments out")
        return Denies(self.next + 1, (*self.rules, one))

    def without(self, gone: Sequence[Rule]) -> Denies:
        return replace(self, rules=tuple(one for one in self.rules if one not in gone))

    def text(self) -> bytes:
        """The list as it is kept. Raises InputError for values that no document can name."""
        head = json.dumps({"version": 1, "next": self.next})
        try:
            return "\n".join([head, "", *map(_line, self.rules), ""]).encode()
        except (UnicodeEncodeError, ValueError, TypeError):
            raise InputError("a local deny names texts, numbers, true and false; leave other arguments out") from None

    def document(self, file: str) -> Document:
        """As a layer; the line of each rule is its line in `file`. Raises InputError if it isn't one."""
        lines = [f"- {json.dumps(_form(one), ensure_ascii=False)}" for one in self.rules]
        text = "\n".join(["version: 1", "deny:", *lines]) if lines else "version: 1"
        try:
            return load_text(text.encode(), file=file, kind="local", home=own_home())
        except ValueError:  # a lone surrogate
            raise InputError("a local deny names whole characters only; leave this argument out") from None


def read(data: bytes) -> Denies:
    """The list with this text. Raises GuardError if it is of a newer guard."""
    head, _, *lines = data.decode().split("\n")
    found: dict[str, Any] = json.loads(head)
    if found.get("version") != 1:
        raise GuardError("the local denies are of a newer mcp-guard; update mcp-guard")
    return Denies(found["next"], tuple(_read_line(line) for line in lines if line))


def _line(rule: Rule) -> str:
    said = {"id": rule.number, "tool": rule.tool, "args": {name: list(_any(one)) for name, one in rule.clauses.items()}}
    return json.dumps({**said, "why": rule.why, "by": rule.by, "at": rule.at}, ensure_ascii=False, allow_nan=False)


def _read_line(line: str) -> Rule:
    found = json.loads(line)
    clauses = {name: tuple(values) for name, values in found["args"].items()}
    return Rule(found["id"], found["tool"], clauses, found["why"], found["by"], found["at"])


def _any(value: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    return value if isinstance(value, tuple) else (value,)


def _names_all(document: Document, rule: Rule) -> bool:
    """Does the rule as it was read name just the values that were meant? A path may have been taken for another."""
    arguments = document.rules[0].arguments
    read = {name: one.constraint for name, one in arguments.listed.items()} if arguments is not None else {}
    return read.keys() == rule.clauses.keys() and all(
        isinstance(found := read[name], OneOf) and set(_any(wanted)) <= set(found.values)
        for name, wanted in rule.clauses.items()
    )


def _form(rule: Rule) -> dict[str, Any]:
    """The rule as a document writes it."""
    said: dict[str, Any] = {"id": rule.number, "tool": rule.tool, "advice": ADVICE}
    if rule.clauses:
        said["args"] = {name: {"in": [_literal(one) for one in _any(value)]} for name, value in rule.clauses.items()}
    return said


def _literal(value: Scalar) -> Any:
    """A document would take a dollar for a variable."""
    return value.replace("$", "$$") if isinstance(value, str) else value
