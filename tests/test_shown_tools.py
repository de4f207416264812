"""What a session is shown is remembered, and never differs from what the judge would say at that moment (law 3)."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_guard.catalog import Tool, list_tools
from mcp_guard.guard import LiveFacts
from mcp_guard.listing import shows, shows_call
from mcp_guard.lock.servers import Lock
from mcp_guard.model import Call
from mcp_guard.policy.decide import visible
from mcp_guard.policy.document import Authority, Document, load_text
from mcp_guard.policy.steady import Span, steady_span
from mcp_guard.shown_tools import ShownTools
from tests.guards import RecordingDownstream, Scene, tool

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
WHEN = [
    "",
    ", until: 2026-12-01T13:00:00Z",
    ", until: 2026-12-01T11:00:00Z",
    ', when: {time: {after: "12:30", before: "14:00"}}',
    ', when: {principal: "local:ann"}',
    ", when: {labels: [untrusted]}",
]
TOOLS = ("read", "write")
RULES = st.lists(st.tuples(st.sampled_from([*TOOLS, "*"]), st.sampled_from(WHEN)), max_size=3)
STEPS = st.lists(
    st.sampled_from(["hour on", "hour back", "others", "principal", "lock", "listed anew", "first sight", "unshown"]),
    max_size=12,
)


def policy(grants: list[tuple[str, str]], denies: list[tuple[str, str]]) -> Document:
    tools = "tools: {raw/read: {effect: read}, raw/write: {effect: write}}\n"
    lines = [f'  - {{id: g{at}, tool: "raw/{name}", args: any{more}}}' for at, (name, more) in enumerate(grants)]
    refused = [
        f'  - {{id: d{at}, tool: "raw/{name}"{more if "until" not in more else ""}}}'
        for at, (name, more) in enumerate(denies)
    ]
    text = f"version: 1\n{tools}grants:{'' if lines else ' []'}\n" + "\n".join(lines)
    text += "\ndeny:\n" + "\n".join(refused) if refused else ""
    return load_text(text.encode(), file="policy.yaml", kind="policy")


POLICIES = st.builds(policy, RULES, st.lists(st.tuples(st.sampled_from(TOOLS), st.sampled_from(WHEN)), max_size=1))


@given(POLICIES, POLICIES, STEPS)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_remembered_to_be_shown_is_what_the_judge_says_now(
    first: Document, second: Document, steps: list[str]
) -> None:
    async def conversation(scene: Scene) -> None:
        await scene.listed()
        context, server = scene.gateway.context, scene.servers[0]
        changes: dict[str, Callable[[], object]] = {
            "hour on": lambda: _turn(scene, 1),
            "hour back": lambda: _turn(scene, -1),
            "others": lambda: scene.guard.bind(Authority((second,)), scene.guard.lock, {}),
            "principal": lambda: setattr(context.session, "principal", "local:ann"),
            "lock": lambda: scene.guard.bind(scene.guard.authority, Lock({}), {}),
            "listed anew": lambda: setattr(server, "listing", server.listing and replace(server.listing)),
            "first sight": lambda: context.known.update(raw=frozenset()),
            "unshown": lambda: scene.guard.bind(scene.guard.authority, None, {"raw": "started as something else"}),
        }
        for step in ["hour on", *steps]:
            for _ in range(2):
                for one in context.session.tools().values():
                    call = Call(context.session.principal, "tools/call", one.server, one.name, {})
                    assert shows(context, one) == shows_call(context, call), (one.name, step)
            changes[step]()

    async def whole() -> None:
        with tempfile.TemporaryDirectory() as directory:
            doubles = [RecordingDownstream(tools=[tool(name) for name in TOOLS])]
            with Scene(Path(directory), policy="version: 1\ngrants: []\n", servers=doubles) as scene:
                scene.guard.clock = lambda: NOON
                scene.guard.bind(Authority((first,)), None, {})
                await conversation(scene)

    asyncio.run(whole())


def _turn(scene: Scene, hours: int) -> None:
    now = scene.guard.clock() + timedelta(hours=hours)
    scene.guard.clock = lambda: now
    scene.guard.latest = None


def test_a_tool_is_judged_once_until_the_next_deadline() -> None:
    """Law 3 lets a listing change by expiry alone, so that nothing else is asked for at each call."""
    authority = Authority((policy([("read", WHEN[1])], []),))
    described = list_tools("raw", [tool("read")], prefixed=False, frame={}).tools[0]
    judged: list[datetime] = []

    def judge(_: Tool, now: datetime) -> tuple[bool, Span | None]:
        judged.append(now)
        call = Call("local:me", "tools/call", "raw", "read", {})
        facts = LiveFacts(now, None, {}, {})
        return visible(authority, call, facts), steady_span(authority, call, now)

    remembered, grounds = ShownTools(), (authority, None, "local:me", {"read": described})
    minutes = (0, 20, 40, 59, 60, 61, 80, 59, 0)
    said = [remembered.shows(described, NOON + timedelta(minutes=at), grounds, None, judge) for at in minutes]
    assert said == [at < 60 for at in minutes]
    assert judged == [NOON + timedelta(minutes=at) for at in (0, 60, 59)]


def test_nothing_is_remembered_where_a_rule_goes_by_the_time_of_day() -> None:
    call = Call("local:me", "tools/call", "raw", "read", {})
    assert steady_span(Authority((policy([("read", WHEN[3])], []),)), call, NOON) is None


def test_each_thing_that_an_answer_goes_by_has_to_be_the_very_same() -> None:
    described = list_tools("raw", [tool("read")], prefixed=False, frame={}).tools[0]
    remembered, answers = ShownTools(), iter(range(1, 20))
    before: list[Any] = [Authority(()), Lock(), "local:me", {"read": described}, frozenset({"read"})]

    def asked(things: list[Any]) -> int:
        authority, lock, principal, listed, at_first = things
        grounds = (authority, lock, principal, listed)
        return remembered.shows(described, NOON, grounds, at_first, lambda *_: (next(answers), Span(None, None)))  # type: ignore[arg-type]

    others = [Authority(()), Lock(), "local:ann", {"read": described}, frozenset()]
    for place, other in enumerate(others):
        first = asked(before)
        assert asked(before) == first
        assert asked([*before[:place], other, *before[place + 1 :]]) == first + 1
