"""`wrap` over real processes: what a client sees of one guarded server, in both eras, in good times and bad."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.client import LEGACY, MODERN, RawClient, RpcError
from tests.guards import Stand, decision_in
from tests.patience import PATIENCE

ERAS = pytest.mark.parametrize("era", [LEGACY, MODERN])


async def begin(client: RawClient, era: str) -> None:
    await (client.initialize() if era == LEGACY else client.discover())


# --- the rest passes untouched (law 9)


@ERAS
async def test_results_and_descriptors_arrive_as_the_server_sent_them(tmp_path: Path, era: str) -> None:
    stand = Stand(tmp_path)
    value: dict[str, Any] = {
        "null": None,
        "float": 1.0,
        "tiny": 1e-7,
        "int": 2**60,
        "list": [1, 1.5, "é\u0000"],
        "": {},
    }
    seen: list[Any] = []
    for command in (None, stand.server()):
        async with stand.wrap() if command is None else RawClient(command) as client:
            await begin(client, era)
            listing = {tool["name"]: tool for tool in await client.list_all()}
            call = await client.call("structured", {"value": value}, _meta={"example.com/x": [None]})
            failed = await client.call("fail")
            with pytest.raises(RpcError) as error:
                await client.call("fail", {"rpc": True})
            seen.append([listing, call, failed, error.value.error])
    assert json.dumps(seen[0], sort_keys=True) == json.dumps(seen[1], sort_keys=True)
    sent = [json.dumps(message["params"], sort_keys=True) for message in stand.trace("tools/call")]
    assert sent[:3] == sent[3:]


@ERAS
@pytest.mark.parametrize("token", [5, "t", 0, "", 1.5])
async def test_progress_keeps_order_token_and_members_and_comes_before_the_answer(
    tmp_path: Path, era: str, token: Any
) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await begin(client, era)
        await client.call("progress", {"n": 5}, _meta={"progressToken": token})
        told = [message["params"] for message in client.notifications if message["method"] == "notifications/progress"]
        assert [params["progress"] for params in told] == [1, 2, 3, 4, 5]
        assert all(params["progressToken"] == token and type(params["progressToken"]) is type(token) for params in told)
        assert [params["_meta"] for params in told] == [{"example.com/kept": step} for step in range(1, 6)]
        assert "result" in client.received[-1]


async def test_log_messages_pass_as_they_are(tmp_path: Path) -> None:
    async with Stand(tmp_path).wrap() as client:
        await client.initialize()
        await client.call("log", {"message": "m"})
        (told,) = await client.wait_for_notification("notifications/message")
        assert told["params"] == {"level": "info", "data": "m", "x-fixture": 1}


# --- many at once


async def test_fifty_calls_are_answered_out_of_order_and_slow_ones_block_none(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await client.initialize()
        slow = [await client.start("tools/call", {"name": "slow", "arguments": {}}) for _ in range(10)]
        fast = [
            await client.start("tools/call", {"name": "echo", "arguments": {"text": str(number)}})
            for number in range(40)
        ]
        texts = [(await client.result(answer))["content"][0]["text"] for answer in fast]
        assert texts == [str(number) for number in range(40)]
        assert not any(answer.done() for answer in slow)
        await client.call("release")
        assert {(await client.result(answer))["content"][0]["text"] for answer in slow} == {"done at last"}


async def test_seven_and_seven_in_quotes_are_two_requests_and_a_second_seven_is_refused(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await client.initialize()
        number = await client.start("tools/call", {"name": "slow", "arguments": {"nonce": "n"}}, id=77)
        text = await client.start("tools/call", {"name": "slow", "arguments": {"nonce": "t"}}, id="77")
        await client.send({"id": 77, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "x"}}})
        with pytest.raises(RpcError, match="under way"):
            await client.result(number)
        number = client.expect(77)
        await client.call("release")
        for answer in (number, text):
            assert (await client.result(answer))["content"][0]["text"] == "done at last"
    assert [line["tool"] for line in stand.ledger()] == ["slow", "slow", "release"]


# --- giving up


@ERAS
async def test_a_cancelled_call_is_cancelled_at_the_server_and_never_answered(tmp_path: Path, era: str) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await begin(client, era)
        await client.list_all()
        slow = await client.start("tools/call", {"name": "slow", "arguments": {}}, id="s")
        await client.notify("notifications/cancelled", {"requestId": "s", "reason": "enough"})
        released = await client.call("release")
        assert released["content"][0]["text"] == "released 0"
        assert not slow.done()
    (told,) = stand.trace("notifications/cancelled")
    (sent,) = [message for message in stand.trace("tools/call") if message["params"]["name"] == "slow"]
    assert told["params"] == {"requestId": sent["id"], "reason": "enough"}
    assert [row.outcome for row in stand.decisions()] == ["cancelled", "ok"]


async def test_cancelling_what_is_answered_or_was_never_asked_does_nothing(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await client.initialize()
        await client.request("tools/call", {"name": "echo", "arguments": {"text": "x"}}, id=50)
        odd: list[Any] = [50, "50", None, 1.5, [], "never"]
        for request in odd:
            await client.notify("notifications/cancelled", {"requestId": request})
        assert (await client.call("echo", {"text": "y"}))["content"][0]["text"] == "y"
    assert stand.trace("notifications/cancelled") == []


# --- crashes


@ERAS
async def test_a_crash_at_work_is_answered_once_and_the_next_call_waits_for_the_restart(
    tmp_path: Path, era: str
) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await begin(client, era)
        slow = await client.start("tools/call", {"name": "slow", "arguments": {}})
        with pytest.raises(RpcError) as error:
            await client.call("crash")
        assert decision_in(error.value.error)["kind"] == "unknown"
        assert decision_in((await slow)["error"])["kind"] == "unknown"
        assert (await client.call("echo", {"text": "again"}))["content"][0]["text"] == "again"
        assert client.unmatched == []
    assert [line["tool"] for line in stand.ledger()] == ["slow", "crash", "echo"]  # nothing was replayed
    assert len({line["pid"] for line in stand.ledger()}) == 2


async def test_a_server_that_does_not_start_is_said_to_be_unavailable(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap(server=["/nowhere/no-such-server"]) as client:
        with pytest.raises(RpcError):
            await client.initialize()
        assert await client.request("ping") == {}


# --- eras


@pytest.mark.parametrize("options", [(), ("--no-modern",)])
async def test_a_client_that_asks_for_the_modern_era_first_can_go_on_in_the_other(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap(*options) as client:
        if options:
            with pytest.raises(RpcError):
                await client.discover()
        else:
            assert "2026-07-28" in (await client.discover())["supportedVersions"]
        client.meta = {}
        assert (await client.initialize())["protocolVersion"] == LEGACY
        assert (await client.call("echo", {"text": "x"}))["content"][0]["text"] == "x"
        client.speak_modern()
        with pytest.raises(RpcError, match="began with"):
            await client.call("echo", {"text": "x"})
    assert len(stand.ledger()) == 1


async def test_a_server_of_the_modern_era_alone_answers_the_handshake_of_the_legacy_one(tmp_path: Path) -> None:
    async with Stand(tmp_path).wrap("--no-legacy") as client:
        hello = await client.initialize("2025-06-18")
        assert hello["protocolVersion"] == "2025-06-18"
        assert hello["serverInfo"]["name"] == "raw"
        assert hello["capabilities"].keys() == {"tools", "logging"}  # what is granted, as ever
        assert hello.keys() & {"resultType", "supportedVersions", "ttlMs", "_meta"} == set()


async def test_a_modern_client_may_call_before_anything_else(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        client.speak_modern()
        assert (await client.call("echo", {"text": "x"}))["content"][0]["text"] == "x"


async def test_first_requests_that_come_together_open_the_server_once(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        client.speak_modern()
        started = [await client.start("tools/list"), await client.start("server/discover")]
        started += [await client.start("tools/call", {"name": "echo", "arguments": {"text": "x"}}) for _ in range(5)]
        for answer in started:
            await client.result(answer)
    assert len(stand.trace("server/discover")) == 1
    assert len(stand.ledger()) == 5
    assert len({line["pid"] for line in stand.ledger()}) == 1


async def test_asking_again_what_a_server_is_disturbs_no_call(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await client.discover()
        slow = await client.start("tools/call", {"name": "slow", "arguments": {}})
        assert (await client.discover())["capabilities"]["tools"]
        await client.call("release")
        assert (await client.result(slow))["content"][0]["text"] == "done at last"


# --- what is no request


async def test_a_call_as_a_notification_and_other_malformed_lines_execute_nothing(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    call = '"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}'
    lines = [
        f'{{"jsonrpc":"2.0",{call}}}',
        f'{{"jsonrpc":"2.0","id":null,{call}}}',
        f'{{"jsonrpc":"2.0","id":1.5,{call}}}',
        f'{{"jsonrpc":"2.0","id":true,{call}}}',
        f'{{"jsonrpc":"2.0","id":90,"id":91,{call}}}',
        f'[{{"jsonrpc":"2.0","id":92,{call}}}]',
        f'{{"jsonrpc":"2.0","id":93,{call},"result":{{}}}}',
        f'{{"jsonrpc":"2.0","id":94,{call},"more":1}}',
        '{"jsonrpc":"2.0","method":"notifications/tools/call","params":{"name":"echo","arguments":{"text":"x"}}}',
        '{"jsonrpc":"2.0","id":95,"method":"tools/call","params":{"name":"echo","Name":"add","arguments":{}}}',
        '{"jsonrpc":"2.0","id":96,"method":"tools/call","params":{"name":"echo","arguments":{"text":NaN}}}',
        '{"jsonrpc":"2.0","id":97,"method":"Tools/call","params":{"name":"echo","arguments":{"text":"x"}}}',
        "nonsense",
    ]
    async with stand.wrap() as client:
        await client.initialize()
        for line in lines:
            await client.send_bytes(line.encode() + b"\n")
        assert (await client.call("echo", {"text": "good"}))["content"][0]["text"] == "good"
    assert len(stand.ledger()) == 1
    assert len([row for row in stand.rows() if row.effect == "deny"]) == len(lines)


async def test_a_cursor_that_was_not_ours_is_refused_and_all_pages_come_as_one(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap("--page-size", "4") as client:
        await client.initialize()
        page = await client.request("tools/list")
        assert len(page["tools"]) == 15
        assert "nextCursor" not in page
        assert page["x-fixture"] == "beside the list"
        with pytest.raises(RpcError) as error:
            await client.request("tools/list", {"cursor": "at:4"})
        assert error.value.code == -32602


async def test_thousands_of_tools_are_listed(tmp_path: Path) -> None:
    stand = Stand(tmp_path, "version: 1\ngrants: [{id: few, tool: [raw/echo, raw/tool_9000], args: any}]\n", timeout=60)
    async with stand.wrap("--tools", "9500", "--page-size", "500") as client:
        await client.initialize()
        assert [tool["name"] for tool in await client.list_all()] == ["echo", "tool_9000"]
        assert (await client.call("echo", {"text": "x"}))["content"][0]["text"] == "x"


async def test_a_listing_that_is_too_long_is_given_up_and_the_guard_still_answers(tmp_path: Path) -> None:
    stand = Stand(tmp_path, "version: 1\ngrants: [{id: few, tool: raw/echo, args: any}]\n", timeout=60)
    async with stand.wrap("--tools", "100000", "--page-size", "5000") as client:
        await client.initialize()
        assert await client.list_all() == []
        refused = await client.call("echo", {"text": "x"})
        assert refused["_meta"]["mcp-guard/decision"]["reason"] == "unavailable"
    assert "too long" in client.stderr


async def test_a_storm_of_changes_is_told_to_the_client_a_few_times(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await client.initialize()
        grown = [
            await client.start("tools/call", {"name": "grow", "arguments": {"name": f"grown_{number}"}})
            for number in range(200)
        ]
        for answer in grown:
            await client.result(answer)
        await client.wait_for_notification("notifications/tools/list_changed")
        told = [message for message in client.notifications if message["method"].endswith("list_changed")]
        assert len(told) < 20
        names = [tool["name"] for tool in await client.list_all()]
        assert "grown_1" not in names
        assert len(names) == 15


@pytest.mark.parametrize("method", ["elicitation/create", "sampling/createMessage", "roots/list"])
async def test_a_servers_own_request_is_refused_and_never_reaches_the_client(tmp_path: Path, method: str) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await client.initialize(capabilities={"elicitation": {}, "sampling": {}, "roots": {}})
        answer = await client.call("ask", {"method": method, "params": {}})
        assert answer["structuredContent"]["error"]["code"] == -32601
        assert client.requests == []
    (opened,) = stand.trace("initialize")
    assert opened["params"]["capabilities"] == {}
    assert [row.method for row in stand.rows() if row.effect == "deny"] == [method]


async def test_no_server_hears_what_a_modern_client_could_be_asked_for(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await client.discover(capabilities={"elicitation": {}, "sampling": {}, "roots": {}, "x-odd": {"a": 1}})
        await client.list_all()
        assert "isError" not in await client.call("echo", {"text": "x"})
    for method in ("server/discover", "tools/list", "tools/call"):
        for message in stand.trace(method):
            heard = message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
            assert heard == {}, method


async def test_nothing_is_listed_or_called_without_a_policy(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.client(["wrap", "--", *stand.server()]) as client:
        await client.initialize()
        assert await client.list_all() == []
        with pytest.raises(RpcError, match="Unknown tool"):
            await client.call("echo", {"text": "x"})
    assert stand.ledger() == []


async def test_a_client_that_leaves_ends_the_guard_and_the_server_hears_of_it(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    client = stand.wrap()
    async with client:
        await client.initialize()
        await client.list_all()
        await client.start("tools/call", {"name": "slow", "arguments": {}})
        await client.call("echo", {"text": "x"})
        assert await client.close() == 0
    assert [row.kind for row in stand.rows()][-1] == "stopped"
    assert stand.verified() == []


async def test_a_call_that_names_the_guards_own_files_is_denied_whatever_is_granted(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    (tmp_path / "link").symlink_to(stand.state)
    texts = [
        str(stand.state / "guard.db"),
        str(stand.state),
        f"file://{stand.state}/guard.db",
        str(stand.policy_file),
        f"{tmp_path}/x/../policy.yaml",
        "policy.yaml",
        "./state/digest.key",
        f"{tmp_path}/link/guard.db",
        str(stand.state).upper(),
    ]
    async with stand.wrap() as client:
        await client.initialize()
        forms: list[dict[str, Any]] = [{"text": text} for text in texts]
        forms += [{"text": "x", "deep": [{"er": [text]}]} for text in texts] + [
            {"text": "x", text: 1} for text in texts
        ]
        for arguments in forms:
            answer = await client.call("echo", arguments)
            assert decision_in(answer)["reason"] == "protected", arguments
        assert "isError" not in await client.call("echo", {"text": str(tmp_path / "other.txt")})
        async with asyncio.timeout(PATIENCE):
            await client.request("ping")
    assert len(stand.ledger()) == 1
