"""Authority: what agents can do here, in sentences, by server, with the line behind each, its use and its end.

And what a person has taken away beside the documents.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mcp_guard.accepting.local_text import Rule as LocalRule
from mcp_guard.console.loaded import Layer, Stack, stacks
from mcp_guard.console.revoking import TYPES, taken_away
from mcp_guard.console.room import Asked, Page, Room, now
from mcp_guard.model import Effect, Kind
from mcp_guard.policy.budgets import Budget, Per, account_of
from mcp_guard.policy.document import Document
from mcp_guard.policy.limits import count_in_words
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.sentences import rule_sentence, sentence
from mcp_guard.record.query import Filter, Query

ANY = "any server"
"""Where rules stand that go by effects, or by a pattern for servers."""


@dataclass(frozen=True, slots=True)
class Line:
    """One rule."""

    id: str
    key: str
    says: str
    at: str
    effect: str  # grant, ask, deny
    allowed: int
    refused: int
    used: tuple[str, ...]  # of its budget, as far as it is known
    until: datetime | None
    over: bool  # it has ended
    tools: tuple[str, ...]  # of a grant, what can be taken away: its names, patterns too
    arguments: tuple[str, ...]  # that it limits
    number: int  # in its document


@dataclass(frozen=True, slots=True)
class Shown:
    """The documents of one set, and what was taken away beside them."""

    since: datetime
    file: str  # of the document beside which that is kept
    documents: tuple[Bound, ...]
    denied: tuple[Denied, ...]
    trouble: str  # why nobody can tell what was taken away


@dataclass(frozen=True, slots=True)
class Denied:
    """One local deny."""

    key: str
    says: str
    why: str
    by: str
    at: str


@dataclass(frozen=True, slots=True)
class Bound:
    """One document on the page."""

    kind: str
    file: str
    task: str  # the first sentence of a mandate
    until: datetime | None
    over: bool
    servers: tuple[tuple[str, tuple[Line, ...]], ...]
    unreadable: tuple[str, ...]  # grants of a document whose text isn't there as it was loaded


def show(room: Room, asked: Asked) -> Page:
    """Every set of documents that guards started with."""
    done = {"done": asked.query.get("done", "")}
    with room.record() as query:
        if query is None:
            return Page("authority.html", done | {"sets": [], "has_pin": room.has_pin})
        allowed, refused = query.counts("rule", Filter(effect="allow")), query.counts("rule", Filter(denied=True))
        found = stacks(query, room.directory, room.by)
        sets = [
            _shown(room, one, tuple(_bound(query, one, layer, allowed, refused) for layer in one.layers))
            for one in found
        ]
    return Page("authority.html", done | {"sets": sets, "has_pin": room.has_pin, "types": TYPES})


def _shown(room: Room, stack: Stack, documents: tuple[Bound, ...]) -> Shown:
    rules, trouble = taken_away(room, stack)
    denied = tuple(Denied(one.key, _denied(one), one.why, one.by, one.at) for one in rules)
    return Shown(stack.since, stack.layers[0].file, documents, denied, trouble)


def _denied(rule: LocalRule) -> str:
    where = [
        f"{name} is {json.dumps(value[0] if isinstance(value, tuple) else value, ensure_ascii=False)}"
        for name, value in rule.clauses.items()
    ]
    return f"never {rule.tool}{' where ' if where else ''}{' and '.join(where)}"


def _bound(query: Query, stack: Stack, layer: Layer, allowed: Counter[str], refused: Counter[str]) -> Bound:
    document = layer.document
    if document is None:
        return Bound(layer.kind, layer.file, "", None, False, (), layer.grants)
    until = _end(query, stack, document)
    lines = [(rule, _line(query, stack, rule, allowed, refused, number)) for number, rule in enumerate(document.rules)]
    task = sentence(document)[0] if document.kind == "mandate" else ""
    return Bound(layer.kind, layer.file, task, until, until is not None and until <= now(), _by_server(lines), ())


def _end(query: Query, stack: Stack, document: Document) -> datetime | None:
    """When a mandate ends, if it has begun."""
    if not isinstance(document.expires, timedelta):
        return document.expires
    began = query.first_used(f"{document.digest}:{stack.principal}")
    return None if began is None else began + document.expires


def _by_server(lines: Iterable[tuple[Rule, Line]]) -> tuple[tuple[str, tuple[Line, ...]], ...]:
    found: dict[str, list[Line]] = {}
    for rule, line in lines:
        names = sorted({name.server if "*" not in name.server else ANY for name in rule.names}) or [ANY]
        for name in names:
            found.setdefault(name, []).append(line)
    return tuple((name, tuple(found[name])) for name in sorted(found, key=lambda name: (name == ANY, name)))


def _line(query: Query, stack: Stack, rule: Rule, allowed: Counter[str], refused: Counter[str], number: int) -> Line:
    ref = rule.ref
    return Line(
        id=ref.id,
        key=rule.key,
        says=rule_sentence(rule).removeprefix(f"{ref.id}: "),
        at=f"{ref.file}:{ref.line}:{ref.column}",
        effect={Effect.ALLOW: "grant", Effect.ASK: "ask", Effect.DENY: "deny"}[ref.effect],
        allowed=allowed[rule.key],
        refused=refused[rule.key],
        used=tuple(_used(query, stack, rule)),
        until=rule.until,
        over=rule.until is not None and rule.until <= now(),
        tools=tuple(map(str, rule.names)) if rule.is_grant and rule.kind is Kind.TOOL else (),
        arguments=() if rule.arguments is None else (*rule.arguments.listed, *rule.arguments.optional),
        number=number,
    )


def _used(query: Query, stack: Stack, rule: Rule) -> Iterable[str]:
    """What of each budget is used: of the newest session, or of everything that this user's agents do."""
    for count in rule.counts:
        if not isinstance(count, Budget):
            continue
        account = stack.session if count.per is Per.SESSION else account_of(stack.principal, count.under)
        used = query.used(account, rule.key, now(), count.seconds)
        sums = [f"{used.sums[name]} of {name}" for name in count.sums if name in used.sums]
        calls = "1 call" if used.calls == 1 else f"{used.calls} calls"
        yield f"{'; '.join(count_in_words(count))}; used: {', '.join([calls, *sums])}"
