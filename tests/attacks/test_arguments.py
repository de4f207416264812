"""Arguments that the guard and a tool server could read differently."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mcp_guard.guard import LiveFacts
from mcp_guard.model import EVERY_EFFECT, Call
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, load_text

GRANT = "version: 1\ngrants: [{id: one, tool: s/t, args: {x: %s}}]\n"
DENY = "version: 1\ngrants: [{id: all, tool: s/t, args: any}]\ndeny: [{id: no, tool: s/t, args: {x: %s}}]\n"


def is_allowed(policy: str, value: Any) -> bool:
    document = load_text(policy.encode(), file="policy.yaml", kind="policy")
    call = Call("me", "tools/call", "s", "t", {"name": "t", "arguments": {"x": value}})
    return decide(Authority((document,)), call, LiveFacts(datetime.now(UTC), None, {}, {})).allowed


@pytest.mark.parametrize("value", [9007199254740992, 9007199254740992.0, 9007199254740993])
def test_a_number_that_doubles_cannot_tell_from_a_denied_one_is_denied(value: float) -> None:
    assert not is_allowed(DENY % "9007199254740993", value)
    assert not is_allowed(GRANT % "{not_in: [9007199254740993]}", value)
    assert is_allowed(DENY % "9007199254740993", 9007199254740999)


@pytest.mark.parametrize("value", ["5", True, [5], {"": 5}, None, 5.1, -5])
def test_what_some_reader_takes_for_a_granted_number_is_not_granted(value: Any) -> None:
    assert is_allowed(GRANT % "5", 5.0)  # the same number, however it is written
    assert not is_allowed(GRANT % "5", value)


def test_annotations_that_are_not_known_at_the_moment_count_as_the_worst() -> None:
    facts = LiveFacts(datetime.now(UTC), None, {}, {})  # the server has just said that its tools changed
    assert facts.added_effects("s", "t") == EVERY_EFFECT


@pytest.mark.parametrize("given", [{"force": False, "Force": True}, {"force": False, "force ": True}, {"FORCE": True}])
def test_a_deny_of_an_argument_is_not_silenced_by_giving_it_beside_one_that_looks_like_it(
    given: dict[str, Any],
) -> None:
    policy = "version: 1\ngrants: [{id: all, tool: s/t, args: any}]\ndeny: [{id: no, tool: s/t, args: {force: true}}]\n"
    document = load_text(policy.encode(), file="policy.yaml", kind="policy")
    for arguments, allowed in ((given, False), ({"force": False, "other": True}, True)):
        call = Call("me", "tools/call", "s", "t", {"name": "t", "arguments": arguments})
        assert decide(Authority((document,)), call, LiveFacts(datetime.now(UTC), None, {}, {})).allowed is allowed
