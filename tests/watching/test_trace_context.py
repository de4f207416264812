"""The trace context is no part of what a yes is bound to, and nothing else slips out of it with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.model import Call
from mcp_guard.policy.approved import call_digest
from mcp_guard.telemetry.trace_context import Parent, parent_in, with_parent

NUMBERS = st.integers(1, 2**64 - 1)
PARENTS = st.builds(Parent, st.integers(1, 2**128 - 1), NUMBERS, st.integers(0, 255))
METAS = st.dictionaries(st.sampled_from(["progressToken", "tracestate", "baggage", "vendor/x"]), st.text(max_size=8))


def digest(params: dict[str, Any]) -> str:
    return call_digest(Call("me", "tools/call", "raw", "echo", {"name": "echo", **params}))


@given(PARENTS, PARENTS, METAS)
def test_calls_that_differ_in_their_span_alone_are_one_call(one: Parent, other: Parent, meta: dict[str, str]) -> None:
    meta.pop("tracestate", None)
    first, second = with_parent({"_meta": meta}, one), with_parent({"_meta": meta}, other)
    assert digest(first) == digest(second) == digest({"_meta": meta} if meta else {})
    assert parent_in(first) == one


@pytest.mark.parametrize(
    "parent",
    [
        "rm -rf /",
        f"00-{'a' * 32}-{'b' * 16}-01 and more",
        f"00-{'a' * 32}-{'b' * 16}-01\n",
        f"01-{'a' * 32}-{'b' * 16}-01",
        f"00-{'A' * 32}-{'b' * 16}-01",
        ["00"],
        7,
    ],
)
def test_what_only_stands_in_its_place_is_part_of_the_call(parent: Any) -> None:
    assert digest({"_meta": {"traceparent": parent}}) != digest({})
    assert parent_in({"_meta": {"traceparent": parent}}) is None


@given(PARENTS, METAS, METAS)
def test_whatever_else_is_beside_it_makes_another_call(one: Parent, meta: dict[str, str], more: dict[str, str]) -> None:
    def rest(of: dict[str, str]) -> dict[str, str]:
        return {name: text for name, text in of.items() if name not in ("progressToken", "tracestate")}

    first, second = (digest(with_parent({"_meta": given_}, one)) for given_ in (meta, more))
    if rest(meta) != rest(more):
        assert first != second


def test_members_beside_the_trace_context_stay_as_they_are() -> None:
    params = {"name": "echo", "arguments": {"traceparent": "x"}, "_meta": {"baggage": "a=b", "x": None}}
    told = with_parent(params, Parent(1, 2, 1, "rojo=1"))
    assert told == {
        **params,
        "_meta": {"baggage": "a=b", "x": None, "traceparent": f"00-{1:032x}-{2:016x}-01", "tracestate": "rojo=1"},
    }
    assert params["_meta"] == {"baggage": "a=b", "x": None}
