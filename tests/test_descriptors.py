"""What a tool's identity depends on, and what it doesn't."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_guard.descriptors import MEMBERS, descriptor_digest

READ: dict[str, Any] = {
    "name": "read",
    "title": "Read",
    "description": "Reads.",
    "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}, "depth": {"maximum": 2.0}}},
    "outputSchema": {"type": "object"},
    "annotations": {"readOnlyHint": True},
}


@pytest.mark.parametrize("member", MEMBERS)
def test_every_member_that_says_what_a_tool_is_changes_its_digest(member: str) -> None:
    assert READ.keys() == set(MEMBERS)
    changed = {**READ, member: "other"}
    without = {key: value for key, value in READ.items() if key != member}
    null = {**READ, member: None}
    assert len({descriptor_digest(one) for one in (READ, changed, without, null)}) == 4


def test_members_that_vary_without_changing_the_tool_do_not_count() -> None:
    assert descriptor_digest({**READ, "_meta": {"n": 1}, "icons": [], "x-other": 1}) == descriptor_digest(READ)


def test_the_order_and_the_spelling_of_numbers_do_not_count() -> None:
    schema = {"properties": {"depth": {"maximum": 2}, "path": {"type": "string"}}, "type": "object"}
    assert descriptor_digest({**dict(reversed(READ.items())), "inputSchema": schema}) == descriptor_digest(READ)
    assert descriptor_digest(READ) == "2c304f4f082f174ec364d1c703fb5d9f82790ba2949dcafc25cd19d6c0454b6d"
