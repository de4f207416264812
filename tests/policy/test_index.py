"""Rules are looked up by target: the same ones as by reading all, at a cost that other tools' rules don't add to."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.model import Kind
from mcp_guard.policy.document import Document, read_policy
from mcp_guard.policy.index import Index
from tests.growth import linear

NAME = st.text("aAb*", min_size=1, max_size=4)
ASKED = st.text("aAb*\uff41\uff0a/", min_size=1, max_size=4)
SECTIONS = ("grants", "ask", "deny")


def document(rules: list[tuple[str, str]]) -> Document:
    """One with these rules, each a section and a name."""
    text = "version: 1\n"
    for section in SECTIONS:
        named = [(at, name) for at, (where, name) in enumerate(rules) if where == section]
        lines = [f"  - {{id: r{at}, tool: {json.dumps(name, ensure_ascii=False)}, args: any}}\n" for at, name in named]
        text += f"{section}:\n{''.join(lines)}" if lines else ""
    return read_policy(text.encode(), Path("policy.yaml"))


@given(st.lists(st.tuples(st.sampled_from(SECTIONS), NAME), min_size=1, max_size=8), ASKED, ASKED)
def test_looking_up_finds_what_reading_all_finds(rules: list[tuple[str, str]], server: str, target: str) -> None:
    known = document([(section, f"s/{name}") for section, name in [*rules, ("grants", "x")]])
    for where, what in (("s", target), ("S", target), (server, target), ("s", rules[0][1])):
        found = known.index.speakers(Kind.TOOL, where, what)
        reaching = {reach.rule.ref.id for reach in (*found.grants, *found.asks, *found.denies)}
        assert reaching == {rule.ref.id for rule in known.rules if rule.may_name(where, what)}


def test_looking_up_every_tool_takes_time_linear_in_their_number() -> None:
    rules = {count: document([("grants", f"s/t{n}") for n in range(count)]).rules for count in (60, 1_920)}

    def look_up(count: int) -> None:
        index = Index(rules[count])
        for number in range(count):
            assert index.speakers(Kind.TOOL, "s", f"t{number}").grants

    assert linear(look_up, 60)
