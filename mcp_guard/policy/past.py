"""What a session has met and done, as rules see it: labels, order, once. Asked by calls alone, never by a listing.

Core. Three-valued like everything else (law 4): a history that can't be read closes a grant and lets an ask or a deny
fire. The labels that a call gives are in here, too: they are set when it is admitted, before anybody answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcp_guard.model import UNTRUSTED, Call, Facts, Kind
from mcp_guard.policy.building import Gives, ToolFacts
from mcp_guard.policy.rules import Rule

NOTHING: frozenset[str] = frozenset()
UNKNOWN = frozenset({UNTRUSTED})
"""What a tool or a server gives of which nobody says anything."""


def open_now(rule: Rule, facts: Facts) -> bool:
    """The question of a grant: does what came before leave it open, for certain?"""
    if not rule.remembers:
        return True
    try:
        return not any(_closed(rule, facts))
    except Exception:
        return False


def may_concern(rule: Rule, facts: Facts) -> bool:
    """The question of an ask or a deny: is what came before what it is about, or can't that be told?"""
    if not rule.remembers:
        return True
    try:
        when = rule.when
        if when is not None and (when.labels or when.no_labels) and not when.fits_labels(facts.labels()):
            return False
        return rule.after is None or rule.after.may_be_met(facts.admitted())
    except Exception:
        return True


def why_closed(rule: Rule, facts: Facts) -> Iterator[str]:
    """All that closes a grant, in words; nothing if it is open."""
    if not rule.remembers:
        return
    try:
        yield from list(_closed(rule, facts))
    except Exception:
        yield "what this session has met and done can't be told"


def _closed(rule: Rule, facts: Facts) -> Iterator[str]:
    when = rule.when
    if when is not None and (when.labels or when.no_labels):
        labels = facts.labels()
        yield from (f"this session doesn't have the label {one}" for one in when.labels if one not in labels)
        yield from (f"this session has the label {one}" for one in when.no_labels if one in labels)
    if rule.after is not None:
        yield from (f"{name} has to come first" for name in rule.after.missing(facts.admitted()))
    if rule.once and facts.admitted().grants.get(rule.key, 0) > 0:
        yield "it was used in this session, and counts once"


def given_labels(
    tools: Mapping[str, ToolFacts], says: Mapping[str, frozenset[str]], call: Call, facts: Facts
) -> frozenset[str]:
    """The labels of a session that makes this call: of a tool its own, else those of what its server says.

    An entry under `tools` wins over the catalogue, and what neither of them knows is untrusted.
    """
    if call.kind is not Kind.TOOL:
        if call.kind is Kind.SERVER_REQUEST and call.target == "roots":
            return NOTHING  # a question that has no words
        return says.get(call.server, UNKNOWN)
    try:
        entry = tools.get(call.name)
        if entry is not None:
            if entry.labels is not None:
                return entry.labels
            return frozenset(one.label for one in entry.gives if _given(one, call, facts))
        described = facts.described(call.server, call.target)
        return UNKNOWN if described is None else frozenset(described.gives)
    except Exception:
        return UNKNOWN


def _given(one: Gives, call: Call, facts: Facts) -> bool:
    """Does the call give this label? Unless its arguments are a clear no."""
    if one.arguments is None:
        return True
    given = call.params.get("arguments", {})
    if not isinstance(given, Mapping):
        return True
    try:
        return one.arguments.concern(given, facts)
    except Exception:
        return True
