"""Replay over made-up calls: what it says for certain is what the policy says of the real values."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_guard.model import (
    Admitted,
    Call,
    Described,
    Effect,
    EffectClass,
    Json,
    Kind,
    Origin,
    Reason,
    Unit,
    Usage,
)
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document, load_text
from mcp_guard.record.was import value_digest, value_digests
from mcp_guard.report.replay import Change, Past, Replayed, replay
from mcp_guard.wire import shape

NOON = datetime(2026, 12, 31, 12, tzinfo=UTC)
KEY = b"k" * 32
NAMES = ("to", "amount", "path", "tags")


@dataclass
class Real:
    """Facts of a session that has just begun, or has the label; every path leads to itself."""

    labelled: bool = False
    now: datetime = NOON

    def used(self, rule: str, account: str = "", seconds: int = 0) -> Usage:
        return Usage()

    def values(self, rule: str, account: str = "", seconds: int = 0) -> Mapping[str, Collection[str]]:
        return {}

    def fingerprint(self, value: Json) -> str:
        return json.dumps(value)

    def resolve(self, path: str) -> str | None:
        return path

    def added_effects(self, server: str, tool: str) -> frozenset[EffectClass]:
        return frozenset()

    def described(self, server: str, tool: str) -> Described | None:
        return None

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        return True

    def origins(self, unit: Unit) -> Collection[Origin]:
        return ()

    def locked(self, server: str, tool: str) -> bool:
        return self.labelled

    def labels(self) -> frozenset[str]:
        return frozenset({"untrusted"} if self.labelled else ())

    def admitted(self) -> Admitted:
        return Admitted()


def policy(text: str) -> Document:
    return load_text(f"version: 1\n{text}".encode(), file="p.yaml", kind="policy", variables={"project": "/p"})


LIMITS = st.sampled_from(
    (
        *("any", "DE1", "{in: [DE1, /p/a]}", "{not_in: [DE1]}", "{max: 50}", "{max_length: 3}", "{under: /p}"),
        *("{max_items: 1}", "{each: {max_length: 3}}", "{in: [1, DE1, true]}", "{max: 9, null: ok}", "{in: [5, 6]}"),
        *('{matches: "D.*", max_length: 3}', "{from: [task]}"),
    )
)
MORE = st.sampled_from(
    (
        *("", ", others: any", ", optional: {tags: any}", ", deny_secrets: true", ", budget: {calls: 1}"),
        *(", budget: {sum: {amount: 9}}", ", nulls: absent", ", when: {no_labels: [untrusted]}", ", ask: true"),
        *(", once: true", ', when: {principal: "other"}'),
    )
)
TARGETS = st.sampled_from(["tool: bank/pay", 'tool: "bank/*"', "effect: [read, egress]"])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    lines = ["tools: {bank/pay: {effect: egress}}"] if draw(st.booleans()) else []
    for part in ("grants", "ask", "deny"):
        if part != "grants" and draw(st.booleans()):
            continue
        limits = {name: draw(LIMITS) for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2))}
        more = draw(MORE) if part == "grants" else draw(st.sampled_from(["", ", when: {labels: [untrusted]}"]))
        limits = {name: one for name, one in limits.items() if not (name == "tags" and "tags" in more)}
        said = ", ".join(f"{name}: {one}" for name, one in limits.items())
        arguments = "any" if not limits and draw(st.booleans()) and "others" not in more else f"{{{said}}}"
        if part != "grants" and arguments == "{}":
            arguments = "any"
        lines.append(f"{part}:\n  - {{id: {part}, {draw(TARGETS)}, args: {arguments}{more}}}")
    try:
        return policy("\n".join(lines))
    except Exception:
        return policy("grants: [{id: all, tool: bank/pay, args: any}]")


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    ["DE1", "DE2", "/p/a", "/p/../q", "1", 1, 5, 5.0, 60, True, None, ["DE1"], ["x", "longer"], {}]
)
CALLS = st.dictionaries(st.sampled_from([*NAMES, "made-up"]), VALUES, max_size=3)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents(), CALLS, st.booleans())
def test_what_is_told_by_values_is_what_the_policy_says_of_them(
    document: Document, arguments: dict[str, Any], labelled: bool
) -> None:
    arguments = {name: value for name, value in arguments.items() if name in NAMES}
    digest, call = (lambda name, value: value_digest(KEY, name, value)), past(arguments, known=arguments)
    (told,) = replay([call], document, digest, lambda _: ("pay",), leads=lambda path: path)
    whole = Call("me", "tools/call", "bank", "pay", {"arguments": arguments})
    truly = decide(Authority((document,)), whole, Real(labelled)).effect
    assert told.change is Change.UNTOLD or NOW.get(told.change, Effect.ALLOW) is truly
    hangs_on_more = any(rule.remembers or rule.deny_secrets or rule.budget for rule in document.rules)
    sources = "from:" in str(document.rules) or "From(" in str(document.rules)
    facts = document.tools == {} or any(rule.effects for rule in document.rules)
    patterns = any(not name.exact for rule in document.rules for name in rule.names)  # what was locked isn't recorded
    if not (hangs_on_more or sources or facts or patterns):
        assert told.change is not Change.UNTOLD


def past(arguments: Mapping[str, Any], **changes: Any) -> Past:
    made = Past("e-1", NOON, "s", "me", "tools/call", "bank", "pay", Kind.TOOL, Effect.ALLOW)
    given, values = shape(arguments, NAMES), value_digests(KEY, arguments, dict.fromkeys(NAMES))
    return replace(made, given=given, values=values, **changes)


def replayed(calls: list[Past], document: Document, seen: Collection[str] = ("pay",)) -> list[Replayed]:
    return list(replay(calls, document, lambda name, value: value_digest(KEY, name, value), lambda _: seen))


NOW = {Change.ALLOWED: Effect.ALLOW, Change.ASKED: Effect.ASK, Change.DENIED: Effect.DENY}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents(), CALLS, st.booleans(), st.sampled_from(Effect))
def test_what_is_told_is_what_the_policy_says_of_the_values(
    document: Document, arguments: dict[str, Any], labelled: bool, before: Effect
) -> None:
    (told,) = replayed([past(arguments, effect=before)], document)
    call = Call("me", "tools/call", "bank", "pay", {"arguments": arguments})
    truly = decide(Authority((document,)), call, Real(labelled)).effect
    if told.change is not Change.UNTOLD:
        assert NOW.get(told.change, before) is truly
        assert told.looser == (truly < before)
    elif truly < before:
        assert told.looser


PAY = "grants: [{id: pay, tool: bank/pay, args: {to: {in: [DE1, DE2]}, amount: any}%s}]"


@pytest.mark.parametrize(
    ("arguments", "change"),
    [
        ({"to": "DE1", "amount": 5}, Change.SAME),
        ({"to": "DE3", "amount": 5}, Change.DENIED),
        ({"to": "DE1"}, Change.DENIED),
        ({"to": "DE1", "amount": 5, "path": "x"}, Change.DENIED),
        ({"to": "DE1", "amount": 5, "made-up": "x"}, Change.UNTOLD),
    ],
)
def test_a_listed_value_is_known_by_its_digest(arguments: dict[str, Any], change: Change) -> None:
    assert replayed([past(arguments)], policy(PAY % ""))[0].change is change


def test_a_range_or_a_directory_cannot_be_told_and_may_be_looser_for_what_was_denied() -> None:
    document = policy("grants: [{id: pay, tool: bank/pay, args: {amount: {max: 5}}}]")
    allowed, denied = replayed([past({"amount": 4}), past({"amount": 4}, effect=Effect.DENY)], document)
    assert [(one.change, one.looser) for one in (allowed, denied)] == [(Change.UNTOLD, False), (Change.UNTOLD, True)]


def test_a_mandate_that_is_named_narrows_and_its_span_runs_from_its_first_use() -> None:
    mandate = load_text(
        b"version: 1\ntask: pay\nexpires: 30m\ngrants: [{id: one, tool: bank/pay, args: {to: DE1, amount: any}}]",
        file="m.yaml",
        kind="mandate",
    )
    calls = [
        past({"to": "DE1", "amount": 5}, mandated=True),
        past({"to": "DE2", "amount": 5}, mandated=True),
        past({"to": "DE1", "amount": 5}, time=NOON + timedelta(minutes=31)),
    ]
    digest = lambda name, value: value_digest(KEY, name, value)  # noqa: E731
    found = replay(calls, (policy(PAY % ""), mandate), digest, lambda _: ("pay",), started=lambda _: NOON)
    assert [one.change for one in found] == [Change.SAME, Change.DENIED, Change.DENIED]


def test_a_budget_is_used_up_by_the_calls_before() -> None:
    document = policy(PAY % ", budget: {calls: 2, per: session}")
    calls = [past({"to": "DE1", "amount": number}) for number in range(3)]
    assert [one.change for one in replayed(calls, document)] == [Change.SAME, Change.SAME, Change.DENIED]
    other = [replace(calls[0], session="t"), *calls]
    assert [one.change for one in replayed(other, document)] == [Change.SAME] * 3 + [Change.DENIED]
    unsure = [replace(one, refunded=True) for one in calls]
    assert replayed(unsure, document)[2].change is Change.UNTOLD


@pytest.mark.parametrize("reason", [Reason.PROTECTED, Reason.INVALID_ARGUMENTS, Reason.UNAVAILABLE])
def test_what_no_policy_decides_stays_as_it_was(reason: Reason) -> None:
    call = past({"to": "DE1", "amount": 5}, effect=Effect.DENY, reason=reason.value)
    assert replayed([call], policy(PAY % ""))[0].change is Change.SAME


@pytest.mark.parametrize("changes", [{"mandated": True}, {"reason": "unknown_target"}, {"certain": False}])
def test_what_was_refused_for_more_than_the_policy_is_never_surely_allowed(changes: dict[str, Any]) -> None:
    (told,) = replayed([past({"to": "DE1", "amount": 5}, effect=Effect.DENY, **changes)], policy(PAY % ""))
    assert (told.change, told.looser) == (Change.UNTOLD, True)


def test_a_pattern_reaches_for_certain_only_what_was_there_at_first_sight() -> None:
    document = policy('tools: {bank/pay: {effect: read}}\ngrants: [{id: pay, tool: "bank/*", args: any}]')
    assert replayed([past({})], document)[0].change is Change.SAME
    assert replayed([past({})], document, seen=())[0].change is Change.UNTOLD
