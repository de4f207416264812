"""Several servers as one: what one of them does wrong, the others' clients don't notice. Counted, not timed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard.deadlines import Deadlines
from mcp_guard.eras import Era
from mcp_guard.health import MAX_TIME_OUTS, REST
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.server_spec import ServerSpec
from tests.fixtures.client import RpcError
from tests.guards import RecordingDownstream, Scene, Stand, decision_in, tool

BOTH = 'version: 1\ngrants: [{id: all, tool: ["a/*", "b/*"], args: any}]\n'


def holding(name: str, **bounds: float) -> RecordingDownstream:
    """A server that answers no call."""
    double = RecordingDownstream(name, tools=[tool("echo")])
    double.spec = ServerSpec(name, ("double", name), **bounds)  # type: ignore[arg-type]
    double.deadlines = Deadlines(double.spec.timeout)
    double.hold = True
    return double


def pair(directory: Path, era: Era, a: RecordingDownstream) -> Scene:
    return Scene(directory, BOTH, [a, RecordingDownstream("b", tools=[tool("echo")])], era=era, prefixed=True)


@pytest.mark.parametrize("era", list(Era))
async def test_a_server_that_holds_on_to_its_calls_leaves_places_to_the_others(tmp_path: Path, era: Era) -> None:
    slow = holding("a", max_calls=4)
    with pair(tmp_path, era, slow) as scene:
        await scene.listed()
        held = [scene.start("tools/call", {"name": "a__echo", "arguments": {}})[1] for _ in range(4)]
        for _ in range(300):  # more than one client may have under way at all
            refused = await scene.call("a__echo")
            assert decision_in(refused["result"])["reason"] == "too_many"
        assert "isError" not in (await scene.call("b__echo"))["result"]
        assert len(slow.calls) == 4
        hidden = await scene.call("a__nothing_like_it")  # busy, it says the same of every name
        assert decision_in(hidden["result"])["reason"] == "too_many"
        slow.holding[0]({"result": {"content": []}})
        await held[0]
        scene.start("tools/call", {"name": "a__echo", "arguments": {}})
        assert len(slow.calls) == 5


async def test_calls_that_wait_for_a_listing_hold_no_more_places_than_others(tmp_path: Path) -> None:
    mute = holding("a", max_calls=4)
    with pair(tmp_path, Era.LEGACY, mute) as scene:
        mute.request = lambda *_: lambda _: None  # type: ignore[assignment, method-assign]
        waiting = [scene.start("tools/call", {"name": "a__echo", "arguments": {}})[1] for _ in range(4)]
        for _ in range(300):
            assert decision_in((await scene.call("a__echo"))["result"])["reason"] == "too_many"
        assert "isError" not in (await scene.call("b__echo"))["result"]
        assert not any(answer.done() for answer in waiting)


@pytest.mark.parametrize("era", list(Era))
async def test_a_server_that_keeps_silent_is_left_alone_then_tried_again_and_the_log_tells(
    tmp_path: Path, era: Era
) -> None:
    silent = holding("a", timeout=0.02)
    with pair(tmp_path, era, silent) as scene:
        silent.health.tell = lambda event, why: scene.gateway.server_changed(silent, event, why)  # type: ignore[arg-type]
        await scene.listed()
        for _ in range(MAX_TIME_OUTS):
            assert decision_in((await scene.call("a__echo"))["error"])["kind"] == "unknown"
        assert decision_in((await scene.call("a__echo"))["result"])["reason"] == "unavailable"
        assert len(silent.calls) == MAX_TIME_OUTS
        assert "isError" not in (await scene.call("b__echo"))["result"]
        silent.now, silent.hold = REST, False
        assert "isError" not in (await scene.call("a__echo"))["result"]
        assert len(silent.calls) == MAX_TIME_OUTS + 1
        assert [row.reason for row in scene.rows() if row.effect == "deny"] == ["unavailable"]
    assert [kind for kind in kinds(tmp_path / "state") if "ill" in kind or "well" in kind] == [
        "server_ill",
        "server_well",
    ]


def kinds(state: Path) -> list[str]:
    with open_for_reading(state) as query:
        return [row.kind.value for row in query.entries(Filter())]


async def test_a_listing_that_is_too_long_is_read_once_and_not_for_every_call(tmp_path: Path) -> None:
    huge = RecordingDownstream("a", tools=[tool(f"t{number}") for number in range(10_001)])
    with pair(tmp_path, Era.LEGACY, huge) as scene:
        assert await scene.listed() == ["b__echo"]
        for _ in range(5):
            assert decision_in((await scene.call("a__t1"))["result"])["reason"] == "unavailable"
        assert [method for method, _ in huge.requests] == ["tools/list"]
        huge.tools = [tool("few")]
        assert await scene.listed() == ["a__few", "b__echo"]  # who asks for the list has it asked for again
        assert "isError" not in (await scene.call("a__few"))["result"]


async def test_a_crash_in_one_server_while_fifty_calls_are_at_another_costs_none_of_them(tmp_path: Path) -> None:
    stand = Stand(tmp_path, BOTH)
    async with stand.run({"a": stand.server("a"), "b": stand.server("b")}) as client:
        await client.initialize()
        await client.list_all()
        under_way = [await client.start("tools/call", {"name": "a__slow", "arguments": {}}) for _ in range(50)]
        for _ in range(3):
            with pytest.raises(RpcError):
                await client.call("b__crash")
            await client.call("b__echo", {"text": "x"})
        await client.call("a__release")
        for answer in under_way:
            assert (await client.result(answer))["content"][0]["text"] == "done at last"
    assert len([line for line in stand.ledger("a") if line["tool"] == "slow"]) == 50
