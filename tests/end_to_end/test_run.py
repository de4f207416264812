"""`run` over real processes: several servers as one, and one's trouble stays its own."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.test_kill import none_left
from tests.fixtures.client import LEGACY, MODERN, RpcError
from tests.guards import Stand, decision_in

POLICY = 'version: 1\ngrants: [{id: all, tool: ["a/*", "b/*"], args: any}]\n'


def text(result: dict[str, Any]) -> str:
    found: str = result["content"][0]["text"]
    return found


async def test_each_call_reaches_the_server_that_its_name_says(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.run({"a": stand.server("a"), "b": stand.server("b")}) as client:
        await client.initialize()
        names = [tool["name"] for tool in await client.list_all()]
        assert len(names) == 30
        assert {"a__echo", "b__echo"} <= set(names)
        await client.call("a__echo", {"text": "1", "nonce": "for a"})
        await client.call("b__echo", {"text": "2", "nonce": "for b"})
        for name in ("echo", "A__echo", "a__b__echo", "a_echo", "c__echo", "__echo", "a__"):
            with pytest.raises(RpcError, match="Unknown tool"):
                await client.call(name, {"text": "x"})
    assert [line["nonce"] for line in stand.ledger("a")] == ["for a"]
    assert [line["nonce"] for line in stand.ledger("b")] == ["for b"]


async def test_a_server_that_crashes_again_and_again_disturbs_no_other(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    crashing = [sys.executable, "-S", "-c", "raise SystemExit(3)"]
    async with stand.run({"a": stand.server("a"), "b": crashing}) as client:
        await client.initialize()
        for number in range(30):
            assert text(await client.call("a__echo", {"text": str(number)})) == str(number)
        listed = await client.start("tools/list")
        assert text(await client.call("a__echo", {"text": "meanwhile"})) == "meanwhile"
        assert len((await client.result(listed))["tools"]) == 15


async def test_a_server_that_is_slow_to_start_holds_up_no_other_and_comes_in_later(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    gate = tmp_path / "gate"
    async with stand.run({"a": stand.server("a"), "b": stand.server("b", "--slow-start", str(gate))}) as client:
        started = await client.start("initialize", {"protocolVersion": LEGACY, "capabilities": {}})
        await client.result(started)
        assert text(await client.call("a__echo", {"text": "x"})) == "x"
        waiting = await client.start("tools/call", {"name": "b__echo", "arguments": {"text": "late"}})
        assert text(await client.call("a__echo", {"text": "y"})) == "y"
        assert not waiting.done()
        gate.touch()
        assert text(await client.result(waiting)) == "late"
        assert len(await client.list_all()) == 30


@pytest.mark.parametrize(
    ("options", "modern"), [(((), ()), True), (((), ("--no-modern",)), False), ((("--no-modern",),) * 2, False)]
)
async def test_the_modern_era_is_offered_only_where_every_server_speaks_it(
    tmp_path: Path, options: Any, modern: bool
) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.run({"a": stand.server("a", *options[0]), "b": stand.server("b", *options[1])}) as client:
        if modern:
            assert (await client.discover())["supportedVersions"] == [MODERN]
            assert len(await client.list_all()) == 30
        else:
            with pytest.raises(RpcError) as error:
                await client.discover()
            assert error.value.code == -32601
            client.meta = {}
            await client.initialize()
        assert text(await client.call("b__echo", {"text": "x"})) == "x"


async def test_a_crash_of_one_is_unavailable_or_unknown_for_it_and_nothing_for_the_other(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.run({"a": stand.server("a"), "b": stand.server("b")}) as client:
        await client.initialize()
        await client.list_all()
        slow = await client.start("tools/call", {"name": "a__slow", "arguments": {}})
        with pytest.raises(RpcError) as error:
            await client.call("b__crash")
        assert decision_in(error.value.error)["kind"] == "unknown"
        await client.call("a__release")
        assert text(await client.result(slow)) == "done at last"
        await client.wait_for_notification("notifications/tools/list_changed")
        assert text(await client.call("b__echo", {"text": "back"})) == "back"


async def test_a_server_gets_only_the_environment_that_its_entry_names(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    stand.environment |= {"NAMED": "1", "NOT_NAMED": "a secret"}
    async with stand.run({"a": stand.server("a")}, env=["NAMED"]) as client:
        await client.initialize()
        seen = (await client.call("a__surroundings"))["structuredContent"]
    assert seen["env"]["NAMED"] == "1"
    assert "NOT_NAMED" not in seen["env"]
    assert "MCP_GUARD_STATE" not in seen["env"]
    assert seen["cwd"] == os.path.realpath(tmp_path) or seen["cwd"] == str(tmp_path)


async def test_no_process_is_left_when_the_client_leaves(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.run({"a": stand.server("a"), "b": stand.server("b")}) as client:
        await client.initialize()
        seen = [(await client.call(f"{name}__surroundings"))["structuredContent"]["pid"] for name in "ab"]
        child = (await client.call("a__spawn_child", {"detach": True, "hold_pipes": False}))["structuredContent"]["pid"]
    assert await none_left(str(tmp_path))
    for pid in seen:
        assert not Path(f"/proc/{pid}").exists()
    for _ in range(500):
        if not Path(f"/proc/{child}").exists():
            break
        await asyncio.sleep(0.01)
    assert not Path(f"/proc/{child}").exists()
