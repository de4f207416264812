"""What is written once is known as such to the type checker, and is a dataclass with slots like any other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcp_guard.model import Call, Decision, Effect
from mcp_guard.written_once import written_once


def test_the_type_checker_is_told_that_no_field_is_ever_set() -> None:
    told = written_once.__dataclass_transform__  # type: ignore[attr-defined]
    assert (told | told["kwargs"])["frozen_default"] is True  # Python 3.11 keeps it with what it doesn't know


def test_a_call_and_a_decision_have_their_fields_and_no_other() -> None:
    call = Call("local:me", "tools/call", "files", "read", {})
    assert replace(call, server="web") == Call("local:me", "tools/call", "web", "read", {}) != call
    for made in (call, Decision(Effect.DENY)):
        with pytest.raises(AttributeError):
            made.further = 1  # type: ignore[union-attr]
        with pytest.raises(TypeError):
            hash(made)
