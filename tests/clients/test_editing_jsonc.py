"""The editor of JSON with comments: how an edit looks, and that no edit of any text goes wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.clients.jsonc import members, parse
from mcp_guard.clients.jsonc_edit import Style, put, removed
from mcp_guard.errors import InputError

STYLE = Style("\n", "  ")


def source_of(text: str) -> Any:
    return parse(text, "test.json", comments=True, trailing_commas=True)


def value_of(text: str) -> Any:
    source = source_of(text)
    return source.json(0, len(source.plain))


@pytest.mark.parametrize(
    ("before", "name", "after"),
    [
        ('{"a": 1, "b": 2, "c": 3}', "a", '{"b": 2, "c": 3}'),
        ('{"a": 1, "b": 2, "c": 3}', "b", '{"a": 1, "c": 3}'),
        ('{"a": 1, "b": 2, "c": 3}', "c", '{"a": 1, "b": 2}'),
        ('{ "a": 1 }', "a", "{ }"),
        ('{\n  "a": 1,\n  "b": 2\n}', "a", '{\n  "b": 2\n}'),
        ('{\n  "a": 1,\n  "b": 2\n}', "b", '{\n  "a": 1\n}'),
        ('{\r\n  "a": 1,\r\n  "b": 2\r\n}', "a", '{\r\n  "b": 2\r\n}'),
        ('{\n  "a": 1, // a\n  "b": 2, // b\n}', "b", '{\n  "a": 1, // a\n  // b\n}'),
        ('{\n  "a": 1, // a\n  "b": 2 // b\n}', "b", '{\n  "a": 1 // a\n  // b\n}'),
        ('{\n  // about a\n  "a": 1 }', "a", "{\n  // about a\n   }"),
        ('{\n  // next\n  "a": 1, "b": 2\n}', "a", '{\n  // next\n  "b": 2\n}'),
        ('{"a": 1 /* , */ , "b": 2}', "a", '{/* , */  "b": 2}'),
    ],
)
def test_what_is_taken_out_takes_its_comma_and_its_own_line_with_it(before: str, name: str, after: str) -> None:
    assert removed(before, name) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", '{\n  "new": [1]\n}'),
        ("{\n}", '{\n  "new": [1]\n}'),
        ("{ // none yet\n}", '{ // none yet\n  "new": [1]\n}'),
        ('{"a": 1}', '{"a": 1, "new": [1]}'),
        ('{"a": 1,}', '{"a": 1, "new": [1],}'),
        ('{\n    "a": 1\n}', '{\n    "a": 1,\n    "new": [1]\n}'),
        ('{\n\t"a": 1, // a\n}', '{\n\t"a": 1, // a\n\t"new": [1],\n}'),
        ('{\n  "a": 1 // a\n}', '{\n  "a": 1, // a\n  "new": [1]\n}'),
        ('{\n  "a": 1 /* a */ // b\n  // c\n}', '{\n  "a": 1, /* a */ // b\n  "new": [1]\n  // c\n}'),
    ],
)
def test_what_is_put_in_is_written_as_its_neighbours_are(before: str, after: str) -> None:
    assert put(before, "new", [1], STYLE) == after


def test_a_changed_member_leaves_the_others_and_their_comments_alone() -> None:
    before = (
        '{\n  "a": {\n    "command": "npx", // why\n    "args": [ "-y" ],\n    "env": {"K" : "v"} // secret\n  }\n}'
    )
    after = put(before, "a", {"command": "guard", "args": ["-y"], "env": {"K": "v"}}, STYLE)
    assert after == before.replace('"npx"', '"guard"')


def test_a_number_is_not_a_flag() -> None:
    assert put('{"a": {"x": 1}}', "a", {"x": True}, STYLE) == '{"a": {"x": true}}'


@pytest.mark.parametrize("value", [float("nan"), {"x": "\ud800"}, {"x": object()}])
def test_what_json_cannot_hold_is_not_written(value: Any) -> None:
    with pytest.raises(InputError, match="can't hold"):
        put("{}", "a", value, STYLE)


keys = st.text(st.characters(codec="utf-8"), max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | keys
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)
blanks = st.sampled_from(["", " ", "\t", "\n", "\r\n", "  ", "\n    ", "/**/", '/* , } " */', "// x, {\n", "//\r\n"])
gaps = st.lists(blanks, max_size=2).map("".join)


@st.composite
def written(draw: st.DrawFn, value: Any) -> str:
    """A value as somebody with odd habits might have typed it."""

    def gap() -> str:
        return draw(gaps)

    if isinstance(value, dict):
        parts = [f"{gap()}{json.dumps(key)}{gap()}:{gap()}{draw(written(one))}{gap()}" for key, one in value.items()]
        return "{" + _joined(draw, parts, gap) + "}"
    if isinstance(value, list):
        return "[" + _joined(draw, [f"{gap()}{draw(written(one))}{gap()}" for one in value], gap) + "]"
    return draw(st.sampled_from([json.dumps(value), json.dumps(value, ensure_ascii=False)]))


def _joined(draw: st.DrawFn, parts: list[str], gap: Any) -> str:
    last = "," + gap() if bool(parts) and draw(st.booleans()) else ""
    return ",".join(parts) + last if parts else gap()


@st.composite
def objects(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    value = draw(st.dictionaries(keys, values, max_size=4))
    return draw(written(value)), value


@given(objects())
def test_any_text_is_read_as_it_was_meant(pair: tuple[str, dict[str, Any]]) -> None:
    text, value = pair
    assert value_of(text) == value
    assert [one.key for one in members(source_of(text), 0)] == list(value)


@given(objects(), st.data())
def test_taking_any_member_out_of_any_text_leaves_the_others_letter_by_letter(
    pair: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    text, value = pair
    if not value:
        return
    name = data.draw(st.sampled_from(sorted(value)))
    after = removed(text, name)
    assert value_of(after) == {key: one for key, one in value.items() if key != name}
    old = {one.key: text[one.start : one.end] for one in members(source_of(text), 0)}
    new = {one.key: after[one.start : one.end] for one in members(source_of(after), 0)}
    assert new == {key: one for key, one in old.items() if key != name}
    assert len(source_of(after).comments) >= len(outside(text, name))


@given(objects(), keys, values)
def test_putting_any_member_into_any_text_leaves_the_others_letter_by_letter(
    pair: tuple[str, dict[str, Any]], name: str, new: Any
) -> None:
    text, value = pair
    after = put(text, name, new, STYLE)
    assert value_of(after) == {**value, name: new}
    old = {one.key: text[one.start : one.end] for one in members(source_of(text), 0)}
    found = {one.key: after[one.start : one.end] for one in members(source_of(after), 0)}
    assert {key: one for key, one in found.items() if key != name} == {
        key: one for key, one in old.items() if key != name
    }
    if value.get(name, ...) == new and json.dumps(value[name]) == json.dumps(new):
        assert after == text
    assert len(source_of(after).comments) >= len(outside(text, name))


def outside(text: str, name: str) -> list[tuple[int, int]]:
    """The comments that aren't within the member."""
    source = source_of(text)
    spans = [(one.start, one.end) for one in members(source, 0) if one.key == name]
    return [one for one in source.comments if not any(start < one[0] < end for start, end in spans)]
