"""The catalogue can only be right or absent: what isn't bound is judged as if there were none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.catalog import list_tools
from mcp_guard.catalogue.packages import identify
from mcp_guard.descriptors import descriptor_digest
from mcp_guard.guard import LiveFacts
from mcp_guard.model import EVERY_EFFECT, Call, EffectClass
from mcp_guard.policy.building import ToolFacts
from mcp_guard.policy.matching import effect_classes
from tests.catalogue.entries import COMMAND, Catalogue, entry
from tests.policy.scene import NOON

EXAMPLES = settings(max_examples=300, deadline=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
HINTS = st.dictionaries(
    st.sampled_from(["readOnlyHint", "destructiveHint", "openWorldHint"]), st.booleans() | st.none(), max_size=3
)
DESCRIPTORS = st.fixed_dictionaries(
    {"name": st.sampled_from(["read", "write"]), "inputSchema": st.just({"type": "object"})},
    optional={"title": JSON, "description": JSON, "annotations": HINTS | JSON, "_meta": JSON},
)
EFFECTS = st.frozensets(st.sampled_from(list(EffectClass)), min_size=1)
COMMANDS = st.sampled_from(
    [COMMAND, ("npx", "-y", "@example/files"), ("node", "files.js"), ("npx", "-y", "@example/file")]
)
OPERATORS = st.none() | EFFECTS


def classes(
    tools: Mapping[str, ToolFacts], listed: dict[str, Any], judged: dict[str, Any] | None, command: tuple[str, ...],
    effects: frozenset[EffectClass],
) -> frozenset[EffectClass]:  # fmt: skip
    """By which the judge goes for a listed tool; `judged` is the descriptor in the catalogue, None for no catalogue."""
    known = Catalogue(entry(judged, effects=effects)).find(command) if judged is not None else None
    describe = known.describe if known is not None else lambda _: None
    found = {
        ("s", one.name): one for one in list_tools("s", [listed], prefixed=False, frame={}, describe=describe).tools
    }
    call = Call("local:me", "tools/call", "s", listed["name"], {})
    return effect_classes(tools, call, LiveFacts(NOON, None, {}, found))


@given(DESCRIPTORS, DESCRIPTORS, COMMANDS, EFFECTS, OPERATORS)
@EXAMPLES
def test_a_tool_that_is_not_bound_has_no_fewer_classes_than_without_a_catalogue(
    listed: dict[str, Any],
    judged: dict[str, Any],
    command: tuple[str, ...],
    effects: frozenset[EffectClass],
    operator: frozenset[EffectClass] | None,
) -> None:
    tools = {f"s/{listed['name']}": ToolFacts(operator)} if operator is not None else {}
    without = classes(tools, listed, None, command, effects)
    found = classes(tools, listed, judged, command, effects)
    package, _ = identify(command)
    bound = package is not None and package.name == "@example/files"
    bound = bound and descriptor_digest(listed) == descriptor_digest(judged)
    if not bound or operator is not None:
        assert found == without
    else:
        assert effects <= found < EVERY_EFFECT or found == EVERY_EFFECT
    if operator is None and not bound:
        assert found == EVERY_EFFECT


@given(DESCRIPTORS, EFFECTS)
@EXAMPLES
def test_a_bound_tool_has_what_was_judged_and_what_its_annotations_admit(
    listed: dict[str, Any], effects: frozenset[EffectClass]
) -> None:
    annotations = listed.get("annotations")
    hints = annotations if isinstance(annotations, dict) else {}
    admitted = {EffectClass.EGRESS} if hints.get("openWorldHint") is True else set()
    found = classes({}, listed, listed, COMMAND, effects)
    assert effects | admitted <= found
    assert found - effects <= {EffectClass.WRITE, EffectClass.DESTRUCTIVE, EffectClass.EGRESS}
