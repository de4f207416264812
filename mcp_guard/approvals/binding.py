"""What a question, and an answer that stands for a session, are bound to: digests with the record's key, no values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mcp_guard.approvals.port import Question
from mcp_guard.model import Call
from mcp_guard.policy.approved import without_progress
from mcp_guard.record.questions import Asking
from mcp_guard.wire import keyed_digest


def asking(question: Question, key: bytes) -> Asking:
    """The question as the record keeps it."""
    asks = tuple(sorted(rule.key for rule in question.rules))
    return Asking(
        question.entry,
        question.session,
        exact_digest(question.digest, key),
        question.authority,
        question.pin,
        asks,
        question.tier,
    )


def exact_digest(digest: str, key: bytes) -> str:
    """A call's digest so that who has the record alone can't guess arguments against it."""
    return keyed_digest(key, {"asked": digest})


def clauses(call: Call, key: bytes, free: Collection[str] = ()) -> dict[str, Any]:
    """The call, argument by argument; those of `free` may have any value that the grants take."""
    arguments = call.arguments
    return {
        "call": f"{call.kind.value} {call.method} {call.principal} {call.name}",
        "args": {name: _value(key, name, arguments[name]) for name in sorted(arguments) if name not in free},
        "free": sorted(free),
        "rest": keyed_digest(key, _rest(call)),
    }


def fits(said: Mapping[str, Any], call: Call, key: bytes) -> bool:
    """Is this the call of these clauses, but for the values of what is free? Every argument is there, and no other."""
    try:
        free = said["free"]
        given = set(call.arguments)
        return set(free) <= given and bool(said == clauses(call, key, free))
    except (KeyError, TypeError, ValueError):
        return False


def _value(key: bytes, name: str, value: Any) -> str:
    return keyed_digest(key, {"argument": name, "value": value})[:64]


def _rest(call: Call) -> dict[str, Any]:
    params = without_progress(call.params)
    return {name: value for name, value in params.items() if name != "arguments"}
