"""Headers that repeat a part of the body: the SDK's server finds them to agree, and no value breaks a line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import classify_inbound_request, decode_header_value, validate_mcp_param_headers

from mcp_guard.eras import CLIENT_CAPABILITIES_KEY, REVISION_KEY
from mcp_guard.transports.http_link_headers import MAX_HEADERS, Unsayable, bound_headers, encoded, message_headers

META = {REVISION_KEY: "2026-07-28", CLIENT_CAPABILITIES_KEY: {}}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def bound(kind: str, token: str) -> dict[str, Any]:
    return {"type": kind, "x-mcp-header": token}


@given(TEXTS | st.sampled_from(["=?base64?eA==?=", " x", "x\t", "a\r\nb: c", ""]))
def test_any_text_comes_back_from_its_header_and_breaks_no_line(text: str) -> None:
    header = encoded(text)
    assert decode_header_value(header) == text
    assert header.isascii() and header.isprintable() and header == header.strip()


@given(st.sampled_from(["tools/call", "prompts/get", "resources/read", "completion/complete"]), TEXTS)
def test_the_sdks_server_finds_that_headers_and_body_agree(method: str, text: str) -> None:
    params = {"_meta": META, "name": text, "uri": text}
    headers = {name.lower(): value for name, value in message_headers(method, params)}
    found = classify_inbound_request({"method": method, "params": params}, headers=headers)
    assert getattr(found, "protocol_version", None) == "2026-07-28", found


VALUES = st.none() | TEXTS | st.integers(-(2**70), 2**70) | st.booleans() | st.integers(-9, 9).map(float)


@given(VALUES, VALUES, VALUES)
def test_the_sdks_server_finds_that_arguments_and_headers_agree(one: object, two: object, three: object) -> None:
    kinds = {bool: "boolean", str: "string"}
    values = {"one": one, "two": two, "deep": {"three": three}}
    kind = [kinds.get(type(value), "integer") for value in (one, two, three)]
    found = schema(
        one=bound(kind[0], "One"), two=bound(kind[1], "Two"), deep=schema(three=bound(kind[2], "Three")), free={}
    )
    params = {"_meta": META, "name": "t", "arguments": values}
    headers = dict(message_headers("tools/call", params, found))
    assert validate_mcp_param_headers(found, values, headers) is None
    assert sum(name.startswith("Mcp-Param-") for name in headers) == sum(x is not None for x in (one, two, three))


@pytest.mark.parametrize(
    "odd",
    [
        schema(a=bound("string", "a b")),
        schema(a=bound("string", "A"), b=bound("string", "a")),
        schema(a=bound("number", "A")),
        schema(a={"x-mcp-header": "A"}),
        schema(a={"type": ["string", "null"], "x-mcp-header": "A"}),
        schema(a={"type": "string", "x-mcp-header": 1}),
        schema(a=bound("string", "")),
        schema(a=bound("string", "A\r\nX: y")),
        {**schema(), "x-mcp-header": "A"},
        schema(a={"type": "array", "items": bound("string", "A")}),
        {"anyOf": [schema(a=bound("string", "A"))]},
        {"$defs": {"x": schema(a=bound("string", "A"))}},
    ],
)
def test_an_annotation_that_the_specification_does_not_allow_keeps_a_call_back(odd: dict[str, Any]) -> None:
    with pytest.raises(Unsayable):
        bound_headers(odd)


def test_what_looks_like_an_annotation_in_data_is_none() -> None:
    data = {"type": "object", "default": {"x-mcp-header": 1}, "examples": [{"x-mcp-header": "a b"}]}
    assert bound_headers({**schema(a=data), "const": {"x-mcp-header": 1}}) == {}


def test_only_a_call_repeats_arguments() -> None:
    found = schema(a=bound("string", "A"))
    params = {"_meta": META, "name": "t", "arguments": {"a": "x"}}
    assert ("Mcp-Param-A", "x") in message_headers("tools/call", params, found)
    assert ("Mcp-Param-A", "x") not in message_headers("prompts/get", params, found)


def test_headers_without_end_are_not_sent() -> None:
    with pytest.raises(Unsayable, match=str(MAX_HEADERS)):
        message_headers("resources/read", {"_meta": META, "uri": "x" * MAX_HEADERS})
