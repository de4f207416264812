"""Refusals, grouped, each group with its likely cause and what it is told from.

Core. The cause is a guess by fixed rules over the record, and says what it rests on; it judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mcp_guard.model import UNTRUSTED, Reason
from mcp_guard.report.seen import Exposed, Seen

MOST_GROUPS = 200
"""Names that are told apart for one server and reason. A client may ask for a million tools that don't exist, and must
neither fill the report nor push anything out of it: further names share one line, for that server and reason alone."""
FURTHER = "(further names)"


class Cause(StrEnum):
    """In the order in which a person should look at them."""

    ATTACK = "attack"
    GRANT = "wrong grant"
    AGENT = "confused agent"
    LIMIT = "limit reached"
    PERSON = "no person agreed"
    OPERATION = "server or guard"


RANK = {cause: number for number, cause in enumerate(Cause)}
_LIMITS = {Reason.BUDGET_SPENT, Reason.TOO_OFTEN, Reason.EXPIRED}
_PEOPLE = {Reason.NEEDS_APPROVAL, Reason.NOT_APPROVED}
_OPERATION = {Reason.UNAVAILABLE, Reason.INTERNAL, Reason.UNRECORDED, Reason.TOO_MANY, Reason.STOPPED}
_STEERED = {Reason.DENIED, Reason.NO_GRANT, Reason.HISTORY, Reason.NOT_CANONICAL, Reason.UNKNOWN_TARGET}
"""What an agent meets that does what somebody else wants; the other reasons are slips of form."""


@dataclass(slots=True)
class Group:
    """Refusals of one name for one reason, in the name of one rule, with one likely cause."""

    cause: Cause
    why: str
    reason: str
    rule: str
    name: str
    count: int = 0
    repeated: int = 0  # of a call that had been refused in that session before, to the letter
    sessions: set[str] = field(default_factory=set)
    first: str = ""  # entries
    last: str = ""
    when: datetime | None = None  # of the last one


@dataclass(slots=True)
class _Session:
    labels: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)  # digests


def refusals(events: Iterable[object]) -> list[Group]:
    """Groups, those that most want looking at first."""
    groups: dict[tuple[str, ...], Group] = {}
    sessions: dict[str, _Session] = {}
    names: dict[tuple[str, str], set[str]] = {}
    for event in events:
        if isinstance(event, Exposed):
            labels = sessions.setdefault(event.session, _Session()).labels
            labels.difference_update(event.labels) if event.cleared else labels.update(event.labels)
        elif isinstance(event, Seen):
            session = sessions.setdefault(event.session, _Session())
            if event.effect == "allow":
                session.labels.update(event.gives)
            else:
                _add(groups, names, event, session)
    return sorted(groups.values(), key=lambda one: (RANK[one.cause], -one.count, one.name, one.reason, one.rule))


def _add(
    groups: dict[tuple[str, ...], Group], names: dict[tuple[str, str], set[str]], seen: Seen, session: _Session
) -> None:
    cause, why = likely(seen, session.labels)
    rule, server = seen.rules[0] if seen.rules else "", seen.name.partition("/")[0]
    known = names.setdefault((server if rule else "", seen.reason), set())
    name = seen.name if seen.name in known or len(known) < MOST_GROUPS else FURTHER
    known.add(name)
    key = (cause, seen.reason, rule, name, why)
    group = groups.setdefault(key, Group(cause, why, seen.reason, rule, name, first=seen.entry))
    group.count += seen.count
    group.repeated += seen.count if seen.digest in session.refused else seen.count - 1
    group.sessions.add(seen.session)
    group.last, group.when = seen.entry, seen.time
    session.refused.add(seen.digest)


def likely(seen: Seen, labels: Iterable[str]) -> tuple[Cause, str]:
    """The likely cause of one refusal, and what that is told from."""
    reason = seen.reason
    if reason == Reason.PROTECTED:
        return Cause.ATTACK, "it named the guard's own files or addresses"
    if reason == Reason.SCANNED:
        return Cause.ATTACK, "a scanner spoke against it"
    if reason in _LIMITS:
        return Cause.LIMIT, "a grant fitted, and was used up or over"
    if reason in _PEOPLE:
        return Cause.PERSON, "a person was to agree, and nobody did"
    if reason in _OPERATION:
        return Cause.OPERATION, "no rule was against it"
    if reason in _STEERED and UNTRUSTED in set(labels):
        return Cause.ATTACK, "the session had met untrusted content before"
    if reason == Reason.NO_GRANT and seen.rules:
        return Cause.GRANT, "a grant is about it, and its limits did not fit"
    if reason in (Reason.NO_AUTHORITY, Reason.NO_MANDATE):
        return Cause.GRANT, "no document, or no mandate, was in force"
    if reason in (Reason.DENIED, Reason.HISTORY):
        return Cause.GRANT, "a rule forbids it, and the session had met nothing untrusted"
    if reason == Reason.NO_GRANT:
        return Cause.AGENT, "no grant is about it at all"
    return Cause.AGENT, "it was not a call that any tool here takes"
