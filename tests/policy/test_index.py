"""Rules are looked up by target: the same ones as by reading all, at a cost that other tools' rules don't add to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.model import Kind
from mcp_guard.policy.document import Document, read_policy
from mcp_guard.policy.index import Index
from mcp_guard.policy.rules import Rule
from tests.growth import linear

NAME = st.text("aAb*", min_size=1, max_size=4)
NAMES = st.lists(NAME, min_size=1, max_size=3, unique=True)
ASKED = st.text("aAb*\uff41\uff0a/", min_size=1, max_size=4)
SECTIONS = ("grants", "ask", "deny")


def document(rules: list[tuple[str, list[str]]]) -> Document:
    """One with these rules, each a section and names."""
    text = "version: 1\n"
    for section in SECTIONS:
        named = [(at, json.dumps(names)) for at, (where, names) in enumerate(rules) if where == section]
        lines = [f"  - {{id: r{at}, tool: {names}, args: any}}\n" for at, names in named]
        text += f"{section}:\n{''.join(lines)}" if lines else ""
    return read_policy(text.encode(), Path("policy.yaml"))


@given(st.lists(st.tuples(st.sampled_from(SECTIONS), NAMES), min_size=1, max_size=8), ASKED, ASKED)
def test_looking_up_finds_what_reading_all_finds(rules: list[tuple[str, list[str]]], server: str, target: str) -> None:
    known = document([(section, [f"s/{name}" for name in names]) for section, names in [*rules, ("grants", ["x"])]])
    for where, what in (("s", target), ("S", target), (server, target), ("s", rules[0][1][-1])):
        found = known.index.speakers(Kind.TOOL, where, what)
        reaching = {(reach.rule.ref.id, reach.exactly) for reach in (*found.grants, *found.asks, *found.denies)}
        read = [rule for rule in known.rules if rule.may_name(where, what)]
        assert reaching == {(rule.ref.id, rule.names_exactly(where, what)) for rule in read}


@pytest.mark.parametrize("together", [False, True], ids=["a rule each", "one rule for all"])
@pytest.mark.parametrize("section", ["grants", "deny"])
def test_looking_up_every_tool_takes_time_linear_in_their_number(section: str, together: bool) -> None:
    def rules(count: int) -> tuple[Rule, ...]:
        names = [f"s/t{number}" for number in range(count)]
        return document([(section, names)] if together else [(section, [name]) for name in names]).rules

    made = {count: rules(count) for count in (60, 1_920)}

    def look_up(count: int) -> None:
        index = Index(made[count])
        for number in range(count):
            found = index.speakers(Kind.TOOL, "s", f"t{number}")
            assert len(found.grants) + len(found.denies) == 1

    assert linear(look_up, 60)
