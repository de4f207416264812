"""Laws 3, 5 and 6: listings, calls and the judge agree; a mandate only narrows; hidden is the same as unknown."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_guard.cli.explain import OfflineFacts
from mcp_guard.eras import Era
from mcp_guard.guard import judge
from mcp_guard.model import Call
from tests.guards import RecordingDownstream, Scene, harmless, tool

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
TOOLS = ["read", "write", "send", "Send", "pay"]
PATTERNS = ["raw/*", "raw/read", "raw/write", "raw/s*", "raw/pay", "other/*", "*/read", "raw/SEND", "raw/send"]
LIMITS = ["any", "{}", "{a: {max: 5}}", "{a: any}", "{a: {in: [1, 9]}}"]
ARGUMENTS: list[dict[str, Any]] = [{}, {"a": 1}, {"a": 9}, {"a": "x"}, {"b": 1}, {"a": 1, "b": 2}]

GRANTS = st.lists(st.tuples(st.sampled_from(PATTERNS), st.sampled_from(LIMITS), st.booleans()), min_size=1, max_size=4)
TIGHTENED = st.lists(st.tuples(st.sampled_from(PATTERNS), st.sampled_from(LIMITS)), max_size=2)


def document(grants: Any, asks: Any, denies: Any, head: str = "version: 1") -> str:
    lines = [head, "grants:"]
    for at, (pattern, limit, ask) in enumerate(grants):
        lines.append(f'  - {{id: g{at}, tool: "{pattern}", args: {limit}, ask: {str(ask).lower()}}}')
    for key, rules in (("ask", asks), ("deny", denies)):
        if rules:
            lines.append(f"{key}:")
        for at, (pattern, limit) in enumerate(rules):
            args = "" if limit in ("any", "{}") else f", args: {limit}"
            lines.append(f'  - {{id: {key}{at}, tool: "{pattern}"{args}}}')
    return "\n".join(lines)


DOCUMENTS = st.builds(document, GRANTS, TIGHTENED, TIGHTENED)
MANDATES = st.builds(
    lambda g, a, d: document(g, a, d, "version: 1\ntask: t\nexpires: 30m"), GRANTS, TIGHTENED, TIGHTENED
)


def double() -> list[RecordingDownstream]:
    return [RecordingDownstream(tools=[tool(name) for name in TOOLS])]


def in_a_scene(conversation: Callable[[Scene], Any], **settings: Any) -> None:
    async def whole(directory: Path) -> None:
        with Scene(directory, servers=double(), **settings) as scene:
            await conversation(scene)

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(whole(Path(directory)))


@given(DOCUMENTS, st.none() | MANDATES, st.sampled_from(list(Era)), st.booleans())
@QUICK
def test_listing_call_and_explanation_agree(policy: str, mandate: str | None, era: Era, prefixed: bool) -> None:
    async def conversation(scene: Scene) -> None:
        exposed = {name: f"raw__{name}" if prefixed else name for name in TOOLS}
        listed = await scene.listed()
        for name in TOOLS:
            for arguments in ARGUMENTS:
                before = len(scene.servers[0].calls)
                answer = await scene.call(exposed[name], arguments)
                sent = len(scene.servers[0].calls) > before
                if exposed[name] not in listed:
                    assert not sent
                    assert answer["error"]["message"] == f"Unknown tool: {exposed[name]}"
                    continue
                call = Call("local:me", "tools/call", "raw", name, {"name": name, "arguments": arguments})
                known = dict.fromkeys((("raw", name) for name in TOOLS), harmless().describe({}))  # as in the scene
                catalogued = {tool: one for tool, one in known.items() if one is not None}
                facts = OfflineFacts(scene.guard.now(), {"raw": frozenset(TOOLS)}, None, catalogued)
                explained = judge(scene.guard.authority, scene.guard.protection, call, None, facts)
                assert sent == explained.allowed
                assert sent != bool(answer["result"].get("isError"))

    in_a_scene(conversation, policy=policy, mandate=mandate, era=era, prefixed=prefixed)


@given(DOCUMENTS, MANDATES)
@QUICK
def test_a_mandate_only_narrows(policy: str, mandate: str) -> None:
    seen: list[tuple[set[str], set[str]]] = []

    async def conversation(scene: Scene) -> None:
        allowed = set()
        listed = set(await scene.listed())
        for name in TOOLS:
            for arguments in ARGUMENTS:
                before = len(scene.servers[0].calls)
                await scene.call(name, arguments)
                if len(scene.servers[0].calls) > before:
                    allowed.add(json.dumps([name, arguments]))
        seen.append((listed, allowed))

    in_a_scene(conversation, policy=policy)
    in_a_scene(conversation, policy=policy, mandate=mandate)
    (listed, allowed), (listed_under_mandate, allowed_under_mandate) = seen
    assert listed_under_mandate <= listed
    assert allowed_under_mandate <= allowed


ALIASES = st.sampled_from(
    ["PAY", "Pay", "pay ", " pay", "raw/pay", "raw__pay", "raw__PAY", "Raw__pay", "pay\u200b", "\u1d56ay", "raw___pay"]
)


@given(ALIASES, st.sampled_from(list(Era)), st.booleans(), st.booleans())
@QUICK
def test_no_alias_reaches_a_hidden_tool(alias: str, era: Era, prefixed: bool, listed_before: bool) -> None:
    async def conversation(scene: Scene) -> None:
        if listed_before:
            await scene.listed()
        answer = await scene.call(alias, {})
        assert answer["error"] == {"code": -32602, "message": f"Unknown tool: {alias}"}
        assert scene.servers[0].calls == []

    policy = "version: 1\ngrants: [{id: r, tool: raw/read, args: any}]\n"
    in_a_scene(conversation, policy=policy, era=era, prefixed=prefixed)


@pytest.mark.parametrize("era", list(Era))
@pytest.mark.parametrize("prefixed", [False, True])
async def test_a_hidden_tool_answers_as_one_that_does_not_exist(tmp_path: Path, era: Era, prefixed: bool) -> None:
    policy = "version: 1\ngrants: [{id: r, tool: raw/read, args: any}]\n"
    prefix = "raw__" if prefixed else ""
    forms: list[dict[str, Any]] = [
        {"arguments": {}},
        {},
        {"arguments": {"a": 1}, "_meta": {"progressToken": 1}},
        {"arguments": {}, "task": {}},
        {"arguments": []},
        {"arguments": None, "more": 1},
        {"arguments": {"path": str(tmp_path / "state" / "guard.db")}},
    ]
    with Scene(tmp_path, policy=policy, servers=double(), era=era, prefixed=prefixed, protect=[str(tmp_path)]) as scene:
        for form in forms:
            hidden = json.dumps(await scene.ask("tools/call", {"name": f"{prefix}pay", **form}))
            absent = json.dumps(await scene.ask("tools/call", {"name": f"{prefix}nay", **form}))
            assert hidden.replace("pay", "nay") == absent
        assert scene.servers[0].calls == []


async def test_a_tool_that_vanished_with_list_changed_cannot_be_called(tmp_path: Path) -> None:
    with Scene(tmp_path, servers=double()) as scene:
        assert "pay" in await scene.listed()
        scene.servers[0].tools = [tool("read")]
        scene.servers[0].listing = None
        server: Any = scene.servers[0]
        scene.gateway.server_notified(server, "notifications/tools/list_changed", None)
        assert "Unknown tool" in (await scene.call("pay"))["error"]["message"]
        assert scene.servers[0].calls == []


async def test_a_tool_that_appears_later_is_not_reached_by_a_pattern(tmp_path: Path) -> None:
    with Scene(tmp_path, servers=double()) as scene:
        assert "late" not in await scene.listed()
        scene.servers[0].tools.append(tool("late"))
        scene.servers[0].listing = None
        assert "late" not in await scene.listed()
        assert "Unknown tool" in (await scene.call("late"))["error"]["message"]
