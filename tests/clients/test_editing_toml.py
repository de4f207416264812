"""The editor of TOML: how an edit looks, and that what it isn't about stays letter by letter."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mcp_guard.clients import toml_write
from mcp_guard.clients.toml_edit import put, removed
from mcp_guard.clients.toml_scan import parse
from mcp_guard.errors import InputError


def edit(text: str, name: str, value: Any) -> str:
    return put(parse(text, "test.toml"), ("m", name), value, 2)


def without(text: str, name: str) -> str:
    return removed(parse(text, "test.toml"), ("m", name))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('x = 1\n\n[m.a]\ncommand = "a"\n\n[other]\n', "x = 1\n\n[other]\n"),
        ('[m.a]\ncommand = "a"\n# about b\n[m.b]\n', "# about b\n[m.b]\n"),
        ('[m.a]\ncommand = "a"\n[n]\n[m.a.env]\nK = "v"\n', "[n]\n"),
        ('[m]\na = { command = "a" } # a\nb.command = "b"\n', '[m]\nb.command = "b"\n'),
        ('m.a.command = "a"\nm.a.args = []\nz = 1\n', "z = 1\n"),
        ('m = { a = { command = "a" }, b = {} }\n', "m = { b = {} }\n"),
        ('m = { b = {}, a.command = "a", a.args = [] }\n', "m = { b = {} }\n"),
        ("m = { a = {} }", "m = {  }"),
        ("[[m.a.x]]\nk = 1\n[[m.a.x]]\n[m.b]\n", "[m.b]\n"),
    ],
)
def test_a_server_is_taken_out_in_whatever_form_it_is_written(before: str, after: str) -> None:
    assert without(before, "a") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[m.a]\ncommand = "c"\n'),
        ("x = 1", 'x = 1\n\n[m.a]\ncommand = "c"\n'),
        ("x = 1\r\n", 'x = 1\r\n\r\n[m.a]\r\ncommand = "c"\r\n'),
        ("[m.b]\nk = 1\n\n[z]\n", '[m.b]\nk = 1\n\n[m.a]\ncommand = "c"\n\n[z]\n'),
        ('m.b.command = "b"\nz = 1\n', 'm.b.command = "b"\nz = 1\n\n[m.a]\ncommand = "c"\n'),
        ("m = { b = {} }\n", 'm = { b = {}, a = { command = "c" } }\n'),
        ("m = {}\n", 'm = { a = { command = "c" } }\n'),
        ("m.a = {}\n", 'm.a = { command = "c" }\n'),
        ("[m.a]\n# none\n[z]\n", '[m.a]\ncommand = "c"\n# none\n[z]\n'),
        ('[m.a] # a\n  command = "x" # why\n', '[m.a] # a\n  command = "c" # why\n'),
        ('[m]\na.command = "x"\na.args = []\nb.k = 1\n', '[m]\na.command = "c"\nb.k = 1\n'),
        ('[m.a.env]\nK = "v"\n', '[m.a]\ncommand = "c"\n'),
    ],
)
def test_a_server_is_put_in_in_the_form_that_is_there(before: str, after: str) -> None:
    new = edit(before, "a", {"command": "c"})
    assert tomllib.loads(new)["m"]["a"] == {"command": "c"}
    assert new.strip() == after.strip() or tomllib.loads(new) == tomllib.loads(after)


def test_a_new_key_of_a_server_stands_under_its_header_and_before_its_own_tables() -> None:
    before = '[m.a]\ncommand = "a" # a\n\n[m.a.env]\nK = "v"\n'
    after = edit(before, "a", {"command": "a", "args": ["x"], "env": {"K": "v"}})
    assert after == before.replace("# a\n", '# a\nargs = ["x"]\n')


def test_a_server_that_has_only_tables_gets_its_header() -> None:
    before = '[m.a.env]\nK = "v"\n'
    assert edit(before, "a", {"env": {"K": "v"}, "command": "c"}) == '[m.a]\ncommand = "c"\n\n' + before


@pytest.mark.parametrize("value", [None, {"x": None}, {"x": object()}, {"x": "\ud800"}, {"x": float("inf")}])
def test_what_toml_cannot_hold_is_not_written(value: Any) -> None:
    with pytest.raises(InputError, match=r"TOML can't hold|must be a table"):
        edit("", "a", value)


def test_a_key_of_thousands_of_parts_is_refused_before_it_costs_time() -> None:
    with pytest.raises(InputError, match="more than 32 parts"):
        parse(".".join("a" * 50_000) + " = 1\n", "x.toml")


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        parse("a = " + "[" * 5000 + "]" * 5000, "x.toml")


texts = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts | st.floats(allow_nan=False, allow_infinity=False)
entries = st.dictionaries(
    texts, scalars | st.lists(scalars, max_size=3) | st.dictionaries(texts, scalars, max_size=2), max_size=3
)
comments = st.sampled_from(["", "\n", "# c\n", "  # [m.a] x = '\n", '\n\n# """\n'])


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A file with servers in every form, and with comments between; and the names of the servers."""
    names = draw(st.lists(texts, unique=True, max_size=4))
    top, inside, blocks = [], [], []
    for name in names:
        value, key = draw(entries), toml_write.key(name)
        form = draw(st.sampled_from(["header", "header", "tables", "inline", "dotted"]))
        if form == "inline":
            inside.append(f"{key} = {toml_write.value(value)}{draw(st.sampled_from(['', ' # c']))}\n")
        elif form == "dotted" and value:
            top += [f"m.{key}.{toml_write.key(one)} = {toml_write.value(part)}\n" for one, part in value.items()]
        else:
            blocks.append(_block(draw, key, value, form == "tables"))
    table = ["[m]\n", *inside] if inside else []
    other = draw(st.sampled_from(["[z]\nk = 1\n", "[[y]]\n[[y]]\nm.x = 1\n", ""]))
    assume(not (table and top))  # TOML doesn't let a header reopen what dotted keys made
    parts = ["first = 1\n", *top, "".join(table), other, *blocks]
    text = "".join(part + draw(comments) for part in parts)
    return draw(st.sampled_from([text, text.replace("\n", "\r\n")])), names


def _block(draw: st.DrawFn, key: str, value: dict[str, Any], tables: bool) -> str:
    own, below = [], []
    for name, part in value.items():
        if tables and isinstance(part, dict):
            lines = [f"{toml_write.key(one)} = {toml_write.value(inner)}\n" for one, inner in part.items()]
            below.append(f"[m.{key}.{toml_write.key(name)}]\n" + "".join(lines))
        else:
            own.append(f"  {toml_write.key(name)} = {toml_write.value(part)}{draw(st.sampled_from(['', ' # c']))}\n")
    return f"[m.{key}]\n" + "".join(own) + "".join(below)


def statements(text: str, *, but: str) -> list[str]:
    source = parse(text, "x")
    return [text[one.start : one.end] for one in source.statements if one.path[:2] != ("m", but)]


@given(files(), st.data())
def test_taking_any_server_out_leaves_every_other_statement_as_it_was(
    pair: tuple[str, list[str]], data: st.DataObject
) -> None:
    text, names = pair
    if not names:
        return
    name = data.draw(st.sampled_from(names))
    before = tomllib.loads(text)
    assume(name in before.get("m", {}))
    after = without(text, name)
    del before["m"][name]
    assert _full(tomllib.loads(after)) == _full(before)
    assert statements(after, but=name) == statements(text, but=name)


@given(files(), texts, entries)
def test_putting_any_server_in_leaves_every_other_statement_as_it_was(
    pair: tuple[str, list[str]], name: str, entry: dict[str, Any]
) -> None:
    text, _ = pair
    before = tomllib.loads(text)
    after = edit(text, name, entry)
    before.setdefault("m", {})[name] = entry
    assert _full(tomllib.loads(after)) == _full(before)
    assert statements(after, but=name) == statements(text, but=name)


def _full(value: Any) -> Any:
    """Without tables that have no keys, which TOML can leave out."""
    if not isinstance(value, dict):
        return value
    kept = {key: _full(one) for key, one in value.items()}
    return {key: one for key, one in kept.items() if one != {}}
