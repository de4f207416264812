"""Which files a server's grants name, and which of them it may write."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.containment.grants import Named, named_by_grants
from mcp_guard.model import EffectClass
from mcp_guard.policy.canonical import is_inside
from mcp_guard.policy.document import Authority, Document, load_text

READ, WRITE = frozenset({EffectClass.READ}), frozenset({EffectClass.READ, EffectClass.WRITE})
CATALOGUE = {"read": READ, "write": WRITE}


def document(grants: str, tools: str = "", *, mandate: bool = False) -> Document:
    head = "version: 1\n" + ("task: t\nexpires: 1h\n" if mandate else f"tools: {{{tools}}}\n")
    numbers = count()
    numbered = re.sub(r"\{(?=tool:|effect:|resource:)", lambda _: f"{{id: r{next(numbers)}, ", grants)
    text = f"{head}grants: [{numbered}]\n"
    variables = {"project": "/srv/p"}
    kind = "mandate" if mandate else "policy"
    return load_text(text.encode(), file="d.yaml", kind=kind, variables=variables, home="/home/me")  # type: ignore[arg-type]


def named(*layers: Document, server: str = "files") -> dict[str, bool]:
    """Path and whether it is writable."""
    authority = Authority(layers, datetime(2026, 1, 1, tzinfo=UTC))
    found: dict[str, bool] = {}
    for one in named_by_grants(authority, server, CATALOGUE, "/srv/cwd"):
        found[one.path] = found.get(one.path, False) or one.writable
    return found


@pytest.mark.parametrize(
    ("grants", "tools", "expected"),
    [
        ("{tool: files/read, args: {path: {under: $project}}}", "", {"/srv/p": False}),
        ("{tool: files/write, args: {path: {under: $project/out}, content: any}}", "", {"/srv/p/out": True}),
        ("{tool: files/unknown, args: {path: {under: ~/a}}}", "", {"/home/me/a": True}),
        ("{tool: files/unknown, args: {path: {under: ~/a}}}", "files/unknown: {effect: read}", {"/home/me/a": False}),
        ("{tool: files/read, args: {path: {under: /a}}}", "files/read: {effect: [read, execute]}", {"/a": True}),
        ("{tool: 'files/*', args: {path: {under: /a}}}", "", {"/a": True}),
        ("{effect: read, args: {path: {under: /a}}}", "", {"/a": False}),
        ("{effect: [read, write], args: {path: {under: /a}}}", "", {"/a": True}),
        ("{tool: files/read, args: {path: {in: [/a/x, /b, word]}}}", "", {"/a/x": False, "/b": False}),
        ("{tool: files/read, args: {path: /a/x}}", "", {"/a/x": False}),
        ("{tool: files/read, args: {paths: {each: {under: /a}}}}", "", {"/a": False}),
        ("{tool: files/read, args: {o: {fields: {p: {under: /a, not_name: [x]}}}}}", "", {"/a": False}),
        ("{tool: files/read, args: {}, optional: {path: {under: /a, null: ok}}}", "", {"/a": False}),
        ("{tool: files/read, args: {path: {within: .}}}", "", {"/srv/cwd": False}),
        ("{resource: {server: files, uri: {under: 'file:///a'}}}", "", {"/a": False}),
        ("{tool: files/read, args: any}", "", {}),
        ("{tool: other/read, args: {path: {under: /a}}}", "", {}),
    ],
)
def test_a_grant_names_its_paths(grants: str, tools: str, expected: dict[str, bool]) -> None:
    assert named(document(grants, tools)) == expected


def test_asks_and_denies_name_nothing() -> None:
    text = "version: 1\nask: [{id: a, tool: files/read, args: {path: {under: /a}}}]\n"
    text += "deny: [{id: d, tool: files/read, args: {path: {under: /b}}}]\n"
    assert named(load_text(text.encode(), file="d.yaml", kind="policy")) == {}


@pytest.mark.parametrize(
    ("mandate", "expected"),
    [
        ("{tool: files/write, args: {path: {under: /a/b}, content: any}}", {"/a/b": True}),
        ("{tool: files/read, args: {path: {under: /a/b}}}", {"/a/b": False}),
        ("{tool: files/write, args: {path: {under: /}}}", {"/a": True}),
        ("{tool: files/write, args: {path: {under: /c}}}", {}),
        ("{tool: files/write, args: any}", {"/a": True}),
        ("{tool: files/write, args: {path: any}}", {"/a": True}),
        ("{tool: files/write, args: {}}", {}),
        ("{tool: other/write, args: any}", {}),
        ("{tool: files/write, args: {path: /a/x.txt}}", {"/a/x.txt": True}),
    ],
)
def test_a_mandate_narrows_what_the_policy_names(mandate: str, expected: dict[str, bool]) -> None:
    policy = document("{tool: files/write, args: {path: {under: /a}, content: any}}")
    assert named(policy, document(mandate, mandate=True)) == expected


def test_a_mandate_names_paths_where_the_policy_leaves_them_open() -> None:
    policy = document("{tool: files/write, args: any}")
    mandate = document("{tool: files/read, args: {path: /a/x}}", mandate=True)
    assert named(policy, mandate) == {"/a/x": False}


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
GRANTS = st.lists(st.tuples(st.sampled_from(["read", "write"]), PATHS), min_size=1, max_size=4)


def grants(some: list[tuple[str, str]]) -> str:
    return ", ".join(f"{{tool: files/{tool}, args: {{path: {{under: {path}}}}}}}" for tool, path in some)


@given(GRANTS, GRANTS)
def test_a_mandate_never_adds_a_path_nor_the_right_to_write_there(
    some: list[tuple[str, str]], others: list[tuple[str, str]]
) -> None:
    """And what both name stays."""
    policy, mandate = document(grants(some)), document(grants(others), mandate=True)
    both, first, second = named(policy, mandate), named(policy), named(mandate)
    for path, writable in both.items():
        for layer in (first, second):
            assert any(is_inside(path, outer) and (right or not writable) for outer, right in layer.items())
    for path in set(first) & set(second):
        assert any(is_inside(path, outer) for outer in both)


def test_one_file_covers_nothing_below_it() -> None:
    policy = document("{tool: files/read, args: {path: /a}}")
    mandate = document("{tool: files/read, args: {path: {under: /a/b}}}", mandate=True)
    assert named(policy, mandate) == {}
    authority = Authority((policy,))
    assert named_by_grants(authority, "files", CATALOGUE, "/") == (Named("/a", False, "", whole=False),)
